#!/usr/bin/env bash
# scripts/prometheus.sh: fetch Debian 13's Prometheus with promtool into .setup/prometheus, where tests/prometheus finds them.
#
# 32 MB are fetched and 170 MB kept. Nothing is installed, and no service is started.
set -euo pipefail

SCRIPTS=$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")
source "$SCRIPTS/setup.sh"
source "$SCRIPTS/debian.sh"

PLACE=$ROOT/.setup/prometheus

if [[ ! -x $PLACE/usr/bin/prometheus || ! -x $PLACE/usr/bin/promtool ]]; then
  step "fetching Prometheus" fetch_packages trixie "$PLACE" prometheus promtool
  give_to_owner --recursive "$PLACE"
fi
