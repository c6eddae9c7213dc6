# Sourced by scripts that need packages or a whole system of a certain Debian, whichever Debian this machine has:
# `suite_of`, `mirror_of`, `apt_for` and `fetch_packages`; `make_base`, `share_network` and `network_settings`. Or that run programs
# of another machine: `emulator_of`, `emulate` and `emulate_no_more`.
#
# Everything comes from the mirror that this machine's own apt uses, with its settings. Nothing is installed on this machine.

OWN=$(dpkg --print-architecture 2>/dev/null) || OWN=
declare -A EMULATORS=([amd64]=x86_64 [arm64]=aarch64) # as QEMU calls a machine
EMULATED=/proc/sys/fs/binfmt_misc
CERTIFICATES=etc/ssl/certs/ca-certificates.crt # below / of any machine

# emulate MACHINE: programs of this machine run here, until `emulate_no_more`. The kernel opens the emulator now, so it is found
# below any root.
emulate() {
  local name=agentsight-rx-$1-$$ number=b7
  [[ $1 != "$OWN" && ! -e $EMULATED/$name ]] || return 0
  [[ $1 == arm64 ]] || number=3e # e_machine of elf(5)
  [[ -e $EMULATED/register ]] || mount -t binfmt_misc binfmt_misc "$EMULATED"
  printf ':%s:M::\\x7fELF\\x02\\x01\\x01\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x02\\x00\\x%s\\x00:%s:%s:F' "$name" "$number" \
    '\xff\xff\xff\xff\xff\xff\xff\x00\xff\xff\xff\xff\xff\xff\xff\xff\xfe\xff\xff\xff' "$(type -P "qemu-${EMULATORS[$1]}-static")" >"$EMULATED/register"
}

# emulator_of MACHINE: the package for `emulate`, if it takes one.
emulator_of() {
  [[ $1 == "$OWN" ]] || printf 'qemu-user-static\n'
}

emulate_no_more() {
  local name
  for name in "$EMULATED"/agentsight-rx-*-$$; do
    [[ ! -e $name ]] || printf '%s' -1 >"$name"
  done
}

# suite_of 12|13: the name under which a mirror has this Debian.
suite_of() {
  case $1 in
    12) printf 'bookworm\n' ;;
    13) printf 'trixie\n' ;;
    *)
      say "Debian $1 is not known here, only 12 and 13"
      return 1
      ;;
  esac
}

# mirror_of SUITE: where SUITE comes from, as apt writes it. Security updates (bookworm-security) have a place of their own.
mirror_of() {
  local label=Debian chosen=(--invert-match) known
  [[ $1 != *-security ]] || label=Debian-Security chosen=()
  known=$(apt-get indextargets --format '$(REPO_URI)' "Origin: Debian" "Label: $label" 2>/dev/null | grep --max-count 1 '^http') || true
  if [[ -z $known ]]; then # apt has read no list yet: its sources say where it would read one
    known=$(sed -nE 's/^(URIs:|deb( \[[^]]*\])?) +(https?:[^ ]+).*/\3/p' /etc/apt/sources.list /etc/apt/sources.list.d/* 2>/dev/null |
      grep "${chosen[@]}" -e -security | head -n 1) || true
  fi
  [[ -n $known ]] || {
    say "apt knows no mirror of Debian here; run once: apt-get update"
    return 1
  }
  printf '%s\n' "$known"
}

# apt_for DIRECTORY SUITE… -- PROGRAM ARGUMENT…: apt-get or apt-cache for these suites, as if nothing were installed, on this
# machine or on APT_MACHINE, as Debian calls it. What it knows is in DIRECTORY; `update` comes first.
apt_for() {
  local directory suite program
  directory=$(readlink --canonicalize-missing "$1")
  shift
  mkdir -p "$directory/lists/partial" "$directory/cache/archives/partial"
  : >"$directory/status"
  : >"$directory/sources"
  for suite; do
    shift
    [[ $suite != -- ]] || break
    printf 'deb %s %s main\n' "$(mirror_of "$suite")" "$suite" >>"$directory/sources"
  done
  program=$1
  shift
  "$program" --option Dir::Etc::SourceList="$directory/sources" --option Dir::Etc::SourceParts=/dev/null \
    --option Dir::State="$directory" --option Dir::State::Status="$directory/status" \
    --option Dir::Cache="$directory/cache" --option APT::Sandbox::User=root --option Acquire::Retries=1 \
    ${APT_MACHINE:+--option APT::Architecture="$APT_MACHINE" --option APT::Architectures="$APT_MACHINE"} "$@"
}

# fetch_packages SUITE DIRECTORY PACKAGE…: their files below DIRECTORY, as dpkg would put them below /, without those that they depend on.
fetch_packages() {
  local suite=$1 directory=$2 work file
  shift 2
  work=$(mktemp --directory)
  (
    trap 'rm -rf "$work"' EXIT
    apt_for "$work/apt" "$suite" -- apt-get update
    cd "$work"
    apt_for "$work/apt" "$suite" -- apt-get download "$@"
    rm -rf "$directory.new"
    mkdir -p "$directory.new"
    for file in "$work"/*.deb; do
      dpkg-deb --extract "$file" "$directory.new"
    done
    rm -rf "$directory"
    mv "$directory.new" "$directory"
  )
}

# make_base SUITE DIRECTORY [MACHINE]: a new Debian in DIRECTORY, with nothing but what it cannot be without, for this machine or
# another one, whose programs then run here by emulation. As root.
make_base() {
  rm -rf --one-file-system "$2.new"
  unshare --mount debootstrap --variant=minbase ${3:+--arch="$3"} "$1" "$2.new" "$(mirror_of "$1")"
  mv "$2.new" "$2"
}

# share_network DIRECTORY: a machine below DIRECTORY reaches its mirrors as this one does, by apt's settings, pip's, and the
# authorities that this machine trusts besides Debian's.
share_network() {
  cp --dereference /etc/resolv.conf /etc/hosts "$1/etc/"
  [[ ! -e /etc/pip.conf ]] || cp --dereference /etc/pip.conf "$1/etc/"
  apt-config dump | grep -E '^Acquire::(Check-|https?)' >"$1/etc/apt/apt.conf.d/90machine" || true
  if [[ -e /$CERTIFICATES ]]; then
    mkdir -p "$1/usr/local/share/ca-certificates"
    cp "/$CERTIFICATES" "$1/usr/local/share/ca-certificates/machine.crt"
  fi
}

# NAME=VALUE lines of the environment: settings of pip, npm and proxies. A file of certificates is the other machine's own.
network_settings() {
  local name
  for name in {,PIP_,NPM_CONFIG_}{{http,https,no}_proxy,{HTTP,HTTPS,NO}_PROXY} \
    PIP_{INDEX_URL,EXTRA_INDEX_URL,TRUSTED_HOST,DEFAULT_TIMEOUT} {npm_config_registry,NPM_CONFIG_REGISTRY}; do
    [[ ! -v $name ]] || printf '%s=%s\n' "$name" "${!name}"
  done
  for name in PIP_CERT NODE_EXTRA_CA_CERTS; do
    [[ ! -v $name ]] || printf '%s=%s\n' "$name" "/$CERTIFICATES"
  done
}
