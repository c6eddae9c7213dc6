#!/usr/bin/env bash
# scripts/rootless.sh: what tests/rootless runs without rights, for Debian 12 and 13: images of a new Debian
# (localhost/agentsight-rx-rootless:12-bare), and of one with Python and a user (…:12), and a fresh clone of HEAD
# (.setup/rootless/12/checkout).
#
# test.sh --rootless calls it. The Debians are those of --bare (.setup/bare), and know how this machine reaches its mirrors.
set -euo pipefail

SCRIPTS=$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")
source "$SCRIPTS/setup.sh"
source "$SCRIPTS/debian.sh"

KEPT=$ROOT/.setup/rootless
IMAGE=localhost/agentsight-rx-rootless
PAGE=$ROOT/agentsight_rx/runtime/web/dist
WANTED=(python3 python3-venv ca-certificates)

# prepare 12|13
prepare() {
  local suite base
  suite=$(suite_of "$1")
  base=$ROOT/.setup/bare/$suite
  [[ -d $base ]] || step "making a bare Debian $1 in $base (a minute)" make_base "$suite" "$base"
  mkdir -p "$KEPT/$1"
  podman image exists "$IMAGE:$1" || step "making an image of Debian $1 (a minute)" make_images "$1" "$base"
  rm -rf --one-file-system "$KEPT/$1/checkout"
  git clone --quiet --depth 1 "file://$ROOT" "$KEPT/$1/checkout"
  [[ ! -d $PAGE ]] || cp --archive "$PAGE" "$KEPT/$1/checkout/${PAGE#"$ROOT"/}" # else each first run would build it
  chown --recursive --no-dereference 1000:1000 "$KEPT/$1/checkout"
}

make_images() {
  local tree=$KEPT/$1/tree
  rm -rf --one-file-system "$tree"
  cp --archive --reflink=auto "$2" "$tree"
  share_network "$tree"
  chroot "$tree" useradd --create-home --uid 1000 agent
  tar --directory "$tree" --create . | podman import - "$IMAGE:$1-bare"
  chroot "$tree" env DEBIAN_FRONTEND=noninteractive sh -c \
    'apt-get update -qq && apt-get install -qq --yes --no-install-recommends "$@" && apt-get clean' sh "${WANTED[@]}"
  tar --directory "$tree" --create . | podman import - "$IMAGE:$1"
  rm -rf --one-file-system "$tree"
}

mkdir -p "$KEPT"
"$SCRIPTS/page.sh" || true
network_settings >"$KEPT/network"
for release in 12 13; do
  prepare "$release"
done
