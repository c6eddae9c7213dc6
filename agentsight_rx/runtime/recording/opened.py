"""
The path of a recording, or of many -> rows as typed iterators, whole calls, events, reports as values, tables.

Longer than 300 lines because each report is a method of one class, so that completion lists all of them.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from glob import glob, has_magic
from importlib import import_module
from pathlib import Path
from threading import Lock
from types import TracebackType
from typing import TYPE_CHECKING, Any, TypeAlias, TypedDict, TypeVar, Unpack
from weakref import WeakKeyDictionary, WeakValueDictionary

from msgspec import Struct

from ...core.errors import StoreError, UsageError
from ...events import Event, milliseconds
from ...store.state import LmdbStore, MemoryStore, Store, is_being_written, is_lmdb
from ...store.words import plural
from ...view.queries import Selection
from ...view.queries.choosing import read_held, selection_of
from .. import recording as late
from .price_file import load_prices

if TYPE_CHECKING:  # a query is imported where it is first asked
    from ...store.rows.kinds import AlertRow, HttpRow, ProcessRow, SessionRow, ToolRow
    from ...view.exports.tables import TableName
    from ...view.queries.calls.call import WholeCall
    from ...view.queries.calls.costs import PricedCall
    from ...view.queries.calls.tokens import TokenGroup
    from ...view.queries.context.part_tokens import PartGroup
    from ...view.queries.context.report import CacheLoss, ContextReport
    from ...view.queries.effects.files import FileUse
    from ...view.queries.effects.network import Network
    from ...view.queries.records import ConnectionRecord, FileRecord
    from ...view.queries.sessions.findings import Finding
    from ...view.queries.sessions.gaps import Missing
    from ...view.queries.sessions.health import Health
    from ...view.queries.sessions.summary import Summary as Overview
    from ...view.queries.sessions.verdict import Verdict
    from .reports import CostGrouping, Rows
    from .search_base import Hit

R = TypeVar("R")
Given: TypeAlias = str | os.PathLike[str]


class Part(TypedDict, total=False):
    """
    A part of a recording. `since` and `until` are datetimes, or texts as the flags take them: `2h`, `today`, `14:30`,
    `2026-11-27T18:00Z`. `session` is the begin of an id, or `newest`; `project` is the folder of
    sessions, or its last name; `limit` means the newest so many.
    """

    since: str | datetime | None
    until: str | datetime | None
    session: str | None
    agent: str | None
    project: str | None
    pid: int | None
    limit: int | None


def open_recording(path: str | os.PathLike[str] | MemoryStore, *, prices: str | os.PathLike[str] | None = None) -> Recording:
    """
    Open a recording to read, whole or while it is written; or one in memory, as `testing.recorded` makes it. Raises StoreError
    where there is no store, or a damaged one, or one of another release. `prices` is a file of prices that stand before the
    published ones.
    """
    return Recording(path, prices=prices)


def open_recordings(where: Given | Iterable[Given], *, prices: Given | None = None) -> Recordings:
    """
    The recordings in a folder, of a pattern such as `~/runs/*.lmdb`, or of several of these, by name. Raises UsageError where
    none is there.
    """
    return Recordings(where, prices=prices)


class _Stores:
    """A process opens a file once, so recordings of one file share its store. It is closed with the last of them."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._open: WeakValueDictionary[tuple[int, int, int], LmdbStore] = WeakValueDictionary()
        self._users: WeakKeyDictionary[LmdbStore, int] = WeakKeyDictionary()

    def opened(self, path: Given) -> LmdbStore:
        try:
            found = os.stat(path)
        except (OSError, TypeError, ValueError):
            return LmdbStore.open(path, readonly=True)  # says what is wrong
        key = os.getpid(), found.st_dev, found.st_ino  # behind a fork it must be opened again
        with self._lock:
            store = self._open.get(key)
            if store is None or not self._users.get(store):
                store = self._open[key] = LmdbStore.open(path, readonly=True)
            self._users[store] = self._users.get(store, 0) + 1
        return store

    def left(self, store: LmdbStore) -> None:
        with self._lock:
            self._users[store] -= 1
            if not self._users[store]:
                store.close()


_STORES = _Stores()


