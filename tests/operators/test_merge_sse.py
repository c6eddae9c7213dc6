from __future__ import annotations

import itertools
import json
from collections.abc import Sequence
from typing import Any, TypeVar

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from agentsight_rx.core.engine import Engine, Site
from agentsight_rx.core.stream import of
from agentsight_rx.events import (
    BodyPart,
    Connection,
    HttpEvent,
    HttpRequest,
    HttpResponse,
    Loss,
    Origin,
    Reply,
    SseEvent,
    SseMessage,
    Tick,
    TlsChunk,
    ToolCall,
    Usage,
    time_of,
)
from agentsight_rx.events.envelope import encode_envelope
from agentsight_rx.events.loss import Reason
from agentsight_rx.operators import merge_sse, parse_http
from tests.operators import CONNECTION, Running, Wire, run

E = TypeVar("E", bound=HttpEvent)

S = 1_000_000_000


def event(kind: str, **fields: Any) -> bytes:
    return f"event: {kind}\ndata: {json.dumps({'type': kind, **fields})}\n\n".encode()


def says(text: str) -> bytes:
    return event("content_block_delta", index=0, delta={"type": "text_delta", "text": text})


def chat(choices: Sequence[Any], **fields: Any) -> bytes:
    return f"data: {json.dumps({'object': 'chat.completion.chunk', 'choices': choices, **fields})}\n\n".encode()


def chat_says(text: str, finish_reason: str | None = None, **fields: Any) -> bytes:
    return chat([{"index": 0, "delta": {"content": text}, "finish_reason": finish_reason}], **fields)


START = event("message_start", message={"id": "msg_123", "model": "claude-x"})
STOP = event("message_stop")
DONE = b"data: [DONE]\n\n"


class Answer:
    """The parts of one streamed answer, as parse_http gives them. Times are in seconds."""

    def __init__(self, target: str = "/v1/messages", exchange: int = 1, connection: Connection = CONNECTION) -> None:
        self.exchange = exchange
        self.origin = Origin(0, connection.pid, connection=connection, direction="in")
        self.head = HttpResponse(
            self.origin, exchange, 200, "OK", "HTTP/1.1", (("content-type", "text/event-stream"),), b"", True,
            method="POST", target=target, host="api.example",
        )  # fmt: skip

    def part(self, data: bytes, at: float = 0, *, lost: int = 0) -> BodyPart:
        return BodyPart(self._at(at), self.exchange, data, lost=lost, size=len(data))

    def end(self, reason: str | None = None, at: float = 0, *, data: bytes = b"") -> BodyPart:
        return BodyPart(self._at(at), self.exchange, data, True, reason is None, reason)

    def _at(self, seconds: float) -> Origin:
        return replace(self.origin, time_ns=round(seconds * S))


def only(kind: type[E], events: Sequence[HttpEvent]) -> list[E]:
    return [event for event in events if isinstance(event, kind)]


def emitted(*events: HttpEvent) -> list[HttpEvent]:
    return run(merge_sse(), events)


def merged(answer: Answer, *parts: bytes | BodyPart, end: str | None = None) -> SseMessage:
    """The one message that the answer gives."""
    parts_of_it = [answer.part(part) if isinstance(part, bytes) else part for part in parts]
    made = emitted(answer.head, *parts_of_it, answer.end(end))
    assert made[0] is answer.head
    (message,) = only(SseMessage, made)
    return message


def whole(*streams: bytes, target: str = "/v1/messages") -> Reply:
    message = merged(Answer(target), *streams)
    assert (message.complete, message.reason) == (True, None)
    return message.reply


# -- what a stream says -----------------------------------------------------------------------------------------------------


