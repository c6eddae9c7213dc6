"""
Recordings, stores of imported sessions -> one list of all sessions in memory. Each question reads on in changed stores.

Longer than 300 lines because the list has two ways to read a store, and one way to be asked.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import date, tzinfo
from typing import Any, Protocol
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from msgspec import Struct

from ...core.bounded import Recent
from ...core.errors import StoreError
from ...llm.prices import Prices
from ...store.rows.kinds import SAID, SessionRow
from ...store.rows.tables import CALLS, RUNS, SESSIONS, TOOLS
from ...store.state import Key, Store
from ...view.page import PageError, Picture
from ...view.page.head import agent_title
from ...view.page.rail import Recorded, entries_in, entry_of_parts, recorded_in, sessions_once
from ...view.queries.calls.costs import PricedCall, short_call
from ...view.queries.reading import rows_of, selected, session_of
from ...view.queries.selection import Selection
from ...view.queries.sessions.listing import ORDERS, SOURCES, Choice, Entry, Tally
from .recordings import Listed, Recordings

_RECORDINGS = 2000  # of which the rows are kept
_READ = 6  # recordings that one question reads
_WORDS_MOST = 400  # characters of a search
_CALLS_READ = 600  # calls, and tools, of agents' own files that one question reads: about 60 ms
_FAMILIES_READ = 8  # sessions that have grown, which are looked up


class Glances(Protocol):
    """How a recording is looked at, for a line about it among others."""

    def version_of(self, listed: Listed, /) -> int: ...

    def glance(self, recording: str, /) -> Picture: ...


class Unreadable(Struct, frozen=True):
    recording: str
    error: str


class _Family(Struct, frozen=True):
    """A session of an agent's own file, and the sessions that it started."""

    root: SessionRow
    others: tuple[SessionRow, ...] = ()


class _Sum:
    """The calls and tools of a family that were read so far."""

    def __init__(self) -> None:
        self.tally = Tally()
        self.turns = 0
        self._turn = 0  # the newest; several tries of a call are one

    def add(self, call: PricedCall | None, *, is_root: bool) -> None:
        if call is not None:
            self.tally.add(call)
            if is_root and call.agent_id is None and not (call.retry and call.turn == self._turn):
                self.turns += 1
                self._turn = call.turn

    def entry(self, family: _Family, recording: str) -> Entry:
        return self.tally.entry(family.root, recording, agent_title(family.root), turns=self.turns)


