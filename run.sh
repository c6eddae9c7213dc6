#!/usr/bin/env bash
# ./run.sh ARGS…: set up what a bare Debian machine lacks, then run `agentsight-rx ARGS…`; without ARGS it runs the demo.
set -euo pipefail

source "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/scripts/setup.sh"
case ${1-} in
  cluster | ship) set_up run-cluster --editable "$ROOT[cluster]" ;; # Dask and fsspec
  *) set_up run --editable "$ROOT[demo]" ;; # so that one environment serves every command
esac

(($#)) || set -- demo
# The commands that serve or save the page; the others do not wait for it.
case $1 in
  demo) [[ " $* " != *" --server"* ]] || "$ROOT/scripts/page.sh" --if-never-tried || true ;;
  record | trace | serve) "$ROOT/scripts/page.sh" --if-never-tried || true ;;
  report) [[ " $* " != *" export "*htm* ]] || "$ROOT/scripts/page.sh" --if-never-tried || true ;;
esac
AGENTSIGHT_TYPED=$0 exec "$VENV/bin/agentsight-rx" "$@" # hints name it as it was typed