def test_four_records_are_one_message() -> None:
    answer = Answer()
    parts = [answer.part(START, 1), answer.part(says("Hello "), 2), answer.part(says("World!"), 3), answer.part(STOP, 4)]
    made = emitted(answer.head, *parts, answer.end(at=4))
    (message,) = only(SseMessage, made)
    assert made == [answer.head, message]
    assert message.reply == Reply("msg_123", "claude-x", "Hello World!")
    assert (message.origin, message.end_ns) == (answer.head.origin, 4 * S)
    assert (message.first_chunk_ns, message.chunks) == (2 * S, 2)
    assert (message.dialect, message.host, message.target, message.status) == ("anthropic", "api.example", "/v1/messages", 200)
    assert message.size == sum(len(part.data) for part in parts)
    data = encode_envelope(message)["data"]
    assert (data["message_id"], data["text_content"], data["json_content"]) == ("msg_123", "Hello World!", "")
    assert (data["total_size"], data["event_count"], data["has_message_start"]) == (12, 4, True)


def test_a_record_without_a_beginning_is_a_message_too() -> None:
    message = merged(Answer(), says("x") + STOP)
    assert (message.reply.text, message.complete) == ("x", True)
    data = encode_envelope(message)["data"]
    assert (data["message_id"], data["has_message_start"]) == (None, False)


def test_thinking_is_apart_from_text() -> None:
    delta = event("content_block_delta", index=0, delta={"type": "thinking_delta", "thinking": "hm"})
    assert whole(START, delta, says("x"), STOP) == Reply("msg_123", "claude-x", "x", "hm")


def partial_json(index: int, text: str) -> bytes:
    return event("content_block_delta", index=index, delta={"type": "input_json_delta", "partial_json": text})


def tool(index: int, name: str) -> bytes:
    block: dict[str, Any] = {"type": "tool_use", "id": f"toolu_{index}", "name": name, "input": {}}
    return event("content_block_start", index=index, content_block=block)


def test_the_input_of_a_tool_is_put_together() -> None:
    message = merged(Answer(), partial_json(0, '{"message":'), partial_json(0, '"Hello World!"}'), STOP)
    assert encode_envelope(message)["data"]["json_content"] == '{\n  "message": "Hello World!"\n}'


def test_an_input_that_is_no_json_is_shown_as_it_is() -> None:
    message = merged(Answer(), partial_json(0, '{"message":'), STOP)
    assert encode_envelope(message)["data"]["json_content"] == '{"message":'


def test_two_tools_are_two() -> None:
    reply = whole(tool(1, "ls"), tool(2, "pwd"), partial_json(1, '{"a":1}'), partial_json(2, '{"b":2}'), STOP)
    assert reply.tool_calls == (ToolCall("toolu_1", "ls", '{"a":1}'), ToolCall("toolu_2", "pwd", '{"b":2}'))


def test_an_answer_that_says_nothing_is_told_all_the_same() -> None:
    assert whole(START, STOP) == Reply("msg_123", "claude-x")


def test_a_ping_takes_part_and_says_nothing() -> None:
    message = merged(Answer(), event("ping"), START, event("ping"), says("x"), STOP)
    assert (len(message.events), message.chunks, message.reply.text) == (5, 1, "x")


def test_usage_in_a_record_of_its_own_is_not_lost() -> None:
    message = merged(Answer(), START, says("A"), event("message_delta", delta={}, usage={"output_tokens": 7}), STOP)
    assert (len(message.events), message.reply.usage) == (4, Usage(output=7))


def test_an_event_may_be_cut_anywhere() -> None:
    stream = START + says("Hello ") + says("Wörld!") + STOP
    expected = merged(Answer(), stream)
    for cut in range(len(stream)):
        assert replace(merged(Answer(), stream[:cut], stream[cut:]), chunks=expected.chunks) == expected


def test_an_error_alone_is_told() -> None:
    reply = whole(event("error", error={"type": "overloaded_error", "message": "Overloaded"}))
    assert reply.error == "overloaded_error: Overloaded"


def test_a_long_text_is_one_message() -> None:
    reply = whole(START, says("x" * 50_001), says("y"), STOP)
    assert reply.text == "x" * 50_001 + "y"


def test_what_no_provider_says_is_kept_as_events() -> None:
    message = merged(Answer("/events"), b'event: note\ndata: {"n":1,"result":{}}\n\n')
    assert (message.dialect, message.complete, message.reply) == ("", True, Reply())


