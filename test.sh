#!/usr/bin/env bash
# ./test.sh [--fast|--all] [PYTEST-ARGS…]: every check, up to the first that fails. --fast leaves out the tests that trace programs,
#   open a browser or are marked as slow. Both run a tenth of the examples of each property; --all runs all, and the tests that
#   repeat what others show, for one more program, width or build. A test for which a right, a program or a kernel is missing
#   is left out; the last lines count these, by reason.
# ./test.sh --all-required [PYTEST-ARGS…]: the same, and a test that would be left out fails; .ci/run does this.
# ./test.sh --changed [COMMIT]: the checks and tests of the files that changed since COMMIT (where HEAD left main), in a minute, and
#   what this leaves out.
# ./test.sh --coverage [FILE…]: whether the own tests of each file of the product, run alone, run every line of it; what is not so
#   is listed in tests/individual_coverage.txt, which may only shrink.
# ./test.sh --bare [12|13] [DIRECTORY]: the two commands of the README on a new Debian 12 or 13 (13), whose tree is kept in
#   DIRECTORY (.setup/bare).
# ./test.sh --release [12|13] [DIRECTORY]: build the wheel and the sdist twice and compare them, look into them, and install the
#   wheel by pipx on a new Debian 12 or 13 (13).
# ./test.sh --kernels [NAME…] [-- CHECK…]: the product on other kernels in QEMU, by default all: 6.1, 6.12, the newest, 5.10
#   (6 GB, kept in .setup/kernels).
# ./test.sh --fuzz [SECONDS] [TARGET…]: fuzz these parsers, by default all, for SECONDS (60) each.
# ./test.sh --pictures: make the pictures of the README again, of real recordings.
# ./test.sh --screenshots FOLDER [WORDS…]: every view of the page, of recordings of several kinds and sizes, from 390 to 1,920 px,
#   light and dark, as pictures in FOLDER; with WORDS those whose name has one of them.
# ./test.sh --phoenix: send a recording to Arize Phoenix, in an environment of its own (900 MB, kept in .setup/phoenix), and check
#   that it shows agents, calls and tools with their tokens and session.
# ./test.sh --container [amd64|arm64]: build the image of the Containerfile from a new Debian, and record an agent of another
#   container from it, under podman (1 GB, kept in podman's storage and .setup/container). An image for another machine than this
#   one is built and started by emulation.
# ./test.sh --rootless [PYTEST-ARGS…]: the commands of the README without rights, in podman's containers of a new Debian 12 and 13,
#   and one task recorded by the kernel and by breakpoints, compared row by row (1.5 GB, kept in .setup/rootless; and Claude
#   Code, with the other packages of npm of --agents).
# ./test.sh --prometheus: a real Prometheus (Debian's package, 170 MB, kept in .setup/prometheus) reads the figures of a recorder,
#   and its tools check the names, the alert rules and the queries of the dashboard.
# ./test.sh --service: install the service in a container that systemd runs, kill and stop it, and remove it (700 MB, kept in
#   .setup/service).
# ./test.sh --secrets: how many secrets of each kind leak at each place, through the whole graph into every sink.
# ./test.sh --agents [NAME…]: run real agents, by default all, against a fake model, and print for each whether every byte was
#   seen (3 GB of packages, kept in .setup/agents). Without NAME it also records agents, counts what short runs
#   miss, compares imported sessions with ccusage, and searches agents for arm64.
# ./test.sh --soak [TIME] [ROW…]: a recorder that runs always, under load and through every accident, for about TIME (30m), and
#   its figures. The short form: pytest -n0 tests/soak/short_rounds.py.
# ./test.sh --cluster [ROUNDS]: drivers, schedulers and workers of a cluster run are killed, workers in so many rounds (5); spool
#   and result in S3 (the server of moto), with shippers that are killed; the recipe for Spark as docs/cluster.md prints it. Both
#   have an environment of their own (1 GB, kept in .setup/cluster).
set -euo pipefail

if [[ ${1-} == --help ]]; then
  sed -n '2,/^set /{/^set /d;s/^# \{0,1\}//;p}' "${BASH_SOURCE[0]}"
  exit
fi

source "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/scripts/setup.sh"
[[ -w $ROOT ]] || {
  say "the checks and tests write into $ROOT, which this user cannot: run them in a copy of your own"
  exit 1
}
chosen=()
if [[ ${1-} == --all-required ]]; then
  ALL_REQUIRED=yes # set_up reads it
  chosen=(--all-required)
  shift
