"""bytes -> SseEvent: decode an event stream (WHATWG HTML 9.2), however its bytes are cut."""

from __future__ import annotations

import msgspec
from msgspec import Struct, field
from msgspec.structs import replace

from ..core.start import regex
from ..events import SseEvent

LONGEST_EVENT = 16 * 1024 * 1024  # bytes; a whole answer with an image in base64 fits, and no model sends more
_HEAD = b"data: "
_MARK = "\n\ndata: "  # between the data of one event and that of the next
_BOM = b"\xef\xbb\xbf"
_BLOCKS = regex(r"(?:event: ?+(.*+)\n)?data: ?+(.*+)\n\n|((?:.++\n)*+\n)")  # (type, data, any other block)


_LF = ord("\n")
_EMPTY_LINES = regex(r"\n{3,}")


class SseState(Struct, array_like=True):
    """State of a decoder: all it needs to go on from a checkpoint."""

    after_cr: bool = False  # the last byte was a CR: an LF that follows belongs to it
    started: bool = False  # the first line has ended, so no BOM can follow
    between: bool = False  # nothing is held, and the next byte begins an event
    kept: int = 0  # bytes of the complete lines of the current event
    line: bytearray = field(default_factory=bytearray)  # the unfinished line
    kind: bytes = b""
    data: bytearray = field(default_factory=bytearray)  # every data line of the current event, each with its LF
    dropped_end: bytes = b""  # last byte of the event that is being dropped; b"": none is
    id: str | None = None
    retry_ms: int | None = None
    lost: int = 0

    def copy(self) -> SseState:
        return replace(self, line=bytearray(self.line), data=bytearray(self.data))


