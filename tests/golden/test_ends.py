"""A call ends where its dialect ends the answer: what becomes of the connection and what comes behind amend it."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from agentsight_rx.events import SseMessage, TlsEvent
from agentsight_rx.store.rows.kinds import HUNG_UP
from agentsight_rx.view import CallRow, HttpRow, Output, TokenRow, ToolRow
from tests.golden import ASKED, EPOCH_NS, JSON, SIZES, Talk, last_rows, only, request, streamed, traced
from tests.golden.streams import CHAT_END, chat, data
from tests.operators import MS

CHAT = "/v1/chat/completions"
SAID = chat([{"index": 0, "delta": {"content": "hello"}, "finish_reason": "stop"}])
COUNTS = data({"object": "chat.completion.chunk", "choices": [], "usage": {"prompt_tokens": 3, "completion_tokens": 4}})


def talk_of(*parts: bytes, record: int = 16_384) -> Talk:
    talk = Talk(record=record)
    talk.asks(request(CHAT, ASKED, JSON, host="api.openai.com"))
    for part in parts:
        talk.answers(part)
    return talk


def only_call(made: list[Output]) -> CallRow:
    (row,) = last_rows(CallRow, made)
    return row


def answer_in_parts() -> list[bytes]:
    """The head, the answer with its end mark, and the rest of the body."""
    whole = streamed(SAID, CHAT_END)
    return [whole.removesuffix(b"0\r\n\r\n"), b"0\r\n\r\n"]


@pytest.mark.parametrize("size", SIZES)
def test_a_client_that_hangs_up_behind_the_end_has_a_whole_answer_and_a_note(size: int) -> None:
    answered, _ = answer_in_parts()
    talk = talk_of(answered, record=size)
    talk.closes()
    made = traced(talk.records)
    row = only_call(made)
    assert (row.status, row.complete, row.reason, row.note) == ("complete", True, None, HUNG_UP)
    assert [each.status for each in last_rows(HttpRow, made)] == ["complete"]


def test_a_body_that_ends_as_it_should_needs_no_note() -> None:
    talk = talk_of(*answer_in_parts())
    talk.closes()
    assert only_call(traced(talk.records)).note is None


def test_a_capture_that_ends_behind_the_end_says_nothing_of_the_client() -> None:
    row = only_call(traced(talk_of(answer_in_parts()[0]).records))
    assert (row.status, row.complete, row.note) == ("complete", True, None)


def test_the_call_has_the_time_of_its_end_mark_and_the_row_is_there_before_the_body_ends() -> None:
    records = talk_of(*answer_in_parts()).records
    mark, rest = records[-2], records[-1]
    later: list[TlsEvent] = [*records[:-1], moved(rest, 5_000 * MS)]
    made = traced(later)
    row = only_call(made)
    assert row.end_ns == EPOCH_NS + mark.origin.time_ns
    (message,) = only(SseMessage, made)
    assert message.end_ns == mark.origin.time_ns


def test_counts_behind_the_end_amend_the_call_once() -> None:
    answered, _ = answer_in_parts()
    _, _, behind = streamed(COUNTS).partition(b"\r\n\r\n")
    *before, last = talk_of(answered, behind).records
    made = traced([*before, moved(last, 1_000 * MS)])
    row = only_call(made)
    assert (row.status, row.input_tokens, row.output_tokens) == ("complete", 3, 4)
    assert [each.total_tokens for each in last_rows(TokenRow, made)] == [7]
    assert len(last_rows(ToolRow, made)) == row.tools


def moved(event: TlsEvent, by_ns: int) -> TlsEvent:
    return replace(event, origin=replace(event.origin, time_ns=event.origin.time_ns + by_ns))
