"""
StdioChunk -> RpcMessage: lines put together from both ends of each channel, requests paired with their answers.

Longer than 300 lines because a request and its answer are on two channels, so that all of them share one state.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from operator import itemgetter

from msgspec import Struct
from msgspec.structs import replace

from ..core.bounded import Recent
from ..core.engine import Site
from ..core.kernels import each
from ..core.machine import Bounded, Checkpointed, Kernel
from ..core.stream import Operator
from ..events import Channel, RpcMessage, StdioChunk, StdioClose, StdioEvent
from ..events.loss import Reason
from ..wire.lines import is_binary
from ..wire.mcp import RpcText, decode_line
from .sessions.channel import EVERY, ChannelLine, JoinedChannel
from .sessions.rpc import Conversation, Request, Requests

# How long, from when it came: what was written waits for the end that reads; a hole waits for the other end to fill it (a big
# write returns only when most of it was read); an answer may still be on its way when its process has ended. A reader of a
# busy machine is late by some 100 ms, one of a slow machine by seconds: then its records come behind the time of the others.
_PATIENCE_NS = 6_000_000_000

_CHANNELS_MOST = 1024  # an agent with tens of servers has three for each
# Bytes that a message and a line of text usually have at least, and what may be missing to that at once: 4,000 messages of 40
# bytes, 75,000 lines of two
_MESSAGE_COSTS, _TEXT_COSTS = 256, 16
_FLOOD_MOST = 1 << 20
_DUE = itemgetter(0)
_HELD_MOST = 64 << 20  # bytes of all channels: four lines of the longest kind


def parse_jsonrpc() -> Operator[StdioEvent, StdioEvent]:
    """
    Requests with their answers, notifications, and lines of text; channels that carry no text pass unchanged, and so do
    terminals, and channels from where they have far more lines than their bytes allow.

        client writes  --{"id":1,"method"…}------------------------
        server reads   ----{"id":1,"method"…}----------------------
        client reads   -------------------------{"id":1,"result"…}-
        [                     parse_jsonrpc()                     ]
        ----------------------------------------------RpcMessage---

    Bytes that are read at one end of a channel were written at the other, and are reported once: from the end that reads, as
    soon as it is captured, otherwise from the other. That one also fills holes; what it repeats is counted as repeated.
    """
    return Operator("parse_jsonrpc", _kernel)


def _kernel(site: Site) -> Kernel[StdioEvent, StdioEvent]:
    repeated = partial(site.meter.lose, Reason.REPEATED)
    return each(lambda: _Conversations(repeated), name="parse_jsonrpc").kernel(site)


class _State(Struct):
    now_ns: int = 0  # time of the newest event, or of the newest tick
    held: int = 0
    repeated_count: int = 0
    repeated_size: int = 0
    conversations: list[Conversation] = []
    requests: dict[str, list[Request]] = {}
    ending: dict[int, int] = {}
    waiting: list[Channel] = []


class _Conversations(Bounded[StdioEvent, StdioEvent], Checkpointed[_State]):
    """All channels: a request and its answer are on two of them."""

    def __init__(self, repeated: Callable[[int, int], None]) -> None:
        self._count_repeated = repeated
        self._now_ns = 0
        self._held = 0
        self._repeated_count = 0  # that are not counted in the ledger yet
        self._repeated_size = 0
        self._conversations: Recent[Channel, Conversation] = Recent(_CHANNELS_MOST)
        self._requests = Requests(self._conversations)
        self._ending: dict[int, int] = {}  # processes that ended, and when
        self._waiting: dict[Channel, None] = {}
        self._hurrying = False  # never between two events

    def feed(self, event: StdioEvent, /) -> Iterable[StdioEvent]:
        if isinstance(event, StdioChunk):
            return (event,) if event.channel.kind == "tty" else self._chunk(event)
        return self._close(event) if isinstance(event, StdioClose) else (event,)

    def _chunk(self, chunk: StdioChunk) -> list[StdioEvent]:
        out: list[StdioEvent] = []
        self._now_ns = max(self._now_ns, chunk.origin.time_ns)
        conversation = self._conversation(chunk, out)
        joined = conversation.joined
        if joined.binary:
            return [*out, chunk]
        self._held += len(chunk.data)
        joined.add(chunk)
        if conversation.unread or conversation.unwritten:
            self._requests.learn(conversation, chunk)
        self._read(conversation, self._now_ns, out)
        if self._held > _HELD_MOST:
            self._relieve(out)
        return out

    def _close(self, close: StdioClose) -> list[StdioEvent]:
        out: list[StdioEvent] = []
        self._now_ns = max(self._now_ns, close.origin.time_ns)
        if close.channel is None:
            self._ending[close.origin.pid] = self._now_ns
            return [close]
        conversation = self._conversations.get(close.channel)
        if conversation is not None and not conversation.joined.binary:
            joined = conversation.joined
            joined.lead = "in"
            joined.reader.end = max(joined.reader.end, close.offset)
            self._read(conversation, self._now_ns, out, give_up=EVERY)
            self._end_line(conversation, None, out)
            self._emit(self._requests.end_answers(close.channel, "closed"), out)
        out.append(close)
        return out

    def tick(self, now_ns: int, /) -> list[StdioEvent]:
        """Due work is done in its order and as of the time when it was due, so that the number of ticks changes nothing."""
        out: list[StdioEvent] = []
        while (due := self._next_due()) is not None and due[0] <= now_ns:
            due_ns, channel, pid = due
            if channel is not None:
                conversation = self._conversations[channel]
                joined = conversation.joined
                joined.waiting_since_ns = 0
                give_up = 1 if joined.lead else 0
                joined.lead = joined.lead or "out"
                self._read(conversation, due_ns, out, give_up=give_up)
            else:
                del self._ending[pid]
                self._end_process(pid, due_ns, out)
        self._now_ns = max(self._now_ns, now_ns)
        self._report_repeated()
        return out

    def _next_due(self) -> tuple[int, Channel | None, int] | None:
        """When the next wait ends, and whose it is: a channel's or a process's."""
        waits: list[tuple[int, Channel | None, int]] = [
            (self._conversations[channel].joined.waiting_since_ns + _PATIENCE_NS, channel, 0) for channel in self._waiting
        ]
        waits += [(since_ns + _PATIENCE_NS, None, pid) for pid, since_ns in self._ending.items()]
        return min(waits, key=_DUE, default=None)

    def _end_process(self, pid: int, now_ns: int, out: list[StdioEvent]) -> None:
        """Nothing more comes from it: what it wrote is taken though it was not read, what it was asked has no answer."""
        for conversation in self._conversations.values():
            joined = conversation.joined
            if joined.writer.pid == pid and joined.writer.chunks:
                joined.lead = "out"
                self._read(conversation, now_ns, out, give_up=EVERY)
        self._emit(self._requests.end_process(pid, "process_ended"), out)

    def finish(self) -> list[StdioEvent]:
        out: list[StdioEvent] = []
        for conversation in self._conversations.values():
            self._read_rest(conversation, "capture_end", out)
        self._emit(self._requests.end_all("capture_end"), out)
        self._report_repeated()
        return out

    # -- channels --------------------------------------------------------------------------------------------------

    def _conversation(self, chunk: StdioChunk, out: list[StdioEvent]) -> Conversation:
        conversation = self._conversations.pop(chunk.channel, None)
        if conversation is not None:
            if conversation.joined.is_reused_by(chunk):
                self._end(conversation, "closed", out)
                conversation = None
        elif len(self._conversations) >= _CHANNELS_MOST:
            self._end(self._conversations.pop_oldest()[1], "evicted", out)
        self._conversations[chunk.channel] = conversation = conversation or Conversation(JoinedChannel(chunk.channel))
        return conversation

    def _end(self, conversation: Conversation, reason: str, out: list[StdioEvent]) -> None:
        self._read_rest(conversation, reason, out)
        self._emit(self._requests.end_channel(conversation.channel, reason), out)
        self._waiting.pop(conversation.channel, None)

    def _relieve(self, out: list[StdioEvent]) -> None:
        """Too much is held: stop waiting, beginning with the channels not used for longest."""
        for conversation in list(self._conversations.values()):
            if self._held > _HELD_MOST // 2:
                self._end(conversation, "held_limit", out)

    def _read_rest(self, conversation: Conversation, reason: str, out: list[StdioEvent]) -> None:
        if not conversation.joined.binary:
            conversation.joined.lead = "out"
            self._read(conversation, self._now_ns, out, give_up=EVERY)
            self._end_line(conversation, reason, out)

    def _read(self, conversation: Conversation, now_ns: int, out: list[StdioEvent], *, give_up: int = 0) -> None:
        joined = conversation.joined
        for piece in joined.read(now_ns, give_up=give_up):
            if isinstance(piece, ChannelLine):
                self._line(conversation, piece, out)
            else:
                self._emit((piece,), out)
        if joined.waiting_since_ns:
            self._waiting[joined.channel] = None
        else:
            self._waiting.pop(joined.channel, None)
        if joined.repeated_size:
            self._note_repeated(joined)

    def _end_line(self, conversation: Conversation, reason: str | None, out: list[StdioEvent]) -> None:
        for line in conversation.joined.end_line(self._now_ns, reason):
            self._line(conversation, line, out)

    # -- lines -> messages -----------------------------------------------------------------------------------------

    def _line(self, conversation: Conversation, line: ChannelLine, out: list[StdioEvent]) -> None:
        messages = decode_line(line.line)
        for message in messages:
            if message.kind == "text" and line.reason and not message.reason:
                message = replace(message, reason=line.reason)
            if line.limited and message.reason == "lost":
                message = replace(message, reason="call_limit")
            self._message(conversation, line, message, out)
            line.size = 0  # the first message of a batch stands for its bytes
        size, spoken = line.line.size, any(message.kind != "text" for message in messages)
        if spoken:
            conversation.spoken = True
        elif not conversation.spoken and is_binary(line.line.head):
            conversation.joined.binary = True
        work = _MESSAGE_COSTS if spoken else _TEXT_COSTS
        flood = conversation.flood
        if (work > size or flood.debt) and flood.begins(work, size, line.last.time_ns, most=_FLOOD_MOST):
            conversation.joined.binary = True

    def _message(self, conversation: Conversation, line: ChannelLine, message: RpcText, out: list[StdioEvent]) -> None:
        match message.kind:
            case "request":
                made = self._requests.ask(conversation, line, message)
            case "result" | "error":
                request = self._requests.find(conversation, line, message.id)
                if request is None:
                    self._hurry(conversation, line, out)
                    request = self._requests.find(conversation, line, message.id)
                made = [self._requests.answer(conversation, line, message, request)]
            case _:
                made = self._requests.notify(conversation, line, message)
        self._emit(made, out)

    def _hurry(self, answering: Conversation, line: ChannelLine, out: list[StdioEvent]) -> None:
        """There is an answer, so its request was read: stop waiting for what these two processes wrote before."""
        if self._hurrying:
            return
        self._hurrying = True
        for conversation in list(self._conversations.values()):
            joined = conversation.joined
            written, read = joined.writer, joined.reader
            theirs = (line.reader and written.pid == line.reader) or (line.writer and read.pid == line.writer)
            if conversation is not answering and theirs and (written.chunks or read.chunks):
                joined.lead, joined.waiting_since_ns = "out", 0
                self._read(conversation, self._now_ns, out, give_up=EVERY)
                if joined.in_hole:
                    self._end_line(conversation, "lost", out)
        self._hurrying = False

    # -- accounts and checkpoints ----------------------------------------------------------------------------------

    def _emit(self, events: Sequence[StdioEvent], out: list[StdioEvent]) -> None:
        for event in events:
            if isinstance(event, RpcMessage):
                self._held -= event.size
            elif isinstance(event, StdioChunk):
                self._held -= len(event.data)
        out += events

    def _note_repeated(self, joined: JoinedChannel) -> None:
        count, size = joined.take_repeated()
        self._repeated_count += count
        self._repeated_size += size
        self._held -= size

    def _report_repeated(self) -> None:
        """At ticks and at the end, so that the ledger does not depend on how the batches are cut."""
        self._count_repeated(self._repeated_count, self._repeated_size)
        self._repeated_count = self._repeated_size = 0

    def held(self) -> int:
        return self._held + self._repeated_size

    def snapshot(self) -> _State:
        return _State(
            self._now_ns,
            self._held,
            repeated_count=self._repeated_count,
            repeated_size=self._repeated_size,
            conversations=list(self._conversations.values()),
            requests=self._requests.by_id,
            ending=self._ending,
            waiting=list(self._waiting),
        )

    def restore(self, saved: _State, /) -> None:
        self._now_ns, self._held, self._ending = saved.now_ns, saved.held, saved.ending
        self._repeated_count, self._repeated_size = saved.repeated_count, saved.repeated_size
        self._conversations.update({conversation.channel: conversation for conversation in saved.conversations})
        self._requests = Requests(self._conversations, saved.requests)
        self._waiting = dict.fromkeys(saved.waiting)