def test_what_a_tool_server_says_is_known_and_is_no_answer_of_a_model() -> None:
    message = merged(Answer("/mcp"), b'event: message\ndata: {"jsonrpc":"2.0","id":1,"result":{}}\n\n')
    assert (message.dialect, message.complete, message.reply) == ("mcp", True, Reply())
    assert message.events == (SseEvent("message", '{"jsonrpc":"2.0","id":1,"result":{}}'),)


def test_a_provider_is_known_by_what_it_says_where_the_path_is_not() -> None:
    message = merged(Answer("/proxy"), event("ping"), START, says("x"), STOP)
    assert (message.dialect, message.reply.text, message.reply.id) == ("anthropic", "x", "msg_123")


@pytest.mark.parametrize("usage", [None, {"prompt_tokens": 1, "completion_tokens": 2}])
def test_usage_in_each_chunk_ends_nothing(usage: Any) -> None:
    last = {"prompt_tokens": 3, "completion_tokens": 4}
    chunks = [chat_says("a", id="chatcmpl-a", usage=usage), chat_says("b", "stop", usage=usage), chat([], usage=last), DONE]
    reply = whole(*chunks, target="/v1/chat/completions")
    assert (reply.id, reply.text, reply.usage, reply.finish_reason) == ("chatcmpl-a", "ab", Usage(3, 4), "stop")


def test_arguments_of_a_function_are_joined() -> None:
    deltas: list[dict[str, Any]] = [
        {"id": "call_1", "function": {"name": "lookup", "arguments": '{"q":'}},
        {"function": {"arguments": '"x"}'}},
    ]
    chunks = [chat([{"index": 0, "delta": {"tool_calls": [{"index": 0, **delta}]}}]) for delta in deltas]
    assert whole(*chunks, DONE, target="/v1/chat/completions").tool_calls == (ToolCall("call_1", "lookup", '{"q":"x"}'),)


# -- one stream and another ---------------------------------------------------------------------------------------------------


def test_streams_of_two_connections_do_not_mix() -> None:
    first, second = Answer(), Answer(connection=Connection(7, 700, "/lib/libssl.so.3", 1))
    events: list[HttpEvent] = [first.head, second.head]
    for text in "ab":
        events += [first.part(says(text)), second.part(says(text.upper()))]
    made = emitted(*events, second.end(data=STOP), first.end(data=STOP))
    assert [message.reply.text for message in only(SseMessage, made)] == ["AB", "ab"]


def test_two_streams_of_one_connection_are_two_messages() -> None:
    first, second = Answer("/v1/chat/completions"), Answer("/v1/chat/completions", 2)
    made = emitted(
        *(first.head, first.part(chat_says("a", id="chatcmpl-a")), first.end(data=DONE)),
        *(second.head, second.part(chat_says("b", id="chatcmpl-b")), second.end(data=DONE)),
    )
    assert [(message.exchange, message.reply.id) for message in only(SseMessage, made)] == [
        (1, "chatcmpl-a"),
        (2, "chatcmpl-b"),
    ]


def test_what_is_no_stream_goes_by() -> None:
    origin = Origin(0, 7, connection=CONNECTION, direction="in")
    page = b"<pre>\ndata: x\n\n</pre>"
    events: list[HttpEvent] = [
        HttpRequest(origin, 1, "POST", "/v1/messages", "HTTP/1.1", ()),
        HttpResponse(origin, 1, 200, "OK", "HTTP/1.1", (("content-type", "text/html"),), page),
        HttpResponse(origin, 1, 200, "OK", "HTTP/1.1", (), b'{"usage":{"prompt_tokens":1}}'),
        TlsChunk(origin, START, 0, 0),
    ]
    assert run(merge_sse(), events) == events


def test_a_stream_whose_head_was_dropped_is_told_without_it() -> None:
    answer = Answer()
    (message,) = emitted(answer.part(START + says("x")), answer.end(data=STOP))
    assert isinstance(message, SseMessage)
    assert (message.status, message.target, message.reply.text, message.complete) == (0, None, "x", True)


