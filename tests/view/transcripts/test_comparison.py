from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentsight_rx.events import Usage
from agentsight_rx.store.rows.kinds import CallRow, ToolRow
from agentsight_rx.view.transcripts import Transcript, TranscriptCall, TranscriptTool
from agentsight_rx.view.transcripts.comparison import Comparison, compare
from tests.view.transcripts.reading import claude, codex, read
from tests.view.transcripts.samples import CLAUDE, CODEX

AT = 1_793_527_200_000
SONNET = "claude-sonnet-4-5"


def row(
    identity: str, second: float, usage: Usage, *, model: str = SONNET, answer: str | None = None, **more: object
) -> CallRow:
    start = AT + round(second * 1000)
    fields: dict[str, object] = {
        "id": identity,
        "start_timestamp_ms": start,
        "end_timestamp_ms": start + 900,
        "model": model,
        "response_id": answer,
        "input_tokens": usage.input,
        "output_tokens": usage.output,
        "cache_creation_tokens": usage.cache_creation,
        "cache_read_tokens": usage.cache_read,
        **more,
    }
    return CallRow(**fields)  # type: ignore[arg-type]  # by name, and each test has its own


def tool_row(tool_call_id: str) -> ToolRow:
    return ToolRow(f"tool-{tool_call_id}", AT, llm_call_id="c", tool_call_id=tool_call_id, tool_name="Read")


def file_of(*calls: TranscriptCall, tools: tuple[TranscriptTool, ...] = ()) -> Transcript:
    return Transcript(agent="claude", session_id="s", calls=calls, tools=tools)


def call(second: float, usage: Usage, *, model: str = SONNET, answer: str = "", request: str = "") -> TranscriptCall:
    return TranscriptCall(id=answer, request_id=request, model=model, usage=usage, time_ms=AT + round(second * 1000))


def compared(
    transcript: Transcript, rows: list[CallRow], tools: list[ToolRow] | None = None, **more: Any
) -> Comparison[CallRow, ToolRow]:
    return compare(transcript, rows, tools or [], **more)


def test_what_is_only_on_the_wire_and_only_in_the_file_is_shown() -> None:
    """Claude Code asks a small model for a title, which it does not write down."""
    usage = Usage(4, 80, cache_creation=1200, cache_read=9000)
    rows = [
        row("title", 1, Usage(50, 9), model="claude-haiku-4-5", answer="msg_t"),
        row("first", 2, usage, answer="msg_01"),
        row("third", 8, Usage(4, 21, cache_creation=1200, cache_read=9000), answer="msg_03"),
    ]
    found = compared(read(claude, CLAUDE), rows, [tool_row("toolu_01"), tool_row("toolu_t"), tool_row("toolu_03")])
    assert [("first", "msg_01", "response_id", ()), ("third", "msg_03", "response_id", ("output_tokens",))] == [
        (pair.wire.id, pair.file.id, pair.method, pair.differs) for pair in found.both
    ]
    assert (["title"], ["msg_02"]) == ([each.id for each in found.only_wire], [each.id for each in found.only_file])
    assert [("toolu_01", "tool_id"), ("toolu_03", "tool_id")] == [(pair.file.id, pair.method) for pair in found.tools]
    assert ["toolu_t"] == [each.tool_call_id for each in found.tools_only_wire]
    assert ["toolu_02"] == [each.id for each in found.tools_only_file]


def test_a_request_id_matches_where_the_answer_has_no_id() -> None:
    transcript = file_of(call(1, Usage(1, 1), request="req_1"))
    found = compared(transcript, [row("a", 1, Usage(9, 9))], request_ids={"a": "req_1"})
    assert ["request_id"] == [pair.method for pair in found.both]


def test_codex_writes_no_ids_so_model_tokens_and_time_decide() -> None:
    first = row("first", 4, Usage(2000, 100, cache_read=1000), model="gpt-5.1-codex", answer="resp_1")
    second = row("second", 9, Usage(1500, 150, cache_read=2500), model="gpt-5-mini-2025-08-07")
    found = compared(read(codex, CODEX), [second, first])
    assert [("first", "tokens"), ("second", "tokens")] == [(pair.wire.id, pair.method) for pair in found.both]
    assert ((), ()) == (found.only_wire, found.only_file)


