"""
StdioChunk of both ends of one channel -> its lines, each once. A hole at one end is filled from the other.

Longer than 300 lines because both ends and their lines share one position.
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Iterator
from typing import Literal, TypeAlias

from msgspec import Struct, field
from msgspec.structs import replace

from ...events import Channel, Loss, Origin, StdioChunk
from ...events.loss import Reason
from ...wire.lines import Line, LineDecoder, is_binary

EVERY = 1 << 62  # more holes or bytes than any channel has

_AHEAD_MOST = 4 << 20  # bytes that one end has and the other has not: four times what the largest pipe holds
_CALLS_MOST = 64  # calls remembered at each end, to know who read and wrote a line: a line is made of a few
_CUT = Reason.LIMITED, "a call carried more than is kept of one"
_UNREAD = Reason.TRUNCATED, "a call had more buffers than are read"
_SAMPLE = 256  # bytes before the position of the stream that are kept, to compare them with a late chunk

End: TypeAlias = Literal["in", "out"]


class ChannelLine(Struct):
    """One line of a channel, and who wrote and read it."""

    line: Line
    size: int  # captured bytes that no event stands for yet
    offset: int  # of its first byte in the stream
    first: Origin
    last: Origin
    writer: int = 0  # pid; 0 = that end was not seen
    reader: int = 0
    written_ns: int = 0  # when its first byte was written; 0 = that was not seen
    reason: str | None = None  # why the stream ends before the line does
    limited: bool = False  # what is missing of it is what was not to be kept


class _Call(Struct, array_like=True):
    """One read or write: the part of the stream it moved, when, and by which process."""

    start: int
    stop: int
    time_ns: int
    pid: int


class _ChannelEnd(Struct, array_like=True):
    """The captured bytes of one end of a channel."""

    end: int = 0  # all bytes before this offset were captured here, or are known to be missing
    seq: int = 0  # of the next chunk; 0 = nothing was captured here
    begun: bool = False  # its very first chunk was captured
    pid: int = 0  # the process that used it last
    chunks: list[StdioChunk] = []  # those that reach past the position of the stream, by offset
    calls: list[_Call] = []

    def chunk_at(self, at: int) -> StdioChunk | None:
        """The chunk that has the byte at `at`."""
        for chunk in self.chunks:
            if chunk.offset > at:
                return None
            if at < chunk.offset + len(chunk.data):
                return chunk
        return None

    def hole_end(self, at: int) -> int:
        """Where the hole that is at `at` ends; `at` where nothing is known to be missing."""
        for chunk in self.chunks:
            if chunk.offset > at and chunk.data:
                return chunk.offset
        return max(self.end, at)

    def call_at(self, at: int) -> _Call | None:
        """The last call that moved the byte at `at`."""
        for call in reversed(self.calls):
            if call.start <= at < call.stop:
                return call
        return None

    def drop(self, start: int, stop: int) -> tuple[int, int]:
        """Drop what these chunks have from `start` to `stop`: (chunks, bytes) that had some of it."""
        count = size = at = 0
        if not self.chunks:
            return 0, 0
        for at, chunk in enumerate(self.chunks, 1):
            if chunk.offset >= stop:
                at -= 1
                break
            here = min(stop, chunk.offset + len(chunk.data)) - max(start, chunk.offset)
            if here > 0:
                count, size = count + 1, size + here
        self.chunks[:at] = [chunk for chunk in self.chunks[:at] if stop_of(chunk) > stop]
        return count, size


class JoinedChannel(Struct):
    """
    One channel: its two ends, and the position up to which their common stream was emitted.

    Bytes are taken from the end that reads as soon as they are there, otherwise from the end that writes.
    """

    channel: Channel
    reader: _ChannelEnd = field(default_factory=_ChannelEnd)
    writer: _ChannelEnd = field(default_factory=_ChannelEnd)
    binary: bool | None = None  # it carries no text, so its chunks are handed on; None until there was some data
    lead: End | None = None  # the end whose bytes are taken; None until it is known whether the reading end is captured
    same: bool = True  # the ends were never seen to differ
    waiting_since_ns: int = 0  # the stream waits for one of its ends; 0 = it does not
    repeated_count: int = 0  # chunks with bytes that the other end had shown too, since `take_repeated`
    repeated_size: int = 0
    _at: int = 0  # the position of the stream
    _sample: bytes = b""  # the last bytes before it
    _lines: LineDecoder = field(default_factory=LineDecoder)
    _first: Origin | None = None  # of the line that has not ended
    _last: Origin | None = None  # of the last bytes that were taken
    _line_at: int = 0  # offset of the line that has not ended
    _limited: bool = True  # its holes are what was not to be kept

    @property
    def in_hole(self) -> bool:
        """The bytes before the position are missing, so the line may have ended among them."""
        return self._lines.in_hole

    def is_reused_by(self, chunk: StdioChunk) -> bool:
        """Does the numbering begin again? Then the inode is a new channel's; the close of the old one was not captured."""
        end = self.writer if _is_written(chunk) else self.reader
        return chunk.seq + _CALLS_MOST < end.seq or (chunk.seq == 0 and end.begun)

    def add(self, chunk: StdioChunk) -> None:
        """Take what one end shows; `read` emits it."""
        if self.binary is None and chunk.data:
            self.binary = is_binary(chunk.data)
        written, origin, start, stop = _is_written(chunk), chunk.origin, chunk.offset, stop_of(chunk)
        end = self.writer if written else self.reader
        end.end, end.seq = max(end.end, stop), max(end.seq, chunk.seq + 1)
        end.begun |= chunk.seq == 0
        end.pid = origin.pid
        end.calls.append(_Call(start, stop, origin.time_ns, origin.pid))
        if len(end.calls) > _CALLS_MOST:
            del end.calls[0]
        if not written:
            self.lead = "in"
        if start < self._at:
            late = min(self._at, start + len(chunk.data)) - start
            self._repeat(int(late > 0), late)
            self.same &= _equal(self._at - len(self._sample), self._sample, chunk)
        if stop > self._at:
            insort(end.chunks, chunk, key=_offset)

    def read(self, now_ns: int, *, give_up: int = 0) -> Iterator[ChannelLine | Loss | StdioChunk]:
        """
        Emit the stream as far as it was captured, across at most `give_up` holes that neither end has filled.

        Between two lines the caller may set `binary`: then the rest comes out as chunks.
        """
        reader, writer = self.reader, self.writer
        while not self.binary:
            at = self._at
            if reader.seq and not self.same:  # several processes write at once, or the capture began in the middle
                self._repeat(*writer.drop(at, EVERY))
            chunk = reader.chunk_at(at)
            if chunk is not None:
                yield from self._advance(chunk, EVERY)
                continue
            hole, written = reader.hole_end(at), writer.hole_end(at)
            if hole == at and self.lead != "out" and writer.end - at <= _AHEAD_MOST:
                if self.lead is None and writer.chunks:
                    self.waiting_since_ns = self.waiting_since_ns or now_ns
                    return
                break  # the other process has still to read it
            chunk = writer.chunk_at(at)
            if chunk is not None:
                yield from self._advance(chunk, hole if hole > at else EVERY)
                continue
            hole = min(hole, written) if at < min(hole, written) else max(hole, written)
            if hole == at:
                break
            if not give_up and max(reader.end, writer.end) - at <= _AHEAD_MOST:
                self.waiting_since_ns = self.waiting_since_ns or now_ns
                return
            give_up -= bool(give_up)
            yield from self._skip(hole)
        self.waiting_since_ns = 0
        if self.binary:
            yield from self._hand_on(now_ns)

    def _advance(self, chunk: StdioChunk, stop: int) -> list[ChannelLine]:
        """Take this chunk from the position up to `stop`; the same bytes at the other end are repeated. The lines that end."""
        at, written = self._at, _is_written(chunk)
        stop = min(stop, chunk.offset + len(chunk.data))
        data = chunk.data[at - chunk.offset : stop - chunk.offset]
        end, other = (self.writer, self.reader) if written else (self.reader, self.writer)
        for other_chunk in other.chunks:
            if other_chunk.offset >= stop:
                break
            self.same &= _equal(at, data, other_chunk)
        count, size = end.drop(at, stop)
        self._repeat(count - 1, size - len(data))
        self._repeat(*other.drop(at, stop))
        self._at, self.waiting_since_ns, self._last = stop, 0, chunk.origin
        self._sample = (self._sample + data[-_SAMPLE:])[-_SAMPLE:]
        ended: list[ChannelLine] = []
        start = 0
        for line in self._lines.feed(data):
            ended.append(self._line(line, chunk.origin))
            start = data.index(b"\n", start) + 1
            self._line_at = at + start
        if self._first is None and self._lines.held():
            self._first = chunk.origin
        return ended

    def _skip(self, stop: int) -> list[Loss]:
        """
        Neither end has the bytes up to `stop`. Bytes cut off a call are counted here, lost records where they were lost. A
        reader that takes a long write in pieces shows all of it, by chance: no more was to be kept, so nothing is missing.
        """
        at = self._at
        end = self.reader if self.reader.end > at else self.writer
        lost: list[Loss] = []
        cut = 0
        for chunk in end.chunks:
            size = min(stop, stop_of(chunk)) - max(at, chunk.offset + len(chunk.data))
            if size > 0:
                reason, note = _UNREAD if chunk.unread else _CUT
                lost.append(Loss(chunk.origin, "stdio", reason=reason, count=1, size=size, note=note))
                cut += size * reason.intended
        for each_end in (self.reader, self.writer):
            self._repeat(*each_end.drop(at, stop))
        self._limited &= cut == stop - at
        self._lines.gap(stop - at)
        self._at, self.waiting_since_ns, self._sample = stop, 0, b""
        return lost

    def _hand_on(self, now_ns: int) -> Iterator[ChannelLine | StdioChunk]:
        """It carries no text, perhaps not any more: the line that has not ended, then the chunks, or the rest of them."""
        yield from self.end_line(now_ns, "binary")
        chunks, self.reader.chunks, self.writer.chunks = [*self.reader.chunks, *self.writer.chunks], [], []
        for chunk in sorted(chunks, key=_time):
            used = self._at - chunk.offset
            if used > 0:
                data = chunk.data[used:]
                yield replace(chunk, data=data, offset=self._at, lost=stop_of(chunk) - self._at - len(data))
            else:
                yield chunk

    def end_line(self, now_ns: int, reason: str | None) -> Iterator[ChannelLine]:
        """The line that has not ended, if there is one; without a `reason` it is complete, as the stream has ended."""
        last = self._last or Origin(now_ns, self.reader.pid or self.writer.pid)
        for line in self._lines.finish():
            yield self._line(line, last, reason)
            self._line_at = self._at

    def _line(self, line: Line, last: Origin, reason: str | None = None) -> ChannelLine:
        written = self.writer.call_at(self._line_at) if self.same else None
        read = self.reader.call_at(self._line_at)
        first, self._first = self._first or last, None
        limited, self._limited = self._limited and line.lost > 0, True
        return ChannelLine(
            line,
            line.size,
            offset=self._line_at,
            first=first,
            last=last,
            writer=written.pid if written else self.writer.pid,
            reader=read.pid if read else self.reader.pid,
            written_ns=written.time_ns if written else 0,
            reason=reason,
            limited=limited,
        )

    def _repeat(self, count: int, size: int) -> None:
        if size:
            self.repeated_count += count
            self.repeated_size += size

    def take_repeated(self) -> tuple[int, int]:
        """(chunks, bytes) that both ends showed, since this was called last."""
        count, size = self.repeated_count, self.repeated_size
        self.repeated_count = self.repeated_size = 0
        return count, size


def stop_of(chunk: StdioChunk) -> int:
    """The offset after a chunk and the bytes that are missing of it."""
    return chunk.offset + len(chunk.data) + chunk.lost


def _is_written(chunk: StdioChunk) -> bool:
    return chunk.origin.direction == "out"


def _offset(chunk: StdioChunk) -> int:
    return chunk.offset


def _time(chunk: StdioChunk) -> int:
    return chunk.origin.time_ns


def _equal(at: int, data: bytes, chunk: StdioChunk) -> bool:
    """Is `chunk` equal to `data`, which lies at `at`, wherever the two overlap?"""
    start, stop = max(at, chunk.offset), min(at + len(data), chunk.offset + len(chunk.data))
    return start >= stop or data[start - at : stop - at] == chunk.data[start - chunk.offset : stop - chunk.offset]
