"""Which processes are agents to record, and by which names the kernel reports them."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from agentsight_rx.llm.agents import AGENTS
from agentsight_rx.sources.running_agents.choice import Choice, awaited_names


def test_known_agents_and_named_programs_are_agents() -> None:
    choice = Choice(comms=("my-own-agent-program", "tool"))
    assert "claude" == choice.agent("claude", ["claude"])
    assert "codex" == choice.agent("node", ["node", "/opt/npm/bin/codex"])
    assert "tool" == choice.agent("tool", ["/opt/tool", "-x"])
    assert "my-own-agent-program" == choice.agent("my-own-agent-pr", ["x"]), "the kernel cuts a name"
    assert "tool" == choice.agent("MainThread", ["/usr/bin/tool"])
    assert choice.agent("vim", ["vim", "/src/codex"]) is None
    assert choice.agent("vim", []) is None


def test_what_is_excluded_is_none() -> None:
    choice = Choice(comms=("tool",), no_agents=("claude", "tool"), no_uids=(7,), no_folders=("/srv/private",))
    assert choice.agent("claude", ["claude"]) is None
    assert choice.agent("tool", ["tool"]) is None
    assert "codex" == choice.agent("codex", ["codex"])
    assert choice.allows(8, "/srv")
    assert not choice.allows(7, "/srv")
    assert not choice.allows(8, "/srv/private")
    assert not choice.allows(8, "/srv/./private/deeper/../x")
    assert choice.allows(8, "/srv/private-not")
    assert choice.allows(8, ""), "the folder is not known"


@given(st.from_regex(r"[ab/]{0,5}[ab]/*", fullmatch=True), st.lists(st.sampled_from(["a", "b"]), max_size=4))
def test_a_folder_excludes_what_is_in_it_and_nothing_else(top: str, below: list[str]) -> None:
    choice = Choice(no_folders=(f"/{top}",))
    assert not choice.allows(0, "/".join([f"/{top}", *below]))
    assert choice.allows(0, f"/{top.rstrip('/')}x")
    assert not Choice(no_folders=("/",)).allows(0, f"/{top}"), "all of them are below the root"


def test_each_agent_is_awaited_by_its_names() -> None:
    names = awaited_names(Choice(comms=("tool", "claude", "a/b")))
    assert ("tool", "claude") == names[:2], "what a person names comes first, and is a name"
    cut = [name[:15] for name in names]
    assert len(set(cut)) == len(cut) <= 256
    assert {name[:15] for agent in AGENTS for name in agent.names} <= set(cut)
    assert {"node", "python3", "python3.13", "bun"} <= set(names)


@given(st.lists(st.text(st.characters(codec="utf-8"), min_size=1, max_size=20), max_size=400))
def test_the_table_of_the_kernel_is_never_too_small(comms: list[str]) -> None:
    names = awaited_names(Choice(comms=tuple(comms)))
    assert len(names) <= 256
    assert all("\0" not in name and "/" not in name for name in names)