# -- ends -------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("reason", ["closed", "capture_end", "process_ended"])
@pytest.mark.parametrize(
    ("target", "stream"), [("/v1/messages", START + STOP), ("/v1/chat/completions", chat_says("x") + DONE)]
)
def test_a_client_may_hang_up_at_the_end_mark(reason: str, target: str, stream: bytes) -> None:
    message = merged(Answer(target), stream, end=reason)
    assert (message.complete, message.reason) == (True, None)


@pytest.mark.parametrize("reason", ["closed", "reset", "cancelled", "capture_end", "process_ended", "lost", "malformed"])
@pytest.mark.parametrize(
    ("target", "begun", "counted"),
    [
        (
            "/v1/messages",
            START + says("x"),
            event("message_delta", delta={"stop_reason": "end_turn"}, usage={"output_tokens": 1}),
        ),
        (
            "/v1/chat/completions",
            chat_says("x", "stop"),
            b'data: {"choices":[],"usage":{"prompt_tokens":3,"completion_tokens":1}}\n\n',
        ),
    ],
)
def test_a_client_may_hang_up_behind_the_counts(reason: str, target: str, begun: bytes, counted: bytes) -> None:
    """All that is missing is the end mark; where bytes were lost it is not known what they were."""
    message = merged(Answer(target), begun, counted, end=reason)
    whole = reason not in ("lost", "malformed")
    assert (message.complete, message.reason) == (whole, None if whole else reason)
    assert message.reply.text == "x"
    assert merged(Answer(target), begun, end=reason).reason == reason, "the counts may still come"


@pytest.mark.parametrize("reason", ["closed", "capture_end", "process_ended", "lost", "malformed"])
def test_a_stream_that_is_cut_before_its_end_mark_is_partial(reason: str) -> None:
    for parts in ((START, says("x")), (START, says("x"), STOP[:-2]), (), (b"data: x\n\n",)):
        message = merged(Answer(), *parts, end=reason)
        assert (message.complete, message.reason) == (False, reason)


def test_a_body_that_ends_without_the_end_mark_is_partial() -> None:
    assert merged(Answer(), START, says("x")).reason == "no_end_mark"
    assert merged(Answer("/v1/chat/completions"), chat_says("x")).reason == "no_end_mark"
    assert merged(Answer("/mcp"), b"data: x\n\ndata: y").reason == "no_end_mark"


def test_a_choice_that_was_finished_is_an_end_where_the_body_ends_too() -> None:
    answer = Answer("/v1/chat/completions")
    assert merged(answer, chat_says("x", "stop")).complete
    assert merged(answer, chat_says("x", "stop"), end="closed").reason == "closed"


@pytest.mark.parametrize("end", [None, "lost", "closed"])
def test_a_hole_inside_is_flagged_and_what_was_cut_by_it_says_nothing(end: str | None) -> None:
    answer = Answer()
    cut = says("never heard")
    message = merged(answer, START + says("a") + cut[:60], answer.part(cut[70:] + says("b") + STOP, lost=10), end=end)
    assert (message.complete, message.reason, message.reply.text) == (False, "lost", "ab")


def test_bytes_of_an_event_that_was_cut_are_counted() -> None:
    answer = Answer()
    made = emitted(answer.head, answer.part(START + STOP + b"data: x"), answer.end())
    assert [(loss.stage, loss.reason, loss.size) for loss in only(Loss, made)] == [("merge_sse", Reason.MALFORMED, 7)]


def test_an_event_that_was_too_long_is_counted_and_the_message_flagged() -> None:
    answer = Answer()
    long = b"data: " + b"x" * (17 << 20) + b"\n\n"
    made = emitted(answer.head, answer.part(START + long + says("a")), answer.part(STOP), answer.end())
    (message,) = only(SseMessage, made)
    assert (message.complete, message.reason, message.reply.text) == (False, "event_limit", "a")
    assert [loss.size for loss in only(Loss, made)] == [len(long) - 1]


def test_a_stream_that_is_open_at_the_end_is_partial() -> None:
    answer = Answer()
    made = emitted(answer.head, answer.part(START))
    assert [(message.complete, message.reason) for message in only(SseMessage, made)] == [(False, "capture_end")]


