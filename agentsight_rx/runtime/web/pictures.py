"""
A recording, a path -> the answer for the page, from one moment of the store, kept until the store changes.

Longer than 300 lines because every question of the page is answered under one lock.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from threading import Lock

from msgspec import Struct
from msgspec.structs import replace

from ...core.bounded import Recent
from ...core.errors import StoreError, UnwritableError
from ...llm.prices import Prices
from ...store.rows.tables import ALERTS
from ...view import AlertRow
from ...view.page import PageError, Picture, answer
from ...view.page.alert_shapes import AlertLine, AlertList
from ...view.page.alerts import alert_page, line_of, loud_of
from ...view.page.head import Head, part_of
from ...view.page.machine import Machine, RecorderLine, Watched, line_of_recorder, machine_of, reason_of
from ...view.page.picture import WHOLE
from ...view.page.rail import alerts_once, flagged
from ...view.queries.context.reading import Contexts
from ...view.queries.decided import Decisions, is_waiting
from ...view.queries.effects.file_lines import FileLines
from ...view.queries.sessions.listing import (
    Choice,
    DaySum,
    ListRow,
    Sums,
    When,
    chosen,
    days_of,
    numbered,
    ordered,
    page_behind,
    sums_of,
)
from ...view.queries.sessions.side_by_side import Compared, Part, side_by_side
from ...view.queries.sessions.twins import Twins
from ..recording.deciding import Deciding
from .lists import Asked, Lists, Sessions, Unreadable
from .recordings import Listed, Recordings

_KEPT = 2  # pictures of recordings that are looked at: each takes up to 80 MB
_RAILS = 2000  # recordings whose rows in the rail are kept
_LIMIT_MOST = 500
_LOOKED_AT = 300  # recordings, the newest, of which this machine is made
_PARTS = 8  # sessions that were compared
_REASONS = 200  # sessions of which the dearest cause is remembered
_ALL = Asked(Choice())
_MARKED_MOST = 500  # alerts of one question


class Rail(Struct, frozen=True):
    """
    Some sessions of all recordings. `next`: the place to go on behind, "" at the end. `total` sessions fit the choice, `days`
    has the days of the page. `left`: recordings and sessions that are still to be read.
    """

    sessions: tuple[ListRow, ...]
    next: str
    recordings: int
    unreadable: tuple[Unreadable, ...] = ()
    total: int = 0
    all: int = 0
    left: int = 0
    days: dict[str, DaySum] = {}


class _Loud(Struct, frozen=True):
    """The alerts of a recording that are for a person, each with the session that shows it."""

    version: int
    alerts: tuple[tuple[str, AlertRow], ...]

    def lines(self, recording: str, decisions: Decisions) -> list[AlertLine]:
        return [line_of(row, decisions, recording=recording, session=session) for session, row in self.alerts]


class Pictures:
    """
    One question at a time: what several ask at once is read once. `deciding` knows which alerts a person has seen; without it
    none is. `watched` says whether a recorder watches this machine.
    """

    def __init__(
        self,
        recordings: Recordings,
        prices: Prices,
        deciding: Deciding | None = None,
        watched: Callable[[], Watched] | None = None,
    ) -> None:
        self.recordings = recordings
        self._prices = prices
        self._deciding = deciding or Deciding()
        self._watched = watched
        self._reasons: Recent[tuple[str, str], tuple[int, str]] = Recent(_REASONS)
        self._lock = Lock()
        self._kept: Recent[str, tuple[object, Picture]] = Recent(_KEPT)
        self._lists = Lists(recordings, prices, self)
        self._twins: Twins | None = None
        self._parts: Recent[tuple[str, str], tuple[object, Part]] = Recent(_PARTS)
        self._before: Recent[str, tuple[Contexts, FileLines]] = Recent(_KEPT)  # of recordings that go on
        self._louds: Recent[str, _Loud] = Recent(_RAILS)
        self._read: Recent[str, tuple[int, int]] = Recent(_RAILS)  # when a file had changed, and its version

    def version(self, recording: str, /) -> int:
        """Raises PageError where it is not there."""
        try:
            return self.recordings.opened(recording).version
        except (KeyError, StoreError) as error:
            raise _gone(recording, error) from error

    def versions(self, recordings: Sequence[str], /) -> tuple[int, ...]:
        """The versions of the recordings that can be read."""
        found: list[int] = []
        for each in recordings:
            with suppress(PageError):
                found.append(self.version(each))
        return tuple(found)

    def answer(self, recording: str, path: str, given: Mapping[str, str], /) -> object:
        """Raises PageError."""
        with self._lock:
            try:
                picture = self._picture(recording)
                picture.decisions = self._deciding.now()
                found = answer(picture, recording, path, given)
                return replace(found, others=self._lists.others(recording, found.id)) if isinstance(found, Head) else found
            except StoreError as error:
                self._kept.pop(recording, None)
                raise _gone(recording, error) from error

    def rail(self, *, limit: int, behind: str = "", asked: Asked = _ALL) -> Rail:
        """A page of the sessions that fit. Where the newest come first, what goes on does so before them."""
        found, order, zone = self._sessions(), asked.order, asked.zone
        kept = ordered(chosen(found.entries, asked.choice, zone), order)
        if order == "-time":
            kept.sort(key=lambda entry: not entry.row.live)
        page, last = page_behind(kept, behind, min(limit, _LIMIT_MOST))
        return Rail(
            tuple(numbered(page, found.entries)),
            last,
            found.recordings,
            found.unreadable,
            total=len(kept),
            all=len(found.entries),
            left=found.left,
            days=days_of(kept, page, zone) if order.endswith("time") else {},
        )

    def sums(self, choice: Choice, when: When, /, *, by: str) -> Sums:
        """Of the sessions that fit."""
        found = self._sessions()
        return sums_of(found.entries, choice, when, by=by, left=found.left)

    def compare(self, a: str, b: str, /) -> Compared:
        """Two sessions by their ids. Raises PageError."""
        entries = {entry.row.id: entry for entry in reversed(self._sessions().entries)}
        missing = next((id for id in (a, b) if id not in entries), None)
        if missing is not None:
            raise PageError(f"no session has the id {missing[:80]}: the list of all sessions has them")
        with self._lock:
            try:
                return side_by_side(*(self._part(entries[id].row) for id in (a, b)))
            except (KeyError, StoreError) as error:
                raise _gone(f"{a} or {b}", error) from error

    def _part(self, row: ListRow) -> Part:
        """The lock is held."""
        picture = self._picture(row.recording)
        known = self._parts.use((row.recording, row.id))
        if known is None or known[0] != (picture.version, row):
            known = (picture.version, row), part_of(picture, row)
            self._parts.put((row.recording, row.id), known)
        return known[1]

    def _sessions(self, since_ms: int | None = None) -> Sessions:
        """With the alerts that wait now."""
        decisions = self._decisions()
        with self._lock:
            found = self._lists.sessions(since_ms=since_ms)
            lines = [
                line for id, version in self._lists.versions().items() for line in self._loud(id, version).lines(id, decisions)
            ]
        return replace(found, entries=tuple(flagged(found.entries, lines))) if lines else found

    def alerts(self, *, start: int, count: int, waiting: bool = False) -> AlertList:
        """The alerts of the newest recordings that are for a person; `waiting`: only alerts that wait."""
        decisions = self._decisions()
        lines = alerts_once(line for each in self.recordings.listed()[:_LOOKED_AT] for line in self._lines(each, decisions))
        found = [line for line in lines if not waiting or is_waiting(line.state)]
        return alert_page(found, decisions, start=start, count=min(count, _LIMIT_MOST))

    def machine(self, begins: Sequence[int]) -> Machine:
        """
        All recordings together, by days that begin so (Unix time, ms). Sessions of before are not looked at. What two recorders
        saw counts once.
        """
        decisions = self._decisions()
        since_ms = begins[0] if begins else 0
        listed = self.recordings.listed()
        lines = [line for each in listed[:_LOOKED_AT] for line in self._lines(each, decisions)]
        rows = [entry.row for entry in self._sessions(since_ms).entries]
        in_order = alert_page(alerts_once(lines), decisions, start=0, count=len(lines)).rows
        left_out = max(0, len(listed) - _LOOKED_AT)
        made = machine_of(rows, in_order, begins, why=self._reason, left_out=left_out)
        return replace(made, refusal=decisions.refusal, wrong=decisions.wrong, recorder=self._recorder(listed))

    def _recorder(self, listed: Sequence[Listed]) -> RecorderLine | None:
        if self._watched is None:
            return None
        watched = self._watched()
        known = next((each.id for each in listed if watched.store is not None and each.name == str(watched.store)), None)
        with self._lock, suppress(KeyError, StoreError):
            return line_of_recorder(watched, None if known is None else self.recordings.opened(known).store)
        return line_of_recorder(watched, None)

    def mark(self, recording: str, ids: Sequence[str], *, seen: bool) -> int:
        """A person has seen alerts of a recording; how many there are. Raises PageError."""
        with self._lock:
            try:
                wanted = set(ids[:_MARKED_MOST])
                rows = [
                    row
                    for _, row in self._loud(recording, self.recordings.opened(recording).version).alerts
                    if row.id in wanted
                ]
                self._deciding.mark(rows, seen=seen)
            except UnwritableError as error:
                raise PageError(str(error), 409) from error
            except (KeyError, StoreError) as error:
                raise _gone(recording, error) from error
        return len(rows)

    def _lines(self, each: Listed, decisions: Decisions) -> list[AlertLine]:
        """No alert of a recording that cannot be read: the rail names it."""
        with self._lock, suppress(KeyError, StoreError, PageError):
            return self._loud(each.id, self.version_of(each)).lines(each.id, decisions)
        return []

    def version_of(self, each: Listed, /) -> int:
        """Of its store. A file that did not change since it was read is not opened: only few are open at once."""
        known = self._read.use(each.id)
        if known is None or each.being_written or not each.changed_ms or known[0] != each.changed_ms:
            known = each.changed_ms, self.recordings.opened(each.id).version
            self._read.put(each.id, known)
        return known[1]

    def _decisions(self) -> Decisions:
        with self._lock:
            return self._deciding.now()

    def _reason(self, row: ListRow) -> str:
        key = row.recording, row.id
        with self._lock:
            try:
                version = self.recordings.opened(row.recording).version
                known = self._reasons.use(key)
                if known is None or known[0] != version:
                    known = version, reason_of(self.glance(row.recording), row.id)
                    self._reasons.put(key, known)
            except (KeyError, StoreError, PageError):
                return ""
        return known[1]

    def _loud(self, id: str, version: int) -> _Loud:
        """Raises StoreError and PageError. The lock is held."""
        known = self._louds.use(id)
        if known is None or known.version != version:
            known = _Loud(version, tuple(self._louds_in(id)))
            self._louds.put(id, known)
        return known

    def _louds_in(self, id: str) -> Iterator[tuple[str, AlertRow]]:
        if not self.recordings.opened(id).store.scan(ALERTS, limit=1):
            return
        picture = self.glance(id)
        for session in [row.id for row in picture.roots] or [WHOLE]:
            yield from ((session, row) for row in loud_of(picture, session))

    def glance(self, recording: str, /) -> Picture:
        """For a line about it among others: the pictures of recordings that are looked at stay."""
        return self._picture(recording, keep=recording in self._kept)

    def _picture(self, recording: str, *, keep: bool = True) -> Picture:
        try:
            opened = self.recordings.opened(recording)
        except KeyError as error:
            raise _gone(recording, error) from error
        known = self._kept.use(recording)
        key = opened.version, self._lists.beside(recording)
        same = known is not None and (known[0], known[1].store) == (key, opened.store)  # a file may come back
        if known is None or not same or known[1].being_written != opened.being_written:
            contexts, files = self._read_before(recording, same_store=known is not None and known[1].store is opened.store)
            made = Picture(
                opened.store,
                self._prices,
                being_written=opened.being_written,
                closing=opened.closing,
                version=opened.version,
                contexts=contexts,
                files=files,
                place=opened.path,
                twins=self._files_beside(),
            )
            known = key, made
            if keep:
                self._kept.put(recording, known)
        return known[1]

    def _files_beside(self) -> Twins | None:
        """What agents wrote down themselves, where it was imported."""
        with suppress(KeyError, StoreError):
            store = self.recordings.opened(self._lists.files()).store
            if self._twins is None or self._twins.past is not store:
                self._twins = Twins(store)
            return self._twins
        return None

    def _read_before(self, recording: str, *, same_store: bool) -> tuple[Contexts, FileLines]:
        """What the picture before has read, if it was of the same store."""
        known = self._before.use(recording)
        if known is None or not same_store:
            known = Contexts(self._prices), FileLines()
            self._before.put(recording, known)
        return known


def _gone(recording: str, error: Exception) -> PageError:
    if isinstance(error, KeyError):
        return PageError(f"the recording {recording[:80]} is not here, or no longer", 404)
    return PageError(str(error), 503)