@pytest.mark.parametrize(
    "other",
    [
        row("a", 1, Usage(5, 6)),
        row("a", 1, Usage(5, 5), model="gpt-5"),
        row("a", 100, Usage(5, 5)),
        row("a", -100, Usage(5, 5)),
        row("a", 1, Usage(5, 5), answer="msg_other"),
    ],
    ids=["tokens", "model", "later", "earlier", "answer"],
)
def test_another_call_is_another_call(other: CallRow) -> None:
    found = compared(file_of(call(1, Usage(5, 5), answer="msg_1")), [other])
    assert ((), (other,), 1) == (found.both, found.only_wire, len(found.only_file))


def test_of_calls_with_the_same_tokens_the_nearest_are_one() -> None:
    rows = [row(str(second), second, Usage(5, 5)) for second in (1, 11, 21)]
    found = compared(file_of(*(call(second + 1, Usage(5, 5)) for second in (11, 1))), rows)
    assert [("1", AT + 2000), ("11", AT + 12_000)] == [(pair.wire.id, pair.file.time_ms) for pair in found.both]
    assert ["21"] == [each.id for each in found.only_wire]


def test_calls_without_tokens_are_not_alike() -> None:
    found = compared(file_of(call(1, Usage())), [row("a", 1, Usage())])
    assert ((), 1, 1) == (found.both, len(found.only_wire), len(found.only_file))


def test_the_side_of_the_server_is_no_other_call() -> None:
    rows = [row("a", 1, Usage(5, 5), answer="msg_1"), row("b", 1, Usage(5, 5), answer="msg_1", twin="a")]
    found = compared(file_of(call(1, Usage(5, 5), answer="msg_1")), rows)
    assert (1, ()) == (len(found.both), found.only_wire)


def test_what_the_file_has_of_other_times_is_not_missing() -> None:
    tools = (TranscriptTool(id="t", time_ms=AT - 5000), TranscriptTool(id="u", time_ms=AT + 500))
    transcript = file_of(call(-9, Usage(5, 5)), call(1, Usage(5, 5)), call(500, Usage(5, 5)), tools=tools)
    found = compared(transcript, [], captured=[(AT, AT + 60_000)])
    assert ([AT + 1000], ["u"], 3) == (
        [each.time_ms for each in found.only_file],
        [each.id for each in found.tools_only_file],
        found.outside,
    )


def test_tools_without_ids_of_the_api_are_the_same_by_their_input_in_order() -> None:
    def wire(at: int, id: str, input: str, name: str = "ls") -> ToolRow:
        return ToolRow(f"tool-{at}", AT + at, llm_call_id="c", tool_call_id=id, tool_name=name, input=input)

    def file(id: str, input: str, name: str = "ls") -> TranscriptTool:
        return TranscriptTool(id=id, name=name, input=input)

    rows = [
        wire(9, "ls-0", '{"a": "x"}'),
        wire(1, "ls-0", '{"a":"x"}'),
        wire(2, "ls-0", '{"a":"y"}'),
        wire(3, "real", '{"a":"z"}'),
    ]
    tools = (file("ls_1_0", '{"a":"x"}'), file("ls_2_0", '{"a":"x"}'), file("ls_3_0", '{"a":"x"}'), file("ls_4_0", '{"a":"z"}'))
    found = compared(file_of(tools=tools), [], rows)
    assert [("tool-1", "ls_1_0"), ("tool-9", "ls_2_0")] == [(pair.wire.id, pair.file.id) for pair in found.tools]
    assert {"tool_input"} == {pair.method for pair in found.tools}
    assert (["tool-2", "tool-3"], ["ls_3_0", "ls_4_0"]) == (
        [each.id for each in found.tools_only_wire],
        [each.id for each in found.tools_only_file],
    )


CALLS = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 2), st.sampled_from(["", "m1", "m2"])), max_size=12)


@given(CALLS, CALLS)
def test_each_call_is_in_one_list(on_wire: list[tuple[int, int, str]], in_file: list[tuple[int, int, str]]) -> None:
    rows = [row(str(place), second, Usage(1, out), answer=name or None) for place, (second, out, name) in enumerate(on_wire)]
    written = [call(second, Usage(1, out), answer=name) for second, out, name in in_file]
    found = compared(file_of(*written), rows)
    assert sorted(each.id for each in rows) == sorted(
        [pair.wire.id for pair in found.both] + [each.id for each in found.only_wire]
    )
    assert len(written) == len(found.both) + len(found.only_file)