class _Files:
    """
    A store of sessions from agents' own files. At first all calls and tools are read in the order of the store, a part with
    each question. To look up one session takes as long as to read a hundred calls in that order. A family that has grown is
    looked up.
    """

    def __init__(self, prices: Prices) -> None:
        self.version = -1
        self.families: dict[str, _Family] = {}
        self.by_agent: dict[str, int] = {}
        self._prices = prices
        self._root_of: dict[str, str] = {}  # by the id of each session
        self._entries: dict[str, tuple[_Family, Entry]] = {}
        self._unread: dict[str, tuple[_Family, Entry]] = {}
        self._made: tuple[Entry, ...] | None = None  # of all families; None: something has changed
        self._looked = False
        self._order: list[_Family] = []  # that the first reading has not reached, as they were when it began
        self._done: list[_Family] = []  # and that it has
        self._again = False
        self._sums: dict[str, _Sum] = {}
        self._calls_before: tuple[Any, ...] | None = None
        self._tools_from: Key | None = ()
        self._calls_read = False

    def look(self, store: Store, version: int) -> None:
        """Which sessions there are now."""
        if version == self.version:
            return
        rows = {row.id: row for row in rows_of(store, SESSIONS)}
        self._root_of = {id: _root_of(row, rows) for id, row in rows.items()}
        below: dict[str, list[SessionRow]] = {}
        for id, root in self._root_of.items():
            below.setdefault(root, []).append(rows[id])
        self.families = {
            root: _Family(rows[root], tuple(row for row in family if row.id != root)) for root, family in below.items()
        }
        titles = [agent_title(family.root) for family in self.families.values()]
        self.by_agent = {title: titles.count(title) for title in set(titles)}
        self._entries = {id: known for id, known in self._entries.items() if id in self.families}
        self.version, self._made, self._unread = version, None, {}
        if not self._looked:
            self._looked, self._order = True, sorted(self.families.values(), key=lambda each: each.root.start_timestamp_ms)

    def read_on(self, store: Store, recording: str, since_ms: int | None) -> int:
        """Reads some more; returns how many sessions are still to be read."""
        if not self._calls_read:
            self._read_calls(store, since_ms)
        if self._tools_from is not None:
            self._again = self._read_tools(store)  # their files are known now
        self._close_read(recording)
        if not self._calls_read:
            return len(self._order)
        known = self._entries
        waiting = [family for id, family in self.families.items() if id not in known or known[id][0] != family]
        waiting.sort(key=lambda family: -family.root.start_timestamp_ms)
        for family in waiting[:_FAMILIES_READ]:
            self._entries[family.root.id] = family, self._looked_up(store, recording, family)
            self._made = None
        return max(0, len(waiting) - _FAMILIES_READ) + (self._tools_from is not None)

    def _close_read(self, recording: str) -> None:
        """The entries of the families whose calls are all read."""
        reached = 0 if self._calls_read else int(self._calls_before[0]) if self._calls_before else 1 << 62
        while self._order and self._order[-1].root.start_timestamp_ms >= reached:
            self._done.append(self._order.pop())
            self._close(self._done[-1], recording)
        if self._again:
            for family in self._done:
                self._close(family, recording)
            self._again = False
        if self._calls_read and self._tools_from is None and self._done:
            self._sums, self._done = {}, []

    def _close(self, family: _Family, recording: str) -> None:
        self._entries[family.root.id] = family, self._sum(family.root.id).entry(family, recording)
        self._made = None

    def entries(self, recording: str) -> tuple[Entry, ...]:
        """As they were read, else what their own rows say: their cost is not known yet."""
        if self._made is None:
            self._made = tuple(self._entry(id, family, recording) for id, family in self.families.items())
        return self._made

    def _entry(self, id: str, family: _Family, recording: str) -> Entry:
        known = self._entries.get(id) or self._unread.get(id)
        if known is None:
            entry = Tally().entry(family.root, recording, agent_title(family.root), turns=family.root.calls)
            known = self._unread[id] = family, entry
        return known[1]

    def _sum(self, root: str) -> _Sum:
        return self._sums.setdefault(root, _Sum())

    def _read_calls(self, store: Store, since_ms: int | None) -> None:
        """The newest first; down to that time, or some."""
        while not self._calls_read:
            page = store.scan(CALLS, stop=self._calls_before, reverse=True, limit=_CALLS_READ)
            self._calls_read = len(page) < _CALLS_READ
            for _, row in page:
                root = self._root_of.get(row.session_id or "")
                if root is not None:
                    self._sum(root).add(short_call(row, self._prices), is_root=root == row.session_id)
            if not page:
                return
            self._calls_before, oldest = page[-1]
            if since_ms is None or oldest.start_timestamp_ms < since_ms:
                return

    def _read_tools(self, store: Store) -> bool:
        """Some of them; True once all are read."""
        page = store.scan(TOOLS, start=self._tools_from or (), limit=_CALLS_READ)
        for _, row in page:
            root = self._root_of.get(row.session_id or "")
            if root is not None:
                self._sum(root).tally.add_tool(row)
        self._tools_from = (*page[-1][0], 0) if len(page) == _CALLS_READ else None
        return self._tools_from is None

    def _looked_up(self, store: Store, recording: str, family: _Family) -> Entry:
        found = _Sum()
        for member in (family.root, *family.others):
            part = Selection(sessions=frozenset((member.id,)))
            for call in selected(store, CALLS, part):
                found.add(short_call(call, self._prices), is_root=member is family.root)
            for tool in selected(store, TOOLS, part):
                found.tally.add_tool(tool)
        return found.entry(family, recording)


class _Read(Struct, frozen=True):
    """The rows of a recording, of one version of it and of the files that are beside it."""

    version: int
    being_written: bool
    beside: tuple[object, ...]
    entries: tuple[Entry, ...]


