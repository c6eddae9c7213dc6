"""bytes -> one SseEvent for each JSON value (RFC 8259): elements of an array or values in a row, however they are cut."""

from __future__ import annotations

import re
from typing import Literal, TypeAlias

import msgspec
from msgspec import Struct, field
from msgspec.structs import replace

from ..core.start import regex
from ..events import SseEvent

LONGEST_VALUE = 16 * 1024 * 1024  # bytes, as for an SSE event: a whole answer with an image in base64 fits

_BOM = b"\xef\xbb\xbf"
_BETWEEN = regex(rb"[ \t\r\n,\x1e]*+")  # RFC 7464 has an RS before each value
# It never matches. As the last way to go on it takes a possessive repeat back to where the others began: before Python 3.11.5
# such a repeat stays where they gave up (https://github.com/python/cpython/issues/106052)
_BACK = rb"(?!)"
_IN_STRING = rb'[^"\\]*+(?:\\.[^"\\]*+)*+'
_IN_NONE = rb'[^"{}\[\]]*+'


def _skippable(depth: int) -> bytes:
    """Pattern of whole strings, and of whole objects and arrays of `depth` levels: most JSON in one step instead of thirty."""
    inner = rb"|[{\[]" + _skippable(depth - 1) + rb"[}\]]|" + _BACK if depth else b""
    return _IN_NONE + rb'(?:(?:"' + _IN_STRING + rb'"' + inner + rb")" + _IN_NONE + rb")*+"


_TO_BRACKET = regex(_skippable(3), re.DOTALL)  # or to the beginning of a string that is cut
_TO_QUOTE = regex(_IN_STRING, re.DOTALL)
_WORD = regex(rb"[-+.0-9A-Za-z]*+")
_IS_WORD = regex(rb"-?(?:0|[1-9][0-9]*+)(?:\.[0-9]++)?(?:[eE][-+]?[0-9]++)?|true|false|null")
_QUOTE = ord('"')
_AGAIN = regex(rb"\n[{\[]")  # a string has no raw LF in it, and inner values are indented

# Where the stream is: between values, in an object or array, in a string (perhaps inside these), in a number or name, or in
# bytes that are not JSON
_Where: TypeAlias = Literal["between", "value", "string", "word", "garbage"]


class JsonStreamState(Struct, array_like=True):
    """State of a decoder: all it needs to go on from a checkpoint."""

    where: _Where = "between"
    started: bool = False  # the first bytes are not part of a BOM
    in_array: bool = False  # the values are the elements of an array
    depth: int = 0  # open brackets of the value
    kept: bytearray = field(default_factory=bytearray)  # the unfinished value
    too_long: bool = False  # the value exceeded the limit and is not kept
    escape: bool = False  # the string was cut after a backslash
    after_lf: bool = False  # the garbage was cut after a line end
    lost: int = 0

    def copy(self) -> JsonStreamState:
        return replace(self, kept=bytearray(self.kept))


