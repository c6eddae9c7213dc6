# Sourced by scripts that run something on a new Debian: `run_on_machine`.
#
# DIRECTORY (.setup/bare) keeps each Debian that debootstrap made, and each run works on a copy of it. The copy becomes / of a mount
# namespace (pivot_root, because containers do not start in a chroot), so its mounts end with its processes. It has the kernel, the
# network and the control groups of this machine, and how this machine reaches its package mirrors; nothing else.

source "$ROOT/scripts/debian.sh"

# run_on_machine TIER [12|13] [DIRECTORY]
# The script has three functions: `fill` puts its files into $MACHINE, `inside` runs there as root, `judge` reads $OUTPUT and fails
# with KEEP=yes where the machine should stay.
run_on_machine() {
  local tier=$1
  shift
  RELEASE=13
  if [[ ${1-} =~ ^[0-9]+$ ]]; then
    RELEASE=$1
    shift
  fi
  SUITE=$(suite_of "$RELEASE")
  DIRECTORY=$(readlink --canonicalize-missing "${1-$ROOT/.setup/bare}")
  BASE=$DIRECTORY/$SUITE
  MACHINE=$DIRECTORY/machine
  OUTPUT=$DIRECTORY/output
  NAMESPACE=$DIRECTORY/namespace
  needs_root "$tier needs root: it installs a Debian and traces programs in it"
  mkdir -p "$DIRECTORY"
  exec 8<"$DIRECTORY"
  flock --nonblock 8 || {
    say "another run works in $DIRECTORY"
    exit 1
  }
  PACKAGES=(debootstrap git mount util-linux)
  install_packages
  [[ -d $BASE ]] || step "making a bare Debian $RELEASE in $BASE (a minute)" make_base "$SUITE" "$BASE"
  trap leave EXIT
  trap 'exit 130' INT TERM HUP
  step "copying it to $MACHINE" make_machine
  run_commands
  judge
}

make_machine() {
  rm -rf --one-file-system "$MACHINE"
  cp --archive --reflink=auto "$BASE" "$MACHINE"
  share_network "$MACHINE"
  fill
  declare -f inside >"$MACHINE/root/inside"
}

# As a job with a process group of its own: it gets Ctrl-C from `leave` only, and `wait` can be interrupted.
run_commands() {
  local carried
  mapfile -t carried < <(network_settings)
  : >"$OUTPUT" # before it is followed
  set -m
  unshare --mount --propagation private -- \
    bash -c "set -euo pipefail; $(declare -f enter); enter \"\$@\"" enter "$MACHINE" "$NAMESPACE" "${carried[@]}" \
    </dev/null >"$OUTPUT" 2>&1 8<&- &
  JOB=$!
  set +m
  tail --lines=+1 --follow --pid="$JOB" "$OUTPUT" &
  wait "$JOB" || true
  wait "$!"
}

# enter MACHINE NAMESPACE [NAME=VALUE…]: make MACHINE the root of this mount namespace and run `inside` there.
enter() {
  readlink /proc/self/ns/mnt >"$2"
  mount --bind "$1" "$1"
  cd "$1"
  mount -t proc proc proc
  mount -t sysfs sysfs sys
  mount --rbind /sys/fs/cgroup sys/fs/cgroup
  mount --rbind /dev dev
  pivot_root . .
  umount --lazy .
  cd /
  exec env --ignore-environment HOME=/root PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin TERM=dumb \
    "${@:3}" bash -c 'set -euo pipefail; source /root/inside; inside'
}

# Stop what is still running in the namespace, first with a signal that lets tests remove their containers. The mounts end with it.
leave() {
  trap '' INT TERM HUP
  [[ ! -v JOB ]] || disown "$JOB" 2>/dev/null || true # bash reports no killed job
  if [[ -v JOB ]] && kill -INT -- "-$JOB" 2>/dev/null; then
    say "stopping (20 seconds)"
    timeout 20 tail --pid="$JOB" --follow /dev/null || true
  fi
  local pid
  for pid in $(processes_inside); do
    kill -KILL "$pid" 2>/dev/null || true
  done
  [[ -v KEEP ]] || {
    say "removing $MACHINE"
    rm -rf --one-file-system "$MACHINE"
  }
  rm -f "$NAMESPACE"
}

processes_inside() {
  [[ -s $NAMESPACE ]] || return 0
  local namespace entry
  namespace=$(<"$NAMESPACE")
  for entry in /proc/[0-9]*; do
    [[ $(readlink "$entry/ns/mnt" 2>/dev/null) != "$namespace" ]] || printf '%s\n' "${entry#/proc/}"
  done
}
