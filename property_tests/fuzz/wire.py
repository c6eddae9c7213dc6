"""bytes -> the decoders of agentsight_rx.wire: conservation, any cutting, checkpoints, and no message that only looks whole."""

from __future__ import annotations

import gzip
import zlib
from typing import Any

import zstandard

from agentsight_rx.wire.coding import ContentDecoder
from agentsight_rx.wire.hpack_fields import FieldDecoder
from agentsight_rx.wire.http1 import Body, End, Foreign, Http1Decoder, Item, RequestHead, ResponseHead, field
from agentsight_rx.wire.http2 import Data, Fields, Http2Decoder, Lost, looks_like_http2
from agentsight_rx.wire.json_stream import JsonStreamDecoder
from agentsight_rx.wire.jsonrpc import (
    LineDecoder,
    decode_line,
    is_binary,
    read_cancelled,
    read_failed,
    read_server,
    read_tool,
)
from agentsight_rx.wire.secrets import Redactor
from agentsight_rx.wire.sse import SseDecoder
from agentsight_rx.wire.websocket import Deflate, Message, WebSocketDecoder, agreed

from ..coding_strategies import CHAINS, CODINGS, Coder
from ..http2_strategies import joined
from ..test_http1_properties import received
from ..test_sse_properties import by_the_book
from .choices import Input, again, walked

__all__ = ["HTTP1_BEGINNING", "coding", "http1", "http2", "json_stream", "jsonrpc", "secrets", "sse", "websocket"]


def _size(item: Any) -> int:
    if isinstance(item, Foreign):
        return len(item.data)
    return 0 if isinstance(item, Lost) else int(item.size)


# -- HTTP/1 ----------------------------------------------------------------------------------------------------------------

HTTP1_BEGINNING = b"GET / HTTP/1.1\r\n\r\nHTTP/1.1 200 OK\r\n"  # behind it the place of a message is certain
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
    # cutting moves the place where the search for a next message begins, so only what comes before that must agree
    decoder = make()
    expected, found = received([*decoder.feed(stream), *decoder.finish(reason)]), received(items)
    broken = expected[1].index("malformed") + 1 if "malformed" in expected[1] else len(expected[1])
    assert found[0][:broken] == expected[0][:broken], "any cutting gives the same messages"
    assert expected[2] or found == expected, "any cutting gives the same"


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
                assert size in _sizes(head, size, method), "complete, and not as long as it says"
            head = None
    assert head is None, "a message without an end"


def _sizes(head: RequestHead | ResponseHead, size: int, method: str | None) -> tuple[int, ...]:
    """How long the body of a complete message may be."""
    if isinstance(head, ResponseHead) and not head.body:
        return (0,)
    length = field(head.headers, "content-length")
    if field(head.headers, "transfer-encoding") is not None or length is None:
        return (size,)
    whole = int(length.partition(",")[0])
    return (whole, 0) if isinstance(head, ResponseHead) and method is None else (whole,)  # it may have answered HEAD


# -- HTTP/2 ----------------------------------------------------------------------------------------------------------------


def http2(data: bytes) -> None:
    given = Input(data)
    fresh = given.pick((True, False))
    steps = given.steps(given.payload)

    def make() -> Http2Decoder:
        return Http2Decoder(fresh)

    def gap(decoder: Http2Decoder, size: int) -> list[Any]:
        return decoder.gap(size, "lost")

    items = walked(make, steps, _size, gap=gap, finish=Http2Decoder.finish)
    looks_like_http2(given.payload)
    for item in items:
        if isinstance(item, Fields):
            assert all(name for name, _ in item.headers), "a field without a name"
    if any(isinstance(step, int) for step in steps):
        return
    assert not any(isinstance(item, Data) and item.lost for item in items), "lost, and there was no hole"
    whole = make()
    expected = joined([*whole.feed(given.payload), *whole.finish()])
    known = next((place for place, item in enumerate(expected) if isinstance(item, Lost | Foreign)), len(expected))
    found = joined(items)
    if fresh or known == len(expected):  # not fresh, each record begins a search of its own
        assert found[:known] == expected[:known] or not fresh, "any cutting gives the same up to the first error"
    _fields_of_any_block(given.payload)


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

    items: list[Message | Foreign] = walked(make, steps, _size, gap=gap, finish=finish)
    for item in items:
        if isinstance(item, Message):
            assert len(item.data) <= max(limit, 125), "over the limit"
            assert not item.lost or item.reason is not None, "complete, and bytes are missing"
    agreed(given.payload.decode("latin-1"), "client")
    if any(isinstance(step, int) for step in steps):
        return
    # cutting moves the place where the search for a next frame begins
    whole = make()
    expected = [*whole.feed(given.payload), *whole.finish(reason)]
    known = next((place for place, item in enumerate(expected) if isinstance(item, Foreign)), len(expected))
    assert items[:known] == expected[:known], "any cutting gives the same up to what is no frame"


# -- event streams ---------------------------------------------------------------------------------------------------------


def sse(data: bytes) -> None:
    given = Input(data)
    longest = given.pick((1000, 4, 40))
    stream = given.payload
    whole, cut = SseDecoder(longest=longest), SseDecoder(longest=longest)
    events = whole.feed(stream)
    found: list[Any] = []
    for place, piece in enumerate(given.pieces(stream)):
        if place % 8 == 0:
            cut = again(cut, SseDecoder(longest=longest))
        found += cut.feed(piece)
    assert found == events, "any cutting gives the same"
    assert events == by_the_book(stream, longest), "as the standard says"
    assert (cut.held(), cut.lost, cut.retry_ms) == (whole.held(), whole.lost, whole.retry_ms)
    assert whole.held() <= longest + 1, "over the limit"
    assert (cut.finish(), cut.lost) == (whole.finish(), whole.lost)
    assert whole.lost <= len(stream)
    assert whole.held() == 0


