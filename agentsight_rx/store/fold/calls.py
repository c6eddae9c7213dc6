"""
HttpRequest, HttpResponse, SseMessage of models -> calls, paired by connection and exchange.

Longer than 300 lines because a call begins, ends and is amended in one state.
"""

from __future__ import annotations

from msgspec import Struct
from msgspec.structs import replace

from ...core.bounded import Recent
from ...events import BodyPart, HttpRequest, HttpResponse, Reply, SseMessage, TlsClose, TlsOpen, milliseconds
from ...llm import Provider, ToolResult, find, provider_named
from ...llm.reader import Draft
from ...wire.http1_head import field
from ..rows.ids import connection_id
from ..rows.kinds import AuditRow, CallRow, Row, RowGone
from .call_rows import UnknownFields, asked_rows, ended_row, ended_rows, tokens_gone, unasked_row
from .needles import Repeats, RepeatsState
from .requests import Requests, meaning_of
from .sessions import Sessions
from .twins import Twins, TwinsState
from .unprompted import Background, BackgroundState, OpenCall, is_background
from .window import Behind, judge

_OPEN_MOST = 4096
_EARLY_MOST = 256
_MAYBE_MOST = 16  # requests, and bytes of each, that become calls where their answers are streams of a model
_MAYBE_BYTES = 256 << 10


class Outcome(Struct, frozen=True):
    """
    The rows that one event gives; where it ended a call, also the call and its reply, where it began one, the row and the tool
    results in it.
    """

    rows: list[Row]
    call: CallRow | None = None
    reply: Reply | None = None
    begun: CallRow | None = None
    results: tuple[ToolResult, ...] = ()


_NOTHING = Outcome([])


class CallsState(Struct, array_like=True):
    """What `Calls.snapshot` keeps."""

    open: list[tuple[str, OpenCall]]
    early: list[tuple[str, HttpResponse | SseMessage]]
    done: list[str]
    maybe: list[tuple[str, HttpRequest]]
    repeats: RepeatsState
    background: BackgroundState
    behind: list[tuple[str, OpenCall]] = []
    twins: TwinsState = TwinsState()


