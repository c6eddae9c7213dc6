"""bytes -> SseEvent: decode Amazon Event Stream frames (smithy.io/2.0/aws/amazon-eventstream.html), however they are cut."""

from __future__ import annotations

import re
import struct
from zlib import crc32

import msgspec
from msgspec import Struct, field
from msgspec.structs import replace

from ..core.start import regex
from ..events import SseEvent

LONGEST_FRAME = 16 * 1024 * 1024  # bytes, as for an SSE event: a whole answer with an image in base64 fits
PRELUDE = 12  # bytes: length of the frame, length of its headers, CRC of these two

_SHORTEST_FRAME = PRELUDE + 4
_HEADERS_MOST = 128 * 1024  # of the specification
_LENGTHS = struct.Struct(">II").unpack_from
_NUMBER = struct.Struct(">I").unpack_from
# Where a prelude may be: frames have 16 bytes or more and up to 24 MiB by the specification, and headers up to 128 KiB
_PRELUDES = regex(rb"(?=[\x00\x01].{3}\x00[\x00-\x02].{6})(?!\x00{3}[\x00-\x0f])", re.DOTALL)

# Sizes of values by type: true, false, byte, short, integer, long, bytes, string, timestamp, UUID; -1: a length precedes
_VALUE_SIZES = (0, 0, 1, 2, 4, 8, -1, -1, 8, 16)
_STRING = 7


class _Chunk(Struct):
    """Payload of a `chunk` of Bedrock's InvokeModelWithResponseStream: an event of the model's own API in base64."""

    inner: bytes = field(name="bytes")


class _Unmodeled(Struct):
    """An error that has no payload, as JSON."""

    code: str
    message: str


_CHUNK = msgspec.json.Decoder(_Chunk)


class AwsEventStreamState(Struct, array_like=True):
    """State of a decoder: all it needs to go on from a checkpoint."""

    kept: bytearray = field(default_factory=bytearray)  # the unfinished frame
    needed: int = PRELUDE  # bytes that `kept` must have before it is worth a look
    skip: int = 0  # bytes of a frame that is too long and still to come
    lost: int = 0

    def copy(self) -> AwsEventStreamState:
        return replace(self, kept=bytearray(self.kept))


class AwsEventStreamDecoder:
    """
    Decodes one stream. Each frame is an event: its type is `:event-type`, or `:exception-type` of an exception, or `error`; its
    data is the payload as text. A chunk of Bedrock is unwrapped: its data is the event of the model inside.

    A frame whose checksum is wrong or that is longer than `longest` is dropped. Where no frame begins, decoding goes on at the
    next valid prelude, which has a checksum of its own. All these bytes are counted in `lost`.
    """

    __slots__ = ("_block", "_headers", "_longest", "_state")

    def __init__(self, *, longest: int = LONGEST_FRAME) -> None:
        self._longest = longest
        self._block, self._headers = b"", dict[str, str]()  # of the last frame: usually those of the next one too
        self._state = AwsEventStreamState()

    @property
    def lost(self) -> int:
        """Bytes dropped or skipped."""
        return self._state.lost

    def feed(self, data: bytes, /) -> list[SseEvent]:
        """The events that these bytes complete."""
        state = self._state
        if state.kept:
            state.kept += data
            if len(state.kept) < state.needed:
                return []
            data = bytes(state.kept)
            state.kept.clear()
        events: list[SseEvent] = []
        at, size, state.needed = 0, len(data), PRELUDE
        while size - at >= PRELUDE or (state.skip and at < size):
            if state.skip:
                at = self._skip(at, size)
                continue
            total = frame_size(data, at)
            if not total:
                found = _next_prelude(data, at + 1)
                state.lost += found - at
                at = found
            elif total > self._longest:
                state.skip = total
            elif size - at < total:
                state.needed = total
                break
            else:
                self._read_frame(data[at : at + total], events)
                at += total
        state.kept += data[at:]
        return events

    def finish(self) -> bool:
        """
        True if the stream ended inside a frame, which is counted in `lost`.

        If more bytes follow, as after a gap, decoding goes on at the next valid prelude.
        """
        state = self._state
        cut = bool(state.kept or state.skip)
        self._state = AwsEventStreamState(lost=state.lost + len(state.kept))
        return cut

    def held(self) -> int:
        """Bytes of the unfinished frame."""
        return len(self._state.kept)

    def snapshot(self) -> AwsEventStreamState:
        return self._state.copy()

    def restore(self, state: AwsEventStreamState, /) -> None:
        """`state` may also be what msgpack returns for it."""
        self._state = msgspec.convert(state, AwsEventStreamState).copy()

    def _skip(self, at: int, size: int) -> int:
        state = self._state
        step = min(state.skip, size - at)
        state.skip -= step
        state.lost += step
        return at + step

    def _read_frame(self, frame: bytes, events: list[SseEvent]) -> None:
        if crc32(frame[:-4]) != _NUMBER(frame, len(frame) - 4)[0]:
            self._state.lost += len(frame)
            return
        end = PRELUDE + _NUMBER(frame, 4)[0]
        block = frame[PRELUDE:end]
        if block != self._block:
            self._block, self._headers = block, _headers(block)
        events.append(_event(self._headers, frame[end:-4]))


def frame_size(data: bytes | bytearray, at: int = 0) -> int:
    """Length of the frame whose prelude is at `at`; 0 if there is no valid prelude."""
    if len(data) - at < PRELUDE:
        return 0
    total, headers = _LENGTHS(data, at)
    if total < _SHORTEST_FRAME or headers > min(total - _SHORTEST_FRAME, _HEADERS_MOST):
        return 0
    return int(total) if crc32(data[at : at + 8]) == _NUMBER(data, at + 8)[0] else 0


def _next_prelude(data: bytes, start: int) -> int:
    """Where the next valid prelude is; else the first byte that may begin one which is cut."""
    for found in _PRELUDES.finditer(data, start):
        if frame_size(data, found.start()):
            return found.start()
    return max(start, len(data) - PRELUDE + 1)


def _headers(block: bytes) -> dict[str, str]:
    """The headers that are strings; up to the first one that is malformed."""
    made: dict[str, str] = {}
    at, size = 0, len(block)
    while at < size:
        name_end = at + 1 + block[at]
        if name_end >= size or block[name_end] >= len(_VALUE_SIZES):
            break
        kind, value_at = block[name_end], name_end + 1
        length = _VALUE_SIZES[kind]
        if length < 0:
            length = int.from_bytes(block[value_at : value_at + 2])
            value_at += 2
        if value_at + length > size:
            break
        if kind == _STRING:
            name = block[at + 1 : name_end].decode("utf-8", "replace")
            made[name] = block[value_at : value_at + length].decode("utf-8", "replace")
        at = value_at + length
    return made


def _event(headers: dict[str, str], payload: bytes) -> SseEvent:
    kind = headers.get(":message-type", "event")
    if kind == "exception":
        return SseEvent(headers.get(":exception-type", "exception"), payload.decode("utf-8", "replace"))
    if kind == "error":
        if not payload:
            payload = msgspec.json.encode(_Unmodeled(headers.get(":error-code", ""), headers.get(":error-message", "")))
        return SseEvent("error", payload.decode("utf-8", "replace"))
    name = headers.get(":event-type", "message")
    return SseEvent(name, (_inner(payload) if name == "chunk" else payload).decode("utf-8", "replace"))


def _inner(payload: bytes) -> bytes:
    try:
        return _CHUNK.decode(payload).inner
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return payload
