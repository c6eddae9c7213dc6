"""Store, selection -> the rows of each kind that reports sum up, one by one: processes, exchanges, files, connections."""

from __future__ import annotations

import errno
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

from msgspec import Struct
from msgspec.structs import asdict

from ...policy.rules.http import HttpRules, compile_http
from ...store.log.reading import read_exchange
from ...store.rows.kinds import AnyRow, AuditRow, HttpRow, ProcessRow
from ...store.rows.tables import AUDIT, HTTP, PROCESSES
from ...store.state import Store, Table
from ...store.words import lasted_ms
from .effects.causes import Causes, within
from .effects.file_fates import number_of
from .reading import selected
from .selection import Selection

# -- http ----------------------------------------------------------------------------------------------------------
# The HTTP exchanges of a store -> each with the turn whose call it is.


class Exchange(HttpRow, frozen=True, tag="http_exchange", omit_defaults=True):
    """One exchange. `turn` is the number of its call in the session; 0: it is no call of a model, or one that is passed on."""

    turn: int = 0
    duration_ms: int | None = None


def exchanges_of(rows: Iterable[HttpRow], causes: Causes) -> Iterator[Exchange]:
    """The exchanges, in the order of the rows, each once."""
    for row in rows:
        if not is_counted(row, causes):
            continue
        took = lasted_ms(row.timestamp_ms, row.end_timestamp_ms)
        yield Exchange(**asdict(row), turn=causes.turn(row.call_id), duration_ms=took)


def is_counted(row: HttpRow, causes: Causes) -> bool:
    """False: it is the server's end of an exchange whose client was seen too."""
    return row.twin is None and (row.call_id is None or row.is_passed_on or causes.is_call(row.call_id))


# ------------------------------------------------------------------------------------------------------------------------


R = TypeVar("R", bound=AnyRow)


class FileRecord(Struct, frozen=True):
    """
    What a process did to one path, `count` times in a row: `action` is open, close, rename, unlink, …, and `target` the new
    name. `tool_id` is the id of the ToolRow that it was done for, `error` the name of an error, as ENOENT.
    """

    id: str
    timestamp_ms: int
    action: str
    path: str
    target: str | None = None
    pid: int | None = None
    comm: str | None = None
    process_id: str | None = None
    session_id: str | None = None
    tool_id: str | None = None
    count: int = 1
    error: str | None = None
    read_bytes: int = 0
    written_bytes: int = 0


class ConnectionRecord(Struct, frozen=True):
    """
    What a process did with one peer, `address:port` or the path of a socket: `action` is connect, accept, bind, listen, send,
    or carried, which comes at the end of a connection with its bytes.
    """

    id: str
    timestamp_ms: int
    action: str
    peer: str
    protocol: str | None = None
    local: str | None = None
    pid: int | None = None
    comm: str | None = None
    process_id: str | None = None
    session_id: str | None = None
    tool_id: str | None = None
    count: int = 1
    error: str | None = None
    sent_bytes: int = 0
    received_bytes: int = 0


def read_processes(store: Store, selection: Selection, /) -> Iterator[ProcessRow]:
    """The processes that ran in the time of the selection, in the order in which they began."""
    return _rows(store, PROCESSES, selection)


def read_http(store: Store, selection: Selection, /, *, rule: str | None = None) -> Iterator[HttpRow]:
    """The HTTP exchanges, oldest first. A rule of the filter language selects some. Raises UsageError."""
    if rule is None:
        return _rows(store, HTTP, selection)
    rules = compile_http([rule])
    return _rows(store, HTTP, selection, where=lambda row: is_matched(store, row.id, rules))


def read_files(store: Store, selection: Selection, /) -> Iterator[FileRecord]:
    """The events of files, oldest first."""
    return map(_file, _rows(store, AUDIT, selection, kind="file"))


def read_connections(store: Store, selection: Selection, /) -> Iterator[ConnectionRecord]:
    """The events of connections, oldest first."""
    return map(_connection, _rows(store, AUDIT, selection, kind="network"))


def _rows(
    store: Store,
    table: Table[R],
    selection: Selection,
    *,
    where: Callable[[R], bool] | None = None,
    kind: str | None = None,
) -> Iterator[R]:
    """To find the rows of a session takes all processes; they are read when the first row is asked for."""
    if selection.sessions is None:
        yield from selected(store, table, selection, where=where, kind=kind)
    else:
        yield from within(store, table, selection, Causes(store), where=where, kind=kind)


def _file(row: AuditRow) -> FileRecord:
    return FileRecord(
        id=row.id,
        timestamp_ms=row.timestamp_ms,
        action=row.action or "",
        path=row.target or "",
        target=_text(row, "target"),
        pid=row.pid,
        comm=row.comm,
        process_id=row.process_id,
        session_id=row.session_id,
        tool_id=row.tool_id,
        count=number_of(row, "count") or 1,
        error=_error(row),
        read_bytes=number_of(row, "read_bytes"),
        written_bytes=number_of(row, "written_bytes"),
    )


def _connection(row: AuditRow) -> ConnectionRecord:
    return ConnectionRecord(
        id=row.id,
        timestamp_ms=row.timestamp_ms,
        action=row.action or "",
        peer=row.target or "",
        protocol=_text(row, "protocol"),
        local=_text(row, "local"),
        pid=row.pid,
        comm=row.comm,
        process_id=row.process_id,
        session_id=row.session_id,
        tool_id=row.tool_id,
        count=number_of(row, "count") or 1,
        error=_error(row),
        sent_bytes=number_of(row, "bytes"),
        received_bytes=number_of(row, "received_bytes"),
    )


def _text(row: AuditRow, name: str) -> str | None:
    value = row.details.get(name)
    return value if isinstance(value, str) and value else None


def _error(row: AuditRow) -> str | None:
    code = number_of(row, "errno")
    return errno.errorcode.get(code, str(code)) if code else None


def is_matched(store: Store, exchange: str, rules: HttpRules, /) -> bool:
    """
    One of the rules matches its request, its answer, or both together. False where the store has no bytes of it. `exchange` is
    the id of a CallRow or of an HttpRow, which differ in their first word.
    """
    found = read_exchange(store, exchange.replace("http-", "llm-", 1) if exchange.startswith("http-") else exchange)
    messages = [each for each in (found.request, found.response) if each is not None]
    return bool(messages) and rules.why(messages) is not None
