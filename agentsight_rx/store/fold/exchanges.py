"""HttpRequest, HttpResponse, BodyPart, SseMessage -> HttpRow: every exchange, also of no model."""

from __future__ import annotations

from msgspec import Struct
from msgspec.structs import replace

from ...core.bounded import Recent
from ...events import BodyPart, HttpRequest, HttpResponse, Origin, RpcMessage, SseMessage, TlsClose, TlsOpen, milliseconds
from ...wire.http1_head import field
from ..rows.ids import connection_id, connection_of, http_id, process_of, scheme_of
from ..rows.kinds import AuditRow, CallRow, HttpRow, Row, RowGone
from .twins import Ends, Sockets

_OPEN_MOST = 4096
_UNKNOWN = Ends()


class Exchanges:
    """The exchanges whose answer has not ended."""

    def __init__(self, sockets: Sockets) -> None:
        self._sockets = sockets
        self._ends = sockets.ends
        self._open: Recent[str, HttpRow] = Recent(_OPEN_MOST)
        self._on: dict[str, dict[str, None]] = {}  # the open ones of each connection, the oldest first

    def request(self, event: HttpRequest, id: str, call: CallRow | None) -> list[Row]:
        """A request; `id`: the id of a call in this exchange, `call`: the call of a model that it begins."""
        origin = event.origin
        ends = self._ends_of(origin) if self._ends else _UNKNOWN
        row = HttpRow(
            http_id(id),
            milliseconds(origin.wall_ns),
            pid=origin.pid,
            comm=origin.comm,
            method=event.method,
            host=call.host if call else field(event.headers, "host"),
            path=event.target,
            reason=event.reason,
            request_bytes=len(event.body) + event.body_lost,
            version=event.version,
            scheme=call.scheme if call else scheme_of(origin),
            process_id=call.process_id if call else process_of(origin),
            session_id=call.session_id if call else None,
            call_id=call.id if call else None,
            server=origin.direction == "in",
            local=ends.local,
            peer=ends.peer,
            sure=ends.sure,
        )
        rows: list[Row] = []
        while len(self._open) >= _OPEN_MOST:
            rows.append(_aborted(self._pop(next(iter(self._open))), "evicted", None))
        self._put(row)
        other = self._tie(row) if ends.met else []
        return [*rows, self._open[row.id], *other]

    def opened(self, event: TlsOpen) -> list[Row]:
        """The ends of a connection are known: what is open on it may be what is open at its other end."""
        here = self._on.get(connection_id(event.origin)) if self._sockets.mirror(connection_id(event.origin)) else None
        return [changed for key in list(here or ()) for changed in (*self._tie(self._open[key]), self._open[key])]

    def _tie(self, row: HttpRow) -> list[Row]:
        """Tie it to the oldest like it at the other end of its connection; the row of the other, where that is changed."""
        mirror = self._sockets.mirror(connection_of(row.id))
        for key in self._on.get(mirror, ()) if mirror is not None and row.twin is None and not row.both_ends else ():
            other = self._open[key]
            if other.server == row.server or other.twin is not None or other.both_ends:
                continue
            if (other.method, other.path) == (row.method, row.path):
                client, server = (other, row) if row.server else (row, other)
                self._open[client.id] = replace(client, both_ends=True)
                self._open[server.id] = replace(server, twin=client.id)
                return [self._open[key]]
        return []

    def _put(self, row: HttpRow) -> None:
        self._open.put(row.id, row)
        self._on.setdefault(connection_of(row.id), {})[row.id] = None

    def _pop(self, key: str) -> HttpRow:
        connection = connection_of(key)
        here = self._on[connection]
        del here[key]
        if not here:
            del self._on[connection]
        return self._open.pop(key)

    def response(self, event: HttpResponse, id: str) -> list[Row]:
        key = http_id(id)
        row = self._open.get(key)
        if row is None or 100 <= event.status < 200:
            return []
        row = replace(
            row,
            status_code=event.status or None,
            content_type=field(event.headers, "content-type"),
            reason=row.reason or event.reason,
            response_bytes=row.response_bytes if event.streaming else len(event.body) + event.body_lost,
        )
        if event.streaming:
            self._open[key] = row
            return []
        self._pop(key)
        if not event.status:
            return [_aborted(row, row.reason or "reset", event)]
        return [self._ended(row, event, row.response_bytes, row.status_code)]

    def part(self, event: BodyPart, id: str) -> list[Row]:
        """A piece of a body that is no stream of events."""
        key = http_id(id)
        row = self._open.get(key)
        if row is None:
            return []
        size = row.response_bytes + len(event.data) + max(0, event.lost)
        if not event.last:
            self._open[key] = replace(row, response_bytes=size)
            return []
        self._pop(key)
        return [self._ended(row, event, size, row.status_code)]

    def stream(self, event: SseMessage, id: str) -> list[Row]:
        """A stream of events, or the part of it that came before it fell silent."""
        key = http_id(id)
        row = self._open.get(key)
        if row is None:
            return []
        size, status = row.response_bytes + event.size, row.status_code or event.status or None
        if event.reason == "timeout":
            self._open[key] = replace(row, response_bytes=size, status_code=status)
            return []
        self._pop(key)
        return [self._ended(row, event, size, status)]

    def close(self, event: TlsClose) -> list[Row]:
        """The connection is closed: open requests on it get no answer."""
        return [_aborted(self._pop(key), "closed", event) for key in list(self._on.get(connection_id(event.origin), ()))]

    def finish(self) -> list[Row]:
        rows: list[Row] = [_aborted(row, "capture_end", None) for row in self._open.values()]
        self.restore([])
        return rows

    def _ends_of(self, origin: Origin) -> Ends:
        ends = self._ends.get(connection_id(origin), _UNKNOWN)
        return _UNKNOWN if ends.closed else ends

    def _ended(self, row: HttpRow, event: HttpResponse | BodyPart | SseMessage, size: int, status_code: int | None) -> HttpRow:
        origin = event.origin
        reason = row.reason or event.reason
        end_ns = origin.time_ns if isinstance(event, BodyPart) else event.end_ns
        if row.peer is None and self._ends:  # they were not known yet when it began
            ends = self._ends_of(origin)
            row = replace(row, local=ends.local, peer=ends.peer, sure=ends.sure)
        return replace(
            row,
            response_bytes=size,
            status_code=status_code,
            status="complete" if event.complete and reason is None else "partial",
            reason=reason,
            end_timestamp_ms=milliseconds(end_ns + origin.wall_ns - origin.time_ns),
        )

    def get(self, id: str) -> HttpRow | None:
        return self._open.get(id)

    def snapshot(self) -> list[HttpRow]:
        return list(self._open.values())

    def restore(self, state: list[HttpRow]) -> None:
        self._open.clear()
        self._on.clear()
        for row in state:
            self._put(row)


