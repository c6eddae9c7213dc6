#!/usr/bin/env bash
# ./run.sh ARGS…: set up what a bare Debian machine lacks, then run `agentsight-rx ARGS…`; without ARGS it runs the demo.
set -euo pipefail

source "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/scripts/setup.sh"
set_up run

(($#)) || set -- demo
exec "$VENV/bin/agentsight-rx" "$@"
