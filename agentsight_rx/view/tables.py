"""The tables of a store."""

from __future__ import annotations

from msgspec import Struct

from ..events import Event
from ..loss import Entry
from ..state import Put, Table, Write
from .rows import (
    AuditRow,
    BlindSpotRow,
    CallRow,
    HttpRow,
    NetworkRow,
    ProcessRow,
    ResourceRow,
    Row,
    SessionRow,
    TlsUseRow,
    TokenRow,
    ToolRow,
    UnknownRow,
)
from .tally import Totals

__all__ = [
    "AUDIT",
    "BLIND_SPOTS",
    "CALLS",
    "HTTP",
    "LOSSES",
    "NETWORK",
    "PROCESSES",
    "RESOURCES",
    "RUNS",
    "SEGMENTS",
    "SESSIONS",
    "TLS_USES",
    "TOKENS",
    "TOOLS",
    "TOTALS",
    "UNKNOWN",
    "Recording",
    "Segment",
    "put",
]


class Segment(Struct, frozen=True):
    """Consecutive events of the event log in one value; one value an event costs four times as much."""

    events: tuple[Event, ...]


class Recording(Struct, frozen=True):
    """
    One capture into this store, from the time at which everything was attached. `ended`: it was closed in order, and its losses
    are all counted.
    """

    number: int
    started_ms: int
    committed_ms: int = 0  # Unix time of the last transaction
    ended: bool = False
    seconds: float = 0.0  # captured so far


SEGMENTS = Table("segments", Segment)  # by number
CALLS = Table("llm_calls", CallRow)  # by start and id
TOKENS = Table("token_usage", TokenRow)  # by id
TOOLS = Table("tool_calls", ToolRow)  # by id
PROCESSES = Table("process_nodes", ProcessRow)  # by id
AUDIT = Table("audit_events", AuditRow)  # by time and id
NETWORK = Table("network_targets", NetworkRow)  # by id
RESOURCES = Table("resource_samples", ResourceRow)  # by time and id
BLIND_SPOTS = Table("blind_spots", BlindSpotRow)  # by id
TLS_USES = Table("tls_uses", TlsUseRow)  # by id
HTTP = Table("http_exchanges", HttpRow)  # by time and id
SESSIONS = Table("sessions", SessionRow)  # by start and id
UNKNOWN = Table("unknown_fields", UnknownRow)  # by id
LOSSES = Table("losses", Entry)  # by run, stage and reason
RUNS = Table("runs", Recording)  # by number
TOTALS = Table("totals", Totals)  # by number of the recording


def put(row: Row) -> Write:
    """The write that stores a row. A row that comes again under its id replaces the earlier one."""
    match row:
        case CallRow():
            return Put(CALLS, (row.start_timestamp_ms, row.id), row)
        case TokenRow():
            return Put(TOKENS, row.id, row)
        case ToolRow():
            return Put(TOOLS, row.id, row)
        case ProcessRow():
            return Put(PROCESSES, row.id, row)
        case AuditRow():
            return Put(AUDIT, (row.timestamp_ms, row.id), row)
        case NetworkRow():
            return Put(NETWORK, row.id, row)
        case ResourceRow():
            return Put(RESOURCES, (row.timestamp_ms, row.id), row)
        case BlindSpotRow():
            return Put(BLIND_SPOTS, row.id, row)
        case TlsUseRow():
            return Put(TLS_USES, row.id, row)
        case HttpRow():
            return Put(HTTP, (row.timestamp_ms, row.id), row)
        case SessionRow():
            return Put(SESSIONS, (row.start_timestamp_ms, row.id), row)
        case UnknownRow():
            return Put(UNKNOWN, row.id, row)
