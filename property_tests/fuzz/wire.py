"""bytes -> the decoders of HTTP/1, HTTP/2 and WebSockets: conservation, cuts, checkpoints, complete means complete."""

from __future__ import annotations

from typing import Any

from agentsight_rx.wire import Unparsed
from agentsight_rx.wire.hpack_fields import FieldDecoder
from agentsight_rx.wire.http1 import Http1Decoder, Item
from agentsight_rx.wire.http1_framing import Body, End
from agentsight_rx.wire.http1_head import RequestHead, ResponseHead, field
from agentsight_rx.wire.http2 import Data, Fields, Http2Decoder, Lost
from agentsight_rx.wire.http2_frames import looks_like_http2
from agentsight_rx.wire.websocket import SocketMessage, WebSocketDecoder
from agentsight_rx.wire.websocket_frames import Deflate, agreed
from property_tests.fuzz.choices import Input, walked
from property_tests.http2_strategies import PREFACE as HTTP2_PREFACE
from property_tests.http2_strategies import frame as http2_frame
from property_tests.http2_strategies import joined
from property_tests.test_http1_properties import received

__all__ = ["http1", "http2", "websocket"]


def _size(item: Any) -> int:
    if isinstance(item, Unparsed):
        return len(item.data)
    return 0 if isinstance(item, Lost) else int(item.size)


# -- HTTP/1 ----------------------------------------------------------------------------------------------------------------

HTTP1_BEGINNING = b"GET / HTTP/1.1\r\n\r\nHTTP/1.1 200 OK\r\n"  # after it the place of a message is certain
_METHODS = (None, "GET", "HEAD", "CONNECT")


def http1(data: bytes) -> None:
    given = Input(data)
    method, reason = given.pick(_METHODS), given.pick((None, "capture_end"))
    begun = given.pick((True, False))
    stream = HTTP1_BEGINNING + given.payload if begun else given.payload

    def make() -> Http1Decoder:
        return Http1Decoder(lambda _: method)

    def gap(decoder: Http1Decoder, size: int) -> list[Item]:
        return decoder.gap(size, "lost")

    def finish(decoder: Http1Decoder) -> list[Item]:
        return decoder.finish(reason)

    steps = given.steps(stream)
    items: list[Item] = walked(make, steps, _size, gap=gap, finish=finish)
    _whole_is_whole(items, method)
    if not begun or any(isinstance(step, int) for step in steps):
        return
    # a cut moves the place where the search for the next message begins, so only messages before it must be equal
    decoder = make()
    expected, found = received([*decoder.feed(stream), *decoder.finish(reason)]), received(items)
    broken = expected[1].index("malformed") + 1 if "malformed" in expected[1] else len(expected[1])
    assert found[0][:broken] == expected[0][:broken], "any cut gives the same messages"
    assert expected[2] or found == expected, "any cut gives the same"


def _whole_is_whole(items: list[Item], method: str | None) -> None:
    head: RequestHead | ResponseHead | None = None
    size = lost = 0
    for item in items:
        if isinstance(item, RequestHead | ResponseHead):
            assert head is None, "a message begins inside another"
            head, size, lost = item, 0, 0
        elif isinstance(item, Body):
            assert head is not None, "a body without a head"
            size, lost = size + len(item.data), lost + item.lost
        elif isinstance(item, End):
            assert head is not None, "an end without a head"
            if item.reason is None:
                assert lost == 0, "complete, and bytes are missing"
                assert size in _sizes(head, size, method), "complete, and not as long as announced"
            head = None
    assert head is None, "a message without an end"


def _sizes(head: RequestHead | ResponseHead, size: int, method: str | None) -> tuple[int, ...]:
    """The possible lengths of the body of a complete message."""
    if isinstance(head, ResponseHead) and not head.body:
        return (0,)
    length = field(head.headers, "content-length")
    if field(head.headers, "transfer-encoding") is not None or length is None:
        return (size,)
    whole = int(length.partition(",")[0])
    return (whole, 0) if isinstance(head, ResponseHead) and method is None else (whole,)  # the request may have been HEAD


# -- HTTP/2 ----------------------------------------------------------------------------------------------------------------


def http2(data: bytes) -> None:
    given = Input(data)
    fresh, begun = given.pick((True, False)), given.pick((b"", HTTP2_PREFACE, http2_frame(4, 0, 0)))
    stream = begun + given.payload
    steps = given.steps(stream)

    def make() -> Http2Decoder:
        return Http2Decoder(fresh)

    def gap(decoder: Http2Decoder, size: int) -> list[Any]:
        return decoder.gap(size, "lost")

    items = walked(make, steps, _size, gap=gap, finish=Http2Decoder.finish)
    looks_like_http2(given.payload)
    _fields_of_any_block(given.payload)
    for item in items:
        if isinstance(item, Fields):
            assert all(name for name, _ in item.headers), "a field without a name"
    if any(isinstance(step, int) for step in steps):
        return
    assert not any(isinstance(item, Data) and item.lost for item in items), "lost, and there was no gap"
    if fresh and begun:  # otherwise each record begins a search of its own
        whole = make()
        expected, found = joined([*whole.feed(stream), *whole.finish()]), joined(items)
        known = next((place for place, item in enumerate(expected) if isinstance(item, Lost | Unparsed)), len(expected))
        assert found[:known] == expected[:known], "any cut gives the same up to the first error"


def _fields_of_any_block(block: bytes) -> None:
    one, other = FieldDecoder(), FieldDecoder()
    half = len(block) // 2
    for part in (block[:half], block[half:]):
        fields, complete = one.decode(part)
        other = _restored(other)
        assert (fields, complete) == other.decode(part), "a checkpoint of the table changes nothing"


def _restored(decoder: FieldDecoder) -> FieldDecoder:
    fresh = FieldDecoder()
    fresh.restore(decoder.snapshot())
    return fresh


# -- WebSocket -------------------------------------------------------------------------------------------------------------

_DEFLATES = (None, Deflate(), Deflate(False), Deflate(True, 9))
_LIMITS = (8 << 20, 3, 100, 1000)


def websocket(data: bytes) -> None:
    given = Input(data)
    deflate, masked, limit = given.pick(_DEFLATES), given.pick((True, False, None)), given.pick(_LIMITS)
    reason = given.pick((None, "capture_end"))
    steps = given.steps(given.payload)

    def make() -> WebSocketDecoder:
        return WebSocketDecoder(deflate, masked=masked, limit=limit)

    def gap(decoder: WebSocketDecoder, size: int) -> list[Any]:
        return decoder.gap(size, "lost")

    def finish(decoder: WebSocketDecoder) -> list[Any]:
        return decoder.finish(reason)

    items: list[SocketMessage | Unparsed] = walked(make, steps, _size, gap=gap, finish=finish)
    for item in items:
        if isinstance(item, SocketMessage):
            assert len(item.data) <= max(limit, 125), "over the limit"
            assert not item.lost or item.reason is not None, "complete, and bytes are missing"
    agreed(given.payload.decode("latin-1"), "client")
    if any(isinstance(step, int) for step in steps):
        return
    # a cut moves the place where the search for the next frame begins
    whole = make()
    expected = [*whole.feed(given.payload), *whole.finish(reason)]
    known = next((place for place, item in enumerate(expected) if isinstance(item, Unparsed)), len(expected))
    assert items[:known] == expected[:known], "any cut gives the same up to the first invalid frame"
