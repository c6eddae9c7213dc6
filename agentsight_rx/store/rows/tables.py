"""
The tables of a store: the event log, the rows with their indexes, the runs and their losses.

Longer than 300 lines because a new kind of row is one line in the table of all kinds, beside its indexes.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeVar

from msgspec import Struct

from ...events import Event
from ...events.loss import Entry
from ..state import Key, Table
from .gap_counts import LossTime, SessionGaps
from .kinds import (
    SAID,
    SEEN,
    AlertRow,
    AuditRow,
    BlindSpotRow,
    CallRow,
    HttpRow,
    NetworkRow,
    ProcessRow,
    ResourceRow,
    SessionRow,
    TlsUseRow,
    TokenRow,
    ToolRow,
    UnknownRow,
)
from .tally import Totals

V = TypeVar("V")
R = TypeVar("R", CallRow, ToolRow)

PREVIEW = 1000  # characters of a text that a stored row keeps; the event log has all of it, once
_MOST = (1 << 64) - 1  # of a number in a key
_SMALL = 16 << 10  # bytes of rows of a block, of which most take a quarter of a page: a commit that adds a row writes it again
_MENTION = 200  # of one that a row of the audit trail has beside the row of its call


class Segment(Struct, frozen=True):
    """Consecutive events of the event log, as stores of schema version 1 have them."""

    events: tuple[Event, ...]


class Head(Struct, frozen=True, array_like=True):
    """The content of a segment of the log: so many events, of this time (Unix time, ms), with contents in these packs."""

    events: int
    first_ms: int
    last_ms: int
    packs: tuple[int, ...] = ()


class Position(Struct, frozen=True, array_like=True):
    """Where an event is in the log: the number of its segment, and its place there."""

    segment: int
    place: int


class Removed(Struct, frozen=True):
    """What retention took out of the store: everything from before this time (Unix time, ms)."""

    before_ms: int
    events: int = 0


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
    seen_by: str = SEEN  # as `view_source` of its rows

    @property
    def until_ms(self) -> int:
        """When it captured last."""
        return self.started_ms + round(1000 * self.seconds)


def is_said(runs: Iterable[Recording], /) -> bool:
    """Whether some of a store is the word of agents' own files."""
    return any(run.seen_by == SAID for run in runs)


class StageCount(Struct, frozen=True, array_like=True):
    """How much one stage of a run took in, and how much it handed on: events, and behind the view rows too."""

    stage: str
    seen: int
    passed: int


SEGMENTS = Table("segments", Segment)  # by number; of schema version 1
LOG = Table("log", bytes)  # by number: a compressed LogPart, see `log_parts`
HEADS = Table("log_heads", Head)  # by the number of the segment
# By id of the call and kind of event: request, response, stream; entries of a session file by session and order of reading
EXCHANGES = Table("exchanges", Position, packed=True, block_most=_SMALL)
REMOVED = Table("removed", Removed)  # one row

CALLS = Table(
    "llm_calls",
    CallRow,
    {
        "session": lambda row: row.session_id,
        "pid": lambda row: _number(row.pid),
        "id": lambda row: row.id,
    },
    packed=True,
)
TOKENS = Table(
    "token_usage", TokenRow, {"time": lambda row: _number(row.timestamp_ms)}, packed=True, order="time", block_most=_SMALL
)
TOOLS = Table(
    "tool_calls",
    ToolRow,
    {
        "time": lambda row: _number(row.timestamp_ms),
        "session": lambda row: _with_time(row.session_id, row.timestamp_ms),
    },
    packed=True,
    order="time",
    block_most=_SMALL,
)
PROCESSES = Table(
    "process_nodes",
    ProcessRow,
    {
        "time": lambda row: _number(row.start_timestamp_ms or 0),
        "pid": lambda row: _with_time(_number(row.pid), row.start_timestamp_ms or 0),
    },
    packed=True,
    order="time",
    block_most=_SMALL,
)
AUDIT = Table(
    "audit_events",
    AuditRow,
    {
        "pid": lambda row: _number(row.pid),
        "type": lambda row: row.audit_type,
        "target": lambda row: row.target or None,
        "renamed": lambda row: _new_name(row),
    },
    packed=True,
)
NETWORK = Table("network_targets", NetworkRow)
RESOURCES = Table("resource_samples", ResourceRow, packed=True, block_most=_SMALL)
BLIND_SPOTS = Table("blind_spots", BlindSpotRow)
TLS_USES = Table("tls_uses", TlsUseRow)
HTTP = Table(
    "http_exchanges",
    HttpRow,
    {
        "session": lambda row: row.session_id,
        "pid": lambda row: _number(row.pid),
    },
    packed=True,
    block_most=_SMALL,
)
SESSIONS = Table("sessions", SessionRow, {"id": lambda row: row.id})
UNKNOWN = Table("unknown_fields", UnknownRow)
ALERTS = Table("alerts", AlertRow, {"session": lambda row: row.session_id})
LOSSES = Table("losses", Entry)  # by run, stage and reason
LOSS_TIMES = Table("loss_times", LossTime)  # by run, stage, reason and begin
SESSION_GAPS = Table("session_gaps", SessionGaps)  # by the id of the session, of those that have any
STAGES = Table("stages", StageCount)  # by run and stage
RUNS = Table("runs", Recording)  # by number
TOTALS = Table("totals", Totals)  # by number of the recording


def _new_name(row: AuditRow) -> str | None:
    """What a file was renamed to."""
    name = row.details.get("target") if row.action == "rename" else None
    return name if isinstance(name, str) and name else None


def _number(value: int | None) -> int | None:
    """A number as a key has it; None for a text that is not a number."""
    return value if value is not None and 0 <= value <= _MOST else None


def _with_time(value: str | int | None, time_ms: int) -> Key | None:
    return None if value is None or _number(time_ms) is None else (value, time_ms)
