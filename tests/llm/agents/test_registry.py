from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentsight_rx.llm.agents import AGENTS, Agent, agent_named, agent_of, set_own_agents
from agentsight_rx.llm.agents.registry import agent_of_product, known_agents


@pytest.mark.parametrize(
    ("comm", "argv", "agent"),
    [
        ("claude", ["claude"], "claude"),
        ("node", ["claude", "--resume"], "claude"),
        ("MainThread", ["node", "/opt/npm/bin/codex"], "codex"),
        ("node", ["/usr/bin/node", "--no-warnings", "/usr/lib/node_modules/@google/gemini-cli/dist/index.js"], "gemini"),
        ("node", ["node", "--require", "/opt/hook.js", "/opt/npm/bin/codex"], "codex"),
        ("node", ["node", "/opt/node_modules/@anthropic-ai/claude-code/cli.js", "-p", "hi"], "claude"),
        ("node", ["node", "/opt/node_modules/@openai/codex/bin/codex.js"], "codex"),
        ("2.1.331", ["/home/me/.local/share/claude/versions/2.1.331"], "claude"),
        ("codex-x86_64-un", ["./codex-x86_64-unknown-linux-musl"], "codex"),
        ("openclaw-gatewa", ["openclaw-gateway"], "openclaw"),
        ("python3.13", ["/opt/venv/bin/python3", "/root/.local/bin/aider", "--model", "gpt-5"], "aider"),
        ("python3", ["python3", "-m", "aider"], "aider"),
        ("sh", ["/bin/sh", "/usr/local/bin/claude"], "claude"),
        ("env", ["env", "A=1", "node", "/opt/npm/bin/qwen"], "qwen"),
        ("sudo", ["sudo", "-u", "me", "/usr/bin/amp"], "amp"),
        ("", ["copilot"], "copilot"),
        (None, ["/usr/bin/opencode", "run"], "opencode"),
        ("goose", [], "goose"),
        ("node", ["node", "/usr/bin/pi", "-p", "hi"], "pi"),
        ("MainThread", ["node", "/usr/lib/node_modules/@mariozechner/pi-coding-agent/dist/cli.js"], "pi"),
        ("vibe-rs", ["/home/me/.local/share/vibe-rs", "app-server"], "vibe"),
        ("python3", ["/opt/uv/tools/mistral-vibe/bin/python3", "/root/.local/bin/vibe"], "vibe"),
        ("node", ["node", "/usr/lib/node_modules/cline/dist/cli.mjs"], "cline"),
        ("node", ["node", "/usr/lib/node_modules/@ampcode/cli/dist/main.js"], "amp"),
        ("node", ["node", "/usr/lib/node_modules/@kilocode/cli/index.js"], "kilocode"),
        ("node", ["node", "/usr/lib/node_modules/@letta-ai/letta-code/letta.js"], "letta"),
        ("python3", ["/usr/bin/python3", "/root/.local/bin/gptme", "hi"], "gptme"),
        ("python3", ["python3", "/venv/lib/python3.13/site-packages/minisweagent/run/mini.py"], "mini"),
    ],
)
def test_a_process_of_an_agent_is_known(comm: str | None, argv: list[str], agent: str) -> None:
    assert agent == agent_of(comm, argv)


@pytest.mark.parametrize(
    ("comm", "argv"),
    [
        ("python3", ["python", "x.py", "--model", "claude-sonnet"]),
        ("docker", ["docker", "run", "img", "bash", "-c", "claude"]),
        ("git", ["git", "clone", "https://github.com/openai/codex"]),
        ("cat", ["cat", "/usr/bin/codex"]),
        ("python3", ["python3", "x.py", "--out", "/data/claude"]),
        ("bash", ["bash", "-c", "cat /src/claude"]),
        ("node", ["node", "/usr/bin/npm", "install", "@openai/codex"]),
        ("rg", ["/opt/node_modules/@anthropic-ai/claude-code/vendor/ripgrep/x64-linux/rg", "x"]),
        ("node", ["node", "/src/gemini-cli/node_modules/.bin/tsc"]),
        ("python3", ["/opt/uv/tools/aider-chat/bin/python", "-c", "1"]),
        ("claudette", ["claudette"]),
        ("", []),
        (None, [""]),
    ],
)
def test_a_process_that_only_names_an_agent_is_none(comm: str | None, argv: list[str]) -> None:
    assert agent_of(comm, argv) is None


@pytest.mark.parametrize("agent", AGENTS, ids=lambda agent: agent.id)
def test_the_kernel_cuts_the_name_of_a_program(agent: Agent) -> None:
    assert [agent.id] * len(agent.names) == [agent_of(name[:15], ["x"]) for name in agent.names]


def test_no_two_agents_share_a_name() -> None:
    names = [name for agent in AGENTS for name in agent.names]
    assert sorted(set(names)) == sorted(names)


def test_no_two_agents_share_a_product_and_each_is_found_by_its_own() -> None:
    products = [product for agent in AGENTS for product in agent.products]
    assert sorted(set(products)) == sorted(products)
    found = [agent_of_product(product.upper()) for agent in AGENTS for product in agent.products]
    assert [agent.id for agent in AGENTS for _ in agent.products] == found
    assert agent_of_product("curl") is None


def test_an_agent_is_found_by_its_id() -> None:
    assert [agent.id for agent in AGENTS] == [getattr(agent_named(agent.id), "id", None) for agent in AGENTS]
    assert agent_named("none") is None


def test_own_agents_are_replaced_and_take_no_name_of_ours() -> None:
    before = known_agents()
    try:
        set_own_agents([Agent(id="mine", title="Mine", names=("my-agent", "claude"), capture="")])
        assert ("mine", "claude") == (agent_of("my-agent", []), agent_of("claude", []))
        assert before is not known_agents()
        before = known_agents()
        set_own_agents([Agent(id="mine", title="Mine", names=("my-agent", "claude"), capture="")])
        assert before is known_agents()
        set_own_agents([Agent(id="other", title="Other", names=("other-agent",), capture="")])
        assert (None, "other") == (agent_of("my-agent", []), agent_of("other-agent", []))
    finally:
        set_own_agents(())
    assert agent_named("other") is None


@given(st.one_of(st.none(), st.text(max_size=15)), st.lists(st.text(max_size=40), max_size=40))
def test_any_arguments_give_an_agent_or_none(comm: str | None, argv: list[str]) -> None:
    found = agent_of(comm, argv)
    assert found is None or agent_named(found) is not None
