"""Bytes of one body or WebSocket without framing -> the same without secrets, even if events of a stream cut them."""

from __future__ import annotations

import re

import msgspec
from msgspec import Struct

from ....core.bounded import Recent
from ....core.start import regex
from ..resent import SecretStream

_STREAMS_MOST = 32  # texts of one stream that are continued: of each block, choice and kind
_KEY_MOST = 24  # bytes of a name that are compared
_BETWEEN_MOST = 24  # bytes between two strings of JSON, without the blanks

# Members that say which block, choice or item a text belongs to
_WHICH = (b"index", b"output_index", b"content_index")
_NUMBER = regex(rb":(\d+)")
_TO_QUOTE = regex(rb"[^\"]*")
_IN_STRING = regex(rb"(?:[^\"\\]|\\.)*", re.DOTALL)
_DATA = b"data:"
_FIELDS = (_DATA, b"event:", b"id:", b"retry:", b":")


class PayloadState(Struct, array_like=True):
    """What a Payload needs to go on from a checkpoint. It contains no secret: names come from masked text."""

    whole: bytes
    streams: list[tuple[bytes, bytes]]
    begun: bytes
    is_events: bool | None
    line: bytes
    mode: str
    in_string: bool
    escaped: bool
    is_value: bool
    key: bytes
    between: bytes
    which: bytes


class Payload:
    """
    Masks bytes in place. Besides their order on the wire, the values of JSON that have the same name in several events are
    searched as one text, the values of one block or choice and the values of all: a model's answer is cut so. Lines of an event
    stream that are no JSON are one text too.
    """

    def __init__(self) -> None:
        self._whole = SecretStream()
        self._streams: Recent[bytes, SecretStream] = Recent(_STREAMS_MOST)
        self._begun = b""  # the first bytes, until it is known what they are
        self._is_events: bool | None = None
        self._line = b""  # the beginning of a line, until its field is known
        self._mode = "line"  # line: its field is not known; space: one may follow; json, text
        self._in_string: bool = False
        self._escaped: bool = False  # a backslash was the last byte of the string
        self._is_value = False
        self._key = b""  # the last string that was no value, masked
        self._between = b""  # what followed the last string, without blanks
        self._which = b""  # the last number of a block or choice

    def feed(self, data: bytes) -> bytes:
        made = bytearray(self._whole.feed(data))
        at = 0
        while at < len(data):
            end = data.find(b"\n", at)
            stop = len(data) if end < 0 else end + 1
            self._take(data, at, stop, made)
            if end >= 0:
                self._mode, self._line = "line", b""
                self._in_string = self._escaped = False
            at = stop
        return bytes(made)

    def end_message(self) -> None:
        """A message of a WebSocket ended: the next one is JSON of its own."""
        self._in_string = self._escaped = False
        self._between = self._which = b""
        self._whole.gap()

    def gap(self) -> None:
        self._whole.gap()
        for stream in self._streams.values():
            stream.gap()
        self._in_string = self._escaped = False
        self._mode = "json" if self._mode == "line" else self._mode

    # -- lines ---------------------------------------------------------------------------------------------------------

    def _take(self, data: bytes, at: int, stop: int, made: bytearray) -> None:
        """A line or a part of one."""
        if self._mode == "line":
            at = self._field(data, at, stop)
        if self._mode == "space" and at < stop:
            at += data[at : at + 1] == b" "
            if at < stop:
                self._mode = "json" if data[at : at + 1] in (b"{", b"[", b'"') else "text"
        if self._mode == "text" and at < stop:
            self._mask(b"", data, at, stop - data.endswith(b"\n", at, stop), made)
        elif self._mode == "json":
            self._json(data, at, stop, made)

    def _field(self, data: bytes, at: int, stop: int) -> int:
        """Read on to the end of the field's name. A payload that does not begin as an event stream has no fields."""
        if self._is_events is None:
            self._begun = (self._begun + data[at:stop])[: len(_FIELDS[1])]
            if not any(self._begun.startswith(field) for field in _FIELDS):
                if not any(field.startswith(self._begun) for field in _FIELDS):
                    self._is_events = False
            else:
                self._is_events = True
        if self._is_events is False:
            self._mode = "json"
            return at
        before = len(self._line)
        self._line += data[at : min(stop, at + len(_DATA))]
        if self._line.startswith(_DATA):
            self._mode = "space"
            return at + len(_DATA) - before
        if not _DATA.startswith(self._line):
            self._mode = "json"
        return at

    # -- values of JSON ------------------------------------------------------------------------------------------------

    def _json(self, data: bytes, at: int, stop: int, made: bytearray) -> None:
        while at < stop:
            at = self._string(data, at, stop, made) if self._in_string else self._outside(data, at, stop)

    def _outside(self, data: bytes, at: int, stop: int) -> int:
        found = _TO_QUOTE.match(data, at, stop)
        end = found.end() if found else stop
        self._between = (self._between + data[at:end].translate(None, b" \t\r\n"))[-_BETWEEN_MOST:]
        if end == stop:
            return stop
        number = _NUMBER.match(self._between) if self._key in _WHICH else None
        if number is not None:
            self._which = number[1]
        self._is_value = self._between.endswith(b":")
        self._in_string, self._escaped, self._between = True, False, b""
        if not self._is_value:
            self._key = b""
        return end + 1

    def _string(self, data: bytes, at: int, stop: int, made: bytearray) -> int:
        first = at
        at += int(self._escaped)  # what it escapes
        found = _IN_STRING.match(data, at, stop)
        end: int = found.end() if found else at
        self._escaped = end < stop and data[end : end + 1] == b"\\"
        end += int(self._escaped)
        if self._is_value:
            self._mask(self._key, data, first, end, made)
        else:
            self._key = (self._key + bytes(made[first:end]))[:_KEY_MOST]
        if end < stop:
            self._in_string = False
            return end + 1
        return stop

    def _mask(self, key: bytes, data: bytes, start: int, end: int, made: bytearray) -> None:
        """A part of the text with this name."""
        text = data[start:end]
        for name in (key, b"%b:%b" % (key, self._which)) if self._which else (key,):
            masked = self._streams.use_or_make(name, SecretStream).feed(text)
            if masked is not text:
                made[start:end] = bytes(
                    other if one == two else two for one, two, other in zip(text, masked, made[start:end], strict=True)
                )

    # -- checkpoints ---------------------------------------------------------------------------------------------------

    def snapshot(self) -> PayloadState:
        return PayloadState(
            whole=msgspec.msgpack.encode(self._whole.snapshot()),
            streams=[(key, msgspec.msgpack.encode(stream.snapshot())) for key, stream in self._streams.items()],
            begun=self._begun if self._is_events is None else b"",
            is_events=self._is_events,
            line=self._line if self._mode == "line" else b"",
            mode=self._mode,
            in_string=self._in_string,
            escaped=self._escaped,
            is_value=self._is_value,
            key=self._key,
            between=self._between,
            which=self._which,
        )

    @classmethod
    def restored(cls, state: PayloadState) -> Payload:
        made = cls()
        made._whole.restore(*msgspec.msgpack.decode(state.whole))
        for key, saved in state.streams:
            made._streams[key] = stream = SecretStream()
            stream.restore(*msgspec.msgpack.decode(saved))
        made._begun, made._is_events, made._line, made._mode = state.begun, state.is_events, state.line, state.mode
        made._in_string, made._escaped, made._is_value = state.in_string, state.escaped, state.is_value
        made._key, made._between, made._which = state.key, state.between, state.which
        return made
