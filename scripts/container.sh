#!/usr/bin/env bash
# scripts/container.sh [amd64|arm64]: the image of the Containerfile for this machine or another one, as localhost/agentsight-rx-tier
# (agentsight-rx-tier-arm64), from a Debian 13 of this machine's mirror.
#
# test.sh --container calls it. The Debian is that of --bare (.setup/bare/trixie), and knows how this machine reaches its mirrors.
# Programs of another machine run by emulation; such an image is only started, since it cannot capture here.
set -euo pipefail

SCRIPTS=$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")
source "$SCRIPTS/setup.sh"
source "$SCRIPTS/debian.sh"

MACHINE=${1:-$OWN}
OTHER=
[[ $MACHINE == "$OWN" ]] || OTHER=-$MACHINE
BASE=$ROOT/.setup/bare/trixie$OTHER
WORK=$ROOT/.setup/container
DEBIAN=localhost/agentsight-rx-debian$OTHER:13
IMAGE=localhost/agentsight-rx-tier$OTHER

engine() {
  local runtime=()
  ! command -v runc >/dev/null || runtime=(--runtime runc) # it also knows machines with both versions of control groups
  podman "${runtime[@]}" --cgroup-manager=cgroupfs "$@"
}

import_debian() {
  rm -rf --one-file-system "$WORK/debian"
  cp --archive "$BASE" "$WORK/debian"
  share_network "$WORK/debian"
  tar --directory "$WORK/debian" --create . | engine import --os linux --arch "$MACHINE" - "$DEBIAN"
  rm -rf --one-file-system "$WORK/debian"
}

build_image() {
  rm -rf "$WORK/context"
  mkdir -p "$WORK/context"
  cp "$ROOT/Containerfile" "$WORK/context"
  "$VENV/bin/python" -m hatchling build --target wheel --directory "$WORK/context/dist"
  # Without a runtime of its own, since a machine may give a build fewer rights than a container
  engine build --platform "linux/$MACHINE" --isolation chroot --network host --ulimit nofile=1024:1024 --ulimit nproc=4000:4000 \
    --build-arg "BASE=$DEBIAN" --tag "$IMAGE" "$WORK/context"
}

start_image() {
  local said
  said=$(engine run --rm --platform "linux/$MACHINE" --network none "$IMAGE" --version)
  say "started by emulation, the image for $MACHINE says: $said"
}

[[ -v EMULATORS[$MACHINE] ]] || {
  say "no image for $MACHINE, only for: ${!EMULATORS[*]}"
  exit 2
}
trap emulate_no_more EXIT
emulate "$MACHINE"
mkdir -p "$WORK"
cd "$ROOT"
[[ -d $BASE ]] || step "making a bare Debian 13 for $MACHINE in $BASE (a minute)" make_base trixie "$BASE" "$MACHINE"
engine image exists "$DEBIAN" || step "importing it as an image" import_debian
step "building the image of the Containerfile" build_image
[[ -z $OTHER ]] || start_image
