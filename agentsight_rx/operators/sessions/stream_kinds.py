"""The head of a response, or the first bytes of its body -> which kind of stream it is, and the decoder of that kind."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from msgspec import Struct

from ...core.start import regex
from ...events import Headers, SseEvent
from ...wire.aws_event_stream import PRELUDE, AwsEventStreamDecoder, frame_size
from ...wire.http1_head import field
from ...wire.json_stream import JsonStreamDecoder
from ...wire.sse import SseDecoder

LOOKED_AT = 16  # bytes of a body that show whether it begins like a stream


class StreamDecoder(Protocol):
    """Bytes of one streamed body in, its events out."""

    @property
    def lost(self) -> int: ...
    def feed(self, data: bytes, /) -> list[SseEvent]: ...
    def finish(self) -> bool: ...
    def held(self) -> int: ...
    def snapshot(self) -> Any: ...
    def restore(self, state: Any, /) -> None: ...


_EVENTS, _FRAMES, _JSON = "text/event-stream", "application/vnd.amazon.eventstream", "application/json"
_NDJSON = "application/x-ndjson"


class Kind(Struct, frozen=True):
    """`lost`: the reason of a message some bytes of which the decoder dropped. `plain`: the text of events is in its bytes."""

    decoder: Callable[[], StreamDecoder]
    lost: str = "event_limit"
    plain: bool = True


# Media types of streamed bodies
KINDS = {
    _EVENTS: Kind(SseDecoder),
    _FRAMES: Kind(AwsEventStreamDecoder, lost="malformed", plain=False),  # Amazon Bedrock
    _JSON: Kind(JsonStreamDecoder),  # only where the method is one that streams
    _NDJSON: Kind(JsonStreamDecoder),  # Ollama
    "application/ndjson": Kind(JsonStreamDecoder),
    "application/jsonl": Kind(JsonStreamDecoder),
    "application/x-jsonlines": Kind(JsonStreamDecoder),
    "application/json-lines": Kind(JsonStreamDecoder),
    "application/json-seq": Kind(JsonStreamDecoder),  # RFC 7464
    "application/stream+json": Kind(JsonStreamDecoder),  # Cohere v1
}

UNKNOWN = KINDS[_EVENTS]

_NEXT_VALUE = regex(rb"\}[ \t]*\r?\n\s*\{")  # in one JSON value a comma stands there, and no text has a line end
_FIELDS_BEGIN = (b"d", b"e", b"i", b"r", b":")  # data, event, id, retry, and a comment
_BEGINS_EVENTS = regex(rb"(?:\xef\xbb\xbf)?[\r\n]{0,4}(?:(?:data|event|id|retry):|: )")


def kind_by_head(headers: Headers, target: str) -> str:
    """
    The media type of a body that is a sequence of events; "" for any other.

    JSON is one where a method of Google's with `:stream…` in its name was called: then it is an array, which is sent bit by bit
    (google.aip.dev/127; `alt=sse` asks for an event stream instead).
    """
    kind = (field(headers, "content-type") or "").partition(";")[0].strip().lower()
    if kind == _JSON:
        return kind if ":stream" in target.partition("?")[0] else ""
    return kind if kind in KINDS else ""


def kind_by_begin(begun: bytes | bytearray) -> str:
    """The media type of a body that begins so, where its head does not say: some proxies set a wrong one. "": not a stream."""
    if _BEGINS_EVENTS.match(begun):
        return _EVENTS
    return _FRAMES if len(begun) >= PRELUDE and frame_size(begun) else ""


def kind_in_fact(announced: str, begun: bytes) -> str:
    """The media type of a stream of which the first bytes are known: what some servers call events is JSON, as their errors."""
    first = begun.lstrip()[:1]
    if first in (b"{", b"["):
        return _NDJSON if announced in ("", _EVENTS) else announced
    return _EVENTS if first in _FIELDS_BEGIN else _FRAMES if first == b"\0" else announced or _EVENTS


def kind_of_body(body: bytes) -> str:
    """The same for a whole body, without its content coding: lines of JSON are a stream too."""
    begun = body[:PRELUDE].lstrip()
    return kind_by_begin(body) or (_NDJSON if begun[:1] == b"{" and _NEXT_VALUE.search(body) else "")
