#!/usr/bin/env bash
# ./test.sh --kernels [NAME…] [-- CHECK…]: run the product on other kernels in QEMU, by default all of KERNELS below that are for
# x86-64, and print a table. CHECKs are names of tests/kernels/checks.py, or `smoke` or `all`; by default all, on arm64 smoke.
#
# Each kernel is Debian's own, started with a root file system of Debian 12 or 13 in which the project is set up: for arm64 by
# emulation of its programs. Kernels and file systems are made once and kept in .setup/kernels; a run changes none of them, and
# brings the code of HEAD along. What a guest does is in tests/kernels/guest.py. It writes a line for each result to a serial port
# of its own, so that a hang loses none. It fails if something that must work does not. A run of all kernels of a machine also
# writes their table into docs/kernels.md.
set -euo pipefail

SCRIPTS=$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")
source "$SCRIPTS/setup.sh"
source "$SCRIPTS/debian.sh"

DIRECTORY=$ROOT/.setup/kernels
RESULTS=$DIRECTORY/results
JOBS=()
CODE=/srv/agentsight-rx # in a guest
GUEST_MINUTES=120       # a guest that takes longer is ended; its results so far count
KVM_SECONDS=60          # a guest that says nothing for so long does not boot with KVM here

# NAME MACHINE RELEASE EXPECTED PACKAGE SUITE…: a kernel of these suites, the newest there, on this Debian; it "works", or is
# "refused". A machine is called as Debian calls it.
KERNELS=(
  "6.1 amd64 12 works linux-image-cloud-amd64 bookworm bookworm-security"
  "6.12 amd64 13 works linux-image-cloud-amd64 trixie trixie-security"
  "newest amd64 13 works linux-image-cloud-amd64 trixie-backports trixie trixie-security"
  "5.10 amd64 12 refused linux-image-cloud-amd64 bullseye bullseye-security"
  "arm64 arm64 13 works linux-image-cloud-arm64 trixie trixie-security"
  "arm64-6.1 arm64 12 works linux-image-cloud-arm64 bookworm bookworm-security"
  "arm64-16k arm64 13 works linux-image-arm64-16k trixie trixie-security"
)