class Sessions(Struct, frozen=True):
    """All sessions, each once. `left`: recordings and sessions that are still to be read."""

    entries: tuple[Entry, ...]
    left: int = 0
    recordings: int = 0
    unreadable: tuple[Unreadable, ...] = ()


class Lists:
    """
    One question reads a few of the recordings that changed, the newest first, and some sessions of the files, so it takes a
    short time however much there is. The others follow with the next questions. It is used under the lock of the pictures.
    """

    def __init__(self, recordings: Recordings, prices: Prices, glances: Glances) -> None:
        self._recordings = recordings
        self._prices = prices
        self._glances = glances
        self._read: Recent[str, _Read] = Recent(_RECORDINGS)
        self._files: dict[str, _Files] = {}
        self._kinds: dict[str, bool] = {}  # whether a recording that has a run is of files
        self._parts: tuple[tuple[Entry, ...], ...] = ()
        self._once: tuple[Entry, ...] = ()
        self._shared: dict[str, tuple[str, ...]] = {}  # the recordings of the sessions that several have
        self._whole: Recent[str, tuple[tuple[Entry, ...], Entry]] = Recent(_RECORDINGS)  # of several recordings, by session

    def files(self) -> str:
        """The id of the newest store of agents' own files; "" where there is none."""
        return next(iter(self._files), "")

    def others(self, recording: str, session: str, /) -> tuple[str, ...]:
        """The other recordings that have this session."""
        names = self._shared.get(session, ())
        return tuple(each for each in names if each != recording) if recording in names else ()

    def versions(self) -> dict[str, int]:
        """Of the recordings that were read, the version that was."""
        return {id: known.version for id, known in self._read.items()}

    def sessions(self, *, since_ms: int | None = None) -> Sessions:
        """`since_ms`: all that is newer is read."""
        listed = self._recordings.listed()
        parts: list[tuple[Entry, ...]] = []
        unreadable: list[Unreadable] = []
        left = 0
        room = _READ
        self._look_at_files(listed)
        for each in listed:
            try:
                if each.id in self._files:
                    files = self._files[each.id]
                    left += files.read_on(self._recordings.opened(each.id).store, each.id, since_ms)
                    parts.append(files.entries(each.id))
                    continue
                known = self._read.use(each.id)
                if self._is_current(each, known):
                    parts.append(known.entries if known else ())
                elif room > 0 or (since_ms is not None and (each.being_written or each.changed_ms >= since_ms)):
                    room -= 1
                    parts.append(self._recording(each))
                else:
                    left += 1
                    parts.append(known.entries if known else ())
            except (KeyError, StoreError, PageError) as error:
                unreadable.append(Unreadable(each.id, str(error)))
        return Sessions(self._joined(tuple(parts)), left, len(listed), tuple(unreadable))

    def _joined(self, parts: tuple[tuple[Entry, ...], ...]) -> tuple[Entry, ...]:
        if parts != self._parts:
            self._parts = parts
            self._once = tuple(sessions_once((entry for part in parts for entry in part), self._of_parts))
            self._shared = {entry.row.id: entry.row.recordings for entry in self._once if entry.row.recordings}
        return self._once

    def _of_parts(self, entries: list[Entry]) -> Entry:
        """Several recordings have a session; where one of them cannot be read any more, the fullest of its rows stands."""
        key, id = tuple(entries), entries[0].row.id
        known = self._whole.use(id)
        if known is not None and known[0] == key:
            return known[1]
        try:
            parts = [part for each in entries if (part := self._part(each)) is not None]
        except (KeyError, StoreError, PageError):
            parts = []
        if len(parts) < len(entries):
            return max(entries, key=lambda each: each.row.turns)
        made = entry_of_parts(parts, entries)
        self._whole.put(id, (key, made))
        return made

    def _part(self, entry: Entry) -> Recorded | None:
        picture = self._glances.glance(entry.row.recording)
        row = session_of(picture.store, entry.row.id)
        return None if row is None else recorded_in(picture, row, entry.row.recording)

    # -- recordings ----------------------------------------------------------------------------------------------------

    def _is_current(self, each: Listed, known: _Read | None) -> bool:
        if known is None or known.being_written != each.being_written:
            return False
        return known.version == self._glances.version_of(each) and known.beside == self._beside(known.entries)

    def _recording(self, each: Listed) -> tuple[Entry, ...]:
        version = self._glances.version_of(each)
        entries = tuple(entries_in(self._glances.glance(each.id), each.id))
        self._read.put(each.id, _Read(version, each.being_written, self._beside(entries), entries))
        return entries

    def _beside(self, entries: Sequence[Entry]) -> tuple[object, ...]:
        """What the files have that may be these sessions: another answer is a reason to compare again."""
        found: list[object] = []
        for entry in entries:
            for files in self._files.values():
                family = files.families.get(entry.said or entry.row.id)
                found.append(family.root if family is not None else files.by_agent.get(entry.row.agent, 0))
        return tuple(found)

    def beside(self, recording: str, /) -> tuple[object, ...]:
        """What the files have of its sessions: with another answer its picture is another one."""
        known = self._read.get(recording)
        return self._beside(known.entries) if known is not None else ()

    # -- files ---------------------------------------------------------------------------------------------------------

    def _look_at_files(self, listed: Sequence[Listed]) -> None:
        there = {each.id for each in listed}
        for id in self._files.keys() - there:
            del self._files[id]
        for each in listed:
            with suppress(KeyError, StoreError, PageError):
                if self._is_of_files(each):
                    files = self._files.setdefault(each.id, _Files(self._prices))
                    files.look(self._recordings.opened(each.id).store, self._glances.version_of(each))

    def _is_of_files(self, each: Listed) -> bool:
        known = self._kinds.get(each.id)
        if known is None:
            runs = self._recordings.opened(each.id).store.scan(RUNS)
            known = bool(runs) and all(run.seen_by == SAID for _, run in runs)
            if runs:
                self._kinds[each.id] = known
        return known


