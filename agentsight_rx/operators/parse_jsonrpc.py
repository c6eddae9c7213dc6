"""StdioChunk -> RpcMessage: lines put together from both ends of each channel, requests paired with their answers."""

from __future__ import annotations

from bisect import insort
from collections.abc import Callable, Iterable
from functools import partial
from typing import Literal, TypeAlias

import msgspec
from msgspec import Struct, field
from msgspec.structs import replace

from ..core.engine import Site
from ..core.kernels import each
from ..core.stream import Kernel, Machine, Operator, State
from ..events import Channel, Loss, Origin, RpcMessage, StdioChunk, StdioClose, StdioEvent
from ..loss import Reason
from ..wire.jsonrpc import RpcText, decode_line
from ..wire.lines import Line, LineDecoder, is_binary
from ..wire.mcp import outcome_of, read_cancelled, read_server, read_tool

__all__ = ["parse_jsonrpc"]

# How long, in time of events: the end of a channel that reads is waited for before what was written is taken instead; a hole
# waits for the other end to fill it (a big write returns only when most of it was read); an answer may still be on its way
# when its process has ended. Threads of a busy machine are late by some 100 ms.
_PATIENCE_NS = 1_000_000_000

_CHANNELS_MOST = 1024  # an agent with tens of servers has three for each
_ASKED_MOST = 1024  # requests without an answer on one channel; clients have tens
_AHEAD_MOST = 4 << 20  # of what one end has and the other has not: four times what the biggest pipe takes
_HELD_MOST = 64 << 20  # in all: four lines of the longest kind
_PASSED_MOST = 64  # calls on each side of which it is still known when they were: a line is made of a few
_SAMPLE = 256  # bytes by which a late chunk shows that both ends say the same
_EVERY = 1 << 62


def parse_jsonrpc() -> Operator[StdioEvent, StdioEvent]:
    """
    Requests with their answers, notifications, and lines of text; channels that carry no text go by unchanged, and so do
    terminals.

        client writes  --{"id":1,"method"…}------------------------
        server reads   ----{"id":1,"method"…}----------------------
        client reads   -------------------------{"id":1,"result"…}-
        [                     parse_jsonrpc()                     ]
        ----------------------------------------------RpcMessage---

    What was read at one end of a channel is what was written at the other, and is reported once: from the end that reads, as
    soon as it is seen, otherwise from the other. That one also fills holes; what it repeats is counted as repeated.
    """
    return Operator("parse_jsonrpc", _kernel)


def _kernel(site: Site) -> Kernel[StdioEvent, StdioEvent]:
    repeated = partial(site.meter.lose, Reason.REPEATED)
    return each(lambda: _Conversations(repeated), name="parse_jsonrpc").kernel(site)


_End: TypeAlias = Literal["in", "out"]


class _Passed(Struct, array_like=True):
    """When, and by whom, this part of a stream was read or written."""

    start: int
    stop: int
    time_ns: int
    pid: int


class _Side(Struct, array_like=True):
    """What one end of a channel has shown of its stream."""

    end: int = 0  # all before this was seen, or known to be missing
    seq: int = 0
    begun: bool = False  # its very first chunk was seen
    pid: int = 0  # who used it last
    chunks: list[StdioChunk] = []  # with something behind the place where the stream stands
    passed: list[_Passed] = []

    def data_at(self, at: int) -> StdioChunk | None:
        for chunk in self.chunks:
            if chunk.offset > at:
                return None
            if at < chunk.offset + len(chunk.data):
                return chunk
        return None

    def hole_end(self, at: int) -> int:
        """Where the hole that is at `at` ends; `at` where nothing is known to be missing."""
        return next((chunk.offset for chunk in self.chunks if chunk.offset > at and chunk.data), max(self.end, at))

    def passed_at(self, at: int) -> _Passed | None:
        return next((passed for passed in reversed(self.passed) if passed.start <= at < passed.stop), None)

    def drop(self, start: int, stop: int) -> tuple[int, int]:
        """The stream went on from `start` to `stop` without these: (chunks, bytes) that were there."""
        count = size = at = 0
        for at, chunk in enumerate(self.chunks, 1):
            if chunk.offset >= stop:
                at -= 1
                break
            here = min(stop, chunk.offset + len(chunk.data)) - max(start, chunk.offset)
            if here > 0:
                count, size = count + 1, size + here
        self.chunks[:at] = [chunk for chunk in self.chunks[:at] if _stop(chunk) > stop]
        return count, size