main() {
  local line each
  needs_root "--kernels needs root: it makes file systems of other machines"
  choose "$@"
  mkdir -p "$DIRECTORY" "$RESULTS"
  exec 8<"$DIRECTORY"
  flock --nonblock 8 || {
    say "another run works in $DIRECTORY"
    exit 1
  }
  set_up test --group "$ROOT/pyproject.toml:dev" -- \
    cpio debootstrap e2fsprogs git golang-go kmod mount util-linux xz-utils zstd $(emulators)
  trap leave EXIT
  trap 'exit 130' INT TERM HUP
  printf '%s\n' "${CHOSEN[@]}" | cut --delimiter ' ' --fields 2,3 | sort --unique >"$DIRECTORY/roots"
  while read -r each line; do
    emulate "$each"
    LOG=$DIRECTORY/root-$each-$line.log make_root "$each" "$line" &
    JOBS+=("$!")
  done <"$DIRECTORY/roots"
  for each in "${JOBS[@]}"; do
    wait "$each"
  done
  JOBS=()
  git -C "$ROOT" archive --output "$DIRECTORY/code.tar" HEAD
  for line in "${CHOSEN[@]}"; do
    make_kernel $line
  done
  rm -f "$RESULTS"/*
  choose_accelerator
  run_kernels
  judge
}

# choose NAME… [-- CHECK…]: CHOSEN becomes these lines of KERNELS, without a name those for x86-64, and CHECKS these checks with
# commas between them. MACHINES has theirs; WHOLE is the one whose kernels are all there, and no other, with its usual checks.
choose() {
  local line name
  CHECKS=
  CHOSEN=()
  for name; do
    shift
    if [[ $name == -- ]]; then
      CHECKS=$(IFS=,; printf '%s' "$*")
      break
    fi
    for line in "${KERNELS[@]}"; do
      if [[ ${line%% *} == "$name" ]]; then
        CHOSEN+=("$line")
        continue 2
      fi
    done
    say "no kernel is called $name, only: $(printf '%s\n' "${KERNELS[@]}" | cut --delimiter ' ' --fields 1 | xargs)"
    exit 2
  done
  if ((!${#CHOSEN[@]})); then
    mapfile -t CHOSEN < <(kernels_of amd64)
  fi
  mapfile -t MACHINES < <(printf '%s\n' "${CHOSEN[@]}" | cut --delimiter ' ' --fields 2 | sort --unique)
  WHOLE=
  if [[ -z $CHECKS && $(printf '%s\n' "${CHOSEN[@]}" | sort --unique) == "$(kernels_of "${MACHINES[0]}" | sort)" ]]; then
    WHOLE=${MACHINES[0]}
  fi
}

# kernels_of MACHINE: these lines of KERNELS.
kernels_of() {
  printf '%s\n' "${KERNELS[@]}" | grep "^[^ ]* $1 "
}

# emulators: the packages that run MACHINES, and programs of those that are not this one.
emulators() {
  local machine
  for machine in "${MACHINES[@]}"; do
    case $machine in amd64) printf 'qemu-system-x86\n' ;; *) printf 'qemu-system-arm\n' ;; esac
    emulator_of "$machine"
  done
}

# make_root MACHINE RELEASE: root-MACHINE-RELEASE.img, an ext4 file system of that Debian with the project set up. Debian itself is
# made once; a change of what is set up in it only repeats the set-up.
make_root() {
  local base=$DIRECTORY/debian-$1-$2 image=$DIRECTORY/root-$1-$2.img stamp
  stamp=$(
    cd "$ROOT"
    { declare -f settle settle_inside share_network && cat pyproject.toml tests/agents/requirements{,-ring}.txt tests/agents/programs/calls.go; } | sha256sum
  )
  [[ ! -r $image.stamp || $(<"$image.stamp") != "$stamp" ]] || return 0
  [[ -d $base ]] || step "making a Debian $2 for $1 in $base (a minute, some by emulation)" make_base "$(suite_of "$2")" "$base" "$1"
  step "setting the project up in it (some minutes)" settle "$base" "$1"
  step "making a file system of it" make_image "$base" "$image"
  printf '%s\n' "$stamp" >"$image.stamp"
}

# settle ROOT MACHINE
settle() {
  local settings
  share_network "$1"
  mkdir -p "$1$CODE/.setup/agents"
  find "$1$CODE" -mindepth 1 -maxdepth 1 ! -name .venv ! -name .setup -exec rm -rf {} +
  git -C "$ROOT" archive HEAD | tar --extract --directory "$1$CODE"
  rm -rf "$1$CODE/.setup/agents/go"
  (cd "$1$CODE" && GOARCH=$2 "$VENV/bin/python" -B -c 'from tests.agents.install import install; install(["go"], say=print)')
  mapfile -t settings < <(network_settings)
  unshare --mount --propagation private -- \
    bash -c "set -euo pipefail; $(declare -f settle_inside); settle_inside \"\$@\"" settle_inside "$1" "$CODE" "${settings[@]}"
}

# settle_inside ROOT CODE NAME=VALUE…: the packages of Debian and Python that a guest needs, and the service user. Root's mounts end
# with this process.
settle_inside() {
  local root=$1 code=$2
  shift 2
  mount -t proc proc "$root/proc"
  mount --bind /dev "$root/dev"
  mount -t tmpfs tmpfs "$root/run"
  # shellcheck disable=SC2016
  chroot "$root" env --ignore-environment HOME=/root LC_ALL=C.UTF-8 \
    PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin "$@" bash -c '
      set -euo pipefail
      cd "$1"
      apt-get update
      DEBIAN_FRONTEND=noninteractive apt-get --yes install --no-install-recommends ca-certificates
      update-ca-certificates
      source scripts/setup.sh
      mount_tracefs() { :; }
      has_tracefs() { :; }
      set_up kernels --group pyproject.toml:test --group pyproject.toml:clients -- curl iproute2 procps wget
      .venv/bin/python -c "from tests.agents.install import install; install([\"python\", \"ring\"], say=print)"
      id watcher || useradd --create-home --uid 1234 watcher
      apt-get clean
    ' settle "$code"
}

make_image() {
  local megabytes
  megabytes=$(($(du --summarize --block-size=1M "$1" | cut --fields 1) + 2048))
  rm -f "$2"
  truncate --size "${megabytes}M" "$2.new"
  mkfs.ext4 -q -F -m 0 -E lazy_itable_init=1 -d "$1" "$2.new"
  mv "$2.new" "$2"
}

# make_kernel NAME MACHINE RELEASE EXPECTED PACKAGE SUITE…: DIRECTORY/NAME has `vmlinuz` and `initrd` of the newest kernel of these
# suites. Where the mirror has no newer one, nothing changes; where it cannot be asked, what is there is good enough.
make_kernel() {
  local directory=$DIRECTORY/$1 apt=$DIRECTORY/apt-$1 suites=("${@:6}") package=$5 names stamp APT_MACHINE=$2
  mkdir -p "$apt"
  step "asking for the newest kernel of ${suites[*]}" apt_for "$apt" "${suites[@]}" -- apt-get update
  # The package that names the newest one depends on it, since 7.x by way of two others.
  [[ $6 != *-backports ]] || package+=/$6 # apt takes nothing from there by itself
  names=$(apt_for "$apt" "${suites[@]}" -- apt-get install --no-install-recommends --print-uris -qq "$package")
  names=$(grep --only-matching --perl-regexp '\K(linux-(image|binary|modules)-[0-9][^_]*)(?=_[^ ]*\.deb )' <<<"$names" | sort --unique)
  stamp=$names$(declare -f make_initrd | sha256sum)
  [[ ! -r $directory/stamp || $(<"$directory/stamp") != "$stamp" ]] || return 0
  rm -rf "$directory"
  step "fetching ${names//$'\n'/, }" fetch_kernel "$apt" "$directory" "$names busybox-static" "${suites[@]}"
  step "making its initrd" make_initrd "$directory"
  printf '%s\n' "$names" >"$directory/names"
  printf '%s\n' "$stamp" >"$directory/stamp"
}

# fetch_kernel APT DIRECTORY NAMES SUITE…
fetch_kernel() {
  local apt=$1 directory=$2 names=$3 file
  shift 3
  mkdir -p "$directory/files"
  cd "$directory"
  apt_for "$apt" "$@" -- apt-get download $names
  for file in ./*.deb; do
    dpkg-deb --extract "$file" files
    rm "$file"
  done
  mv "$(find files -name 'vmlinuz*' -type f | head -n 1)" vmlinuz
}

# make_initrd DIRECTORY: busybox, what it takes to mount a virtio disk with ext4, and an init that brings HEAD along.
make_initrd() {
  local release modules tree=$1/tree module
  modules=$(find "$1/files" -type d -path '*lib/modules/*' -prune | head -n 1)
  release=${modules##*/}
  mkdir -p "$tree"/{bin,dev,proc,sys,modules,root}
  cp "$(find "$1/files" -path '*bin/busybox' -type f)" "$tree/bin/busybox"
  depmod --basedir "${modules%/lib/modules/*}" "$release"
  for module in virtio_pci virtio_blk ext4 crc32c_generic; do
    modprobe --dirname "${modules%/lib/modules/*}" --set-version "$release" --show-depends "$module" 2>/dev/null |
      sed --quiet 's/^insmod //p' || true # not there, or part of the kernel
  done | awk '!seen[$1]++ { print $1 }' >"$1/order"
  while read -r module; do
    case $module in
      *.xz) xz --decompress --stdout "$module" ;;
      *.zst) zstd --decompress --stdout --quiet "$module" ;;
      *) cat "$module" ;;
    esac >"$tree/modules/$(basename "${module%.ko*}").ko"
    printf '%s.ko\n' "$(basename "${module%.ko*}")" >>"$tree/modules/order"
  done <"$1/order"
  cat >"$tree/init" <<INIT
