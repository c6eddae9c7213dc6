#!/usr/bin/env bash
# scripts/container.sh: the image of the Containerfile, as localhost/agentsight-rx-tier, from a Debian 13 of this machine's mirror.
#
# test.sh --container calls it. The Debian is that of --bare (.setup/bare/trixie), and knows how this machine reaches its mirrors.
set -euo pipefail

SCRIPTS=$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")
source "$SCRIPTS/setup.sh"
source "$SCRIPTS/debian.sh"

BASE=$ROOT/.setup/bare/trixie
WORK=$ROOT/.setup/container
DEBIAN=localhost/agentsight-rx-debian:13
IMAGE=localhost/agentsight-rx-tier

engine() {
  local runtime=()
  ! command -v runc >/dev/null || runtime=(--runtime runc) # it also knows machines with both versions of control groups
  podman "${runtime[@]}" --cgroup-manager=cgroupfs "$@"
}

import_debian() {
  rm -rf --one-file-system "$WORK/debian"
  cp --archive "$BASE" "$WORK/debian"
  share_network "$WORK/debian"
  tar --directory "$WORK/debian" --create . | engine import - "$DEBIAN"
  rm -rf --one-file-system "$WORK/debian"
}

build_image() {
  rm -rf "$WORK/context"
  mkdir -p "$WORK/context"
  cp "$ROOT/Containerfile" "$WORK/context"
  "$VENV/bin/python" -m hatchling build --target wheel --directory "$WORK/context/dist"
  # Without a runtime of its own, since a machine may give a build fewer rights than a container
  engine build --isolation chroot --network host --ulimit nofile=1024:1024 --ulimit nproc=4000:4000 \
    --build-arg "BASE=$DEBIAN" --tag "$IMAGE" "$WORK/context"
}

mkdir -p "$WORK"
cd "$ROOT"
[[ -d $BASE ]] || step "making a bare Debian 13 in $BASE (a minute)" make_base trixie "$BASE"
engine image exists "$DEBIAN" || step "importing it as an image" import_debian
step "building the image of the Containerfile" build_image