class Calls:
    """The calls that have not ended."""

    def __init__(self, sessions: Sessions, unknown: UnknownFields) -> None:
        self._sessions = sessions
        self._unknown = unknown
        self._repeats = Repeats()
        self._open: Recent[str, OpenCall] = Recent(_OPEN_MOST)
        self.twins = Twins(self._open)
        self._done: Recent[str, None] = Recent(_OPEN_MOST)  # calls whose answer was complete
        self._behind = Behind()
        self._early: Recent[str, HttpResponse | SseMessage] = Recent(_EARLY_MOST)  # they came before their requests had ended
        self._maybe: Recent[str, HttpRequest] = Recent(_MAYBE_MOST)
        self._background = Background()
        self.requests = Requests()

    def request(self, event: HttpRequest, id: str) -> Outcome:
        """A request; `id` is the id of the call that it may begin."""
        if event.method == "GET":
            self._background.asks(event)
        if event.method != "POST":
            return _NOTHING
        provider = find(field(event.headers, "host") or "", event.target)
        if provider is not None and (provider.embeds is None or not provider.embeds(event.body)):
            return self._begin(event, provider, id)
        if provider is None and len(event.body) <= _MAYBE_BYTES and event.body.lstrip()[:1] == b"{":
            self._maybe.put(id, event)
        return _NOTHING

    def _begin(self, event: HttpRequest, provider: Provider, id: str) -> Outcome:
        origin = event.origin
        said = self.requests.read(event, provider, id)
        row, digest, results, asked = said
        evicted: list[Row] = []
        while len(self._open) >= _OPEN_MOST:
            evicted += self._abort(next(iter(self._open)), "evicted", None)
        self._behind.pop(row.id, None)
        self._done.pop(row.id, None)  # a later capture counts the exchanges of a connection from 1 again
        connection, received, met, meaning = connection_id(origin), origin.direction == "in", False, b""
        others: list[Row] = []
        if received or self.twins.received:
            meaning = meaning_of(asked)
            begun_call = OpenCall(row, origin.time_ns, connection, digest, event.stream, received=received, meaning=meaning)
            tied, others = self._tied(begun_call)
            row, met = tied.row, tied.met
        if row.twin is None:
            row = row if received else self._repeats.begin(row, digest)
            row, begun = self._sessions.begin(row, event.headers, said, self._repeats.tried(row, digest))
            others += begun
            judge(begun, self._open, self._behind)
        self._open[id] = OpenCall(
            row, origin.time_ns, connection, digest, event.stream, received=received, met=met, meaning=meaning
        )
        if received:
            self.twins.received.put(id, None)
        rows = [*evicted, *asked_rows(row, event), *others]
        early = self._early.pop(row.id, None)
        if early is None:
            return Outcome(rows, begun=row, results=results)
        ended = self.stream(early, id) if isinstance(early, SseMessage) else self.response(early, id)
        return Outcome([*rows, *ended.rows], ended.call, ended.reply, begun=row, results=results)

    def _tied(self, call: OpenCall) -> tuple[OpenCall, list[Row]]:
        """The call, with the row that counts in its place, and the rows of other calls that change where it begins."""
        twins, row = self.twins, call.row
        if call.received:
            return _twin(call, twins.client_of(call)), []
        passed_on = twins.forwarded(call)
        if passed_on is not None:
            asked = self._open[passed_on].row.twin
            return (call, self._taken(passed_on, row.id)) if asked is None else (_twin(call, asked), self._through(asked, row))
        served = twins.served(call)
        return (call, []) if served is None else (replace(call, met=True), self._taken(served, row.id))

    def _taken(self, key: str, client: str) -> list[Row]:
        """The call of a server, which counted so far, was made by this client."""
        each = self._open[key]
        before = each.partial or each.row
        row = replace(before, twin=client, turn=0, own_turn=0)
        self._open[key] = replace(each, row=replace(each.row, twin=client, turn=0, own_turn=0), partial=each.partial and row)
        return [*tokens_gone(before), row, *self._sessions.uncount(before)]

    def _through(self, key: str, sent: CallRow) -> list[Row]:
        """A proxy passes a call on."""
        each = self._open.get(key)
        name = self._sessions.name_of(sent)
        if each is None or each.row.through == name:
            return []
        row = replace(each.row, through=name)
        self._open[key] = replace(each, row=row)
        return [row]

    def opened(self, event: TlsOpen) -> list[Row]:
        """The ends of a connection are known."""
        return [row for key, client in self.twins.opened(event) for row in self._taken(key, client)]

    def response(self, event: HttpResponse, key: str) -> Outcome:
        if event.streaming or 100 <= event.status < 200 or key in self._done:
            return _NOTHING
        open_call = self._open.get(key)
        if key in self._background:
            return self._polled(key, event)
        if open_call is None:
            self._maybe.pop(key, None)
            self._keep_early(key, event)
            return _NOTHING
        if not event.status:  # the stream was reset before an answer
            return Outcome(self._abort(key, event.reason or "reset", event.origin.wall_ns))
        provider = provider_named(open_call.row.call_kind)
        draft = provider.read(event.body, event.headers) if provider else Draft()
        if draft.pending and draft.id and is_background(provider):
            del self._open[key]
            row = replace(open_call.row, status_code=event.status, response_id=draft.id, match_method="id")
            self._background.put(replace(open_call, row=row), draft.id)
            return Outcome([row])
        return self._end(event, key, draft.reply())

    def _polled(self, key: str, event: HttpResponse | SseMessage) -> Outcome:
        found = self._background.answered(key, event)
        if found is None:
            return _NOTHING
        call, reply = found
        ended = self._ended_by(call, event, reply, more=False)
        if ended.call is not None:
            self._background.ended(call, ended.call)
        return Outcome(ended.rows) if call.partial is not None and call.partial.tools == len(reply.tool_calls) else ended

    def _keep_early(self, key: str, event: HttpResponse | SseMessage) -> bool:
        """A server may answer before it has read the whole request (RFC 9112 9.3): keep the answer until the request ends."""
        if event.method != "POST" or event.target is None or find(event.host or "", event.target) is None:
            return False
        self._early.put(key, event)
        return True

    def stream(self, event: SseMessage, key: str) -> Outcome:
        if key in self._behind:
            return self._amend(event, key)
        if key in self._done:
            return _NOTHING
        if key in self._open:
            return self._end(event, key, event.reply)
        if key in self._background and event.reason != "timeout":
            return self._polled(key, event)
        provider = provider_named(event.dialect)
        asked = self._maybe.pop(key, None)
        if provider is None or provider.path is None or self._keep_early(key, event):
            return _NOTHING
        if asked is not None:  # the path did not say that it is a call, and the answer does
            begun = self._begin(asked, provider, key)
            if key not in self._open:  # an answer that came before has ended it
                return begun
            ended = self._end(event, key, event.reply)
            return replace(ended, rows=[*begun.rows, *ended.rows], begun=begun.begun, results=begun.results)
        return self._unasked(event, key)

    def _unasked(self, event: SseMessage, key: str) -> Outcome:
        """An answer whose request was not seen."""
        provider = provider_named(event.dialect)
        if provider is None:  # a package that had it in an earlier run is gone
            return _NOTHING
        origin, row, sessions = event.origin, unasked_row(event, key, provider), list[Row]()
        call = OpenCall(row, origin.time_ns, connection_id(origin), received=origin.direction == "out")
        call = _twin(call, self.twins.client_of(call) if call.received else self.twins.answered(call, event.reply.id))
        row = call.row
        if row.twin is None:
            row, sessions = self._sessions.begin(row, ())
        self._open[row.id] = replace(call, row=row)
        ended = self._end(event, key, event.reply)
        return replace(ended, rows=[*sessions, *ended.rows])

    def _end(self, event: HttpResponse | SseMessage, key: str, reply: Reply) -> Outcome:
        """The answer of a call, or the part of it that came before the stream fell silent."""
        more = isinstance(event, SseMessage) and event.reason == "timeout"
        open_call = self._open[key]
        ended = self._ended_by(open_call, event, reply, more=more)
        if more:
            self._open[key] = replace(open_call, partial=ended.call)
            return ended
        del self._open[key]
        if ended.call is not None:
            self._background.ended(open_call, ended.call)
        if open_call.received:
            self.twins.has_answered(key, open_call, reply.id)
        if event.complete:
            self._done.put(key, None)
            if isinstance(event, SseMessage):
                self._behind.put(key, replace(open_call, partial=ended.call))
        return ended

    def _amend(self, event: SseMessage, key: str) -> Outcome:
        """Something came behind the end mark, such as the counts. Tools that are known already are not asked for again."""
        open_call = self._behind[key]
        ended = self._ended_by(open_call, event, event.reply, more=False)
        self._behind[key] = replace(open_call, partial=ended.call)
        known = open_call.partial is not None and open_call.partial.tools == len(event.reply.tool_calls)
        return Outcome(ended.rows) if known else ended

    def part(self, event: BodyPart, key: str) -> list[Row]:
        return [self._sessions.noted(row) for row in self._behind.ended(key, event.reason)] if event.last else []

    def _ended_by(self, open_call: OpenCall, event: HttpResponse | SseMessage, reply: Reply, *, more: bool) -> Outcome:
        row = ended_row(open_call.row, event, reply, start_ns=open_call.start_ns, more=more)
        before = open_call.partial
        # a line of the audit trail stands at its time, and that of the earlier part was another one
        gone = [RowGone(line) for line in ended_rows(before) if isinstance(line, AuditRow)] if before else []
        rows = [*gone, *ended_rows(row), *self._ended(row, before, b"" if open_call.received else open_call.asked)]
        return Outcome(rows, row, reply)

    def _ended(self, row: CallRow, before: CallRow | None, asked: bytes) -> list[Row]:
        """What else changes when a call ends. `before`: the row with an earlier part of its answer."""
        if row.twin is not None:
            return []
        self._repeats.end(row, asked)
        unknown = () if row.more else row.unknown
        return [*self._sessions.end(row, before), *self._unknown.note(row, unknown)]

    def close(self, event: TlsClose) -> list[Row]:
        """The connection is closed: the calls on it get no answer."""
        gone = connection_id(event.origin)
        self._behind.close(gone)
        for key in [key for key, each in self._maybe.items() if connection_id(each.origin) == gone]:
            del self._maybe[key]
        rows = self._unasked_rows([key for key, each in self._early.items() if connection_id(each.origin) == gone])
        for key in [key for key, each in self._open.items() if each.connection == gone]:
            rows += self._abort(key, "closed", event.origin.wall_ns)
        self.twins.sockets.closed(gone)
        return rows

    def finish(self) -> list[Row]:
        """The capture ends: open calls have no answer."""
        rows = self._unasked_rows(list(self._early))
        for key in list(self._open):
            rows += self._abort(key, "capture_end", None)
        return rows  # an answer that is made in the background stays pending until a client fetches it

    def _unasked_rows(self, keys: list[str]) -> list[Row]:
        """Answers that were kept for requests which never came."""
        early = [(key, self._early.pop(key)) for key in keys]
        return [row for key, event in early if isinstance(event, SseMessage) for row in self._unasked(event, key).rows]

    def _abort(self, key: str, reason: str, end_ns: int | None) -> list[Row]:
        call = self._open.pop(key)
        self.twins.waited_in_vain(key, call)
        return self._aborted(call, reason, end_ns)

    def _aborted(self, open_call: OpenCall, reason: str, end_ns: int | None) -> list[Row]:
        asked = b"" if open_call.received else open_call.asked
        if open_call.partial:
            row = replace(open_call.partial, more=False)
            return [row, *self._ended(row, row, asked)]
        row, end_ms = open_call.row, None if end_ns is None else milliseconds(end_ns)
        reason = row.reason or reason
        row = replace(row, status="aborted", complete=False, reason=reason, end_timestamp_ms=end_ms, end_ns=end_ns or 0)
        return [row, *self._ended(row, None, asked)]

    def get(self, id: str) -> CallRow | None:
        """The row of an open call, or of one whose body goes on."""
        found = self._open.get(id)
        return found.row if found is not None else self._behind.row(id) or self._sessions.call(id)

    def snapshot(self) -> CallsState:
        return CallsState(
            open=list(self._open.items()),
            early=list(self._early.items()),
            done=list(self._done),
            maybe=list(self._maybe.items()),
            repeats=self._repeats.snapshot(),
            background=self._background.snapshot(),
            behind=list(self._behind.items()),
            twins=self.twins.snapshot(),
        )

    def restore(self, state: CallsState) -> None:
        for mine in (self._open, self._early, self._done, self._maybe, self._behind):
            mine.clear()
        self._open.update(state.open)
        self._early.update(state.early)
        self._done.update(dict.fromkeys(state.done))
        self._maybe.update(state.maybe)
        self._behind.update(state.behind)
        self._repeats.restore(state.repeats)
        self._background.restore(state.background)
        self.twins.restore(state.twins)


def _twin(call: OpenCall, counts: str | None) -> OpenCall:
    """The call where another row counts in its place."""
    return call if counts is None else replace(call, row=replace(call.row, twin=counts))