# -- silence ----------------------------------------------------------------------------------------------------------------


def test_a_stream_that_is_silent_for_exactly_the_timeout_is_left_alone() -> None:
    answer, running = Answer(), Running(merge_sse(timeout=30))
    running.feed(answer.head, answer.part(START + says("a"), 1))
    assert running.tick(31 * S) == []


def test_a_stream_that_is_silent_for_longer_is_told_as_partial_once() -> None:
    answer, running = Answer(), Running(merge_sse(timeout=30))
    running.feed(answer.head, answer.part(START + says("a"), 1))
    (message,) = running.tick(31 * S + 1)
    assert isinstance(message, SseMessage)
    assert (message.complete, message.reason, message.revision, message.reply.text) == (False, "timeout", 0, "a")
    assert running.tick(90 * S) == []
    assert running.held() == 0


def test_a_head_alone_is_a_stream_that_is_silent() -> None:
    answer, running = Answer(), Running(merge_sse(timeout=30))
    running.feed(answer.head)
    assert running.tick(30 * S) == []
    (message,) = running.tick(30 * S + 1)
    assert isinstance(message, SseMessage)
    assert (message.reason, message.events) == ("timeout", ())


def test_a_stream_that_goes_on_after_silence_is_told_again_with_all_that_it_said() -> None:
    answer, running = Answer(), Running(merge_sse(timeout=30))
    first, second = START + says("a"), says("b") + STOP
    running.feed(answer.head, answer.part(first, 1))
    (partial,) = running.tick(40 * S)
    running.feed(answer.part(second, 41))
    (message,) = running.feed(answer.end(at=41))
    assert isinstance(partial, SseMessage)
    assert isinstance(message, SseMessage)
    assert (message.complete, message.reason, message.revision) == (True, None, 1)
    assert (message.reply.text, len(message.events)) == ("ab", 4)
    assert (partial.size, message.size) == (len(first), len(second))


def test_a_stream_that_ends_after_silence_without_a_word_is_told_again() -> None:
    answer, running = Answer(), Running(merge_sse(timeout=30))
    running.feed(answer.head, answer.part(START, 1))
    running.tick(40 * S)
    (message,) = running.feed(answer.end("closed", 41))
    assert isinstance(message, SseMessage)
    assert (message.reason, message.revision, message.size) == ("closed", 1, 0)


@pytest.mark.parametrize("reason", ["closed", None])
def test_behind_its_end_mark_a_stream_may_be_silent(reason: str | None) -> None:
    answer, running = Answer(), Running(merge_sse(timeout=30))
    running.feed(answer.head, answer.part(START + says("a") + STOP, 1))
    (message,) = running.tick(40 * S)
    assert isinstance(message, SseMessage)
    assert (message.complete, message.reason) == (True, None)
    last = answer.end(reason, 91)
    assert running.feed(last) == ([last] if reason else [])
    assert running.tick(90 * S) == running.finish() == []


# -- the answer ends before the body does -------------------------------------------------------------------------------------


MARKED = [
    ("/v1/messages", START + says("a"), STOP),
    ("/v1/chat/completions", chat_says("a", "stop"), DONE),
    ("/v1/responses", b"", b'data: {"type":"response.completed","response":{"id":"r","status":"completed","output":[]}}\n\n'),
    (
        "/v1beta/models/m:streamGenerateContent?alt=sse",
        b'data: {"candidates":[{"content":{"parts":[{"text":"a"}]}}]}\n\n',
        b'data: {"candidates":[{"content":{"parts":[{"text":"b"}]},"finishReason":"STOP"}]}\n\n',
    ),
]


@pytest.mark.parametrize(("target", "said", "mark"), MARKED)
def test_an_answer_is_emitted_where_it_ends_while_its_body_goes_on(target: str, said: bytes, mark: bytes) -> None:
    answer, running = Answer(target), Running(merge_sse())
    assert running.feed(answer.head, answer.part(said, 1), answer.part(mark[:-1], 2)) == [answer.head]
    assert running.tick(2 * S) == []
    assert running.feed(answer.part(mark[-1:], 3), answer.part(b": behind it\n\n", 4)) == []
    (message,) = running.tick(4 * S)
    assert isinstance(message, SseMessage)
    assert (message.complete, message.end_ns, message.revision) == (True, 3 * S, 0)


