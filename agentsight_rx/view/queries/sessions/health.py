"""Store -> its gaps, and how its TLS was read."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property, reduce
from itertools import islice
from operator import add
from typing import TYPE_CHECKING, TypeVar

from msgspec import Struct

from ....events.loss import Entry
from ....store.rows.gaps import Agreement, Gaps, LeftRunning, OnlyInFile, left_running, unsaid
from ....store.rows.ids import Beginning, beginnings_of
from ....store.rows.kind import newest_fitting, weight_of
from ....store.rows.kinds import HOOKED, SAID, SEEN, BlindSpotRow, SessionRow, TlsUseRow, UnknownRow
from ....store.rows.tables import BLIND_SPOTS, LOSSES, REMOVED, RUNS, SESSIONS, TLS_USES, TOTALS, UNKNOWN, Recording, Removed
from ....store.rows.tally import Totals
from ....store.state import Store, Table
from ..alerts import rules_error
from ..concerned import Concerned, LossesInTime, window_of
from ..reading import newest_first, read_totals, rows_of
from ..selection import Selection
from .findings import gone_on, life_of, runs_through

if TYPE_CHECKING:
    from .twins import Twin, Twins

R = TypeVar("R", BlindSpotRow, TlsUseRow)

_SLACK_MS = 1000
_COMPARED_MOST = 200  # sessions of a recording, the newest, that are looked for in the agents' own files


class Health(Struct, frozen=True):
    """
    Everything that makes a recording less than whole, as `gaps` has it. What agents wrote themselves is never `complete`.
    `missing` counts the things. `filtered` counts the messages that filters left out, which is no gap. `live` are the
    recordings that are being written, and `calls_open` the calls of them that go on; they are neither cut nor unfinished.
    """

    complete: bool
    missing: int
    calls: int
    calls_cut: int
    calls_unfinished: int
    blind_spots: tuple[BlindSpotRow, ...]
    losses: tuple[Entry, ...]
    unended: tuple[Recording, ...]
    live: tuple[Recording, ...]
    unknown_fields: tuple[UnknownRow, ...]
    filtered: int
    tls_uses: tuple[TlsUseRow, ...]
    recordings: tuple[Recording, ...]
    removed: Removed | None = None  # what retention took out, since it was older or too much
    commands_unseen: int = 0  # that came back, and whose processes were not found though processes were watched
    beginnings: tuple[Beginning, ...] = ()  # of agents and connections that are older than the capture
    connections_read: int = 0
    connections_unread: int = 0
    rules_error: str = ""  # why the newest rules of the guard could not be loaded
    calls_open: int = 0
    left: tuple[LeftRunning, ...] = ()
    agreement: Agreement | None = None  # with the agents' own files, where they have any of it
    only_in_file: tuple[OnlyInFile, ...] = ()

    @property
    def seen_by(self) -> str:
        """Who saw the least of it: no one what an agent's own file says, breakpoints some of it, else the kernel."""
        kinds = {run.seen_by for run in self.recordings}
        return next((each for each in (SAID, HOOKED) if each in kinds), SEEN)

    @property
    def gaps(self) -> Gaps:
        """Every sentence about missing things is made of these."""
        return Gaps(
            blind_spots=self.blind_spots,
            losses=self.losses,
            calls_cut=self.calls_cut,
            calls_unfinished=self.calls_unfinished,
            commands_unseen=self.commands_unseen,
            left=self.left,
            unended=self.unended,
            beginnings=self.beginnings,
            rules_error=self.rules_error,
            only_in_file=self.only_in_file,
        )


def read_health(store: Store, /, *, being_written: bool = False, size: int = 1 << 60, twins: Twins | None = None) -> Health:
    """
    `being_written`: a process has the store open to write, so its newest recording goes on. `size`: about how many bytes of
    blind spots, and of uses of TLS, are kept; all of them count. `twins`: what agents wrote down themselves.
    """
    return Healths(store, being_written=being_written, size=size, twins=twins).whole


