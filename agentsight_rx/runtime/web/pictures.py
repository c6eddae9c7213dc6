"""A recording, a path -> the answer for the page, from one moment of the store, kept until the store changes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from threading import Lock

from msgspec import Struct
from msgspec.structs import replace

from ...core.bounded import Recent
from ...core.errors import StoreError, UnwritableError
from ...llm.prices import Prices
from ...view import AlertRow
from ...view.page import PageError, Picture, answer
from ...view.page.alert_shapes import AlertLine, AlertList
from ...view.page.alerts import alert_page, line_of, loud_of
from ...view.page.machine import Machine, RecorderLine, Watched, line_of_recorder, machine_of, reason_of
from ...view.page.picture import WHOLE
from ...view.page.rail import RailRow, alerts_once, flagged, rail_of, sessions_once
from ...view.queries.context.reading import Contexts
from ...view.queries.decided import Decisions, is_waiting
from ...view.queries.effects.file_lines import FileLines
from ..recording.deciding import Deciding
from .recordings import Listed, Recordings

_KEPT = 2  # pictures of recordings that are looked at: each takes up to 80 MB
_RAILS = 2000  # recordings whose rows in the rail are kept
_LIMIT_MOST = 500
_LOOKED_AT = 300  # recordings, the newest, of which this machine is made
_REASONS = 200  # sessions of which the dearest cause is remembered
_MARKED_MOST = 500  # alerts of one question


class Unreadable(Struct, frozen=True):
    recording: str
    error: str


class Rail(Struct, frozen=True):
    """Sessions of the newest recordings first. `next`: the recording to go on behind, "" at the end."""

    sessions: tuple[RailRow, ...]
    next: str
    recordings: int
    unreadable: tuple[Unreadable, ...] = ()


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
        self._kept: Recent[str, tuple[int, Picture]] = Recent(_KEPT)
        self._rails: Recent[str, tuple[int, tuple[RailRow, ...]]] = Recent(_RAILS)
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
                return answer(picture, recording, path, given)
            except StoreError as error:
                self._kept.pop(recording, None)
                raise _gone(recording, error) from error

    def rail(self, *, limit: int, behind: str = "") -> Rail:
        """The sessions of as many recordings as give `limit` rows."""
        listed = self.recordings.listed()
        ids = [each.id for each in listed]
        start = ids.index(behind) + 1 if behind in ids else 0
        decisions = self._decisions()
        found: list[RailRow] = []
        unreadable: list[Unreadable] = []
        last = ""
        for at, each in enumerate(listed[start:], start):
            try:
                found += self._rail(each, decisions)
            except PageError as error:
                unreadable.append(Unreadable(each.id, str(error)))
            if len(found) >= min(limit, _LIMIT_MOST) and at + 1 < len(ids):
                last = each.id
                break
        return Rail(tuple(found), last, len(ids), tuple(unreadable))

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
        lines: list[AlertLine] = []
        rows: list[RailRow] = []
        since_ms = begins[0] if begins else 0
        listed = self.recordings.listed()
        for each in listed[:_LOOKED_AT]:
            lines += self._lines(each, decisions)
            if each.being_written or not each.changed_ms or each.changed_ms >= since_ms:
                with suppress(PageError):  # the rail names it
                    rows += self._rail(each, decisions)
        ordered = alert_page(alerts_once(lines), decisions, start=0, count=len(lines)).rows
        left_out = max(0, len(listed) - _LOOKED_AT)
        made = machine_of(sessions_once(rows), ordered, begins, why=self._reason, left_out=left_out)
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
            return self._loud(each.id, self._version(each)).lines(each.id, decisions)
        return []

    def _version(self, each: Listed) -> int:
        """Of its store. A file that did not change since it was read is not opened: only few are open at once."""
        known = self._read.use(each.id)
        if known is None or each.being_written or not each.changed_ms or known[0] != each.changed_ms:
            known = each.changed_ms, self.recordings.opened(each.id).version
            self._read.put(each.id, known)
        return known[1]

    def _decisions(self) -> Decisions:
        with self._lock:
            return self._deciding.now()

    def _reason(self, row: RailRow) -> str:
        key = row.recording, row.id
        with self._lock:
            try:
                version = self.recordings.opened(row.recording).version
                known = self._reasons.use(key)
                if known is None or known[0] != version:
                    known = version, reason_of(self._glance(row.recording), row.id)
                    self._reasons.put(key, known)
            except (KeyError, StoreError, PageError):
                return ""
        return known[1]

    def _rail(self, each: Listed, decisions: Decisions) -> list[RailRow]:
        id = each.id
        with self._lock:
            try:
                version = self._version(each)
                known = self._rails.use(id)
                if known is None or known[0] != version:
                    known = version, tuple(rail_of(self._glance(id), id))
                    self._rails.put(id, known)
                loud = self._loud(id, version)
            except (KeyError, StoreError) as error:
                raise _gone(id, error) from error
            lines = loud.lines(id, decisions)
        return [flagged(row, lines) for row in known[1]]

    def _loud(self, id: str, version: int) -> _Loud:
        """Raises StoreError and PageError. The lock is held."""
        known = self._louds.use(id)
        if known is None or known.version != version:
            picture = self._glance(id)
            sessions = [row.id for row in picture.roots] or [WHOLE]
            known = _Loud(version, tuple((each, row) for each in sessions for row in loud_of(picture, each)))
            self._louds.put(id, known)
        return known

    def _glance(self, recording: str) -> Picture:
        """For a line about it among others: the pictures of recordings that are looked at stay."""
        return self._picture(recording, keep=recording in self._kept)

    def _picture(self, recording: str, *, keep: bool = True) -> Picture:
        try:
            opened = self.recordings.opened(recording)
        except KeyError as error:
            raise _gone(recording, error) from error
        known = self._kept.use(recording)
        same = known is not None and (known[0], known[1].store) == (opened.version, opened.store)  # a file may come back
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
            )
            known = opened.version, made
            if keep:
                self._kept.put(recording, known)
        return known[1]

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