def _root_of(row: SessionRow, rows: dict[str, SessionRow]) -> str:
    seen = {row.id}
    while row.parent_session_id in rows and row.parent_session_id not in seen:
        row = rows[row.parent_session_id]
        seen.add(row.id)
    return row.id


# -- what is asked for ---------------------------------------------------------------------------------------------


class Asked(Struct, frozen=True):
    """The sessions that a person wants to see, in which order, and in which zone their days begin."""

    choice: Choice
    order: str = "-time"
    zone: tzinfo | None = None


def asked_of(given: Mapping[str, str], /) -> Asked:
    """The parameters of a request, which have the names of the page's address. Raises PageError."""
    order, source, cost = given.get("sort", "-time"), given.get("source", ""), given.get("cost", "")
    if order.removeprefix("-") not in ORDERS:
        raise PageError(
            f"sort={order[:40]!r} is no order: give one of {', '.join(ORDERS)}, with - in front for the largest", 400
        )
    if source and source not in SOURCES:
        raise PageError(f"source={source[:40]!r} is no source: give one of {', '.join(SOURCES)}", 400)
    if not re.fullmatch(r"(\d{1,7}(\.\d{1,4})?)?", cost, re.ASCII):
        raise PageError(f"cost={cost[:40]!r} is no number of dollars", 400)
    choice = Choice(
        agent=given.get("agent", ""),
        project=given.get("project", ""),
        model=given.get("model", ""),
        since=_day(given, "from"),
        until=_day(given, "to"),
        failed=given.get("failed", "") == "1",
        alerts=given.get("alerts", "") == "1",
        over=float(cost or 0),
        source=source,
        words=given.get("q", "")[:_WORDS_MOST],
    )
    return Asked(choice, order, zone_of(given.get("zone", "")))


def _day(given: Mapping[str, str], name: str) -> date | None:
    text = given.get(name, "")
    try:
        return date.fromisoformat(text) if text else None
    except ValueError as error:
        raise PageError(f"{name}={text[:40]!r} is no day: give one as 2026-11-28", 400) from error


def zone_of(name: str, /) -> tzinfo | None:
    """The zone of that name, such as Europe/Berlin. None, the zone of this machine, where the name is empty or unknown."""
    try:
        return ZoneInfo(name) if re.fullmatch(r"[A-Za-z0-9_+/-]{1,60}", name) else None
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return None