#!/bin/busybox sh
/bin/busybox mkdir -p /proc /sys /dev
/bin/busybox mount -t proc proc /proc
/bin/busybox mount -t devtmpfs dev /dev
for module in \$(/bin/busybox cat /modules/order); do /bin/busybox insmod /modules/\$module; done
/bin/busybox mount -t ext4 /dev/vda /root || /bin/busybox poweroff -f
/bin/busybox find /root$CODE -mindepth 1 -maxdepth 1 ! -name .venv ! -name .setup -exec /bin/busybox rm -rf {} +
/bin/busybox tar -x -f /dev/vdb -C /root$CODE
/bin/busybox mount --move /dev /root/dev
/bin/busybox umount /proc
exec /bin/busybox switch_root /root $CODE/tests/kernels/init.sh
INIT
  chmod +x "$tree/init"
  (cd "$tree" && find . | cpio --quiet --create --format newc | gzip -1) >"$1/initrd"
  rm -rf "$tree" "$1/files" "$1/order"
}

# choose_accelerator: KVM for kernels of this machine, if one says something with it. It may be there and stop a stock kernel.
choose_accelerator() {
  local waited=0 line=
  ACCELERATOR=tcg,thread=multi
  [[ -w /dev/kvm ]] && line=$(printf '%s\n' "${CHOSEN[@]}" | grep --max-count 1 "^[^ ]* $OWN ") || return 0
  ACCELERATOR=kvm
  boot $line &
  JOBS=("$!")
  disown # bash reports no job that QEMU aborts
  until [[ -s $RESULTS/${line%% *}.jsonl ]] || ((++waited > KVM_SECONDS)) || ! kill -0 "$!" 2>/dev/null; do
    sleep 1
  done
  [[ -s $RESULTS/${line%% *}.jsonl ]] || ACCELERATOR=tcg,thread=multi
  stop_guests
  say "the guests run with ${ACCELERATOR%,*}"
}