def _aborted(row: HttpRow, reason: str, event: HttpResponse | TlsClose | None) -> HttpRow:
    end_ms = None if event is None else milliseconds(event.origin.wall_ns)
    return replace(row, status="aborted", reason=row.reason or reason, end_timestamp_ms=end_ms)


# -- rpc ends ------------------------------------------------------------------------------------------------------
# Requests of JSON-RPC over HTTP, at both ends of a connection -> one row: the one of the client, with the server's process.


_MOST = 256


class RpcEndsState(Struct, array_like=True, frozen=True):
    """What `RpcEnds.snapshot` keeps."""

    served: tuple[list[str], list[AuditRow]] = ([], [])
    asked: list[str] = []


class RpcEnds:
    """A server has answered before its client has read that, so as a rule the row of the server comes first."""

    def __init__(self, sockets: Sockets) -> None:
        self._sockets = sockets
        self._served: Recent[str, AuditRow] = Recent(_MOST)  # rows of servers, by what their clients' are known by
        self._asked: Recent[str, None] = Recent(_MOST)  # of clients whose server's row has not come

    def rows(self, event: RpcMessage, row: AuditRow) -> list[Row]:
        """`row` is of this request: what counts of it now."""
        here = connection_id(event.origin)
        mirror = self._sockets.mirror(here) if event.channel.kind == "http" else None
        if mirror is None:
            return [row]
        is_server = event.origin.direction == "in"
        key = f"{mirror if is_server else here} {event.method} {event.id}"
        if is_server:
            if key in self._asked:
                del self._asked[key]
                return []
            self._served.put(key, row)
            return [row]
        row = replace(row, details={**row.details, "server_pid": int(mirror.partition("-")[0])})
        served = self._served.pop(key, None)
        if served is None:
            self._asked.put(key, None)
            return [row]
        return [RowGone(served), row]

    def close(self, event: TlsClose) -> None:
        """Nothing more comes from a client on this connection, and another one may have its place."""
        gone = f"{connection_id(event.origin)} "
        for key in [key for key in self._asked if key.startswith(gone)]:
            del self._asked[key]

    def snapshot(self) -> RpcEndsState:
        return RpcEndsState(self._served.columns, list(self._asked))

    def restore(self, state: RpcEndsState) -> None:
        self._served.fill(state.served)
        self._asked.clear()
        self._asked.update(dict.fromkeys(state.asked))
