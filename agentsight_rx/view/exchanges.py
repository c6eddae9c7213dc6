"""HttpRequest, HttpResponse, BodyPart, SseMessage -> HttpRow: every exchange, also of no model."""

from __future__ import annotations

from msgspec.structs import replace

from ..core.bounded import Recent
from ..events import BodyPart, HttpRequest, HttpResponse, SseMessage, TlsClose, milliseconds
from ..wire.http1 import field
from .ids import call_id, connection_id, process_of, scheme_of
from .rows import CallRow, HttpRow, Row

__all__ = ["Exchanges"]

_OPEN_MOST = 4096


class Exchanges:
    """The exchanges whose answer has not ended."""

    def __init__(self) -> None:
        self._open: Recent[str, HttpRow] = Recent(_OPEN_MOST)

    def request(self, event: HttpRequest, call: CallRow | None) -> list[Row]:
        """A request; `call`: the call of a model that it begins."""
        origin = event.origin
        row = HttpRow(
            call_id(origin, event.exchange).replace("llm-", "http-", 1),
            milliseconds(origin.wall_ns),
            pid=origin.pid,
            comm=origin.comm,
            method=event.method,
            host=field(event.headers, "host"),
            path=event.target,
            reason=event.reason,
            request_bytes=len(event.body) + event.body_lost,
            version=event.version,
            scheme=scheme_of(origin),
            process_id=process_of(origin),
            session_id=call.session_id if call else None,
            call_id=call.id if call else None,
        )
        rows: list[Row] = []
        while len(self._open) >= _OPEN_MOST:
            rows.append(_aborted(self._open.pop_oldest()[1], "evicted", None))
        self._open.put(row.id, row)
        return [*rows, row]

    def response(self, event: HttpResponse) -> list[Row]:
        key = _key(event)
        row = self._open.get(key)
        if row is None or 100 <= event.status < 200:
            return []
        row = replace(
            row,
            status_code=event.status or None,
            content_type=field(event.headers, "content-type"),
            reason=row.reason or event.reason,
        )
        if event.streaming:
            self._open.put(key, row)
            return []
        self._open.pop(key, None)
        row = replace(row, response_bytes=len(event.body) + event.body_lost)
        return [_ended(row, event, complete=event.complete)] if event.status else [_aborted(row, row.reason or "reset", event)]

    def part(self, event: BodyPart) -> list[Row]:
        """A piece of a body that is no stream of events."""
        key = _key(event)
        row = self._open.get(key)
        if row is None:
            return []
        row = replace(row, response_bytes=row.response_bytes + len(event.data) + max(0, event.lost))
        if not event.last:
            self._open.put(key, row)
            return []
        self._open.pop(key, None)
        return [_ended(replace(row, reason=row.reason or event.reason), event, complete=event.complete)]

    def stream(self, event: SseMessage) -> list[Row]:
        """A stream of events, or the part of it that came before it fell silent."""
        key = _key(event)
        row = self._open.get(key)
        if row is None:
            return []
        row = replace(row, response_bytes=row.response_bytes + event.size, status_code=row.status_code or event.status or None)
        if event.reason == "timeout":
            self._open.put(key, row)
            return []
        self._open.pop(key, None)
        return [_ended(replace(row, reason=row.reason or event.reason), event, complete=event.complete)]

    def close(self, event: TlsClose) -> list[Row]:
        """The connection is closed: what is open on it gets no answer."""
        gone = f"http-{connection_id(event.origin)}-"
        return [_aborted(self._open.pop(key), "closed", event) for key in [key for key in self._open if key.startswith(gone)]]

    def finish(self) -> list[Row]:
        rows: list[Row] = [_aborted(row, "capture_end", None) for row in self._open.values()]
        self._open.clear()
        return rows

    def snapshot(self) -> list[HttpRow]:
        return list(self._open.values())

    def restore(self, state: list[HttpRow]) -> None:
        self._open.update({row.id: row for row in state})


def _key(event: HttpResponse | BodyPart | SseMessage) -> str:
    return call_id(event.origin, event.exchange).replace("llm-", "http-", 1)


def _ended(row: HttpRow, event: HttpResponse | BodyPart | SseMessage, *, complete: bool) -> HttpRow:
    origin = event.origin
    end_ns = origin.time_ns if isinstance(event, BodyPart) else event.end_ns
    end_ms = milliseconds(end_ns + origin.wall_ns - origin.time_ns)
    return replace(row, status="complete" if complete and row.reason is None else "partial", end_timestamp_ms=end_ms)


def _aborted(row: HttpRow, reason: str, event: HttpResponse | TlsClose | None) -> HttpRow:
    end_ms = None if event is None else milliseconds(event.origin.wall_ns)
    return replace(row, status="aborted", reason=row.reason or reason, end_timestamp_ms=end_ms)