EVERYWHERE = list(range(1 << 10))
SPELLED = STOP.replace(b"event: message_stop\n", b"").replace(b"message_stop", b"message\\u005fstop")


@given(
    marked=st.sampled_from([*MARKED, ("/v1/messages", START + says("an error: message_stop") * 3 + says("a"), SPELLED)]),
    places=st.just(EVERYWHERE) | st.lists(st.integers(0, 1 << 16), max_size=400),
    ticks=st.lists(st.booleans(), min_size=1, max_size=8),
)
def test_an_answer_ends_with_its_last_byte_whatever_was_read_before(
    marked: tuple[str, bytes, bytes], places: list[int], ticks: list[bool]
) -> None:
    target, said, mark = marked
    answer, running, stream = Answer(target), Running(merge_sse()), said + mark
    cuts = sorted({0, *(place % len(stream) for place in places), len(stream)})
    made = running.feed(answer.head)
    for at, (begin, end) in enumerate(itertools.pairwise(cuts), 1):
        assert only(SseMessage, made) == []
        made += running.feed(answer.part(stream[begin:end], at))
        made += running.tick(at * S) if ticks[at % len(ticks)] or end == len(stream) else []
    (message,) = only(SseMessage, made)
    assert (message.complete, message.end_ns) == (True, (len(cuts) - 1) * S)
    assert replace(message, end_ns=0, first_chunk_ns=0) == replace(
        merged(Answer(target), stream), end_ns=0, first_chunk_ns=0, size=message.size
    )


@pytest.mark.parametrize("reason", ["closed", "reset", "process_ended", "lost", "malformed", None])
@pytest.mark.parametrize("at_once", [True, False])
def test_what_becomes_of_the_body_behind_the_end_does_not_change_the_answer(reason: str | None, *, at_once: bool) -> None:
    answer, running = Answer(), Running(merge_sse())
    made = running.feed(answer.head, answer.part(START + says("a") + STOP, 1))
    made += [] if at_once else running.tick(2 * S)
    made += running.feed(answer.end(reason, 3))
    (message,) = only(SseMessage, made)
    assert (message.complete, message.end_ns) == (True, 1 * S)
    assert only(BodyPart, made) == ([answer.end(reason, 3)] if reason else [])


def test_what_is_said_behind_the_end_is_in_a_later_revision() -> None:
    answer, running = Answer("/v1/chat/completions"), Running(merge_sse())
    made = running.feed(answer.head, answer.part(chat_says("a", "stop") + DONE, 1)) + running.tick(2 * S)
    made += running.feed(answer.part(chat([], usage={"prompt_tokens": 3, "completion_tokens": 4}), 3)) + running.tick(4 * S)
    made += running.feed(answer.end(at=5))
    first, later = only(SseMessage, made)
    assert (first.reply.usage, later.reply.usage) == (None, Usage(3, 4))
    assert [(each.complete, each.end_ns, each.revision) for each in (first, later)] == [(True, S, 0), (True, S, 1)]


def test_content_behind_the_end_moves_the_end() -> None:
    answer, running = Answer("/v1beta/models/m:streamGenerateContent?alt=sse"), Running(merge_sse())
    for at, text in enumerate("abc", 1):  # some models give a finish reason with each chunk
        said = {"candidates": [{"content": {"parts": [{"text": text}]}, "finishReason": "STOP"}]}
        running.feed(*([answer.head] if at == 1 else []), answer.part(f"data: {json.dumps(said)}\n\n".encode(), at))
        running.tick(at * S)
    (message,) = running.feed(answer.end(at=9))
    assert isinstance(message, SseMessage)
    assert (message.reply.text, message.end_ns, message.revision) == ("abc", 3 * S, 1)


