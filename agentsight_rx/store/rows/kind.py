"""
Each kind of row, in one entry: its table and key, its times, the ids in it, its previews, its weight, where it is shown live.

A new kind of row is a Struct in `kinds`, a Table in `tables`, and one entry here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeVar

from msgspec import Struct
from msgspec.structs import replace

from ..state import Delete, Key, Put, Store, Table, Write, by_index, pages
from . import tables
from .ids import at_host
from .kinds import (
    SEEN,
    AlertRow,
    AnyRow,
    AuditRow,
    BlindSpotRow,
    CallRow,
    HttpRow,
    NetworkRow,
    ProcessRow,
    ResourceRow,
    Row,
    RowGone,
    SessionRow,
    TlsUseRow,
    TokenRow,
    ToolRow,
    UnknownRow,
)

V = TypeVar("V")

PREVIEW = 1000  # characters of a text that a stored row keeps; the event log has all of it, once
_MENTION = 200  # of one that a row of the audit trail has beside the row of its call
_ALWAYS = (1 << 64) - 1  # a time behind all others

# Bytes of a row without captured text: its fields, its numbers, its names (measured with CPython 3.13: 530 to 930)
_ROW = 800
_CALL, _SESSION = 1_650, 1_400  # which have 60 fields, and 40
_DETAIL = 60  # of one detail of the audit trail


def began(row: AnyRow, /) -> int:
    """When it began, else when it was last seen, as Unix time in ms; 0: unknown."""
    return next(filter(None, times_of(row)), 0)


def times_of(row: AnyRow, /) -> tuple[int | None, ...]:
    """When it began and when it was last seen, as Unix time in ms; None or 0: unknown."""
    return tuple(getattr(row, name) for name in kind_of(row).times)


class Kind(Struct, frozen=True, kw_only=True):
    """
    `times` are the names of the fields that say when it began and, if there is one, when it was last seen (Unix time, ms).
    It `spans` the time between them, where others belong to the time in which they began. `over` says since when it may be
    removed: its begin, without a function. `order`: what sorts the table by the begin of its rows, `key`, an index, or nothing.

    `ids` are the fields that hold ids of rows, apart from `id`; what clients and vendors name, such as a conversation, stays as
    they say. `session` is the field with the id of its session, `pids` those with its processes. `texts` are the fields of
    which a stored row has previews, `cut` makes other ones. `weight`: about so many bytes beside those of its fields; most
    captured text is ASCII. `live`: a page that shows a run gets each of them as it comes.
    """

    table: Table[Any]  # of any kind of row, as are the functions
    key: Callable[[Any], Key] = lambda row: row.id
    times: tuple[str, ...] = ("timestamp_ms",)
    spans: bool = False
    over: Callable[[Any], int] = began
    order: str = ""
    ids: tuple[str, ...] = ()
    session: str = "session_id"
    pids: tuple[str, ...] = ("pid",)
    texts: tuple[str, ...] = ()
    cut: Callable[[Any], Any] | None = None
    weight: Callable[[Any], int] = lambda _: _ROW
    live: bool = False


def _by_time(row: AuditRow | ResourceRow | HttpRow | AlertRow) -> Key:
    return row.timestamp_ms, row.id


def _by_start(row: CallRow | SessionRow) -> Key:
    return row.start_timestamp_ms, row.id


def _with_mentions(row: AuditRow) -> AuditRow:
    if row.audit_type != "llm":
        return row
    return replace(
        row, details={name: value[:_MENTION] if isinstance(value, str) else value for name, value in row.details.items()}
    )


def _audit_weight(row: AuditRow) -> int:
    text = len(row.summary or "") + len(row.target or "") + len(row.subject or "")
    return _ROW + text + sum(_DETAIL + (len(value) if isinstance(value, str) else 0) for value in row.details.values())


def _alert_weight(row: AlertRow) -> int:
    text = len(row.sentence) + len(row.because) + len(row.target) + len(row.command) + len(row.prompt)
    return _ROW + text + sum(map(len, row.evidence))


# A row that comes again under its key replaces the earlier one
KINDS: dict[type[AnyRow], Kind] = {
    CallRow: Kind(
        table=tables.CALLS,
        key=_by_start,
        times=("start_timestamp_ms", "end_timestamp_ms"),
        order="key",
        ids=("session_id", "process_id", "twin", "repeat_of"),
        texts=("prompt", "text", "thinking"),
        weight=lambda row: _CALL + len(row.prompt) + len(row.text) + len(row.thinking),
        live=True,
    ),
    TokenRow: Kind(table=tables.TOKENS, order="time", ids=("llm_call_id",)),
    ToolRow: Kind(
        table=tables.TOOLS,
        times=("timestamp_ms", "end_timestamp_ms"),
        order="time",
        ids=("llm_call_id", "session_id", "process_id", "related_event_id", "repeat_of", "result_call_id"),
        pids=("pid", "related_pid"),
        texts=("input", "output"),
        weight=lambda row: _ROW + len(row.input) + len(row.output) + sum(map(len, row.related_argv)),
        live=True,
    ),
    ProcessRow: Kind(
        table=tables.PROCESSES,
        times=("start_timestamp_ms", "end_timestamp_ms"),
        spans=True,
        over=lambda row: row.end_timestamp_ms or _ALWAYS,  # one that runs is not over
        order="time",
        ids=("tool_call_id", "session_id"),
        weight=lambda row: _ROW + sum(map(len, row.argv)) + len(row.command or ""),
        live=True,
    ),
    AuditRow: Kind(
        table=tables.AUDIT,
        key=_by_time,
        order="key",
        ids=("process_id", "session_id", "tool_id"),
        cut=_with_mentions,
        weight=_audit_weight,
    ),
    NetworkRow: Kind(
        table=tables.NETWORK,
        times=("first_timestamp_ms", "last_timestamp_ms"),
        spans=True,
        over=lambda row: row.last_timestamp_ms or 0,
        ids=("process_id", "session_id"),
        weight=lambda row: _ROW + len(row.host) + len(row.path),  # a target has up to 256 KiB
    ),
    ResourceRow: Kind(table=tables.RESOURCES, key=_by_time, order="key", live=True),
    BlindSpotRow: Kind(table=tables.BLIND_SPOTS, ids=("process_id",)),
    TlsUseRow: Kind(table=tables.TLS_USES, ids=("process_id",)),
    HttpRow: Kind(
        table=tables.HTTP,
        key=_by_time,
        order="key",
        ids=("process_id", "session_id", "call_id"),
        weight=lambda row: _ROW + len(row.host or "") + len(row.path),
    ),
    SessionRow: Kind(
        table=tables.SESSIONS,
        key=_by_start,
        times=("start_timestamp_ms", "end_timestamp_ms"),
        spans=True,
        over=lambda row: row.end_timestamp_ms or row.start_timestamp_ms,
        order="key",
        ids=("process_id", "parent_session_id"),
        session="id",
        weight=lambda row: _SESSION + len(row.title) + len(row.id),
    ),
    UnknownRow: Kind(table=tables.UNKNOWN, ids=("first_call_id",)),
    AlertRow: Kind(
        table=tables.ALERTS,
        key=_by_time,
        times=("timestamp_ms", "last_timestamp_ms"),
        over=lambda row: row.last_timestamp_ms or row.timestamp_ms,
        order="key",
        ids=("session_id", "process_id", "tool_id", "call_id", "part_of", "evidence"),
        weight=_alert_weight,
    ),
}
# Any: of any kind of row
ROW_TABLES: tuple[Table[Any], ...] = tuple(kind.table for kind in KINDS.values())


def kind_of(row: AnyRow, /) -> Kind:
    """Of a row, or of one that a query has added to, as a call with its price."""
    found = KINDS.get(type(row))
    return found if found is not None else next(KINDS[base] for base in type(row).__mro__ if base in KINDS)


def put(row: Row) -> Write:
    """The write that stores a row, with its texts cut to previews, or removes it."""
    kept = row.row if isinstance(row, RowGone) else row
    kind = KINDS[type(kept)]
    key, stored = kind.key(kept), _preview(kept, kind)
    return Delete(kind.table, key, stored) if kept is not row else Put(kind.table, key, stored)


def table_of(row: Row) -> Table[Any]:
    return KINDS[type(row)].table


def key_of(row: Row) -> Key:
    return KINDS[type(row)].key(row)


def _preview(row: Any, kind: Kind) -> Any:
    """The row with the first characters of its captured texts: `store/log/reading.py` has the whole ones."""
    if kind.cut is not None:
        return kind.cut(row)
    long = {name: text[:PREVIEW] for name in kind.texts if len(text := getattr(row, name)) > PREVIEW}
    return replace(row, **long) if long else row


def rows_before(store: Store, time_ms: int) -> Iterator[tuple[Table[Any], Key, Any]]:
    """The rows of every kind that were over before `time_ms` (Unix time), with their tables and keys."""
    for kind in KINDS.values():
        for key, row in _begun_before(store, kind, max(time_ms, 0)):
            if kind.over(row) < time_ms:
                yield kind.table, key, row


def _begun_before(store: Store, kind: Kind, time_ms: int) -> Iterator[tuple[Key, Any]]:
    """The rows that began before it, or all rows of a kind that has no such order."""
    if kind.order == "key":
        return pages(store, kind.table, stop=time_ms)
    if kind.order:
        return by_index(store, kind.table, kind.order, stop=time_ms)
    return pages(store, kind.table)


def of_host(host: str, row: Row, /) -> Row:
    """The row as a row of this host, so that rows of several hosts stand in one store."""
    if isinstance(row, RowGone):
        return replace(row, row=of_host(host, row.row))
    changed: dict[str, Any] = {"id": at_host(host, row.id)}
    for name in KINDS[type(row)].ids:
        value: str | tuple[str, ...] | None = getattr(row, name)
        if value:
            changed[name] = at_host(host, value) if isinstance(value, str) else tuple(at_host(host, each) for each in value)
    return replace(row, **changed)


def seen_by(source: str, row: Row, /) -> Row:
    """The row with this `view_source`, where it is of the view."""
    if isinstance(row, RowGone):
        return replace(row, row=seen_by(source, row.row))
    return replace(row, view_source=source) if getattr(row, "view_source", "") == SEEN else row


def weight_of(row: AnyRow, /) -> int:
    """About so many bytes of memory."""
    return _ROW if isinstance(row, RowGone) else kind_of(row).weight(row)


def newest_fitting(rows: Iterable[V], heaviest: int, weigh: Callable[[V], int], /) -> tuple[list[V], bool]:
    """
    `rows` come newest first -> those that together weigh at most `heaviest`, oldest first, and whether these are all. The
    newest is always among them.
    """
    found: list[V] = []
    held = 0
    for row in rows:
        held += weigh(row)
        if held > heaviest and found:
            return found[::-1], False
        found.append(row)
    return found[::-1], True
