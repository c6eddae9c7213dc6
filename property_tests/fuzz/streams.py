"""bytes -> event streams, JSON values, content codings, lines of JSON-RPC, secrets: the same however they are cut."""

from __future__ import annotations

import gzip
import re
import zlib
from typing import Any

import msgspec
import zstandard

from agentsight_rx.policy.redaction.event_data import mask_events
from agentsight_rx.policy.redaction.find import find_secrets
from agentsight_rx.policy.redaction.redactor import Redactor, mask_command, mask_field, mask_words, settled
from agentsight_rx.wire.aws_event_stream import PRELUDE, AwsEventStreamDecoder
from agentsight_rx.wire.coding import ContentDecoder
from agentsight_rx.wire.json_stream import JsonStreamDecoder
from agentsight_rx.wire.lines import Line, LineDecoder, is_binary
from agentsight_rx.wire.mcp import decode_line, read_cancelled, read_failed, read_server, read_tool
from agentsight_rx.wire.sse import SseDecoder
from property_tests.aws_frames import frame
from property_tests.coding_strategies import CHAINS, CODINGS, Coder
from property_tests.fuzz.choices import Input, again
from property_tests.test_sse_properties import by_the_book

__all__ = ["aws_event_stream", "coding", "commands", "json_stream", "jsonrpc", "secrets", "sse"]


# -- event streams ---------------------------------------------------------------------------------------------------------


def sse(data: bytes) -> None:
    given = Input(data)
    longest = given.pick((1 << 20, 4, 40))
    stream = given.payload
    whole, cut = SseDecoder(longest=longest), SseDecoder(longest=longest)
    events = whole.feed(stream)
    found: list[Any] = []
    for place, piece in enumerate(given.pieces(stream)):
        if place % 8 == 0:
            cut = again(cut, SseDecoder(longest=longest))
        found += cut.feed(piece)
    assert found == events, "any cut gives the same"
    assert events == by_the_book(stream, longest), "the events of the standard"
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
    assert found == events, "any cut gives the same"
    assert (cut.held(), cut.lost) == (whole.held(), whole.lost)
    assert whole.held() <= max(longest, 2), "over the limit"
    assert (cut.finish(), cut.lost) == (whole.finish(), whole.lost)
    if stream.isascii():
        said = sum(len(event.data) for event in events) + whole.lost
        assert said <= len(stream) <= said + sum(map(stream.count, (b" ", b"\t", b"\r", b"\n", b",", b"[", b"]", b"\x1e")))


def aws_event_stream(data: bytes) -> None:
    """The payload is a stream; with a choice, framed once more, so that a frame has a right checksum whatever is in it."""
    given = Input(data)
    longest = given.pick((1 << 20, 16, 60))
    stream = frame(given.payload, (":event-type", "chunk")) + given.payload if given.byte() % 2 else given.payload
    whole, cut = AwsEventStreamDecoder(longest=longest), AwsEventStreamDecoder(longest=longest)
    events = whole.feed(stream)
    found: list[Any] = []
    for place, piece in enumerate(given.pieces(stream)):
        if place % 8 == 0:
            cut = again(cut, AwsEventStreamDecoder(longest=longest))
        found += cut.feed(piece)
    assert found == events, "any cut gives the same"
    assert (cut.held(), cut.lost) == (whole.held(), whole.lost)
    assert whole.held() <= max(longest, PRELUDE), "over the limit"
    assert (cut.finish(), cut.lost) == (whole.finish(), whole.lost)
    assert whole.held() == 0
    read = len(stream) - whole.lost
    assert read >= 16 * len(events), "an event has a frame"
    assert bool(read) == bool(events), "every other byte is lost"


# -- content codings -------------------------------------------------------------------------------------------------------

_EVERY_CODING = (*CODINGS, *CHAINS)


