"""What stands in the session files of agents, as entries; in pieces, and where values have wrong types."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Any, cast

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentsight_rx.events import SessionEntry, Usage
from agentsight_rx.llm.agents.session_files import PARSERS, parser_for
from tests.view.transcripts.other_samples import OTHERS
from tests.view.transcripts.samples import CLAUDE, CODEX, GEMINI, GEMINI_LINES, SECRET

FILES = {
    ("claude", "1a2b.jsonl"): CLAUDE.splitlines(),
    ("codex", "rollout-019a.jsonl"): CODEX.splitlines(),
    ("gemini", "session-1.json"): [GEMINI],
    ("gemini", "session-2.jsonl"): GEMINI_LINES.splitlines(),
    **{key: [content] if key[1].endswith(".json") else content.splitlines() for key, content in OTHERS.items()},
}


def read(agent: str, path: str, lines: Iterable[bytes]) -> list[SessionEntry]:
    parser = parser_for(agent, path)
    assert parser is not None
    values = [json.loads(line) for line in lines]
    return [*(entry for value in values for entry in parser.take(value)), *parser.finish()]


def short(entry: SessionEntry) -> tuple[str, ...]:
    tools = ", ".join(tool.name for tool in entry.tools)
    tokens = "" if entry.usage is None else f"{entry.usage.asked} in {entry.usage.output} out"
    return tuple(filter(None, (entry.kind, entry.id, entry.text.replace(SECRET, "SECRET")[:30], entry.thinking, tools, tokens)))


def test_what_claude_code_wrote() -> None:
    entries = read("claude", "1a2b.jsonl", FILES["claude", "1a2b.jsonl"])
    assert {("claude", "1a2b3c4d-0000-4000-8000-000000000001")} == {(each.agent, each.session) for each in entries[1:]}
    first = next(each for each in entries if each.kind == "session" and each.folder)
    assert ("/work/shop", "main", "2.1.331") == (first.folder, first.branch, first.version)
    answers = [short(each) for each in entries if each.kind == "answer"]
    assert answers[:3] == [
        ("answer", "msg_01", "Hm", "10204 in 3 out"),
        ("answer", "msg_01", "I will read it.", "Hm", "10204 in 3 out"),
        ("answer", "msg_01", "I will read it.", "Hm", "Read", "10204 in 80 out"),
    ]
    assert ("prompt", "Mend it, the key is SECRET") in [short(each) for each in entries]
    read_file = next(each for each in entries if each.paths)
    assert ("/work/shop/prices.py",) == read_file.paths


def test_what_codex_wrote() -> None:
    entries = read("codex", "rollout-019a.jsonl", FILES["codex", "rollout-019a.jsonl"])
    kinds = [each.kind for each in entries]
    assert {"session", "prompt", "answer", "result", "sum"} <= {*kinds}
    counted = [each for each in entries if each.kind == "answer" and each.usage is not None]
    assert len(counted) == kinds.count("sum")
    assert [f"#{number}" for number in range(1, len(counted) + 1)] == [each.id for each in counted]
    assert sum((each.usage or Usage()).total for each in counted) > 0
    assert {"openai"} == {each.provider for each in counted}


def test_a_prompt_that_codex_wrote_twice_is_one() -> None:
    item = {"type": "response_item", "payload": {"type": "message", "role": "user", "content": [{"text": "Mend it"}]}}
    event = {"type": "event_msg", "payload": {"type": "user_message", "message": "Mend it"}}
    lines = [json.dumps(each).encode() for each in (item, event)]
    assert [("prompt", "Mend it")] == [short(each) for each in read("codex", "r.jsonl", lines)]


def test_sub_agents_of_claude_code_have_their_own_thread() -> None:
    line = {"type": "user", "sessionId": "s", "message": {"content": "Look"}, "timestamp": "2026-11-01T10:00:00Z"}
    side = json.dumps({**line, "isSidechain": True, "agentId": "a1"}).encode()
    (entry,) = [each for each in read("claude", "x.jsonl", [side]) if each.kind == "prompt"]
    (of_file,) = [each for each in read("claude", "agent-a2.jsonl", [json.dumps(line).encode()]) if each.kind == "prompt"]
    assert ("a1", "a2") == (entry.thread, of_file.thread)


@pytest.mark.parametrize(
    ("agent", "line", "note"),
    [
        ("claude", {"type": "system", "subtype": "compact_boundary"}, "compacted"),
        ("claude", {"type": "user", "message": {"content": "[Request interrupted by user]"}}, "interrupted"),
        ("codex", {"type": "compacted", "payload": {}}, "compacted"),
        ("codex", {"type": "event_msg", "payload": {"type": "turn_aborted"}}, "interrupted"),
    ],
)
def test_what_happened_beside_the_messages_is_noted(agent: str, line: dict[str, Any], note: str) -> None:
    entries = read(agent, "x.jsonl", [json.dumps(line).encode()])
    assert [note] == [each.text for each in entries if each.kind == "note"]


def test_a_refused_tool_is_noted() -> None:
    refused = "The user doesn't want to proceed with this tool use. The tool use was rejected"
    result = {"type": "tool_result", "tool_use_id": "t1", "content": refused, "is_error": True}
    entries = read("claude", "x.jsonl", [json.dumps({"type": "user", "message": {"content": [result]}}).encode()])
    assert [("note", "t1", "refused"), ("result", "t1", refused[:30])] == [short(each) for each in entries]


LINES = [key for key in FILES if not PARSERS[key[0]].at_once]


@pytest.mark.parametrize("key", LINES, ids=lambda key: key[0])
@given(cuts=st.sets(st.integers(1, 40)))
def test_a_file_in_pieces_has_the_same_entries(key: tuple[str, str], cuts: set[int]) -> None:
    saved, entries, lines = b"", list[SessionEntry](), FILES[key]
    places = [0, *sorted(cut for cut in cuts if cut < len(lines)), len(lines)]
    for start, stop in pairwise(places):
        parser = parser_for(*key)
        assert parser is not None
        if saved:
            parser.restore(saved)
        entries += [entry for line in lines[start:stop] for entry in parser.take(json.loads(line))]
        saved = parser.saved()
    assert read(*key, lines) == entries


WRONG: list[Any] = [None, True, -1, 2**70, 1.5, "", "é", [], {}, [None], {"a": []}]


def mutated(value: Any, other: Any, place: list[int]) -> Any:
    """The value with another one at this place, counted from the outside."""
    place[0] -= 1
    if place[0] == 0:
        return other
    if isinstance(value, dict):
        members = cast("dict[str, Any]", value)
        return {name: mutated(each, other, place) for name, each in members.items()}
    return [mutated(each, other, place) for each in cast("Sequence[Any]", value)] if isinstance(value, list) else value


@pytest.mark.parametrize("key", FILES, ids=lambda key: key[1])
@given(data=st.data())
def test_no_wrong_value_breaks_a_parser(key: tuple[str, str], data: st.DataObject) -> None:
    values: Sequence[Any] = [json.loads(line) for line in FILES[key]]
    number = data.draw(st.integers(0, len(values) - 1))
    other: Any = data.draw(st.sampled_from(WRONG))
    changed: Any = mutated(values[number], other, [data.draw(st.integers(1, 60))])
    parser = parser_for(*key)
    assert parser is not None
    kept: list[Any] = [changed] if isinstance(changed, dict) else []
    for value in [*values[:number], *kept, *values[number + 1 :]]:
        for entry in parser.take(value):
            assert msgspec.msgpack.encode(entry)
    list(parser.finish())
