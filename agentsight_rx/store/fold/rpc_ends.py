"""Requests of JSON-RPC over HTTP, at both ends of a connection -> one row: the one of the client, with the server's process."""

from __future__ import annotations

from msgspec import Struct
from msgspec.structs import replace

from ...core.bounded import Recent
from ...events import RpcMessage, TlsClose
from ..rows.ids import connection_id
from ..rows.kinds import AuditRow, Row, RowGone
from .sockets import Sockets

__all__ = ["RpcEnds", "RpcEndsState"]

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
