#!/usr/bin/env bash
# scripts/llvm14.sh: fetch Debian 12's BCC with its LLVM 14 into .setup/llvm14, where tests/live/test_programs.py finds it.
#
# test.sh calls it: the kernel's verifier takes what one compiler makes of our C and refuses what another does. 43 MB are fetched
# and 230 MB kept; nothing is installed. It fails where the packages cannot be had; then the tests do without.
set -euo pipefail

SCRIPTS=$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")
source "$SCRIPTS/setup.sh"
source "$SCRIPTS/debian.sh"

LLVM=$ROOT/.setup/llvm14
FETCH_LOG=$ROOT/.setup/llvm14.log
# BCC and what it needs, but Python and the libraries of C and C++: any Debian that is not older has those.
WANTED=(python3-bpfcc libbpfcc libbpf1 libclang-cpp14 libllvm14 libedit2 libelf1 libffi8 libtinfo6 libxml2 libz3-4 libbsd0 libicu72 liblzma5 libmd0)

main() {
  [[ ! -d $LLVM/usr/lib/python3/dist-packages/bcc ]] || return 0
  if [[ $(dpkg-query --show --showformat '${Depends}' libbpfcc 2>/dev/null) == *libllvm14* ]]; then
    return 0 # this machine's own compiler is LLVM 14
  fi
  mkdir -p "${LLVM%/*}"
  say "fetching Debian 12's compiler for the tests …"
  if ! (fetch_packages bookworm "$LLVM" "${WANTED[@]}") >"$FETCH_LOG" 2>&1 </dev/null; then
    say "Debian 12's compiler cannot be fetched, the tests do without; the end of $FETCH_LOG says why:"
    tail -n 3 "$FETCH_LOG" >&2
    return 1
  fi
  give_to_owner --recursive "$LLVM" "$FETCH_LOG"
  give_to_owner "${LLVM%/*}" # alone: it has trees of other machines, whose files have their owners
}

main
