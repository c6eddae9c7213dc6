#!/usr/bin/env bash
# ./test.sh --bare [12|13] [DIRECTORY]: run the two commands of the README on a new Debian 12 or 13 (13), in a fresh clone of HEAD.
#
# It fails if a command fails or a test is left out. scripts/machine.sh says what the machine has.
set -euo pipefail

SCRIPTS=$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")
source "$SCRIPTS/setup.sh"
source "$SCRIPTS/machine.sh"

fill() {
  git clone --quiet --depth 1 "file://$ROOT" "$MACHINE/root/agentsight-rx"
}

inside() {
  local command
  export PYTEST_ADDOPTS=-rfEs
  trap 'exit 130' INT # bash goes on after a command that handles the signal itself
  cd /root/agentsight-rx
  for command in "./run.sh demo" "./test.sh --all-required"; do
    TIMEFORMAT="== $command: %0R s, %0U s of user and %0S s of system time =="
    time $command || {
      printf '== failed: %s (exit status %d) ==\n' "$command" "$?"
      return 1
    }
  done
}

judge() {
  local outcome
  outcome=$(grep --extended-regexp '^([0-9]+ [a-z]+(, )?)+ in [0-9.]+s' "$OUTPUT" | tail -n 1) || outcome="no test ran"
  say "$(grep --extended-regexp --count '^== failed' "$OUTPUT" || true) commands or checks failed; tests: $outcome"
  grep '^== \./' "$OUTPUT" >&2 || true
  if grep --quiet '^== failed' "$OUTPUT" || ! [[ $outcome =~ [0-9]\ passed ]]; then
    KEEP=yes
    say "look into $MACHINE and $OUTPUT"
    exit 1
  fi
}

run_on_machine --bare "$@"