class _Asked(Struct, array_like=True):
    """A request that has no answer."""

    channel: Channel
    offset: int
    origin: Origin
    message: RpcText
    tool: str
    size: int
    writer: int
    reader: int
    sent_ns: int  # when its first byte was written; 0 = that was not seen


class _Pipe(Struct):
    """One channel: its two sides, and how far the stream that both show has been read."""

    channel: Channel
    sides: dict[_End, _Side] = field(default_factory=lambda: {"in": _Side(), "out": _Side()})
    raw: bool | None = None  # no text; None until there was some data
    lead: _End | None = None  # the side whose bytes are taken
    same: bool = True  # both sides were never seen to differ
    stuck_ns: int = 0  # since when the stream stands still; 0 = it does not
    at: int = 0
    sample: bytes = b""  # the last bytes in front of `at`
    lines: LineDecoder = field(default_factory=LineDecoder)
    first: Origin | None = None  # of the line that has not ended
    last: Origin | None = None  # of the last bytes that were taken
    line_at: int = 0
    spoken: bool = False  # JSON-RPC was seen
    answers: Channel | None = None  # where what is asked here is answered
    server: str = ""
    asking: int = 0
    unread: int = 0  # of these: requests of which only the writing was seen, only the reading
    unwritten: int = 0


class _State(Struct):
    now_ns: int = 0  # time of the newest event
    held: int = 0
    repeated_count: int = 0
    repeated_size: int = 0
    pipes: list[_Pipe] = []
    asked: dict[str, list[_Asked]] = {}
    ending: dict[int, int] = {}
    stuck: list[Channel] = []