fi

# environment NAME LABEL REQUIREMENTS [PIP-ARGUMENT…]: packages that the project itself does without, in .setup/NAME.
environment() {
  local own=$ROOT/.setup/$1 label=$2 wanted=$3 stamp
  shift 3
  stamp=$(cat "$wanted" && (($# == 0)) || cat "$ROOT/pyproject.toml")
  if [[ ! -r $own/stamp || $(<"$own/stamp") != "$stamp" ]]; then
    step "making the environment of $label" "$PYTHON" -I -m venv --clear "$own"
    HATCH_BUILD_NO_HOOKS=true step "installing $label" "$own/bin/python" -I -m pip install --disable-pip-version-check --requirement "$wanted" "$@"
    printf '%s\n' "$stamp" >"$own/stamp"
    give_to_owner --recursive "$own"
  fi
}

if [[ ${1-} == --fuzz ]]; then
  shift
  seconds=60
  if [[ ${1-} =~ ^[0-9]+$ ]]; then
    seconds=$1
    shift
  fi
  set_up fuzz --group "$ROOT/pyproject.toml:test" --group "$ROOT/pyproject.toml:fuzz"
  cd "$ROOT"
  exec "$VENV/bin/python" -m property_tests.fuzz --seconds "$seconds" "$@"
fi

if [[ ${1-} == --bare ]]; then
  exec "$ROOT/scripts/bare.sh" "${@:2}"
fi

if [[ ${1-} == --release ]]; then
  set_up test --group "$ROOT/pyproject.toml:dev"
  environment release "the package build" "$ROOT/tests/release/requirements.txt"
  exec "$ROOT/scripts/release.sh" "${@:2}"
fi

if [[ ${1-} == --kernels ]]; then
  exec "$ROOT/scripts/kernels.sh" "${@:2}"
fi

if [[ ${1-} == --secrets ]]; then
  set_up secrets --group "$ROOT/pyproject.toml:test"
  cd "$ROOT"
  exec "$VENV/bin/python" -m tests.secrets
fi

if [[ ${1-} == --cluster ]]; then
  set_up cluster --group "$ROOT/pyproject.toml:test" -- default-jre-headless # for Spark
  environment cluster "S3 and Spark" "$ROOT/tests/cluster/requirements.txt" --editable "$ROOT[cluster]"
  cd "$ROOT"
  export AGENTSIGHT_ROUNDS=${2:-5}
  exec "$VENV/bin/python" -m pytest tests/runtime/cluster/s3_rounds.py tests/runtime/cluster/spark_rounds.py tests/runtime/cluster/kill_rounds.py
fi

if [[ ${1-} == --phoenix ]]; then
  set_up test --group "$ROOT/pyproject.toml:dev"
  environment phoenix Phoenix "$ROOT/tests/phoenix/requirements.txt"
  cd "$ROOT"
  exec "$VENV/bin/python" -m pytest -n0 tests/phoenix/test_phoenix.py
fi

if [[ ${1-} == --container ]]; then
  needs_root "--container needs root: it traces an agent"
  source "$ROOT/scripts/debian.sh"
  machine=${2:-$OWN}
  set_up test --group "$ROOT/pyproject.toml:dev" -- debootstrap podman runc $(emulator_of "$machine")
  "$ROOT/scripts/container.sh" "$machine"
  [[ $machine == "$OWN" ]] || exit 0 # an image for another machine was only started
  cd "$ROOT"
  exec "$VENV/bin/python" -m pytest -n0 tests/container/test_container.py
fi

if [[ ${1-} == --rootless ]]; then
  needs_root "--rootless needs root: it makes containers of new Debians, and records by the kernel for comparison"
  set_up test --group "$ROOT/pyproject.toml:dev" -- debootstrap podman runc
  "$ROOT/scripts/rootless.sh"
  cd "$ROOT"
  exec "$VENV/bin/python" -m pytest -n0 -s tests/rootless "${@:2}"
fi

if [[ ${1-} == --prometheus ]]; then
  set_up test --group "$ROOT/pyproject.toml:dev"
  "$ROOT/scripts/prometheus.sh"
  cd "$ROOT"
  exec "$VENV/bin/python" -m pytest -n0 tests/prometheus/test_prometheus.py
fi

if [[ ${1-} == --service ]]; then
  shift
  set_up test --group "$ROOT/pyproject.toml:dev" -- podman runc
  status=0
  "$ROOT/scripts/service.sh" || status=$?
  ((status != 3)) || exit 0 # it said why there is none
  ((status == 0)) || exit "$status"
  cd "$ROOT"
  exec "$VENV/bin/python" -m pytest -n0 tests/systemd "$@"
fi

if [[ ${1-} == --agents ]]; then
  shift
  needs_root "--agents needs root: it traces the agents"
  set_up test --group "$ROOT/pyproject.toml:dev" -- curl git golang-go libnss3-tools wget
  cd "$ROOT"
  status=0
  "$VENV/bin/python" -m tests.agents "$@" || status=1
  if (($# == 0)); then
    "$VENV/bin/python" -m pytest tests/agents/test_record.py tests/agents/test_mcp_clients.py tests/agents/test_ccusage.py tests/agents/test_arm64.py || status=1
    "$VENV/bin/python" -m tests.agents.short_runs || status=1
  fi
  exit "$status"
fi

# The OpenTelemetry collector in the package rotel needs libpython, the driver of browsers in the package playwright libatomic. Of
# the programs that start podman's containers, runc also knows machines that have both versions of control groups.
set_up test --group "$ROOT/pyproject.toml:dev" -- curl chromium fonts-dejavu-core git golang-go groff-base libatomic1 libpython3-dev podman runc tmux

cd "$ROOT"
export PATH=$VENV/bin:$PATH
unset PYTHONDONTWRITEBYTECODE # else each of a thousand programs that the tests start compiles hundreds of modules
case ${1-} in
  --changed) exec python -m scripts.changed "${@:2}" ;;
  --coverage) exec python -m scripts.individual_coverage "${@:2}" ;;
esac

if [[ ${1-} == --soak ]]; then
  shift
  needs_root "--soak needs root: it traces programs"
  exec python -m tests.soak "$@"
fi

if [[ ${1-} == --fast ]]; then
  chosen+=(--quick -m "not live and not browser")
  shift
fi

[[ " ${chosen[*]} " == *" --quick "* ]] || ! captures || "$ROOT/scripts/llvm14.sh" || true

if [[ ${1-} == --screenshots ]]; then
  shift
  (($#)) || {
    say "--screenshots: name the folder that the pictures go into, such as ./test.sh --screenshots /tmp/pictures"
    exit 2
  }
  "$ROOT/scripts/page.sh"
  exec python -m tests.browser.screenshots "$@"
fi

pictures=0
if [[ ${1-} == --pictures ]]; then
  pictures=1
fi

# check TITLE COMMAND…
check() {
  printf '== %s (%d s) ==\n' "$1" "$SECONDS"
  "${@:2}" || {
    printf '== failed: %s ==\n' "$1" >&2
    exit 1
  }
}

check "web page" "$ROOT/scripts/page.sh"
if ((pictures)); then
  AGENTSIGHT_PICTURES=1 exec pytest -n0 tests/live/test_demo_page.py
fi
# The tests wait for what programs do most of their time. So both checkers run beside them, and come behind them in line.
checkers=()
words=$(mktemp -d)
for each in mypy pyright; do
  nice -n 19 "$each" >"$words/$each" 2>&1 &
  checkers+=("$!")
done

# stop_checkers: where something before them fails, they are not waited for.
stop_checkers() {
  kill "${checkers[@]}" 2>/dev/null || true
  wait "${checkers[@]}" 2>/dev/null || true
  rm -rf "$words"
}
trap stop_checkers EXIT

said_by() {
  local status=0
  wait "$1" || status=1
  cat "$words/$2"
  return "$status"
}

check "ruff format" ruff format --check
check "ruff check" ruff check
check "import layers" lint-imports
# A worker that crashes a second time would leave its group of tests waited for without end, so it is not begun again; a test
# that takes more than 20 minutes is ended with what each thread does.
check "pytest" pytest -n 3 --dist loadgroup --no-loadscope-reorder --max-worker-restart 0 -o faulthandler_timeout=1200 \
  -o faulthandler_exit_on_timeout=true "${chosen[@]}" "$@"
check "mypy" said_by "${checkers[0]}" mypy
check "pyright" said_by "${checkers[1]}" pyright
printf '== all green (%d s) ==\n' "$SECONDS"
