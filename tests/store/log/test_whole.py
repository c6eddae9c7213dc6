"""The entries of an agent's own file in the log -> its calls with all of their texts."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from agentsight_rx.events import SessionEntry, ToolCall
from agentsight_rx.llm.canonical import Message, ReasoningPart, TextPart, ToolCallPart, ToolResultPart
from agentsight_rx.store.log.parts import LogWriter
from agentsight_rx.store.log.whole import WholeCalls, read_entries, said_turns, whole_call
from agentsight_rx.store.rows.kinds import SAID, CallRow
from agentsight_rx.store.state import LmdbStore, MemoryStore, Store
from tests.store.fold.test_said import BASH, READ, STORY, entry, in_order

LONG = "a line of it\n" * 5000


def _logged(store: Store, entries: Sequence[SessionEntry]) -> Store:
    store.commit(LogWriter(store).append(entries))
    return store


def _row(id: str, **more: object) -> CallRow:
    return CallRow(f"said-s1-{id}", 0, session_id="s1", view_source=SAID, **more)  # type: ignore[arg-type]


def _shown(messages: Sequence[Message]) -> list[str]:
    found = list[str]()
    for message in messages:
        for part in message.parts:
            match part:
                case TextPart(text):
                    found.append(f"{message.role}: {text}")
                case ReasoningPart(text):
                    found.append(f"{message.role} thinks: {text}")
                case ToolCallPart(id, name):
                    found.append(f"{message.role} asks: {name} {id}")
                case ToolResultPart(id, output):
                    found.append(f"{message.role}: {id} {output}")
                case _:
                    found.append("?")
    return found


FIRST = ["user: <system-reminder>x</system-reminder>\nMend it"]
SECOND = [
    *FIRST, "assistant thinks: Hm", "assistant: I will", "assistant asks: Bash t1", "assistant asks: Read t2",
    "tool: t1 no rule to make", "tool: t2 the file",
]  # fmt: skip


def test_a_call_has_what_stands_before_it() -> None:
    store = _logged(MemoryStore(), in_order(STORY))
    first, second = whole_call(store, _row("m1")), whole_call(store, _row("m2"))
    assert first is not None
    assert second is not None
    assert _shown(first.asked.messages) == FIRST
    assert _shown(second.asked.messages) == SECOND
    assert _shown([Message("assistant", second.answer.parts)]) == ["assistant: Done."]
    assert whole_call(store, _row("m3")) is None


def test_texts_are_whole_in_a_file_of_a_store(tmp_path: Path) -> None:
    entries = [entry(1, "prompt", text=LONG), entry(2, "answer", "m1", text=LONG), entry(3, "result", "t1", text=LONG)]
    path = tmp_path / "past.lmdb"
    store = LmdbStore.open(path)
    try:
        _logged(store, [*in_order(entries), *in_order([entry(1, "prompt", session="s2")])])
        found = whole_call(store, _row("m1"))
        assert [each.text for each in read_entries(store, "s1")] == [LONG] * 3
    finally:
        store.close()
    assert found is not None
    assert (found.asked.messages[0].texts(), found.answer.parts) == ([LONG], (TextPart(LONG),))


def test_a_compaction_leaves_what_comes_behind_it() -> None:
    entries = [*STORY, entry(11, "result", "t9"), entry(12, "note", text="compacted"), entry(13, "prompt", text="So far: …")]
    store = _logged(MemoryStore(), in_order([*entries, entry(14, "note", text="refused"), entry(15, "answer", "m3")]))
    calls = WholeCalls(store)
    found = [calls.of(_row(id)) for id in ("m3", "m2")]
    assert [_shown(each.asked.messages) for each in found if each] == [["user: So far: …"], SECOND]


def test_each_thread_is_its_own() -> None:
    inner = [entry(6, "prompt", text="Look", thread="t"), entry(7, "answer", "i1", text="Seen", thread="t")]
    store = _logged(MemoryStore(), in_order([*STORY[:6], *inner, *STORY[6:]]))
    calls = WholeCalls(store)
    outer, within = calls.of(_row("m2")), calls.of(_row("i1", agent_id="t"))
    assert outer is not None
    assert within is not None
    assert (_shown(outer.asked.messages), _shown(within.asked.messages)) == (SECOND, ["user: Look"])


def test_tools_without_ids_are_kept_each() -> None:
    tools = (ToolCall("", "Bash", "{}"), ToolCall("", "Bash", "{}"))
    (turn,) = said_turns([entry(1, "answer", "m1", tools=tools), entry(2, "answer", "m1", tools=(BASH, READ, BASH))], None)
    assert [part.id for part in turn.answer if isinstance(part, ToolCallPart)] == ["", "", "t1", "t2", "t1"]


@settings(max_examples=20)
@given(st.integers(0, len(STORY)))
def test_a_file_that_is_read_anew_changes_nothing(until: int) -> None:
    entries = in_order([*STORY[:until], *STORY])
    assert said_turns(entries, None) == said_turns(in_order(STORY), None)