class _Conversations(Machine[StdioEvent, StdioEvent]):
    """All channels: a request and its answer go over two of them."""

    def __init__(self, repeated: Callable[[int, int], None]) -> None:
        self._count_repeated = repeated
        self._now_ns = 0
        self._held = 0
        self._repeated_count = 0  # that were not told yet
        self._repeated_size = 0
        self._pipes: dict[Channel, _Pipe] = {}  # the one used last is the last
        self._asked: dict[str, list[_Asked]] = {}  # by id, the oldest first
        self._ending: dict[int, int] = {}  # processes that ended, and when
        self._stuck: dict[Channel, None] = {}
        self._hurrying = False  # never between two events

    def feed(self, event: StdioEvent, /) -> Iterable[StdioEvent]:
        if isinstance(event, StdioChunk):
            return (event,) if event.channel.kind == "tty" else self._chunk(event)
        return self._close(event) if isinstance(event, StdioClose) else (event,)

    def _chunk(self, chunk: StdioChunk) -> list[StdioEvent]:
        out: list[StdioEvent] = []
        self._now_ns = max(self._now_ns, chunk.origin.time_ns)
        pipe = self._pipe(chunk, out)
        if pipe.raw:
            return [*out, chunk]
        self._held += len(chunk.data)
        if pipe.raw is None and chunk.data:
            pipe.raw = is_binary(chunk.data)
        self._take(pipe, chunk)
        if pipe.raw:
            self._go_by(pipe, out)
        else:
            self._go_on(pipe, self._now_ns, out)
        if self._held > _HELD_MOST:
            self._relieve(out)
        return out

    def _close(self, close: StdioClose) -> list[StdioEvent]:
        out: list[StdioEvent] = []
        self._now_ns = max(self._now_ns, close.origin.time_ns)
        if close.channel is None:
            self._ending[close.origin.pid] = self._now_ns
        elif (pipe := self._pipes.get(close.channel)) is not None and not pipe.raw:
            pipe.lead = "in"
            pipe.sides["in"].end = max(pipe.sides["in"].end, close.offset)
            self._go_on(pipe, self._now_ns, out, give_up=_EVERY)
            self._end_line(pipe, None, out)
            for asked in self._open(lambda asked: self._answers_to(asked) == close.channel):
                self._no_answer(asked, "closed", out)
        out.append(close)
        return out

    def tick(self, now_ns: int, /) -> list[StdioEvent]:
        out: list[StdioEvent] = []
        for channel in list(self._stuck):
            pipe = self._pipes[channel]
            if now_ns - pipe.stuck_ns >= _PATIENCE_NS:
                pipe.stuck_ns = 0
                give_up = 1 if pipe.lead else 0
                pipe.lead = pipe.lead or "out"
                self._go_on(pipe, now_ns, out, give_up=give_up)
        for pid, since_ns in list(self._ending.items()):
            if now_ns - since_ns >= _PATIENCE_NS:
                del self._ending[pid]
                self._process_ended(pid, now_ns, out)
        self._tell_repeated()
        return out

    def _process_ended(self, pid: int, now_ns: int, out: list[StdioEvent]) -> None:
        """Nothing more comes from it: what it wrote and nobody read is taken, what it was asked stays open."""
        for pipe in self._pipes.values():
            if pipe.sides["out"].pid == pid and pipe.sides["out"].chunks:
                pipe.lead = "out"
                self._go_on(pipe, now_ns, out, give_up=_EVERY)
        for asked in self._open(lambda asked: pid == self._waits_for(asked)):
            self._no_answer(asked, "process_ended", out)

    def finish(self) -> list[StdioEvent]:
        out: list[StdioEvent] = []
        for pipe in self._pipes.values():
            self._take_rest(pipe, "capture_end", out)
        for asked in self._open(lambda _: True):
            self._no_answer(asked, "capture_end", out)
        self._tell_repeated()
        return out

    # -- channels --------------------------------------------------------------------------------------------------

    def _pipe(self, chunk: StdioChunk, out: list[StdioEvent]) -> _Pipe:
        pipe = self._pipes.pop(chunk.channel, None)
        if pipe is not None:
            side = pipe.sides[_end_of(chunk)]
            if chunk.seq + _PASSED_MOST < side.seq or (chunk.seq == 0 and side.begun):
                self._end(pipe, "closed", out)  # the inode is used again, and nobody saw the end of what it was before
                pipe = None
        elif len(self._pipes) >= _CHANNELS_MOST:
            self._end(self._pipes.pop(next(iter(self._pipes))), "evicted", out)
        self._pipes[chunk.channel] = pipe = pipe or _Pipe(chunk.channel)
        return pipe

    def _end(self, pipe: _Pipe, reason: str, out: list[StdioEvent]) -> None:
        self._take_rest(pipe, reason, out)
        for asked in self._open(lambda asked: asked.channel == pipe.channel):
            self._no_answer(asked, reason, out)
        self._stuck.pop(pipe.channel, None)

    def _take_rest(self, pipe: _Pipe, reason: str, out: list[StdioEvent]) -> None:
        if not pipe.raw:
            pipe.lead = "out"
            self._go_on(pipe, self._now_ns, out, give_up=_EVERY)
            self._end_line(pipe, reason, out)

    def _relieve(self, out: list[StdioEvent]) -> None:
        """Too much is held: give up waiting, beginning with the channels that were used least of late."""
        for pipe in list(self._pipes.values()):
            if self._held > _HELD_MOST // 2:
                self._end(pipe, "held_limit", out)

    # -- both sides of a channel -> one stream ---------------------------------------------------------------------

    def _take(self, pipe: _Pipe, chunk: StdioChunk) -> None:
        end = _end_of(chunk)
        side, origin, start, stop = pipe.sides[end], chunk.origin, chunk.offset, _stop(chunk)
        side.end, side.seq = max(side.end, stop), max(side.seq, chunk.seq + 1)
        side.begun |= chunk.seq == 0
        side.pid = origin.pid
        side.passed.append(_Passed(start, stop, origin.time_ns, origin.pid))
        if len(side.passed) > _PASSED_MOST:
            del side.passed[0]
        if end == "in":
            pipe.lead = "in"
        if pipe.unread if end == "in" else pipe.unwritten:
            self._learn(pipe, chunk, end)
        if start < pipe.at:
            late = min(pipe.at, start + len(chunk.data)) - start
            self._repeat(int(late > 0), late)
            pipe.same &= _agrees(pipe, chunk)
        if stop > pipe.at:
            insort(side.chunks, chunk, key=_offset)

    def _go_on(self, pipe: _Pipe, now_ns: int, out: list[StdioEvent], *, give_up: int = 0) -> None:
        """Take what is there; so many holes that nobody filled in time are given up."""
        reader, writer = pipe.sides["in"], pipe.sides["out"]
        while not pipe.raw:
            at = pipe.at
            if reader.seq and not pipe.same:  # several write at once, or some of it was there before we looked
                self._repeat(*writer.drop(at, _EVERY))
            chunk = reader.data_at(at)
            if chunk is not None:
                self._advance(pipe, chunk, _EVERY, out)
                continue
            hole, written = reader.hole_end(at), writer.hole_end(at)
            if hole == at and pipe.lead != "out" and writer.end - at <= _AHEAD_MOST:
                if pipe.lead is None and writer.chunks:
                    self._wait(pipe, now_ns)
                    return
                break  # it is still to be read
            chunk = writer.data_at(at)
            if chunk is not None:
                self._advance(pipe, chunk, hole if hole > at else _EVERY, out)
                continue
            hole = min(hole, written) if at < min(hole, written) else max(hole, written)
            if hole == at:
                break
            if not give_up and max(reader.end, writer.end) - at <= _AHEAD_MOST:
                self._wait(pipe, now_ns)
                return
            give_up -= bool(give_up)
            self._lose(pipe, hole, out)
        self._stuck.pop(pipe.channel, None)
        pipe.stuck_ns = 0
        if pipe.raw:
            self._go_by(pipe, out)

    def _wait(self, pipe: _Pipe, now_ns: int) -> None:
        pipe.stuck_ns = pipe.stuck_ns or now_ns
        self._stuck[pipe.channel] = None

    def _advance(self, pipe: _Pipe, chunk: StdioChunk, stop: int, out: list[StdioEvent]) -> None:
        """The stream goes on with what this chunk has, up to `stop`."""
        at, end = pipe.at, _end_of(chunk)
        stop = min(stop, chunk.offset + len(chunk.data))
        data = chunk.data[at - chunk.offset : stop - chunk.offset]
        other = pipe.sides["out" if end == "in" else "in"]
        for each_other in other.chunks:
            if each_other.offset >= stop:
                break
            pipe.same &= _equal(at, data, each_other)
        count, size = pipe.sides[end].drop(at, stop)
        self._repeat(count - 1, size - len(data))
        self._repeat(*other.drop(at, stop))
        pipe.at, pipe.stuck_ns, pipe.last = stop, 0, chunk.origin
        pipe.sample = (pipe.sample + data[-_SAMPLE:])[-_SAMPLE:]
        start = 0
        for line in pipe.lines.feed(data):
            self._line(pipe, line, last=chunk.origin, reason=None, out=out)
            start = data.index(b"\n", start) + 1
            pipe.line_at = at + start
        if pipe.first is None and pipe.lines.held():
            pipe.first = chunk.origin

    def _lose(self, pipe: _Pipe, stop: int, out: list[StdioEvent]) -> None:
        """Nobody has what lies between here and `stop`; what no record was lost for is told here."""
        at = pipe.at
        side = pipe.sides["in" if pipe.sides["in"].end > at else "out"]
        for chunk in side.chunks:
            size = min(stop, _stop(chunk)) - max(at, chunk.offset + len(chunk.data))
            if size > 0:
                out.append(
                    Loss(
                        chunk.origin,
                        "stdio",
                        reason=Reason.TRUNCATED,
                        count=1,
                        size=size,
                        note="a call carried more than is kept of one",
                    )
                )
        for each_side in pipe.sides.values():
            self._repeat(*each_side.drop(at, stop))
        pipe.lines.gap(stop - at)
        pipe.at, pipe.stuck_ns, pipe.sample = stop, 0, b""

    def _repeat(self, count: int, size: int) -> None:
        if size:
            self._held -= size
            self._repeated_count += count
            self._repeated_size += size

    def _tell_repeated(self) -> None:
        """At the steps of time, so that the account of loss does not depend on how the batches are cut."""
        self._count_repeated(self._repeated_count, self._repeated_size)
        self._repeated_count = self._repeated_size = 0

    def _go_by(self, pipe: _Pipe, out: list[StdioEvent]) -> None:
        """It is no text, perhaps no longer: hand on the chunks, or what is left of them."""
        self._end_line(pipe, "binary", out)
        for chunk in sorted((chunk for side in pipe.sides.values() for chunk in side.chunks), key=_time):
            used = pipe.at - chunk.offset
            if used > 0:
                data = chunk.data[used:]
                chunk = replace(chunk, data=data, offset=pipe.at, lost=_stop(chunk) - pipe.at - len(data))
            self._held -= len(chunk.data)
            out.append(chunk)
        for side in pipe.sides.values():
            side.chunks.clear()

    # -- lines -> messages -----------------------------------------------------------------------------------------

    def _end_line(self, pipe: _Pipe, reason: str | None, out: list[StdioEvent]) -> None:
        """No more comes: what there is of a line is one, and is whole where the stream came to its end."""
        last = pipe.last or Origin(self._now_ns, pipe.sides["in"].pid or pipe.sides["out"].pid)
        for line in pipe.lines.finish():
            self._line(pipe, line, last=last, reason=reason, out=out)
            pipe.line_at = pipe.at

    def _line(self, pipe: _Pipe, line: Line, last: Origin, reason: str | None, out: list[StdioEvent]) -> None:
        size = line.size
        messages = decode_line(line)
        for message in messages:
            if message.kind == "text" and reason and not message.reason:
                message = replace(message, reason=reason)
            self._message(pipe, message, size=size, last=last, out=out)
            size = 0
        if any(message.kind != "text" for message in messages):
            pipe.spoken = True
        elif not pipe.spoken and is_binary(line.head):
            pipe.raw = True
        pipe.first = None

    def _message(self, pipe: _Pipe, message: RpcText, size: int, last: Origin, out: list[StdioEvent]) -> None:
        match message.kind:
            case "request":
                self._ask(pipe, message, size=size, last=last, out=out)
            case "result" | "error":
                self._answer(pipe, message, size=size, last=last, out=out)
            case kind:
                writer, reader, _ = _ends(pipe)
                whole, reason = message.reason is None, message.reason
                self._held -= size
                out.append(
                    RpcMessage(
                        pipe.first or last, pipe.channel, kind, message.method, params=message.body, writer_pid=writer,
                        reader_pid=reader, server=pipe.server, complete=whole, reason=reason, lost=message.lost, size=size,
                    )
                )  # fmt: skip
                if message.method == "notifications/cancelled":
                    self._cancel(pipe, message, last, out)

    # -- requests and their answers --------------------------------------------------------------------------------

    def _ask(self, pipe: _Pipe, message: RpcText, size: int, last: Origin, out: list[StdioEvent]) -> None:
        writer, reader, sent_ns = _ends(pipe)
        tool = read_tool(message.body) if message.method == "tools/call" and not message.reason else ""
        asked = _Asked(
            pipe.channel,
            pipe.line_at,
            origin=pipe.first or last,
            message=message,
            tool=tool,
            size=size,
            writer=writer,
            reader=reader,
            sent_ns=sent_ns,
        )
        if pipe.asking >= _ASKED_MOST:
            oldest = self._open(lambda other: other.channel == pipe.channel)[0]
            self._no_answer(oldest, "pending_limit", out)
        self._asked.setdefault(message.id, []).append(asked)
        pipe.asking += 1
        pipe.unread += asked.origin.direction == "out"
        pipe.unwritten += not sent_ns

    def _learn(self, pipe: _Pipe, chunk: StdioChunk, end: _End) -> None:
        """A request was taken from one end; now the other end shows when and by whom."""
        for asked in self._open(lambda asked: asked.channel == pipe.channel and _stop(chunk) > asked.offset >= chunk.offset):
            if end == "in" and asked.origin.direction == "out":
                asked.origin, asked.reader = chunk.origin, chunk.origin.pid
                pipe.unread -= 1
            elif end == "out" and not asked.sent_ns:
                asked.sent_ns, asked.writer = chunk.origin.time_ns, chunk.origin.pid
                pipe.unwritten -= 1

    def _answer(self, pipe: _Pipe, message: RpcText, size: int, last: Origin, out: list[StdioEvent]) -> None:
        writer, reader, _ = _ends(pipe)
        asked = self._asked_by(pipe, message.id, writer, reader)
        if asked is None:
            self._hurry(pipe, writer, reader, out)
            asked = self._asked_by(pipe, message.id, writer, reader)
        method = asked.message.method if asked else ""
        if message.reason is None and (not pipe.server or method in ("initialize", "server/discover")):
            pipe.server = read_server(message.body) or pipe.server
        if asked is not None:
            asker = self._pipes.get(asked.channel)
            if asker is not None:
                asker.server = pipe.server = pipe.server or asker.server
            self._end_request(asked, outcome_of(method, message), out=out, answer=message, size=size, end_ns=last.time_ns)
            return
        self._held -= size
        out.append(
            RpcMessage(
                pipe.first or last, pipe.channel, "response", id=message.id, result=message.body,
                outcome=outcome_of("", message), writer_pid=writer, reader_pid=reader, server=pipe.server, end_ns=last.time_ns,
                complete=False, reason="no_request", lost=message.lost, size=size,
            )
        )  # fmt: skip

    def _hurry(self, answers: _Pipe, writer: int, reader: int, out: list[StdioEvent]) -> None:
        """There is an answer, so what these two asked before was read: whoever did, and whatever of it nobody has."""
        if self._hurrying:
            return
        self._hurrying = True
        for pipe in list(self._pipes.values()):
            written, read = pipe.sides["out"], pipe.sides["in"]
            theirs = (reader and written.pid == reader) or (writer and read.pid == writer)
            if pipe is not answers and theirs and (written.chunks or read.chunks):
                pipe.lead, pipe.stuck_ns = "out", 0
                self._go_on(pipe, self._now_ns, out, give_up=_EVERY)
                if pipe.lines.in_hole:
                    self._end_line(pipe, "lost", out)
        self._hurrying = False

    def _asked_by(self, pipe: _Pipe, id: str, writer: int, reader: int) -> _Asked | None:
        """
        The oldest request that this can be the answer to. Who asked reads the answer, and who was asked writes it; where
        both is so there is no doubt. A program in between (`tee`) leaves one of the two, and what was learnt from others.
        """
        fitting: list[tuple[int, _Asked]] = []
        for asked in self._asked.get(id, ()):
            asker, responder = self._ends_of(asked)
            direct = (reader != 0 and reader == asker) + (writer != 0 and writer == responder)
            answers = self._answers_to(asked)
            if asked.channel != pipe.channel and (answers == pipe.channel or (direct and (direct == 2 or answers is None))):
                fitting.append((direct + 4 * (answers == pipe.channel), asked))
        if not fitting:
            return None
        best = max(score for score, _ in fitting)
        asked = next(asked for score, asked in fitting if score == best)
        there = self._pipes.get(asked.channel)
        if there is not None and there.answers is None and (best == 2 or len(fitting) == 1):
            there.answers = pipe.channel
        return asked

    def _ends_of(self, asked: _Asked) -> tuple[int, int]:
        """Who asked and who was asked; where that was not seen, who else used the channel."""
        pipe = self._pipes.get(asked.channel)
        if pipe is None:
            return asked.writer, asked.reader
        return asked.writer or pipe.sides["out"].pid, asked.reader or pipe.sides["in"].pid

    def _answers_to(self, asked: _Asked) -> Channel | None:
        pipe = self._pipes.get(asked.channel)
        return pipe.answers if pipe else None

    def _waits_for(self, asked: _Asked) -> int:
        asker, responder = self._ends_of(asked)
        return responder or asker

    def _cancel(self, pipe: _Pipe, message: RpcText, last: Origin, out: list[StdioEvent]) -> None:
        cancelled = read_cancelled(message.body)
        for asked in self._asked.get(cancelled or "", ()):
            if asked.channel == pipe.channel:
                self._end_request(asked, "cancelled", out=out, answer=None, size=0, end_ns=last.time_ns)
                return

    def _no_answer(self, asked: _Asked, reason: str, out: list[StdioEvent]) -> None:
        self._end_request(asked, "no_answer", out=out, answer=None, size=0, end_ns=0, reason=reason)

    def _open(self, wanted: Callable[[_Asked], bool]) -> list[_Asked]:
        found = [asked for some in self._asked.values() for asked in some if wanted(asked)]
        return sorted(found, key=_asked_at)

    def _end_request(
        self,
        asked: _Asked,
        outcome: str,
        out: list[StdioEvent],
        answer: RpcText | None,
        size: int,
        end_ns: int,
        reason: str | None = None,
    ) -> None:
        some = self._asked[asked.message.id]
        some[:] = [other for other in some if other is not asked]
        if not some:
            del self._asked[asked.message.id]
        pipe = self._pipes.get(asked.channel)
        if pipe is not None:
            pipe.asking -= 1
            pipe.unread -= asked.origin.direction == "out"
            pipe.unwritten -= not asked.sent_ns
        message, size = asked.message, asked.size + size
        reason = message.reason or (answer.reason if answer else reason)
        writer, reader = self._ends_of(asked)
        self._held -= size
        out.append(
            RpcMessage(
                asked.origin,
                asked.channel,
                kind="request",
                method=message.method,
                id=message.id,
                tool=asked.tool,
                params=message.body,
                result=answer.body if answer else "",
                outcome=outcome,
                writer_pid=writer,
                reader_pid=reader,
                server=pipe.server if pipe else "",
                end_ns=end_ns,
                complete=reason is None,
                reason=reason,
                latency_ns=max(0, end_ns - (asked.sent_ns or asked.origin.time_ns)) if answer else 0,
                lost=message.lost + (answer.lost if answer else 0),
                size=size,
            )
        )

    # -- checkpoints -----------------------------------------------------------------------------------------------

    def held(self) -> int:
        return self._held + self._repeated_size

    def snapshot(self) -> State:
        state = _State(
            self._now_ns,
            self._held,
            repeated_count=self._repeated_count,
            repeated_size=self._repeated_size,
            pipes=list(self._pipes.values()),
            asked=self._asked,
            ending=self._ending,
            stuck=list(self._stuck),
        )
        return msgspec.msgpack.encode(state)

    def restore(self, state: State, /) -> None:
        saved = msgspec.msgpack.decode(state, type=_State)
        self._now_ns, self._held, self._asked, self._ending = saved.now_ns, saved.held, saved.asked, saved.ending
        self._repeated_count, self._repeated_size = saved.repeated_count, saved.repeated_size
        self._pipes = {pipe.channel: pipe for pipe in saved.pipes}
        self._stuck = dict.fromkeys(saved.stuck)


