from __future__ import annotations

import time

import msgspec
import pytest

from agentsight_rx.events import SseEvent
from agentsight_rx.wire.sse import SseDecoder


def decode(*parts: bytes) -> list[SseEvent]:
    decoder = SseDecoder()
    return [event for part in parts for event in decoder.feed(part)]


def message(data: str, last_id: str | None = None) -> SseEvent:
    return SseEvent("message", data, last_id)


ANTHROPIC = b'event: message_start\ndata: {"type":"message_start"}\n\n'
OPENAI = b'data: {"choices":[]}\n\n'
CASES = [
    pytest.param(ANTHROPIC, [SseEvent("message_start", '{"type":"message_start"}')], id="event and data"),
    pytest.param(OPENAI * 2, [message('{"choices":[]}')] * 2, id="two in one piece"),
    pytest.param(OPENAI.replace(b"\n", b"\r\n") * 2, [message('{"choices":[]}')] * 2, id="crlf"),
    pytest.param(OPENAI.replace(b"\n", b"\r") * 2, [message('{"choices":[]}')] * 2, id="cr"),
    pytest.param(b"\xef\xbb\xbf" + OPENAI, [message('{"choices":[]}')], id="bom"),
    pytest.param(OPENAI + b"\xef\xbb\xbf" + OPENAI, [message('{"choices":[]}')], id="bom in the middle is text"),
    pytest.param(b"data: line1\ndata: line2\n\n", [message("line1\nline2")], id="lines of data"),
    pytest.param(b"data: hello\r\nadd\r\nmore\r\n\r\n", [message("hello")], id="what looks like a chunk size"),
    pytest.param(b":keepalive\n\ndata:x\n\n", [message("x")], id="comment"),
    pytest.param(b"data:x\n\ndata:  x\n\ndata\n\ndata:\n\n", [*map(message, ["x", " x", "", ""])], id="one space goes"),
    pytest.param(b"event: a\n\ndata: x\n\n", [message("x")], id="type without data is dropped"),
    pytest.param(b"event:\ndata: x\n\nevent: \ndata: x\n\n", [message("x")] * 2, id="empty type is message"),
    pytest.param(b"event: a\nevent: b\ndata: x\n\n", [SseEvent("b", "x")], id="last type wins"),
    pytest.param(b"DATA: x\n data: x\n\ndata: y\n\n", [message("y")], id="names are exact"),
    pytest.param(b"id: 1\ndata: x\n\ndata: y\n\n", [message("x", "1"), message("y", "1")], id="id stays"),
    pytest.param(b"id: 1\n\nid: 2\0\ndata: x\n\n", [message("x", "1")], id="id with NUL is ignored"),
    pytest.param(b"id: 1\n\nid\ndata: x\n\n", [message("x")], id="empty id is none"),
    pytest.param(b"\n\n\ndata: x\n\n\n\n\ndata: y\n\n", [message("x"), message("y")], id="blank lines"),
    pytest.param(b"\n" * 99 + b"event: a\n" + b"\n" * 50 + b"data: x\n" + b"\n" * 99, [message("x")], id="many blank lines"),
    pytest.param("data: é€😀\n\n".encode(), [message("é€😀")], id="utf-8"),
    pytest.param(b"data: a\xffb\xe2\x82\n\ndata: c\n\n", [message("a�b�"), message("c")], id="broken utf-8"),
    pytest.param("data: a\u2028b\x85c\x0bd\n\n".encode(), [message("a\u2028b\x85c\x0bd")], id="other line ends are text"),
    pytest.param(b"event: message\ndata: x\n\ndata: y\n\n", [message("x"), message("y")], id="spelled message"),
]


@pytest.mark.parametrize(("stream", "expected"), CASES)
def test_a_stream_comes_out_as_its_events_however_it_is_cut(stream: bytes, expected: list[SseEvent]) -> None:
    assert decode(stream) == expected
    assert decode(*(stream[i : i + 1] for i in range(len(stream)))) == expected
    assert decode(OPENAI, stream)[1:] == decode(OPENAI + stream)[1:]
    for cut in range(len(stream)):
        assert decode(stream[:cut], stream[cut:]) == expected


