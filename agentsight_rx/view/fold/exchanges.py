"""HttpRequest, HttpResponse, BodyPart, SseMessage -> HttpRow: every exchange, also of no model."""

from __future__ import annotations

from msgspec.structs import replace

from ...core.bounded import Recent
from ...events import BodyPart, HttpRequest, HttpResponse, Origin, SseMessage, TlsClose, milliseconds
from ...wire.http1 import field
from ..rows.ids import http_id, http_ids, process_of, scheme_of
from ..rows.kinds import CallRow, HttpRow, Row
from .sockets import Sockets

__all__ = ["Exchanges"]

_OPEN_MOST = 4096


class Exchanges:
    """The exchanges whose answer has not ended."""

    def __init__(self, sockets: Sockets) -> None:
        self._sockets = sockets
        self._open: Recent[str, HttpRow] = Recent(_OPEN_MOST)

    def request(self, event: HttpRequest, id: str, call: CallRow | None) -> list[Row]:
        """A request; `id`: the id of a call in this exchange, `call`: the call of a model that it begins."""
        origin = event.origin
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
        )
        row = self._with_ends(row, origin)
        rows: list[Row] = []
        while len(self._open) >= _OPEN_MOST:
            rows.append(_aborted(self._open.pop_oldest()[1], "evicted", None))
        self._open.put(row.id, row)
        rows.append(row)
        return rows

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
        self._open.pop(key, None)
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
        del self._open[key]
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
        del self._open[key]
        return [self._ended(row, event, size, status)]

    def close(self, event: TlsClose) -> list[Row]:
        """The connection is closed: open requests on it get no answer."""
        gone = http_ids(event.origin)
        return [_aborted(self._open.pop(key), "closed", event) for key in [key for key in self._open if key.startswith(gone)]]

    def finish(self) -> list[Row]:
        rows: list[Row] = [_aborted(row, "capture_end", None) for row in self._open.values()]
        self._open.clear()
        return rows

    def _ended(self, row: HttpRow, event: HttpResponse | BodyPart | SseMessage, size: int, status_code: int | None) -> HttpRow:
        return _ended(row if row.peer else self._with_ends(row, event.origin), event, size, status_code)

    def _with_ends(self, row: HttpRow, origin: Origin) -> HttpRow:
        ends = self._sockets.of(origin)
        return row if ends is None else replace(row, local=ends.local, peer=ends.peer, sure=ends.sure)

    def get(self, id: str) -> HttpRow | None:
        return self._open.get(id)

    def snapshot(self) -> list[HttpRow]:
        return list(self._open.values())

    def restore(self, state: list[HttpRow]) -> None:
        self._open.clear()
        self._open.update({row.id: row for row in state})


def _ended(row: HttpRow, event: HttpResponse | BodyPart | SseMessage, size: int, status_code: int | None) -> HttpRow:
    origin = event.origin
    reason = row.reason or event.reason
    end_ns = origin.time_ns if isinstance(event, BodyPart) else event.end_ns
    return replace(
        row,
        response_bytes=size,
        status_code=status_code,
        status="complete" if event.complete and reason is None else "partial",
        reason=reason,
        end_timestamp_ms=milliseconds(end_ns + origin.wall_ns - origin.time_ns),
    )


def _aborted(row: HttpRow, reason: str, event: HttpResponse | TlsClose | None) -> HttpRow:
    end_ms = None if event is None else milliseconds(event.origin.wall_ns)
    return replace(row, status="aborted", reason=row.reason or reason, end_timestamp_ms=end_ms)
