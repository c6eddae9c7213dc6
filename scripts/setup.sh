# Sourced by run.sh and test.sh: ROOT, VENV and `set_up`, which installs what a bare Debian machine lacks.
#
# Messages go to stderr, one line a step, because stdout belongs to the program. The output of the steps goes to .setup/log.
# A second start at the same time waits for the first one.

ROOT=$(dirname "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")")
VENV=$ROOT/.venv
LOG=$ROOT/.setup/log
PYTHON=/usr/bin/python3 # by path: another python3 may come first on PATH
TRACEFS=/sys/kernel/tracing
PACKAGES=(python3 python3-venv ca-certificates python3-bpfcc) # no kernel headers: sources/kernel/shim.py is enough for BCC

# set_up NAME [PIP-ARGUMENT…] [-- PACKAGE…]
# NAME names a set of Python packages. Each set has its stamp, so that a later start only compares two hashes.
set_up() {
  local name=$1 pip=()
  shift
  while (($#)) && [[ $1 != -- ]]; do
    pip+=("$1")
    shift
  done
  PACKAGES+=("${@:2}")
  if [[ -n $(missing_packages) ]] || ! has_tracefs || ! has_stamp "$name"; then
    # Lock and umask end with the subshell. The lock is on a file that every user can read; root's own umask may hide files.
    (
      umask 022
      flock --nonblock 9 || {
        say "waiting for another set-up"
        flock 9
      }
      install_packages
      mount_tracefs
      has_stamp "$name" || install_python "$name" "${pip[@]}"
    ) 9<"$ROOT/pyproject.toml" || exit 1
  fi
}

say() {
  printf 'agentsight-rx: %s\n' "$*" >&2
}

# step TEXT COMMAND…
step() {
  say "$1 …"
  shift
  if ! { mkdir -p "${LOG%/*}" && : >"$LOG"; } 2>/dev/null; then
    say "cannot write to $ROOT: run this once as its owner or with sudo"
    exit 1
  fi
  if ! "$@" >"$LOG" 2>&1 </dev/null 9<&-; then
    say "this failed: $* — the end of $LOG says why:"
    tail -n 40 "$LOG" >&2
    exit 1
  fi
}

missing_packages() {
  command -v dpkg-query >/dev/null || return 0 # not Debian: `agentsight-rx doctor` says what is missing
  local installed package
  installed=$(dpkg-query --show --showformat '${Package} ${db:Status-Status}\n' "${PACKAGES[@]}" 2>/dev/null) || true
  for package in "${PACKAGES[@]}"; do
    [[ $'\n'$installed$'\n' == *$'\n'"$package installed"$'\n'* ]] || printf '%s ' "$package"
  done
}

install_packages() {
  local missing
  read -ra missing <<<"$(missing_packages)"
  ((${#missing[@]})) || return 0
  if ((EUID)); then
    say "packages are missing and installing them needs root; run once: sudo apt-get install ${missing[*]}"
    exit 1
  fi
  step "installing ${missing[*]}" apt_install "${missing[@]}"
}

# The package lists are renewed only if they are missing or too old to find the packages.
apt_install() {
  export DEBIAN_FRONTEND=noninteractive
  local install=(apt-get --yes --option DPkg::Lock::Timeout=300 install --no-install-recommends "$@")
  "${install[@]}" || { apt-get update && "${install[@]}"; }
}

has_tracefs() {
  grep -q " $TRACEFS tracefs " /proc/self/mounts
}

mount_tracefs() {
  has_tracefs && return
  if ((EUID)); then
    say "tracefs is not mounted and mounting it needs root; only what does not capture works without it"
  else
    mount -t tracefs tracefs "$TRACEFS" 2>/dev/null || say "tracefs cannot be mounted here; \`agentsight-rx doctor\` says what that means"
  fi
}

has_stamp() {
  [[ -r $VENV/$1.stamp && $(<"$VENV/$1.stamp") == "$(stamp)" ]]
}

# An editable install is bound to its place and to one version of Python, so a stamp is too.
stamp() {
  { readlink -f "$PYTHON" && echo "$ROOT" && cat "$ROOT/pyproject.toml"; } | sha256sum
}

# Debian 12's pip knows no --group; one that is new enough stays as it is. An editable install builds nothing (hatch_build.py).
install_packages_of_python() {
  local pip=("$VENV/bin/python" -I -m pip install --disable-pip-version-check)
  "${pip[@]}" 'pip >= 25.1' && HATCH_BUILD_NO_HOOKS=true "${pip[@]}" --editable "$ROOT" "$@"
}

# install_python NAME [PIP-ARGUMENT…]
install_python() {
  local name=$1
  shift
  "$VENV/bin/python" -I -m pip --version >/dev/null 2>&1 ||
    step "making the Python environment" "$PYTHON" -I -m venv --clear "$VENV"
  step "installing the Python packages ($name)" install_packages_of_python "$@"
  stamp >"$VENV/$name.stamp"
  # After sudo the files belong to the owner of the checkout, so that the next change needs no root.
  ((EUID)) || {
    chown --recursive --no-dereference --reference="$ROOT" "$VENV"
    chown --reference="$ROOT" "${LOG%/*}" "$LOG"
  }
}
