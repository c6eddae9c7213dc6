#!/usr/bin/env bash
# ./test.sh --service: the service on a machine that systemd runs. That machine is a container of podman with a new Debian of this
# machine's release: this machine's systemd is not touched, and its kernel shows the service the processes of the container only.
#
# .setup/service/base has that Debian, with systemd, Python and BCC (700 MB); each run works on a layer above it.
set -euo pipefail

SCRIPTS=$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")
source "$SCRIPTS/setup.sh"
source "$SCRIPTS/debian.sh"

KEPT=$ROOT/.setup/service
BASE=$KEPT/base
WANTED=(systemd python3 python3-bpfcc openssl)
# What would act on this machine's kernel or devices: its settings, its modules, its mounts, its terminals
MASKED=(systemd-sysctl.service systemd-modules-load.service systemd-binfmt.service systemd-remount-fs.service
  proc-sys-fs-binfmt_misc.automount proc-sys-fs-binfmt_misc.mount sys-kernel-debug.mount sys-kernel-tracing.mount
  sys-kernel-config.mount sys-fs-fuse-connections.mount dev-hugepages.mount dev-mqueue.mount
  systemd-tmpfiles-setup-dev.service systemd-tmpfiles-setup-dev-early.service systemd-random-seed.service
  console-getty.service getty@.service serial-getty@.service getty.target apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer)

main() {
  local release suite unit
  release=$(cut -d . -f 1 /etc/debian_version 2>/dev/null) || true
  suite=$(suite_of "$release") || {
    say "--service is left out: it makes a Debian like this machine's, and needs Debian 12 or 13"
    return 3
  }
  local wanted="$suite ${WANTED[*]} ${MASKED[*]}"
  [[ ! -r $KEPT/stamp || $(<"$KEPT/stamp") != "$wanted" ]] || return 0
  ((EUID == 0)) || {
    say "--service needs root: it installs a Debian and traces programs in it"
    return 1
  }
  PACKAGES=(debootstrap mount util-linux)
  install_packages
  mkdir -p "$KEPT"
  rm -rf --one-file-system "$BASE"
  step "making a Debian $release in $BASE (a minute)" make_base "$suite" "$BASE"
  share_network "$BASE"
  step "installing ${WANTED[*]} there (two minutes)" install_there
  for unit in "${MASKED[@]}"; do
    ln --symbolic --force /dev/null "$BASE/etc/systemd/system/$unit"
  done
  printf '%s\n' "$wanted" >"$KEPT/stamp"
}

install_there() {
  chroot "$BASE" env DEBIAN_FRONTEND=noninteractive sh -c \
    'apt-get update -qq && apt-get install -qq --yes --no-install-recommends "$@" && apt-get clean' sh "${WANTED[@]}"
}

main "$@"
