# Sourced by run.sh and test.sh: ROOT, STATE, VENV and `set_up`, which installs what a bare Debian machine lacks.
#
# Root installs packages. Another user needs only a Python that makes environments, and is told one line of apt where there is none.
# Messages go to stderr, one line a step, because stdout belongs to the program. The output of the steps goes to .setup/log.
# A second start at the same time waits for the first one.

ROOT=$(dirname "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")")
TRACEFS=/sys/kernel/tracing

# has_capabilities MASK: of capabilities(7), in a user namespace that the kernel asks for rights. The bits in MASK are all there.
has_capabilities() {
  local effective first
  read -r _ first _ </proc/self/uid_map 2>/dev/null || return 1
  effective=0x$(sed -n 's/^CapEff:[[:space:]]*//p' /proc/self/status)
  ((first == 0 && (effective & $1) == $1))
}

# Whether this user can install packages: CHOWN, DAC_OVERRIDE, FOWNER, SETGID, SETUID
installs() {
  ((EUID == 0)) && has_capabilities 0xCB
}

# Whether the kernel lets this user load programs: PERFMON and BPF, else SYS_ADMIN. Without it a command is recorded by breakpoints.
captures() {
  has_capabilities 0xC000000000 || has_capabilities 0x200000
}

# Where .venv and .setup are: here; for a user who may not write here and finds none, in a folder of this user's own.
place() {
  local folder
  if [[ ! -w $ROOT && ! -x $ROOT/.venv/bin/agentsight-rx ]]; then
    for folder in "${XDG_CACHE_HOME:-${HOME:-/nonexistent}/.cache}/agentsight-rx" "${TMPDIR:-/tmp}/agentsight-rx-$EUID"; do
      folder+=/checkout-$(cksum <<<"$ROOT" | cut -d ' ' -f 1)
      if (umask 077 && mkdir -p "$folder") 2>/dev/null && [[ -w $folder && -O ${folder%/*} && -O $folder ]]; then
        printf '%s\n' "$folder"
        return
      fi
    done
  fi
  printf '%s\n' "$ROOT"
}

STATE=$(place)
VENV=$STATE/.venv
LOG=$STATE/.setup/log

# By path, because another python3 may come first on PATH and knows no BCC; where there is no BCC to know, any that makes environments.
PYTHON=/usr/bin/python3
if ! captures && ! "$PYTHON" -I -c 'import ensurepip' 2>/dev/null; then
  PYTHON=$(type -P python3) || PYTHON=/usr/bin/python3
fi
PACKAGES=() # no kernel headers: sources/kernel/shim.py is enough for BCC
if installs || ! "$PYTHON" -I -c 'import ensurepip' 2>/dev/null; then
  PACKAGES=(python3 python3-venv ca-certificates)
fi
! captures || PACKAGES+=(python3-bpfcc)

# set_up NAME [PIP-ARGUMENT…] [-- PACKAGE…]
# NAME names a set of Python packages. Each set has its stamp, so that a later start only compares two hashes. A user who cannot
# install packages does without those behind --, unless ALL_REQUIRED is set.
set_up() {
  local name=$1 pip=() absent
  shift
  while (($#)) && [[ $1 != -- ]]; do
    pip+=("$1")
    shift
  done
  if installs || [[ -v ALL_REQUIRED ]]; then
    PACKAGES+=("${@:2}")
  elif absent=$(missing_packages "${@:2}") && [[ -n $absent ]]; then
    say "what needs these packages is left out; to install them: sudo apt-get install $absent"
  fi
  if [[ -n $(missing_packages "${PACKAGES[@]}") ]] || { captures && ! has_tracefs; } || ! has_stamp "$name"; then
    # Lock and umask end with the subshell. The lock is on a file that every user can read; root's own umask may hide files.
    (
      umask 022
      flock --nonblock 9 || {
        say "waiting for another set-up"
        flock 9
      }
      install_packages
      ! captures || mount_tracefs
      has_stamp "$name" || install_python "$name" "${pip[@]}"
    ) 9<"$ROOT/pyproject.toml" || exit 1
  fi
}

say() {
  printf 'agentsight-rx: %s\n' "$*" >&2
}

# needs_root TEXT: end with this text for every other user.
needs_root() {
  ((EUID == 0)) || {
    say "$1"
    exit 1
  }
}

# step TEXT COMMAND…
step() {
  say "$1 …"
  shift
  if ! { mkdir -p "${LOG%/*}" && : >"$LOG"; } 2>/dev/null; then
    say "cannot write to $STATE: run this once as its owner or with sudo, or in a copy of your own"
    exit 1
  fi
  if ! "$@" >"$LOG" 2>&1 </dev/null 9<&-; then
    say "this failed: $* — the end of $LOG says why:"
    tail -n 40 "$LOG" >&2
    exit 1
  fi
}

# missing_packages PACKAGE…
missing_packages() {
  command -v dpkg-query >/dev/null || return 0 # not Debian: `agentsight-rx doctor` says what is missing
  local installed package
  (($#)) || return 0
  installed=$(dpkg-query --show --showformat '${Package} ${db:Status-Status}\n' "$@" 2>/dev/null) || true
  for package; do
    [[ $'\n'$installed$'\n' == *$'\n'"$package installed"$'\n'* ]] || printf '%s ' "$package"
  done
}

install_packages() {
  local missing
  read -ra missing <<<"$(missing_packages "${PACKAGES[@]}")"
  ((${#missing[@]})) || return 0
  if ! installs; then
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
  { "$VENV/bin/python" -I -m pip --version && [[ $VENV/bin/python -ef $PYTHON ]]; } >/dev/null 2>&1 ||
    step "making the Python environment" "$PYTHON" -I -m venv --clear "$VENV"
  step "installing the Python packages ($name)" install_packages_of_python "$@"
  stamp >"$VENV/$name.stamp"
  give_to_owner --recursive "$VENV"
  give_to_owner "${LOG%/*}" "$LOG"
}

# give_to_owner [--recursive] FILE…: after sudo they belong to the owner of the checkout, so that the next change needs no root.
give_to_owner() {
  ! installs || [[ $STATE != "$ROOT" ]] || chown --no-dereference --reference="$ROOT" "$@"
}
