"""Instructions are named by the file that the agent read, as far as the kernel saw it, with the evidence."""

from __future__ import annotations

import json
from typing import Any

import pytest

from agentsight_rx.events import Event, FileEvent, Origin
from agentsight_rx.view.queries.context.context import AgentContext, InstructionFile
from agentsight_rx.view.queries.context.findings import instruction_files, with_instruction_files
from agentsight_rx.view.queries.context.reading import read_contexts
from agentsight_rx.view.queries.context.segments import segments_of
from tests.view.page.story import stored
from tests.view.queries.context_story import PRICES, SESSION, Agent, begun, words

TEXT = words(60, 7)
TAG = f"<user_instructions>\n{TEXT}\n</user_instructions>"


def seen(agent: Agent, *reads: tuple[str, int], at: int = 2, pid: int = 4242) -> AgentContext:
    """The agent reads these files, so many bytes of each, before its event number `at`."""
    origin = agent.events[at].origin
    files: list[Event] = []
    for path, size in reads:
        who = Origin(origin.time_ns, pid, pid, 1000, "claude", origin.wall_ns)
        files += [FileEvent(who, 0, "open", path), FileEvent(who, 0, "close", path, read_bytes=size)]
    store = stored([*agent.events[:at], *files, *agent.events[at:]])
    (found,) = with_instruction_files(store, read_contexts(store, SESSION, PRICES))
    return found


def named(found: AgentContext) -> list[tuple[str, str]]:
    return [
        (each.name, each.read.evidence if each.read else "") for each in segments_of(found) if each.origin == "instructions"
    ]


@pytest.mark.parametrize(
    ("reads", "wanted"),
    [
        ([("/work/CLAUDE.md", len(TEXT))], ("/work/CLAUDE.md", "name and size")),
        ([("/work/CLAUDE.md", 9)], ("/work/CLAUDE.md", "name")),
        ([("/work/CLAUDE.md", len(TEXT) + 900)], ("/work/CLAUDE.md", "name")),
        ([("/home/ada/CLAUDE.md", len(TEXT))], ("/work/CLAUDE.md", "")),
        ([("/work/NOTES.md", len(TEXT))], ("/work/CLAUDE.md", "")),
        ([], ("/work/CLAUDE.md", "")),
    ],
)
def test_a_file_that_the_request_names(reads: list[tuple[str, int]], wanted: tuple[str, str]) -> None:
    agent = begun()
    agent.ask("Done.")
    assert named(seen(agent, *reads)) == [wanted]


def tagged(text: str = TAG) -> Agent:
    agent = Agent()
    agent.said(text).said("Fix the totals.")
    agent.ask("Done.")
    return agent


def test_instructions_without_a_name_have_the_file_whose_size_fits() -> None:
    reads = [("/work/AGENTS.md", len(TEXT)), ("/home/ada/AGENTS.md", 7)]
    assert named(seen(tagged(), *reads)) == [("/work/AGENTS.md", "size")]
    assert named(seen(tagged(), ("/work/AGENTS.md", 7))) == [("instructions", "")]


def test_a_folder_and_a_part_of_a_path_name_a_file() -> None:
    codex = tagged(f"# AGENTS.md instructions for /work\n\n<INSTRUCTIONS>\n{TEXT}\n</INSTRUCTIONS>")
    assert ("/work/AGENTS.md", "name and size") in named(seen(codex, ("/work/AGENTS.md", len(TEXT))))
    gemini = tagged(f"--- Context from: src/GEMINI.md ---\n{TEXT}\n--- End of Context from: src/GEMINI.md ---")
    assert ("/work/src/GEMINI.md", "name and size") in named(seen(gemini, ("/work/src/GEMINI.md", len(TEXT))))


def test_a_read_of_another_process_or_behind_the_request_says_nothing() -> None:
    agent = begun()
    agent.ask("Done.")
    assert named(seen(agent, ("/work/CLAUDE.md", len(TEXT)), pid=77)) == [("/work/CLAUDE.md", "")]
    assert named(seen(agent, ("/work/CLAUDE.md", len(TEXT)), at=4)) == [("/work/CLAUDE.md", "")]


def test_bytes_are_counted_as_a_file_has_them() -> None:
    text = 'Say "no" \u00e4\u00f6\u00fc.\n' * 30
    made: dict[str, Any] = {"type": "text", "text": f"<user_instructions>{text}</user_instructions>"}
    assert len(json.dumps(made)) > 2 * len(text)
    found = seen(tagged(made["text"]), ("/work/AGENTS.md", len(text.encode())))
    assert named(found) == [("/work/AGENTS.md", "size")]
    (file,) = found.instruction_files.values()
    assert file == InstructionFile("/work/AGENTS.md", file.time_ms, 4242, "size")


def test_a_context_without_instructions_asks_for_nothing() -> None:
    agent = Agent()
    agent.said("go").ask("Done.")
    store = stored(agent.events)
    (found,) = read_contexts(store, SESSION, PRICES)
    assert instruction_files(store, found) == {}