@pytest.mark.parametrize("before", [0, 1, 2, 9])
@pytest.mark.parametrize("behind", [0, 1, 2, 3, 4, 5, 9])
@pytest.mark.parametrize("torn", [False, True])
def test_the_end_has_the_time_of_its_record_where_many_records_are_one_part(before: int, behind: int, torn: bool) -> None:
    answer, running = Answer(), Running(merge_sse())
    ping = b'event: ping\ndata: {"type":"ping"}\n\n'
    datas = [says("a")] * before + ([STOP[:-1], STOP[-1:]] if torn else [STOP]) + [ping] * behind
    cuts = tuple((len(data), at * S) for at, data in enumerate(datas, 2))
    part = replace(answer.part(b"".join(datas), 99), cuts=cuts)
    running.feed(answer.head, answer.part(START, 1), part)
    (message,) = running.tick(100 * S)
    assert isinstance(message, SseMessage)
    assert message.end_ns == (2 + before + torn) * S


def test_bytes_missing_in_front_of_the_end_stay_missing() -> None:
    answer, running = Answer(), Running(merge_sse())
    running.feed(answer.head, answer.part(START, 1), answer.part(STOP, 2, lost=7))
    (message,) = running.tick(3 * S)
    assert isinstance(message, SseMessage)
    assert (message.complete, message.reason) == (False, "lost")
    assert running.feed(answer.end(at=4)) == []


def test_over_the_budget_the_stream_that_was_silent_for_longest_is_told_and_the_rest_of_it_counted() -> None:
    one, other = Answer(), Answer(connection=Connection(7, 700, "/lib/libssl.so.3", 0x7F01))
    text = "x" * 2000
    running = Running(merge_sse(budget=18_700))
    assert only(SseMessage, running.feed(one.head, one.part(says(text), 1), other.head, other.part(says(text), 2))) == []
    emitted = only(SseMessage, running.feed(other.part(says(text), 3)))
    assert [(message.origin.connection, message.reason, message.reply.text) for message in emitted] == [
        (CONNECTION, "evicted", text)
    ]
    made = running.feed(one.part(says("more"), 4), one.end(at=5), other.part(STOP, 6), other.end(at=7))
    (loss,) = only(Loss, made)
    assert (loss.reason, loss.count, loss.size) == (Reason.EVICTED, 1, len(says("more")))
    (message,) = only(SseMessage, made)
    assert (message.reply.text, message.complete) == (text * 2, True)
    assert running.held() == 0


def test_time_in_a_run_tells_of_silence() -> None:
    answer, engine = Answer(), Engine()
    made: list[HttpEvent] = []
    events: list[HttpEvent] = [
        answer.head,
        answer.part(START + says("a"), 1),
        answer.part(says("b"), 32),
        answer.end(at=33, data=STOP),
    ]
    of(events, time_of=time_of).pipe(merge_sse(timeout=30)).subscribe(made.append, scheduler=engine)
    engine.run_inline()
    assert [(message.reason, message.revision, message.reply.text) for message in only(SseMessage, made)] == [
        ("timeout", 0, "a"),
        (None, 1, "ab"),
    ]


@pytest.mark.parametrize(("seconds", "emitted"), [(31.0, 0), (32.0, 1)])
def test_time_in_a_run_that_is_silent_goes_in_steps_of_a_second(seconds: float, emitted: int) -> None:
    answer, engine = Answer(), Engine()
    made: list[HttpEvent] = []
    events: list[HttpEvent] = [answer.head, answer.part(START, 1), Tick(Origin(round(seconds * S), 0))]
    of(events, time_of=time_of).pipe(merge_sse(timeout=30)).subscribe(made.append, scheduler=engine)
    engine.run_inline()
    assert len([message for message in only(SseMessage, made) if message.reason == "timeout"]) == emitted


# -- behind parse_http ------------------------------------------------------------------------------------------------------

