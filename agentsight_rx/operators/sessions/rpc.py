"""JSON-RPC messages of all channels -> RpcMessage: each request with its answer, which comes over another channel."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from msgspec import Struct, field

from ...events import Channel, Origin, RpcMessage, StdioChunk
from ...wire.mcp import RpcText, outcome_of, read_cancelled, read_server, read_tool
from .channel import ChannelLine, JoinedChannel, stop_of
from .flood import Flood

_OPEN_MOST = 1024  # requests without an answer on one channel; clients have tens


class Conversation(Struct):
    """One channel, and the JSON-RPC on it so far."""

    joined: JoinedChannel
    spoken: bool = False  # JSON-RPC was seen
    answers: Channel | None = None  # the channel with the answers to the requests on this one
    server: str = ""
    open: int = 0  # requests without an answer
    unread: int = 0  # of these: requests of which only the writing was seen,
    unwritten: int = 0  # or only the reading
    flood: Flood = field(default_factory=Flood)

    @property
    def channel(self) -> Channel:
        return self.joined.channel


class Request(Struct, array_like=True):
    """A request that has no answer yet."""

    channel: Channel
    offset: int
    origin: Origin
    message: RpcText
    tool: str
    size: int
    writer: int
    reader: int
    written_ns: int  # when its first byte was written; 0 = that was not seen


class Requests:
    """The requests without an answer, of all channels: by id, the oldest first."""

    def __init__(self, conversations: Mapping[Channel, Conversation], requests: dict[str, list[Request]] | None = None) -> None:
        self._conversations = conversations
        self.by_id = requests or {}

    def ask(self, conversation: Conversation, line: ChannelLine, message: RpcText) -> list[RpcMessage]:
        """Remember a request. Over the limit the oldest one on its channel ends without an answer."""
        channel = conversation.channel
        request = Request(
            channel,
            line.offset,
            origin=line.first,
            message=message,
            tool=read_tool(message.body) if message.method == "tools/call" and not message.reason else "",
            size=line.size,
            writer=line.writer,
            reader=line.reader,
            written_ns=line.written_ns,
        )
        made: list[RpcMessage] = []
        if conversation.open >= _OPEN_MOST:
            oldest = self._where(lambda other: other.channel == channel)[0]
            made.append(self._end(oldest, "no_answer", reason="pending_limit"))
        self.by_id.setdefault(message.id, []).append(request)
        conversation.open += 1
        conversation.unread += request.origin.direction == "out"
        conversation.unwritten += not line.written_ns
        return made

    def learn(self, conversation: Conversation, chunk: StdioChunk) -> None:
        """Complete requests that were taken from one end only, when the other end shows when and by whom they were moved."""
        written = chunk.origin.direction == "out"
        if not (conversation.unwritten if written else conversation.unread):
            return
        channel, start, stop = conversation.channel, chunk.offset, stop_of(chunk)
        for request in self._where(lambda request: request.channel == channel and stop > request.offset >= start):
            if not written and request.origin.direction == "out":
                request.origin, request.reader = chunk.origin, chunk.origin.pid
                conversation.unread -= 1
            elif written and not request.written_ns:
                request.written_ns, request.writer = chunk.origin.time_ns, chunk.origin.pid
                conversation.unwritten -= 1

    def find(self, conversation: Conversation, line: ChannelLine, id: str) -> Request | None:
        """
        The oldest request that this line can be the answer to. The asker reads the answer, and the asked process writes it;
        where both fit there is no doubt. A program in between (`tee`) leaves one of the two, and what earlier answers showed.
        """
        channel = conversation.joined.channel
        fitting: list[tuple[int, Request]] = []
        for request in self.by_id.get(id, ()):
            asker, responder = self._ends_of(request)
            direct = (line.reader != 0 and line.reader == asker) + (line.writer != 0 and line.writer == responder)
            answers = self._answers_to(request)
            here = answers == channel
            if request.channel != channel and (here or (direct and (direct == 2 or answers is None))):
                fitting.append((direct + 4 * here, request))
        if not fitting:
            return None
        best = max(score for score, _ in fitting)
        request = next(request for score, request in fitting if score == best)
        asking = self._conversations.get(request.channel)
        if asking is not None and asking.answers is None and (best == 2 or len(fitting) == 1):
            asking.answers = channel
        return request

    def answer(self, conversation: Conversation, line: ChannelLine, message: RpcText, request: Request | None) -> RpcMessage:
        """The request with its answer, or, where the request was not captured, the answer alone."""
        method = request.message.method if request else ""
        if message.reason is None and (not conversation.server or method in ("initialize", "server/discover")):
            conversation.server = read_server(message.body) or conversation.server
        if request is not None:
            asking = self._conversations.get(request.channel)
            if asking is not None:
                asking.server = conversation.server = conversation.server or asking.server
            outcome = outcome_of(method, message)
            return self._end(request, outcome, answer=message, size=line.size, end_ns=line.last.time_ns)
        return RpcMessage(
            line.first, conversation.channel, "response", id=message.id, result=message.body,
            outcome=outcome_of("", message), writer_pid=line.writer, reader_pid=line.reader, server=conversation.server,
            end_ns=line.last.time_ns, complete=False, reason="no_request", lost=message.lost, size=line.size,
        )  # fmt: skip

    def notify(self, conversation: Conversation, line: ChannelLine, message: RpcText) -> list[RpcMessage]:
        """A notification, or a line of text; and the request that the notification cancels."""
        made = [
            RpcMessage(
                line.first, conversation.channel, message.kind, message.method, params=message.body, writer_pid=line.writer,
                reader_pid=line.reader, server=conversation.server, complete=message.reason is None, reason=message.reason,
                lost=message.lost, size=line.size,
            )
        ]  # fmt: skip
        if message.method == "notifications/cancelled":
            for request in self.by_id.get(read_cancelled(message.body) or "", ()):
                if request.channel == conversation.channel:
                    made.append(self._end(request, "cancelled", end_ns=line.last.time_ns))
                    break
        return made

    def end_channel(self, channel: Channel, reason: str) -> list[RpcMessage]:
        """Nothing more comes on `channel`: the requests on it have no answer."""
        return self._end_where(lambda request: request.channel == channel, reason)

    def end_answers(self, channel: Channel, reason: str) -> list[RpcMessage]:
        """Nothing more comes on `channel`: the requests that it answers have no answer."""
        return self._end_where(lambda request: self._answers_to(request) == channel, reason)

    def end_process(self, pid: int, reason: str) -> list[RpcMessage]:
        """A process ended: the requests that wait for it have no answer."""
        return self._end_where(lambda request: self._waits_for(request) == pid, reason)

    def end_all(self, reason: str) -> list[RpcMessage]:
        return self._end_where(lambda _: True, reason)

    def _ends_of(self, request: Request) -> tuple[int, int]:
        """The pids of the asker and the asked; where one was not captured, of the process that used that end last."""
        conversation = self._conversations.get(request.channel)
        if conversation is None:
            return request.writer, request.reader
        return request.writer or conversation.joined.writer.pid, request.reader or conversation.joined.reader.pid

    def _answers_to(self, request: Request) -> Channel | None:
        conversation = self._conversations.get(request.channel)
        return conversation.answers if conversation else None

    def _waits_for(self, request: Request) -> int:
        asker, responder = self._ends_of(request)
        return responder or asker

    def _where(self, wanted: Callable[[Request], bool]) -> list[Request]:
        found = [request for some in self.by_id.values() for request in some if wanted(request)]
        return sorted(found, key=_time)

    def _end_where(self, wanted: Callable[[Request], bool], reason: str) -> list[RpcMessage]:
        return [self._end(request, "no_answer", reason=reason) for request in self._where(wanted)]

    def _end(
        self,
        request: Request,
        outcome: str,
        *,
        answer: RpcText | None = None,
        size: int = 0,
        end_ns: int = 0,
        reason: str | None = None,
    ) -> RpcMessage:
        message = request.message
        same_id = self.by_id[message.id]
        same_id[:] = [other for other in same_id if other is not request]
        if not same_id:
            del self.by_id[message.id]
        conversation = self._conversations.get(request.channel)
        if conversation is not None:
            conversation.open -= 1
            conversation.unread -= request.origin.direction == "out"
            conversation.unwritten -= not request.written_ns
        reason = message.reason or (answer.reason if answer else reason)
        writer, reader = self._ends_of(request)
        return RpcMessage(
            request.origin,
            request.channel,
            kind="request",
            method=message.method,
            id=message.id,
            tool=request.tool,
            params=message.body,
            result=answer.body if answer else "",
            outcome=outcome,
            writer_pid=writer,
            reader_pid=reader,
            server=conversation.server if conversation else "",
            end_ns=end_ns,
            complete=reason is None,
            reason=reason,
            latency_ns=max(0, end_ns - (request.written_ns or request.origin.time_ns)) if answer else 0,
            lost=message.lost + (answer.lost if answer else 0),
            size=request.size + size,
        )


def _time(request: Request) -> int:
    return request.origin.time_ns