# Results/NAME.jsonl has what each guest found, results/NAME.console what its kernel printed. As many run at once as there are
# processors: most of what they do is one thread.
run_kernels() {
  local line most
  most=$(nproc)
  for line in "${CHOSEN[@]}"; do
    ((${#JOBS[@]} < most)) || wait_for_one
    run_kernel $line &
    JOBS+=("$!")
  done
  while ((${#JOBS[@]})); do
    wait_for_one
  done
}

wait_for_one() {
  local pid running=()
  wait -n "${JOBS[@]}" || true
  for pid in "${JOBS[@]}"; do
    ! kill -0 "$pid" 2>/dev/null || running+=("$pid")
  done
  JOBS=("${running[@]}")
}

run_kernel() {
  local status=0 results=$RESULTS/$1.jsonl guest
  say "booting $1 on Debian $3: $(tr '\n' ' ' <"$DIRECTORY/$1/names")"
  : >"$results"
  boot "$@" &
  guest=$!
  trap 'kill "$guest" 2>/dev/null || true; exit 130' TERM
  tail --lines=+1 --follow --pid="$guest" "$results" | (cd "$ROOT" && "$VENV/bin/python" -m tests.kernels.progress "$1") &
  wait "$guest" || status=$?
  wait "$!" || true
  ((status == 0)) || say "QEMU ended with status $status: see $RESULTS/$1.qemu and $RESULTS/$1.console"
}

# boot NAME MACHINE RELEASE EXPECTED …: this process becomes the guest. The machine of QEMU for arm64 has one serial port of its
# own, so the one for results is on its PCI bus.
boot() {
  local machine=q35 cpu=max said=console=ttyS0 results=ttyS1 port=(-serial "file:$RESULTS/$1.jsonl") checks=$CHECKS
  local accelerator=$ACCELERATOR
  if [[ $2 == arm64 ]]; then
    machine=virt,gic-version=3 cpu=cortex-a72
    [[ $1 != *-16k ]] || cpu=neoverse-n1 # has pages of 16 kB
    said=console=ttyAMA0 results=ttyS0 port=(-chardev "file,id=results,path=$RESULTS/$1.jsonl" -device pci-serial,chardev=results)
    checks=${CHECKS:-smoke}
  fi
  [[ $2 == "$OWN" ]] || accelerator=tcg,thread=multi
  exec timeout $((GUEST_MINUTES * 60)) "qemu-system-${EMULATORS[$2]}" -machine "$machine" -accel "$accelerator" -cpu "$cpu" -smp 2 -m 3G \
    -kernel "$DIRECTORY/$1/vmlinuz" -initrd "$DIRECTORY/$1/initrd" \
    -append "$said quiet loglevel=4 panic=-1 kernels_results=$results kernels_name=$1 kernels_expected=$4 kernels_checks=$checks" \
    -drive "file=$DIRECTORY/root-$2-$3.img,format=raw,if=virtio,snapshot=on" \
    -drive "file=$DIRECTORY/code.tar,format=raw,if=virtio,readonly=on" \
    -serial "file:$RESULTS/$1.console" "${port[@]}" \
    -display none -monitor none -nic none -no-reboot -device virtio-rng-pci </dev/null >"$RESULTS/$1.qemu" 2>&1 8<&-
}

stop_guests() {
  local pid
  for pid in "${JOBS[@]}"; do
    kill "$pid" 2>/dev/null || true
  done
  for pid in "${JOBS[@]}"; do
    timeout 20 tail --pid="$pid" --follow /dev/null || true
  done
  JOBS=()
}

judge() {
  cd "$ROOT"
  "$VENV/bin/python" -m tests.kernels ${WHOLE:+--page docs/kernels.md --machine "$WHOLE"} --results "$RESULTS" -- "${CHOSEN[@]%% *}"
}

leave() {
  trap '' INT TERM HUP
  stop_guests
  emulate_no_more
}

main "$@"