class JsonStreamDecoder:
    """
    Decodes one stream. The content between brackets is not checked: whoever decodes the value finds out whether it is JSON.

    A value longer than `longest` is dropped. Bytes that cannot begin a value are skipped, up to a line that begins with a
    bracket. Both are counted in `lost`. White space, commas and the brackets of the array are neither values nor lost.
    """

    __slots__ = ("_longest", "_state")

    def __init__(self, *, longest: int = LONGEST_VALUE) -> None:
        self._longest = longest
        self._state = JsonStreamState()

    @property
    def lost(self) -> int:
        """Bytes dropped or skipped."""
        return self._state.lost

    def feed(self, data: bytes, /) -> list[SseEvent]:
        """The values that these bytes complete. A number at the end waits, since more digits may follow."""
        state = self._state
        if not state.started:
            data = self._without_bom(data)
        events: list[SseEvent] = []
        at, size = 0, len(data)
        while at < size:
            if state.where == "between":
                at = self._begin(data, at)
            elif state.where == "garbage":
                at = self._skip(data, at)
            elif state.where == "word":
                at = self._go_on_word(data, at, events)
            else:
                at = self._go_on(data, at, events)
        return events

    def finish(self) -> bool:
        """
        True if the stream ended inside a value, which is discarded and counted in `lost`, or inside the array.

        If more bytes follow, as after a gap, decoding goes on at the next line that begins with a bracket.
        """
        state = self._state
        cut = state.in_array or state.where in ("value", "string", "word")
        self._state = JsonStreamState("garbage", started=True, lost=state.lost + self.held())
        return cut

    def held(self) -> int:
        """Bytes of the unfinished value."""
        return len(self._state.kept)

    def snapshot(self) -> JsonStreamState:
        return self._state.copy()

    def restore(self, state: JsonStreamState, /) -> None:
        """`state` may also be what msgpack returns for it."""
        self._state = msgspec.convert(state, JsonStreamState).copy()

    def _without_bom(self, data: bytes) -> bytes:
        """The first bytes without a byte order mark, once there are enough of them to see one."""
        state = self._state
        data = bytes(state.kept) + data
        state.kept.clear()
        if len(data) < len(_BOM) and _BOM.startswith(data):
            state.kept += data
            return b""
        state.started = True
        return data.removeprefix(_BOM)

    def _begin(self, data: bytes, at: int) -> int:
        """Begin the value after white space and commas; return where to read on."""
        state = self._state
        at = _end(_BETWEEN, data, at)
        first = data[at : at + 1]
        if first == b"]":
            state.in_array = False
            return at + 1
        if first == b"[" and not state.in_array:
            state.in_array = True
            return at + 1
        if first in (b"{", b"["):
            state.where, state.depth = "value", 1
            return self._keep(data, at, at + 1)
        if first == b'"':
            state.where = "string"
            return self._keep(data, at, at + 1)
        if first:
            state.where = "word"
        return at

    def _go_on(self, data: bytes, start: int, events: list[SseEvent]) -> int:
        """Read on in an object, an array or a string; return where reading stops."""
        state, at, size = self._state, start, len(data)
        while at < size:
            if state.where == "string":
                at = self._to_quote(data, at)
                if at == size:
                    break
                at += 1
                state.where = "value"
            else:
                at = _end(_TO_BRACKET, data, at)
                if at == size:
                    break
                byte = data[at]
                at += 1
                if byte == _QUOTE:
                    state.where = "string"
                    continue
                state.depth += 1 if byte in b"{[" else -1
            if not state.depth:
                return self._emit(data, start, at, events)
        return self._keep(data, start, size)

    def _to_quote(self, data: bytes, at: int) -> int:
        """The quote that ends the string, or the end of the bytes."""
        at = _end(_TO_QUOTE, data, at + self._state.escape)
        self._state.escape = data.startswith(b"\\", at)  # then it is the last byte
        return len(data) if self._state.escape else at

    def _go_on_word(self, data: bytes, start: int, events: list[SseEvent]) -> int:
        state, end = self._state, _end(_WORD, data, start)
        size = len(state.kept) + end - start
        if size <= self._longest:
            if end == len(data):
                return self._keep(data, start, end)
            if _IS_WORD.fullmatch(bytes(state.kept) + data[start:end]):
                return self._emit(data, start, end, events)
        state.kept.clear()
        state.lost += size
        state.where = "garbage"
        state.after_lf = False
        return end

    def _keep(self, data: bytes, start: int, end: int) -> int:
        state = self._state
        if state.too_long or len(state.kept) + end - start > self._longest:
            state.lost += len(state.kept) + end - start
            state.kept.clear()
            state.too_long = True
        else:
            state.kept += data[start:end]
        return end

    def _emit(self, data: bytes, start: int, end: int, events: list[SseEvent]) -> int:
        state = self._state
        self._keep(data, start, end)
        if not state.too_long:
            events.append(SseEvent("message", state.kept.decode("utf-8", "replace")))
        state.kept.clear()
        state.too_long = False
        state.where = "between"
        return end

    def _skip(self, data: bytes, start: int) -> int:
        """Drop bytes up to a line that begins with a bracket; return where that is."""
        state = self._state
        if state.after_lf and data[start] in b"{[":
            end = start
        else:
            again = _AGAIN.search(data, start)
            end = again.start() + 1 if again else len(data)
        state.lost += end - start
        state.after_lf = data.endswith(b"\n")
        if end < len(data):
            state.where = "between"
        return end


def _end(pattern: re.Pattern[bytes], data: bytes, at: int) -> int:
    """Where the match at `at` ends; every pattern here matches anywhere."""
    found = pattern.match(data, at)
    return found.end() if found else at
