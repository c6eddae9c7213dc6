# In a container, in a checkout: the commands that a person tries first. Each prints its exit status behind what it printed.
command_of_readme() {
  printf '== %s\n' "$*"
  "$@" 2>&1
  printf '== status %d\n' "$?"
}

command_of_readme ./run.sh
VENV=$(source scripts/setup.sh && printf '%s' "$VENV")
MODEL=$(mktemp --directory)
"$VENV/bin/python" -m agentsight_rx.runtime.demo.fake_llm --dir "$MODEL" >"$MODEL/port" &
for _ in {1..300}; do [[ -s $MODEL/port ]] || sleep 0.1; done
command_of_readme ./run.sh record -- python3 tests/rootless/client.py "$(<"$MODEL/port")" "$MODEL/ca.pem"
command_of_readme ./run.sh report
claude_code=(/srv/claude/claude -p "How are you?" --tools Bash --allowedTools Bash)
export NODE_EXTRA_CA_CERTS=$MODEL/ca.pem ANTHROPIC_BASE_URL=https://127.0.0.1:$(<"$MODEL/port") ANTHROPIC_API_KEY=dummy
export CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC=1 DISABLE_AUTOUPDATER=1
command_of_readme ./run.sh record -- env HOME="$MODEL" "${claude_code[@]}"
kill %1