def gaps_of_run(store: Store, run: Recording, /) -> Gaps:
    """The gaps of the newest run, while it is written. Beginnings are left out: they are older."""
    entries = [entry for _, entry in store.scan(LOSSES, start=(run.number,), stop=(run.number + 1,))]
    spots = tuple(row for row in rows_of(store, BLIND_SPOTS) if row.timestamp_ms >= run.started_ms)
    totals = store.get(TOTALS, run.number) or Totals()
    return Gaps(
        blind_spots=spots,
        losses=unsaid(entries, spots),
        calls_cut=max(0, totals.calls_cut),
        calls_unfinished=max(0, totals.calls_unfinished - totals.calls_open),
        commands_unseen=max(0, totals.commands_unseen),
        rules_error=rules_error(store),
    )


class Healths:
    """
    The health of a store, and of each of its sessions: a loss while the session ran may concern it, a loss before or behind it
    cannot. Nor can a process of an agent beside it.
    """

    def __init__(self, store: Store, *, being_written: bool = False, size: int = 1 << 60, twins: Twins | None = None) -> None:
        self._store = store
        self._twins = twins
        self._runs = tuple(run for _, run in store.scan(RUNS))
        self._entries = [(int(key[0]), entry) for key, entry in store.scan(LOSSES)]
        self._totals = {int(key[0]): totals for key, totals in store.scan(TOTALS)}
        self._live = tuple(run for run in self._runs[-1:] if being_written and not run.ended)
        self._blind = _first(store, BLIND_SPOTS, size)
        self._uses = _first(store, TLS_USES, size)
        ends = {run.number: run.until_ms for run in self._runs}
        self._left = [(number, each) for number, entry in self._entries for each in left_running([entry], ends.get(number, 0))]
        self._unknown = tuple(row for _, row in store.scan(UNKNOWN))
        self._error = rules_error(store)
        self._times = LossesInTime(store)
        self._concerned = Concerned(store)
        self._sessions = sum(1 for _ in store.scan(SESSIONS, limit=2))
        self._read = sum(use.connections for use in rows_of(store, TLS_USES))
        self._unread = [row.connections for row in rows_of(store, BLIND_SPOTS)]
        known = self._concerned.known
        self._sums = read_totals(store)
        self._placed = [name for name in known.__struct_fields__ if getattr(known, name) >= getattr(self._sums, name)]
        self._is_said = any(run.seen_by == SAID for run in self._runs)

    @cached_property
    def whole(self) -> Health:
        """Of the whole store."""
        return self._health(
            _Part(
                self._runs,
                self._sums,
                tuple(entry for _, entry in self._entries),
                blind=self._blind,
                uses=self._uses,
                begun=tuple(self._begun()),
                unended=self._runs,
                going_on=self._sums.calls_open - self._concerned.over_open if self._live else 0,
                twins=tuple(self._found(islice(newest_first(self._store, SESSIONS, Selection()), _COMPARED_MOST))),
            )
        )

    def of(self, session: SessionRow, /) -> Health:
        """
        Of one session. Where a store has one run and one session, all of it is of that; what agents wrote themselves has other
        times than the runs that read it.
        """
        if self._is_said or (len(self._runs) < 2 and self._sessions < 2) or len(self._totals) < len(self._runs):
            return self.whole
        life = life_of(self._store, session)
        runs, window = runs_through(life, self._runs), window_of(self._store, session, life)
        numbers = {run.number for run in runs}
        lost = (self._times.within(number, entry, window) for number, entry in self._entries if number in numbers)
        blind = self._concerned.of([each for each in self._blind if _is_in(runs, each.timestamp_ms)], session, window)
        uses = self._concerned.of([each for each in self._uses if _is_in(runs, each.timestamp_ms)], session, window)
        begun = [*beginnings_of([session], uses), *filter(None, [gone_on(session, life, self._runs)])]
        broken = tuple(run for run in runs if not life.over or life.last_ms > run.committed_ms)
        entries = tuple(entry for entry in lost if entry is not None)
        totals = Totals()
        for run in runs:
            totals.include(self._totals[run.number])
        gaps = self._concerned.gaps_of(session)
        waiting = gaps.calls_open if "calls_open" in self._placed else totals.calls_open
        for name in ("calls_cut", "commands_alone", "calls_unfinished"):  # where it is known of all sessions which have them
            if name in self._placed:
                setattr(totals, name, getattr(gaps, name))
        return self._health(
            _Part(
                runs,
                totals,
                entries,
                blind=blind,
                uses=uses,
                begun=tuple(begun),
                unended=broken,
                going_on=waiting if self._live else 0,
                twins=tuple(self._found([session])),
            )
        )

    def _found(self, sessions: Iterable[SessionRow]) -> Iterator[Twin]:
        """What agents wrote down of these."""
        if self._twins is not None and not self._is_said:
            yield from filter(None, (self._twins.of(self._store, session) for session in sessions))

    def twin(self, session: SessionRow, /) -> Twin | None:
        """What its agent wrote down of a recorded session."""
        return next(self._found([session]), None)

    def _begun(self) -> Iterator[Beginning]:
        yield from beginnings_of(rows_of(self._store, SESSIONS), rows_of(self._store, TLS_USES))
        if len(self._runs) < 2:
            return
        for session in rows_of(self._store, SESSIONS):
            if session.start_timestamp_ms < self._runs[-1].started_ms:
                found = gone_on(session, life_of(self._store, session), self._runs)
                if found is not None:
                    yield found

    def _health(self, part: _Part) -> Health:
        numbers = {run.number for run in part.runs}
        gaps = Gaps(
            blind_spots=part.blind,
            losses=unsaid(part.entries, part.blind),
            calls_cut=part.totals.calls_cut,
            calls_unfinished=max(0, part.totals.calls_unfinished - part.going_on),
            commands_unseen=part.totals.commands_unseen,
            left=tuple(each for number, each in self._left if number in numbers),
            unended=tuple(run for run in part.unended if not run.ended and run not in self._live and run.seen_by != SAID),
            beginnings=part.begun,
            rules_error=self._error,
            only_in_file=tuple(
                OnlyInFile(twin.seen.id, twin.seen.who, twin.agreement.calls_only_file, twin.agreement.tools_only_file)
                for twin in part.twins
                if twin.agreement.calls_only_file or twin.agreement.tools_only_file
            ),
        )
        missing = gaps.count + len(self._unread) - len(self._blind)
        return Health(
            not missing and all(run.seen_by != SAID for run in part.runs),
            missing,
            calls=part.totals.calls,
            calls_cut=gaps.calls_cut,
            calls_unfinished=gaps.calls_unfinished,
            blind_spots=gaps.blind_spots,
            losses=gaps.losses,
            unended=gaps.unended,
            live=tuple(run for run in self._live if run.number in numbers),
            unknown_fields=self._unknown,
            filtered=sum(each.count for each in part.entries if each.by_filter),
            tls_uses=part.uses,
            recordings=part.runs,
            removed=self._store.get(REMOVED, 0),
            beginnings=gaps.beginnings,
            commands_unseen=gaps.commands_unseen,
            connections_read=self._read,
            connections_unread=sum(self._unread),
            rules_error=self._error,
            calls_open=part.going_on,
            left=gaps.left,
            agreement=reduce(add, [twin.agreement for twin in part.twins]) if part.twins else None,
            only_in_file=gaps.only_in_file,
        )


class _Part(Struct, frozen=True):
    """Some runs, and all that belongs to them. Of `unended` an orderly end is missed; so many calls are `going_on`."""

    runs: tuple[Recording, ...]
    totals: Totals
    entries: tuple[Entry, ...]
    blind: tuple[BlindSpotRow, ...]
    uses: tuple[TlsUseRow, ...]
    begun: tuple[Beginning, ...]
    unended: tuple[Recording, ...]
    going_on: int
    twins: tuple[Twin, ...] = ()


def _is_in(runs: Sequence[Recording], time_ms: int) -> bool:
    """Rows come some ms before the time at which everything is attached, and behind the last commit of a killed run."""
    return any(run.started_ms - _SLACK_MS <= time_ms <= run.committed_ms + _SLACK_MS for run in runs)


def _first(store: Store, table: Table[R], size: int) -> tuple[R, ...]:
    rows, _ = newest_fitting(rows_of(store, table), size, weight_of)
    return tuple(reversed(rows))  # as they lie