def test_an_event_is_emitted_with_its_last_byte() -> None:
    assert decode(b"data: x\r\n\r") == [message("x")]
    assert decode(b"data: x\r\r") == [message("x")]


def test_an_empty_feed_changes_nothing() -> None:
    assert decode(b"", b"data: x\r", b"", b"\ndata: y\r", b"", b"\n\r", b"", b"\n") == [message("x\ny")]


def test_the_reconnection_time_is_kept() -> None:
    decoder = SseDecoder()
    decoder.feed(b"retry: 3000\n\nretry: 3s\nretry: -1\nretry\n\n")
    assert decoder.retry_ms == 3000


@pytest.mark.parametrize("rest", [b"data: x\n", b"data: x", b"event: a\n", b"dat"])
def test_finish_reports_that_the_stream_ended_inside_an_event(rest: bytes) -> None:
    decoder = SseDecoder()
    assert decoder.feed(OPENAI + rest) == [message('{"choices":[]}')]
    assert decoder.held() == len(rest)
    assert decoder.finish()
    assert (decoder.held(), decoder.lost) == (0, len(rest))


@pytest.mark.parametrize("rest", [b"", b": bye", b": bye\n", b"\n", b"retry: 1\n", b"\r"])
def test_nothing_is_discarded_between_events(rest: bytes) -> None:
    decoder = SseDecoder()
    decoder.feed(OPENAI + rest)
    assert not decoder.finish()
    assert (decoder.held(), decoder.lost) == (0, 0)


LONG = b"event: a\ndata: 0123456789\n"


@pytest.mark.parametrize("size", [1, 7, 1000])
def test_an_event_that_is_too_long_is_dropped_and_counted_and_the_next_one_is_not(size: int) -> None:
    decoder = SseDecoder(longest=20)
    stream = OPENAI[:6] + b"x\n\n" + LONG + b"\nid: 7\ndata: y\n\n" + LONG
    events = [event for i in range(0, len(stream), size) for event in decoder.feed(stream[i : i + size])]
    assert events == [message("x"), message("y", "7")]
    assert decoder.lost == 2 * len(LONG)
    assert decoder.held() == 0
    assert decoder.finish()


@pytest.mark.parametrize("block", [b"data: 0123456789", b"event: ab\ndata: 012", b"data:01234\ndata:678"])
def test_the_limit_is_the_same_on_every_path(block: bytes) -> None:
    for longest, expected in ((len(block), 1), (len(block) - 1, 0)):
        for parts in ([block + b"\n\n"], [b"\n", block + b"\n\n"], [bytes([byte]) for byte in block + b"\n\n"]):
            decoder = SseDecoder(longest=longest)
            decoder.feed(b"\n\n")
            assert sum(len(decoder.feed(part)) for part in parts) == expected


def test_a_snapshot_goes_on_where_the_stream_was() -> None:
    stream = b"\xef\xbb\xbfid: 1\r\nevent: a\r\ndata: x\r\ndata: \xc3\xa9\r\n\r\n" + OPENAI
    for cut in range(len(stream)):
        first, second = SseDecoder(), SseDecoder()
        before = first.feed(stream[:cut])
        second.restore(msgspec.msgpack.decode(msgspec.msgpack.encode(first.snapshot())))
        assert before + second.feed(stream[cut:]) == [SseEvent("a", "x\né", "1"), message('{"choices":[]}', "1")]


@pytest.mark.parametrize("part", [b"data: hello\n", b"x", b": ping\n", b"\r"])
def test_a_hundred_thousand_feeds_in_one_event_are_linear(part: bytes) -> None:
    def cost(feeds: int) -> float:
        decoder = SseDecoder()
        decoder.feed(b"data: 1\n")
        started = time.process_time()
        for _ in range(feeds):
            decoder.feed(part)
        return time.process_time() - started

    assert cost(100_000) < 40 * cost(10_000)
