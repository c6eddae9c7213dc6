#!/usr/bin/env bash
# ./test.sh --release [12|13] [DIRECTORY]: build wheel and sdist of HEAD twice and look into them; then install the wheel by pipx on a
# new Debian 12 or 13 (13), do what `doctor` says, record a command, and remove it again, as docs/install.md says.
#
# .setup/builds/1/dist has what was built. scripts/machine.sh says what the new Debian has.
set -euo pipefail

SCRIPTS=$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")
source "$SCRIPTS/setup.sh"
source "$SCRIPTS/machine.sh"

BUILDS=$ROOT/.setup/builds
BUILDER=$ROOT/.setup/release/bin/python

# build NUMBER UMASK: in a clone whose place, rights and times differ from those of the other one.
build() {
  local clone=$BUILDS/$1
  umask "$2"
  rm -rf "$clone"
  git clone --quiet --depth 1 "file://$ROOT" "$clone"
  "$BUILDER" -m build "$clone"
}

fill() {
  cp "$BUILDS"/1/dist/*.whl "$ROOT/docs/install.md" "$MACHINE/root/"
}

inside() {
  # as_person: what a user without rights does first, on a file as Claude Code writes it.
  as_person() {
    local home=/home/person session=0b1d5a52-6c5e-4d4c-9f1a-2f6f7c1d9e10 path output page
    useradd --create-home person
    cp /root/*.whl "$home/"
    mkdir -p "$home/.claude/projects/-home-person"
    path=$home/.claude/projects/-home-person/$session.jsonl
    cat >"$path" <<EOF
{"type":"user","sessionId":"$session","cwd":"$home","version":"2.1.197","timestamp":"2026-11-30T10:00:00.000Z","uuid":"1","message":{"role":"user","content":"Mend the build"}}
{"type":"assistant","sessionId":"$session","cwd":"$home","version":"2.1.197","timestamp":"2026-11-30T10:00:05.000Z","uuid":"2","requestId":"req_1","message":{"id":"msg_1","model":"claude-sonnet-4-5","role":"assistant","content":[{"type":"text","text":"It is mended."}],"usage":{"input_tokens":10,"output_tokens":200}}}
EOF
    chown -R person: "$home"
    person() { runuser --user person -- env HOME="$home" XDG_RUNTIME_DIR= PATH="$home/.local/bin:$PATH" COLUMNS=200 "$@"; }
    cd "$home"
    person pipx install "$home"/*.whl
    person agentsight-rx import
    output=$(person agentsight-rx report sessions --text)
    printf '%s\n' "$output"
    [[ $output == *"Mend the"* ]]
    output=$(person agentsight-rx report --text)
    printf '%s\n' "$output"
    [[ $output == *"the agent's own file"* ]]
    person agentsight-rx serve --server-port 8472 >"$home/said" 2>&1 &
    page=$!
    curl --silent --retry 20 --retry-connrefused --retry-delay 1 --output /dev/null http://127.0.0.1:8472/
    cat "$home/said"
    output=$(curl --silent "$(grep --only-matching --extended-regexp 'http://[^ ;]+' "$home/said" | head -n 1)")
    [[ $output == *"<title>"* ]]
    kill "$(sed -n 's/.*stop with kill \([0-9]*\)$/\1/p' "$home/said")"
    wait "$page" || true
    cd /
    userdel --remove person
  }

  export DEBIAN_FRONTEND=noninteractive COLUMNS=200 PATH=/root/.local/bin:$PATH
  local output package status server recorder documented
  trap 'printf "== failed: %s ==\n" "$BASH_COMMAND"' ERR
  mount -t tracefs tracefs /sys/kernel/tracing # as systemd does
  apt-get update -qq
  apt-get install -qq --no-install-recommends pipx curl >/dev/null

  printf '== import, report and serve: without root, and without bcc ==\n'
  as_person

  printf '== pipx install ==\n'
  pipx install /root/*.whl
  agentsight-rx --version

  printf '== doctor ==\n'
  status=0
  output=$(agentsight-rx doctor 2>&1) || status=$?
  printf '%s\n' "$output"
  ((status == 0)) && [[ $output == *"by breakpoints"* ]] # which need no BCC
  package=$(grep --only-matching --extended-regexp 'apt-get install [a-z0-9-]+bpfcc' <<<"$output" | head -n 1 | cut -d ' ' -f 3)
  printf '== doctor names %s ==\n' "$package"
  [[ $package ]]
  apt-get install -qq --no-install-recommends "$package" >/dev/null
  agentsight-rx doctor

  printf '== record ==\n'
  mkdir /root/site
  printf 'plain words\n' >/root/site/words.txt
  python3 -m http.server --bind 127.0.0.1 --directory /root/site 8471 >/dev/null 2>&1 &
  server=$!
  curl --silent --retry 20 --retry-connrefused --retry-delay 1 --output /dev/null http://127.0.0.1:8471/
  agentsight-rx record -- curl --silent http://127.0.0.1:8471/words.txt >/root/said &
  recorder=$!
  wait "$recorder"
  kill "$server"
  [[ $(</root/said) == "plain words" ]]
  output=$(agentsight-rx report http)
  printf '%s\n' "$output"
  [[ $output == */words.txt* && $output == *200* ]]
  agentsight-rx report health
  agentsight-rx report export -o /root/run.html

  printf '== man page and completion ==\n'
  grep --quiet '^.TH AGENTSIGHT' "$(dirname "$(readlink -f "$(command -v agentsight-rx)")")/../share/man/man1/agentsight-rx.1"
  output=$(bash -c 'agentsight-rx --show-completion; true')
  [[ $output == *complete*agentsight-rx* ]]

  printf '== pipx uninstall ==\n'
  pipx uninstall agentsight-rx
  documented=$(sed -n 's#^| `~/\([^`]*\)/`.*#/root/\1#p' /root/install.md | sort)
  output=$(find / -xdev -path /proc -prune -o -name '*agentsight*' -not -name '*.whl' -print -prune | sort)
  printf 'what stays:\n%s\n' "$output"
  [[ $output == "$documented" ]]
  [[ -z $(find /sys/fs/cgroup -name "agentsight-rx-$recorder-*") ]]
  printf '== done ==\n'
}

judge() {
  if ! grep --quiet --line-regexp '== done ==' "$OUTPUT"; then
    KEEP=yes
    say "look into $MACHINE and $OUTPUT"
    exit 1
  fi
  say "Debian $RELEASE: $(grep '^== doctor names' "$OUTPUT" | tr -d =), it records, and docs/install.md names all that stays"
}

mkdir -p "$BUILDS"
step "building HEAD" build 1 022
step "building HEAD again" build 2 077
AGENTSIGHT_BUILDS=$BUILDS/1:$BUILDS/2 AGENTSIGHT_BUILDER=$BUILDER "$VENV/bin/python" -m pytest -n0 tests/release
run_on_machine --release "$@"
