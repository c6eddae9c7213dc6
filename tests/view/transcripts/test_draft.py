"""Entries of a file -> one transcript: each thing once, the counts of an answer as they ended."""

from __future__ import annotations

from typing import Any

from agentsight_rx.events import EntryKind, Origin, SessionEntry, ToolCall, Usage
from agentsight_rx.view.transcripts.draft import Draft
from tests.view.transcripts.reading import REDACTOR


def entry(kind: EntryKind, second: int = 1, **more: Any) -> SessionEntry:
    return SessionEntry(Origin(0, 0, wall_ns=second * 1_000_000_000), "claude", "s", kind, **more)


def test_an_answer_in_parts_is_one_call_with_all_its_tools() -> None:
    draft = Draft("claude", "name", REDACTOR)
    bash, read = ToolCall("t1", "Bash", "{}"), ToolCall("#1", "Read", "{}")
    draft.take(entry("answer", id="m1", model="m", usage=Usage(1, 2), tools=(bash,)))
    draft.take(entry("answer", 3, id="m1", model="m", usage=Usage(1, 9), tools=(read,), paths=("/a",)))
    draft.take(entry("result", 4, id="t1", text="done"))
    found = draft.done()
    assert [("m1", 9, 3000)] == [(call.id, call.usage.output, call.time_ms) for call in found.calls]
    assert [("t1", "done", 4000), ("", "", 0)] == [(tool.id, tool.output, tool.end_ms) for tool in found.tools]
    assert ("/a",) == found.files


def test_an_answer_without_counts_is_no_call() -> None:
    draft = Draft("codex", "name", REDACTOR)
    draft.take(entry("answer", id="#1", model="m", text="so far"))
    assert () == draft.done().calls


def test_the_first_prompt_of_the_main_agent_is_the_prompt() -> None:
    draft = Draft("claude", "name", REDACTOR)
    draft.take(entry("prompt", text="of a sub-agent", thread="x"))
    draft.take(entry("hint", text="typed while it was busy"))
    draft.take(entry("prompt", text="later"))
    assert "typed while it was busy" == draft.done().prompt
