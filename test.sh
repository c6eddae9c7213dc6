#!/usr/bin/env bash
# ./test.sh [--fast] [PYTEST-ARGS…]: every check, up to the first that fails. --fast leaves out what traces real programs.
set -euo pipefail

source "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/scripts/setup.sh"
set_up test --group "$ROOT/pyproject.toml:dev" -- curl chromium fonts-dejavu-core

chosen=()
if [[ ${1-} == --fast ]]; then
  chosen=(-m "not live")
  shift
fi

check() {
  printf '== %s ==\n' "$1"
  "${@:2}" || {
    printf '== failed: %s ==\n' "$1" >&2
    exit 1
  }
}

cd "$ROOT"
export PATH=$VENV/bin:$PATH
check "ruff format" ruff format --check
check "ruff check" ruff check
check "mypy" mypy
check "pyright" pyright
check "import layers" lint-imports
check "pytest" pytest "${chosen[@]}" "$@"