class SseDecoder:
    """
    Decodes one stream. Line ends become LF first, so every count of bytes here takes CRLF for one byte.

    There are three paths, so that no byte is read twice: one event that begins like the last one; whole events of the shape
    that every provider sends (`[event: x LF] data: y LF LF`); and line by line for everything else. An event longer than
    `longest` (all its lines, with comments) is dropped and counted in `lost`.
    """

    __slots__ = ("_head", "_kind", "_longest", "_mark", "_state")

    def __init__(self, *, longest: int = LONGEST_EVENT) -> None:
        self._longest = longest
        self._kind, self._head, self._mark = "message", _HEAD, _MARK  # how the last events began: usually the next one too
        self._state = SseState()

    @property
    def lost(self) -> int:
        """Bytes of the events that were dropped."""
        return self._state.lost

    @property
    def retry_ms(self) -> int | None:
        """The last reconnection time that the server asked for."""
        return self._state.retry_ms

    def feed(self, data: bytes, /) -> list[SseEvent]:
        """The events that these bytes complete."""
        state, head = self._state, self._head
        if state.after_cr or data.find(b"\r") >= 0:  # `in` takes eight times as long for bytes
            data = self._with_lf(data)
        if state.between and data.startswith(head):
            start, end = len(head), len(data) - 2
            if data.find(b"\n", start) == end <= self._longest and data[-1] == _LF:
                return [SseEvent(self._kind, str(data[start:end], "utf-8", "replace"), state.id)]
        events: list[SseEvent] = []
        if not state.between:
            begun, mark, data = data.partition(b"\n\n")
            self._read_lines(begun + mark, events)
        whole, mark, rest = data.rpartition(b"\n\n")
        if mark:
            self._read_blocks(whole + mark, events)
        if rest:
            self._read_lines(rest, events)
        if events and (usual := events[len(events) // 2].event) != self._kind:
            self._kind = usual
            self._head = b"event: %b\ndata: " % usual.encode() if usual != "message" else _HEAD
            self._mark = f"\n\nevent: {usual}\ndata: " if usual != "message" else _MARK
        return events

    def finish(self) -> bool:
        """True if the stream ended inside an event. The standard discards that event; it is counted in `lost`."""
        state = self._state
        line = state.line if state.started else state.line.removeprefix(_BOM)
        begun = state.data or state.kind or (line and not line.startswith(b":"))
        cut = bool(begun or state.dropped_end)
        state.lost += self.held() if begun else 0
        self._end_event()
        return cut

    def held(self) -> int:
        """Bytes of the unfinished event."""
        return self._state.kept + len(self._state.line)

    def snapshot(self) -> SseState:
        return self._state.copy()

    def restore(self, state: SseState, /) -> None:
        """`state` may also be what msgpack returns for it."""
        self._state = msgspec.convert(state, SseState).copy()

    def _with_lf(self, data: bytes) -> bytes:
        if not data:
            return data
        if self._state.after_cr and data.startswith(b"\n"):
            data = data[1:]
        self._state.after_cr = data.endswith(b"\r")
        return data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")

    def _read_blocks(self, data: bytes, events: list[SseEvent]) -> None:
        """Read `data`, which begins and ends between two events."""
        try:
            text = data.decode() if len(data) <= self._longest else ""
        except UnicodeDecodeError:
            text = ""
        if not text:
            self._read_lines(data, events)
            return
        kind, mark = self._kind, self._mark
        begun, *datas = f"\n\n{text[:-2]}".split(mark)
        if begun:
            self._read_mixed(begun[2:], events)
        append, last_id = events.append, self._state.id
        for data_of_one in datas:
            if "\n" in data_of_one:  # several lines, or events of other kinds follow
                self._read_mixed(mark[2:] + data_of_one, events)
                last_id = self._state.id
            else:
                append(SseEvent(kind, data_of_one, last_id))

    def _read_mixed(self, text: str, events: list[SseEvent]) -> None:
        """Read whole events; the empty line after the last one is missing."""
        append, last_id = events.append, self._state.id
        if "\n\n\n" in text:  # several empty lines say no more than one
            text = _EMPTY_LINES.sub("\n\n", text)
        for kind, value, other in _BLOCKS.findall(f"{text}\n\n"):
            if other:
                self._read_lines(other.encode(), events)
                last_id = self._state.id
            else:
                append(SseEvent(kind or "message", value, last_id))

    def _read_lines(self, data: bytes, events: list[SseEvent]) -> None:
        state, start, size = self._state, 0, len(data)
        while start < size:
            if state.dropped_end:
                start = self._skip(data, start)
                continue
            end = data.find(b"\n", start)
            more = (size if end < 0 else end) - start
            if more and self.held() + more > self._longest:
                state.lost += self.held()
                self._end_event()
                state.dropped_end = b":"  # any byte except LF: the event became too long within a line
                continue
            if end < 0:
                state.line += data[start:]
                break
            line = data[start:end]
            if state.line:
                line = bytes(state.line + line)
                state.line.clear()
            self._read_line(line, events)
            start = end + 1
        state.between = state.started and not (state.dropped_end or state.kept or state.line)

    def _read_line(self, line: bytes, events: list[SseEvent]) -> None:
        state = self._state
        state.kept += len(line) + 1
        if not state.started:
            state.started = True
            line = line.removeprefix(_BOM)
        if line:
            self._read_field(line)
            return
        if state.data:
            kind = state.kind.decode("utf-8", "replace") or "message"
            events.append(SseEvent(kind, state.data[:-1].decode("utf-8", "replace"), state.id))
        self._end_event()

    def _read_field(self, line: bytes) -> None:
        name, _, value = line.partition(b":")  # a comment has an empty name
        value = value.removeprefix(b" ")
        if name == b"data":
            self._state.data += value
            self._state.data += b"\n"
        elif name == b"event":
            self._state.kind = value
        elif (
            name == b"error" and value and not self._state.data
        ):  # no field of the standard: llama.cpp's server says so that it failed
            said = value if value[:1] == b"{" else msgspec.json.encode(value.decode("utf-8", "replace"))
            self._state.kind = name
            self._state.data += b'{"error":%s}\n' % said
        elif name == b"id" and b"\0" not in value:
            self._state.id = value.decode("utf-8", "replace") or None
        elif name == b"retry" and value.isdigit() and len(value) < 16:  # msgpack cannot hold more than 19 digits
            self._state.retry_ms = int(value)

    def _end_event(self) -> None:
        self._state.line.clear()
        self._state.kept = 0
        self._state.kind = b""
        self._state.data.clear()
        self._state.dropped_end = b""

    def _skip(self, data: bytes, start: int) -> int:
        """Drop bytes up to the end of the event; return where the next one begins."""
        seen = self._state.dropped_end + data[start:]
        end = seen.find(b"\n\n")
        if end < 0:
            self._state.lost += len(seen) - 1
            self._state.dropped_end = seen[-1:]
            return len(data)
        self._state.lost += end
        self._end_event()
        return start + end + 1