class Recording:
    """
    A recording, opened to read. Rows come as they are read, oldest first, a page in memory at a time. Each page is one moment
    of a recording that goes on. Used as a context, which closes it. Every method that takes a `Part` raises UsageError where
    the part cannot be understood, and StoreError where the store cannot be read.
    """

    def __init__(self, path: str | os.PathLike[str] | MemoryStore, *, prices: str | os.PathLike[str] | None = None) -> None:
        if not _can_be_opened(path):
            kind = type(path).__name__
            raise UsageError(f"a recording is a path, or what testing.recorded returns, and this is {kind}: {path!r}")
        self._prices = load_prices(None if prices is None else Path(prices))
        self._path = None if isinstance(path, MemoryStore) else Path(path)
        self._opened: MemoryStore | LmdbStore | None = path if isinstance(path, MemoryStore) else _STORES.opened(path)

    def __enter__(self) -> Recording:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /) -> None:
        self.close()

    def close(self) -> None:
        """Close the store. Reading more of it raises StoreError."""
        store, self._opened = self._opened, None
        if isinstance(store, LmdbStore):
            _STORES.left(store)
        elif store is not None:
            store.close()

    @property
    def name(self) -> str:
        """Of its file, without the folder."""
        return self._path.name if self._path is not None else "memory"

    @property
    def _store(self) -> Store:
        if self._opened is None:
            raise StoreError(f"the recording {self.name} is closed: open it again")
        return self._opened

    def __repr__(self) -> str:
        if self._opened is None:
            return f"<Recording {self.name}, closed>"
        held = read_held(self._store)
        counts = f"{plural(held.sessions, 'session')}, {plural(held.calls, 'call')}, {held.tokens:,} tokens"
        return f"<Recording {self.name}: {counts}{', ' * bool(held.models)}{', '.join(held.models)}>"

    def _repr_html_(self) -> str:
        return late.as_html(repr(self), "" if self._opened is None else self.verdict().sentence)

    def calls(self, **part: Unpack[Part]) -> Iterator[PricedCall]:
        """The calls of models that clients made, with their costs. Texts are cut to 1,000 characters; `call` has them whole."""
        return late.read_calls(self._store, self._selection(part), self._prices)

    def tools(self, **part: Unpack[Part]) -> Iterator[ToolRow]:
        """The tools that models asked for, each with the process that ran for it."""
        return late.read_tools(self._store, self._selection(part))

    def sessions(self, **part: Unpack[Part]) -> Iterator[SessionRow]:
        """What each agent did from its start to its end."""
        return late.read_sessions(self._store, self._selection(part))

    def processes(self, **part: Unpack[Part]) -> Iterator[ProcessRow]:
        """The processes that ran."""
        return late.read_processes(self._store, self._selection(part))

    def http(self, *, rule: str | None = None, **part: Unpack[Part]) -> Iterator[HttpRow]:
        """The HTTP exchanges. A rule of the filter language selects some."""
        return late.read_http(self._store, self._selection(part), rule=rule)

    def files(self, **part: Unpack[Part]) -> Iterator[FileRecord]:
        """The events of files: opened, written, moved, removed."""
        return late.read_files(self._store, self._selection(part))

    def connections(self, **part: Unpack[Part]) -> Iterator[ConnectionRecord]:
        """The events of connections: opened, closed, refused."""
        return late.read_connections(self._store, self._selection(part))

    def alerts(self, **part: Unpack[Part]) -> Iterator[AlertRow]:
        """What agents did that a rule of the guard is about, where the recording was made with one."""
        return late.read_alerts(self._store, self._selection(part))

    def events(
        self, *, rule: str | None = None, since: str | datetime | None = None, until: str | datetime | None = None
    ) -> Iterator[Event]:
        """
        The events in the order in which they were recorded: all that are there now, or the HTTP messages that `rule` matches.
        These are the messages that `op.filter_http(rule)` would drop. A rule about an exchange looks at its request and its
        answer together, however far apart they are.
        """
        part = self._selection({"since": since, "until": until})
        events = late.read_events_of_now(self._store, since_ms=part.since_ms)
        timed = events if part.whole else (event for event in events if _is_within(event, part))
        return timed if rule is None else _matched(timed, rule)

    def call(self, id: str | int) -> WholeCall:
        """
        One call with its whole request and answer, its tools, their processes and files. `id` is the id of a row, or the begin
        of one; a number is the turn in the newest session. Raises UsageError where it is no call, or may be several.
        """
        found = {row.id: row for row in late.find_calls(self._store, str(id), Selection())}
        if not found:
            raise UsageError(f"no call is {id}; calls() has the ids")
        if len(found) > 1:
            raise UsageError(f"{id} may be {len(found)} calls: {', '.join(list(found)[:4])}; give more of the id")
        (row,) = found.values()
        return late.read_call(self._store, row, self._prices)

    def to_arrow(self, table: TableName = "calls", **part: Unpack[Part]) -> Any:
        """
        The rows of one kind as a `pyarrow.Table`, which polars, pandas and DuckDB read. It needs the extra
        `agentsight-rx[tables]`. Times are columns `start`, `end` or `time` in UTC.
        """
        return late.arrow_table(self._store, self._selection(part), self._prices, table=table)

    def to_pandas(self, table: TableName = "calls", **part: Unpack[Part]) -> Any:
        """The same as a `pandas.DataFrame`. It needs pandas too."""
        _library("pandas")
        return self.to_arrow(table, **part).to_pandas()

    def to_polars(self, table: TableName = "calls", **part: Unpack[Part]) -> Any:
        """The same as a `polars.DataFrame`. It needs polars too."""
        return _library("polars").from_arrow(self.to_arrow(table, **part))

    # -- reports ---------------------------------------------------------------------------------------------------

    def summary(self, **part: Unpack[Part]) -> Overview:
        """The first screen: of the session that was used last, or of the part. `limit`: turns, the newest."""
        selection = self._selection(part)
        return late.read_summary(self._store, selection, self._prices, being_written=self._going_on, most_turns=selection.limit)

    def verdict(self, **part: Unpack[Part]) -> Verdict:
        """What the session did, as `sentence`, and as clauses that name the place of their evidence."""
        return self.summary(**part).verdict

    def findings(self, **part: Unpack[Part]) -> Rows[Finding]:
        """Loops, repeats, failures, a lost cache, a growing context: the dearest first."""
        return late.Rows(self.summary(**part).findings)

    def health(self) -> Health:
        """Everything that makes the recording less than whole, in numbers."""
        return late.read_health(self._store, being_written=self._going_on)

    def losses(self) -> Rows[Missing]:
        """Each thing that is missing, the worst first: what, why, and what to do."""
        return late.Rows(late.losses(self.health()))

    def contexts(self, **part: Unpack[Part]) -> Rows[ContextReport]:
        """What fills the context of each agent: of the newest session, or of the selected ones."""
        return late.Rows(late.read_context_reports(self._store, self._selection(part), self._prices))

    def lost_caches(self, **part: Unpack[Part]) -> Rows[CacheLoss]:
        """Each time that a cache was lost, why, and what that cost in US dollars: of the sessions that `contexts` takes."""
        return late.Rows(late.lost_caches(self._store, self._selection(part), self._prices))

    def costs(self, by: CostGrouping = "model", **part: Unpack[Part]) -> Rows[TokenGroup] | Rows[PartGroup]:
        """
        Tokens and costs by model, session, agent, day and others, the largest first. By origin, tool, file or mcp-server the
        groups are parts of requests. Raises UsageError for another grouping.
        """
        return late.costs(self._store, self._selection(part), self._prices, by)

    def file_uses(self, **part: Unpack[Part]) -> Rows[FileUse]:
        """What became of each path, with the processes and tools: written and removed ones first. `files` has each event."""
        selection = self._selection(part)
        return late.Rows(late.read_file_uses(self._store, selection).files[: selection.limit])

    def network(self, **part: Unpack[Part]) -> Network:
        """Peers with their names, hosts with their paths, and what could not be read. `connections` has each event."""
        return late.read_network(self._store, self._selection(part))

    def search(self, words: str, *, limit: int = 100) -> Rows[Hit]:
        """
        Where all the words are in prompts, answers, commands, results, programs, files and hosts, as the page finds them: the
        newest of each kind first. Words between quotation marks stand together. Each search reads the recording once.
        """
        _check("limit", limit)
        return late.Rows(late.search(self._store, words, name=self.name, limit=limit))

    @property
    def _going_on(self) -> bool:
        return self._path is not None and is_being_written(self._path)

    def _selection(self, part: Part) -> Selection:
        for name, value in part.items():
            _check(name, value)
        return selection_of(_Chosen(**part), self._store, now_ms=time.time_ns() // 1_000_000, mark="")


class Recordings:
    """
    Recordings by name, each open during its turn of a loop. `unread` says of the files that could not be read why, once they
    had their turn.
    """

    def __init__(self, where: Given | Iterable[Given], *, prices: Given | None = None) -> None:
        places = [where] if isinstance(where, str | os.PathLike) else list(where)
        self.paths = tuple(path for place in places for path in _found(os.path.expanduser(os.fspath(place))))
        self.unread: dict[str, str] = {}
        self._prices = prices
        if not self.paths:
            named = ", ".join(map(str, places)) or "nothing"
            raise UsageError(
                f"no recording is in {named}: give a folder with recordings, a pattern such as ~/runs/*.lmdb, or paths"
            )

    def __len__(self) -> int:
        return len(self.paths)

    def __iter__(self) -> Iterator[Recording]:
        for path in self.paths:
            try:
                opened = Recording(path, prices=self._prices)
            except StoreError as error:
                self.unread[str(path)] = str(error)
                continue
            with opened:
                yield opened

    def __repr__(self) -> str:
        return f"<Recordings: {len(self):,}, {self.paths[0].name} to {self.paths[-1].name}>"

    def rows(self, read: Callable[[Recording], Iterable[R]]) -> Iterator[tuple[str, R]]:
        """The name of each recording with what `read` gives of it, such as `lambda each: each.calls(agent="claude")`."""
        return ((each.name, row) for each in self for row in read(each))

    def to_arrow(self, table: TableName = "calls", **part: Unpack[Part]) -> Any:
        """The rows of all as one `pyarrow.Table`; the first column, `recording`, has the names."""
        arrow = _library("pyarrow")
        found = [(each.name, each.to_arrow(table, **part)) for each in self]
        named = [made.add_column(0, "recording", arrow.array([name] * len(made), arrow.string())) for name, made in found]
        if not named:
            raise StoreError(f"none of {len(self)} recordings can be read: {next(iter(self.unread.values()))}")
        return arrow.concat_tables(named)

    def to_pandas(self, table: TableName = "calls", **part: Unpack[Part]) -> Any:
        """The same as a `pandas.DataFrame`."""
        _library("pandas")
        return self.to_arrow(table, **part).to_pandas()

    def to_polars(self, table: TableName = "calls", **part: Unpack[Part]) -> Any:
        """The same as a `polars.DataFrame`."""
        return _library("polars").from_arrow(self.to_arrow(table, **part))


def _found(place: str) -> list[Path]:
    if not has_magic(place) and not os.path.isdir(place):
        return [Path(place)]
    paths = sorted(glob(place) if has_magic(place) else (entry.path for entry in os.scandir(place)))
    return [Path(path) for path in paths if path.endswith(".lmdb") or (os.path.isfile(path) and is_lmdb(path))]


def _can_be_opened(given: object) -> bool:
    return isinstance(given, str | os.PathLike | MemoryStore)


def _library(name: str) -> Any:
    try:
        return import_module(name)
    except ImportError as error:
        raise UsageError(f"this needs {name}: pip install 'agentsight-rx[tables]' {name}") from error


class _Chosen(Struct, frozen=True):
    """A Part with everything in it."""

    since: str | datetime | None = None
    until: str | datetime | None = None
    session: str | None = None
    agent: str | None = None
    project: str | None = None
    pid: int | None = None
    limit: int | None = None


_TIME = (str, datetime), "a datetime, or a text such as 2h or 2026-11-27T18:00Z"
_TEXT = (str,), "a text"
_WANTED: dict[str, tuple[tuple[type, ...], str]] = {
    "since": _TIME,
    "until": _TIME,
    "session": _TEXT,
    "agent": _TEXT,
    "project": _TEXT,
    "pid": ((int,), "a number"),
    "limit": ((int,), "a number of at least 1"),
}


def _check(name: str, value: object) -> None:
    if name not in _WANTED:
        raise UsageError(f"{name} is no part of a recording; there are {', '.join(_WANTED)}")
    kinds, wanted = _WANTED[name]
    is_of_kind = isinstance(value, kinds) and not isinstance(value, bool)
    if value is not None and (not is_of_kind or (name == "limit" and isinstance(value, int) and value < 1)):
        raise UsageError(f"{name}={value!r} cannot be understood; expected {wanted}")


def _is_within(event: Event, part: Selection) -> bool:
    at_ms = milliseconds(event.origin.wall_ns)
    return (part.since_ms is None or at_ms >= part.since_ms) and (part.until_ms is None or at_ms < part.until_ms)


def _matched(events: Iterable[Event], rule: str) -> Iterator[Event]:
    """The rule is compiled at once, so that a wrong one is an error of this call."""
    from ...core.engine import Engine, Site  # the reports, which use recordings too, start without Rx
    from ...operators.judge_http import Rejected, judge_http
    from ...policy.rules.http import compile_http

    judge = judge_http(compile_http([rule])).kernel(Site(Engine(), "events"))

    def judged() -> Iterator[Event]:
        for event in events:
            yield from (each.event for each in judge.feed([event]) if isinstance(each, Rejected))  # type: ignore[list-item]
        yield from (each.event for each in judge.finish() if isinstance(each, Rejected))

    return judged()