def _end_of(chunk: StdioChunk) -> _End:
    return "out" if chunk.origin.direction == "out" else "in"


def _offset(chunk: StdioChunk) -> int:
    return chunk.offset


def _stop(chunk: StdioChunk) -> int:
    return chunk.offset + len(chunk.data) + chunk.lost


def _time(chunk: StdioChunk) -> int:
    return chunk.origin.time_ns


def _asked_at(asked: _Asked) -> int:
    return asked.origin.time_ns


def _equal(at: int, data: bytes, chunk: StdioChunk) -> bool:
    """Does `chunk` say the same as `data`, which lies at `at`, where it says anything?"""
    start, stop = max(at, chunk.offset), min(at + len(data), chunk.offset + len(chunk.data))
    return start >= stop or data[start - at : stop - at] == chunk.data[start - chunk.offset : stop - chunk.offset]


def _agrees(pipe: _Pipe, chunk: StdioChunk) -> bool:
    return _equal(pipe.at - len(pipe.sample), pipe.sample, chunk)


def _ends(pipe: _Pipe) -> tuple[int, int, int]:
    """Who wrote and who read the line at hand, and when its first byte was written; 0 where that was not seen."""
    written = pipe.sides["out"].passed_at(pipe.line_at) if pipe.same else None
    read = pipe.sides["in"].passed_at(pipe.line_at)
    return (
        written.pid if written else pipe.sides["out"].pid,
        read.pid if read else pipe.sides["in"].pid,
        written.time_ns if written else 0,
    )