def coding(data: bytes) -> None:
    """The payload is the coded body itself, or a body that is encoded and then damaged by choices."""
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
    assert (found, cut.reason, cut.lost) == (made, whole.reason, whole.lost), "any cut gives the same"
    assert len(made) <= limit, "over the limit"
    assert 0 <= whole.lost <= len(coded)
    if whole.reason is None:
        assert whole.lost == 0, "complete, and bytes are missing"
        assert body is None or made == body, "an encoded body is decoded"
        _as_others_read_it(named, coded, made)
    assert body is None or whole.reason in (None, "coding_limit"), "the output of an encoder is refused"


def _as_others_read_it(codings: str, coded: bytes, made: bytes) -> None:
    """Does another reader also find that the body is complete?"""
    if not coded:
        assert made == b""
    elif codings in ("gzip", "x-gzip"):
        assert gzip.decompress(coded) == made
    elif codings == "deflate" and coded[0] & 0x8F == 8 and int.from_bytes(coded[:2]) % 31 == 0:
        assert zlib.decompressobj().decompress(coded) == made
    elif codings in ("zstd", "zstandard") and coded[-1]:  # other readers do not take zeros after the end for padding
        assert zstandard.ZstdDecompressor().stream_reader(coded, read_across_frames=True).readall() == made


# -- JSON-RPC --------------------------------------------------------------------------------------------------------------


def jsonrpc(data: bytes) -> None:
    given = Input(data)
    longest = given.pick((16 << 20, 40, 5000))
    steps = given.steps(given.payload)
    decoder, lines = LineDecoder(longest), list[Line]()
    fed = gaps = 0
    for step in steps:
        if isinstance(step, bytes):
            lines += decoder.feed(step)
            fed += len(step)
        else:
            decoder.gap(step)
            gaps += step
        assert sum(line.size for line in lines) + decoder.held() == fed, "every byte is in a line or held"
    lines += decoder.finish()
    assert sum(line.size for line in lines) == fed
    assert sum(line.lost for line in lines) >= gaps
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
    if not gaps and longest > len(given.payload):
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
    _shows_nothing(made)
    text = given.payload.decode("utf-8", "replace")
    shown = redactor.text(text)
    _shows_nothing(shown.encode())
    assert shown == text or redactor.finds(text) or not text.isascii(), "the fast check misses a secret"


_LABEL = re.compile(rb"\[redacted:[a-z-]{1,40}:[0-9a-f]{8}\]")


def _shows_nothing(made: bytes) -> None:
    """No secret is left. One that overlaps a label was no secret before: a password that ran into another secret."""
    labels = [label.span() for label in _LABEL.finditer(made)]
    for secret in settled(made, find_secrets(made)):
        assert any(start < secret.end and secret.start < end for start, end in labels), "a secret is left"


_FIELDS = ("authorization", "cookie", "set-cookie", "sec-websocket-protocol", "x-api-key")


def commands(data: bytes) -> None:
    """Commands, fields of heads, and the data of events: without a secret the same object is returned; JSON stays JSON."""
    given = Input(data)
    redactor = Redactor(b"k" * 32)
    text = given.payload.decode("utf-8", "replace")
    mask_field(given.pick(_FIELDS), text, redactor)
    command = mask_command(text, redactor)
    assert command is text or command != text, "nothing changes, so it should be the same object"
    words = tuple(text.split(" "))
    masked = mask_words(words, redactor, cut=given.byte() % 2 == 1)
    assert len(masked) == len(words)
    assert masked is words or masked != words, "nothing changes, so it should be the same object"
    pieces = [piece.decode("utf-8", "replace") for piece in given.pieces(given.payload)]
    values = [msgspec.json.encode({"index": place, "delta": each}).decode() for place, each in enumerate(pieces[:20])]
    made = mask_events([*pieces, *values], redactor, cut=given.byte() % 2 == 1)
    assert len(made) == len(pieces) + len(values)
    assert all(map(_is_json, made[len(pieces) :])), "an event is no longer JSON"


def _is_json(text: str) -> bool:
    try:
        msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError):
        return False
    return True