def json_stream(data: bytes) -> None:
    given = Input(data)
    longest = given.pick((1 << 20, 3, 30))
    stream = given.payload
    whole, cut = JsonStreamDecoder(longest=longest), JsonStreamDecoder(longest=longest)
    events = whole.feed(stream)
    found: list[Any] = []
    for place, piece in enumerate(given.pieces(stream)):
        if place % 8 == 0:
            cut = again(cut, JsonStreamDecoder(longest=longest))
        found += cut.feed(piece)
    assert found == events, "any cutting gives the same"
    assert (cut.held(), cut.lost) == (whole.held(), whole.lost)
    assert whole.held() <= max(longest, 2), "over the limit"
    assert (cut.finish(), cut.lost) == (whole.finish(), whole.lost)
    if stream.isascii():
        said = sum(len(event.data) for event in events) + whole.lost
        assert said <= len(stream) <= said + sum(map(stream.count, (b" ", b"\t", b"\r", b"\n", b",", b"[", b"]", b"\x1e")))


# -- content codings -------------------------------------------------------------------------------------------------------

_EVERY_CODING = (*CODINGS, *CHAINS)


def coding(data: bytes) -> None:
    """The payload is the coded body itself, or what a coder is told to encode and choices then damage."""
    given = Input(data)
    codings = given.pick(_EVERY_CODING)
    limit, ratio = given.pick((64 << 20, 100, 70_000)), given.pick((1000, 1))
    coded, body = given.payload, None
    if given.pick((False, True)):
        coder = Coder(codings, 1)
        body = given.payload * (1 + given.byte())
        coded = coder.flushed(body) + coder.end()
        if change := given.byte():
            place = (given.byte() | given.byte() << 8) % (len(coded) + 1)
            coded = coded[:place] + (bytes([coded[place] ^ change]) + coded[place + 1 :] if place < len(coded) else b"\0")
            body = None
    named = codings.replace("raw", "deflate")

    def make() -> ContentDecoder:
        return ContentDecoder(named, limit=limit, ratio=ratio)

    whole, cut = make(), make()
    made = whole.feed(coded)
    found = b""
    for place, piece in enumerate(given.pieces(coded)):
        if place % 32 == 0:
            fresh = make()
            fresh.restore(cut.snapshot())
            cut = fresh
        found += cut.feed(piece)
    whole.finish()
    cut.finish()
    assert (found, cut.reason, cut.lost) == (made, whole.reason, whole.lost), "any cutting gives the same"
    assert len(made) <= limit, "over the limit"
    assert 0 <= whole.lost <= len(coded)
    if whole.reason is None:
        assert whole.lost == 0, "complete, and bytes are missing"
        assert body is None or made == body, "what was encoded comes back"
        _as_others_read_it(named, coded, made)
    assert body is None or whole.reason in (None, "coding_limit"), "what a coder made is refused"


def _as_others_read_it(codings: str, coded: bytes, made: bytes) -> None:
    """A body that is called complete is one to another reader too."""
    if not coded:
        assert made == b""
    elif codings in ("gzip", "x-gzip"):
        assert gzip.decompress(coded) == made
    elif codings == "deflate" and coded[0] & 0x8F == 8 and int.from_bytes(coded[:2]) % 31 == 0:
        assert zlib.decompressobj().decompress(coded) == made
    elif codings in ("zstd", "zstandard") and coded[-1]:  # zeros behind the end are padding to us alone
        assert zstandard.ZstdDecompressor().stream_reader(coded, read_across_frames=True).readall() == made


# -- JSON-RPC --------------------------------------------------------------------------------------------------------------


def jsonrpc(data: bytes) -> None:
    given = Input(data)
    longest = given.pick((16 << 20, 40, 5000))
    steps = given.steps(given.payload)
    decoder, lines = LineDecoder(longest), []
    fed = holes = 0
    for step in steps:
        if isinstance(step, bytes):
            lines += decoder.feed(step)
            fed += len(step)
        else:
            decoder.gap(step)
            holes += step
        assert sum(line.size for line in lines) + decoder.held() == fed, "every byte is in a line or held"
    lines += decoder.finish()
    assert sum(line.size for line in lines) == fed
    assert sum(line.lost for line in lines) >= holes
    assert decoder.held() == 0
    messages = [(line, message) for line in lines for message in decode_line(line)]
    for line, message in messages:
        assert line.lost == 0 or line.tail is not None or message.reason is not None, "complete, and bytes are missing"
        assert message.lost == 0 or message.reason is not None, "complete, and bytes are missing"
        read_tool(message.body)
        read_cancelled(message.body)
        read_failed(message.body)
        read_server(message.body)
    is_binary(given.payload)
    if not holes and longest > len(given.payload):
        whole = LineDecoder(longest)
        expected = [*whole.feed(given.payload), *whole.finish()]
        assert [each for line in expected for each in decode_line(line)] == [message for _, message in messages]
        assert [line.size for line in expected] == [line.size for line in lines]


# -- secrets ---------------------------------------------------------------------------------------------------------------


def secrets(data: bytes) -> None:
    given = Input(data)
    cut = given.pick((False, True))
    redactor = Redactor(b"k" * 32)
    made = redactor.data(given.payload, cut=cut)
    assert made is given.payload or made != given.payload, "nothing changes, so it should be the same object"
    assert redactor.data(made) == made, "a second pass changes nothing"
    text = given.payload.decode("utf-8", "replace")
    assert redactor.text(redactor.text(text)) == redactor.text(text), "a second pass changes nothing"
    assert redactor.finds(text) or redactor.text(text) == text or not text.isascii(), "the first look misses a secret"