TEN = [
    event("message_start", message={"id": "msg_1", "model": "m", "usage": {"input_tokens": 10, "cache_read_input_tokens": 5}}),
    event("content_block_delta", index=0, delta={"type": "thinking_delta", "thinking": "Let me 模"}),
    says("Hello "),
    event("ping"),
    says("Wörld"),
    tool(1, "ls"),
    partial_json(1, '{"a":1}'),
    tool(2, "pwd"),
    event("message_delta", delta={"stop_reason": "tool_use"}, usage={"output_tokens": 30}),
    STOP,
]
TOOLS = (ToolCall("toolu_1", "ls", '{"a":1}'), ToolCall("toolu_2", "pwd", "{}"))
ANSWER = Reply("msg_1", "m", "Hello Wörld", "Let me 模", TOOLS, Usage(10, 30, 0, 5), "tool_use")


@pytest.mark.parametrize("size", [1, 7, 512, 16384])
def test_the_size_of_records_does_not_matter(size: int) -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
    body = b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in TEN)
    stream = head + body + b"0\r\n\r\n"
    wire = Wire()
    request = b"POST /v1/messages HTTP/1.1\r\nHost: api.anthropic.com\r\nContent-Length: 2\r\n\r\n{}"
    records = [wire.writes(request), *(wire.reads(stream[at : at + size]) for at in range(0, len(stream), size))]
    made = run(merge_sse(), run(parse_http(), records))
    (message,) = only(SseMessage, made)
    assert (message.complete, message.exchange, message.dialect, message.reply) == (True, 1, "anthropic", ANSWER)
    assert [type(event) for event in made] == [HttpRequest, HttpResponse, SseMessage]


# -- checkpoints ------------------------------------------------------------------------------------------------------------


def test_going_on_from_a_checkpoint_changes_nothing() -> None:
    first, second = Answer("/proxy"), Answer("/v1/chat/completions", 2)
    stream = b"".join(TEN)
    events: list[HttpEvent] = [
        first.head,
        *(first.part(stream[at : at + 50]) for at in range(0, len(stream), 50)),
        first.end("closed"),
    ]
    events += [second.head, second.part(chat_says("a")), second.part(b"data: x", lost=1), second.end(data=DONE)]
    expected = run(merge_sse(), events)
    for cut in range(len(events)):
        before, after = Running(merge_sse()), Running(merge_sse())
        made = before.feed(*events[:cut])
        state: Any = msgspec.msgpack.decode(msgspec.msgpack.encode(before.snapshot()))
        after.restore(state)
        assert after.held() == before.held()
        assert made + after.feed(*events[cut:]) + after.finish() == expected


@pytest.mark.parametrize("said", ['{"code":500,"message":"out of memory","type":"server_error"}', "out of memory"])
def test_a_line_of_an_error_is_an_error(said: str) -> None:
    """As llama.cpp's server sends it: no event of the standard, and the end of the answer."""
    answer = Answer("/v1/chat/completions")
    message = merged(answer, chat_says("x"), f"error: {said}\n\n".encode())
    assert "out of memory" in (message.reply.error or "")
    assert (message.complete, message.reply.text) == (True, "x")


@pytest.mark.parametrize("ticks", [[60], [31, 36, 60], [*range(6, 61)]], ids=["one", "some", "many"])
def test_streams_that_are_over_come_in_the_order_of_time_however_far_the_ticks_are_apart(ticks: list[int]) -> None:
    """Of three on a connection the last one has its end, the second falls silent first, and the first one later."""
    kernel = merge_sse().kernel(Site(Engine(strict=True), "merge_sse"))
    ends = event("message_delta", delta={"stop_reason": "end_turn"}, usage={"output_tokens": 2}) + event("message_stop")

    def at(second: int) -> Origin:
        return Origin(second * S, 1, connection=CONNECTION)

    for exchange in (1, 2, 3):
        kernel.feed([HttpResponse(at(0), exchange, 200, "OK", "HTTP/2", (), streaming=True)])
    made: list[HttpEvent] = []
    for second, exchange, data in ((1, 2, START), (2, 1, START), (5, 1, says("on")), (5, 3, START + says("it") + ends)):
        made += kernel.feed([BodyPart(at(second), exchange, data)])
    for second in ticks:
        made += kernel.tick(second * S)
    assert [each.exchange for each in made if isinstance(each, SseMessage)] == [3, 2, 1]
