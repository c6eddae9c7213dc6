"""
The stores of one user -> their sessions and their calls, each once.

A session that was recorded and also stands in the agent's own file is one: the recording counts, and the file adds what only
it has. A session of two recordings, as of `record` beside `watch`, is one too: a call counts in the first that has it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cached_property
from itertools import islice
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from ....events.tokens import counts_of
from ....store.rows.gaps import Agreement
from ....store.rows.ids import is_unique
from ....store.rows.kinds import SAID, SEEN, CallRow, SessionRow
from ....store.rows.tables import CALLS, SESSIONS
from ....store.state import LmdbStore, MemoryStore, Store
from ..reading import newest_first, rows_of, selected
from ..selection import Selection

if TYPE_CHECKING:
    from .twins import Twins

APART_MS = 1000  # two recorders measure the time of day apart


class Place(Struct, frozen=True):
    """A store, and the part of it that is asked for."""

    store: Store
    selection: Selection = Selection()


class OneSession(Struct, frozen=True):
    """
    A session once. `known_by`: `view` or `hooked` where it was recorded, `said` where the agent's own file has it. `agreement`
    says of both how far they agree. `at` is the place of the store that counts, among the recordings and behind them the past.
    """

    row: SessionRow
    known_by: tuple[str, ...]
    at: int = 0
    agreement: Agreement | None = None


class _Found(Struct):
    """A session by the rows that it has: in recordings, and in the agent's own file."""

    seen: list[tuple[int, SessionRow]]
    said: SessionRow | None = None

    @property
    def start_ms(self) -> int:
        return min(row.start_timestamp_ms for row in self.rows)

    @property
    def rows(self) -> list[SessionRow]:
        return [row for _, row in self.seen] + ([self.said] if self.said else [])


class Counted:
    """
    The calls of the stores before: by the ids of their answers, else by session, model, counts and time, which two recorders
    measure a little apart.
    """

    def __init__(self) -> None:
        self._ids: set[str] = set()
        self._times: dict[tuple[object, ...], list[int]] = {}

    @classmethod
    def of(cls, rows: Iterable[CallRow], /) -> Counted:
        made = cls()
        for row in rows:
            made.add(row)
        return made

    def __contains__(self, row: CallRow) -> bool:
        if row.response_id and is_unique(row.response_id):
            return row.response_id in self._ids
        return any(abs(row.start_timestamp_ms - each) <= APART_MS for each in self._times.get(_shape(row), ()))

    def add(self, row: CallRow) -> None:
        if row.response_id and is_unique(row.response_id):
            self._ids.add(row.response_id)
        else:
            self._times.setdefault(_shape(row), []).append(row.start_timestamp_ms)

    def join(self, other: Counted) -> None:
        """Those of one more store: within a store each call is one."""
        self._ids |= other._ids
        for shape, times in other._times.items():
            self._times.setdefault(shape, []).extend(times)


def _shape(row: CallRow) -> tuple[object, ...]:
    return row.conversation_id or row.session_id, row.model, row.status, *counts_of(row.usage).values()


class Once:
    """`recordings` in the order in which they count, and the store of the agents' own files."""

    def __init__(self, recordings: Sequence[Place], past: Place | None = None) -> None:
        self.places = [*recordings, past] if past else [*recordings]
        self._recordings = recordings
        self._past = past
        self._twins = _twins(past.store) if recordings and past and isinstance(past.store, LmdbStore | MemoryStore) else None

    def sessions(self, limit: int | None = None) -> list[OneSession]:
        """The sessions of the selections in the order in which they began, the newest so many."""
        if len(self.places) == 1:
            (only,) = self.places
            rows = selected(only.store, SESSIONS, replace(only.selection, limit=limit))
            return [OneSession(row, (_known_by(row),)) for row in rows]
        found = [*filter(self._is_meant, self._recorded), *self._only_in_files(limit)]
        found.sort(key=lambda each: each.start_ms)
        return [self._one(each) for each in (found if limit is None else found[-limit:])]

    def calls(
        self, *, where: Callable[[CallRow], bool] | None = None, limit: int | None = None
    ) -> Iterator[tuple[Store, CallRow]]:
        """
        The calls of the selections for which `where` holds, each with its store, store by store; with a limit the newest so
        many of each. A call that the agent's own file adds to a recorded session has the id of that session.
        """
        known = Counted()
        several = len(self.places) > 1
        for place in self._recordings:
            new = Counted()
            for row in self._of(place, where, limit):
                if row not in known:
                    yield place.store, row
                if several:
                    new.add(row)
            known.join(new)
        if self._past is None:
            return
        twins = {each.said.id: each for each in self._recorded if each.said} if several else {}
        for row in self._of(self._past, lambda row: row.session_id not in twins and (where is None or where(row)), limit):
            if row not in known:
                yield self._past.store, row
        for each in twins.values():
            rows = (row for row in self._only_said(each, known) if where is None or where(row))
            yield from ((self._past.store, row) for row in rows if self._past.selection.has(row) or self._is_asked(each, row))

    @cached_property
    def rows(self) -> dict[str, SessionRow]:
        """By the ids of calls, their sessions, with the folder and the branch that either side knows, but not its sums."""
        if len(self.places) == 1:
            return {row.id: row for row in rows_of(self.places[0].store, SESSIONS)}
        return {row.id: _complete(each) for each in (*self._recorded, *self._only_in_files(whole=True)) for row in each.rows}

    def _of(self, place: Place, where: Callable[[CallRow], bool] | None, limit: int | None) -> Iterator[CallRow]:
        def is_meant(row: CallRow) -> bool:
            return row.twin is None and (where is None or where(row))

        if limit is None:
            return selected(place.store, CALLS, place.selection, where=is_meant)
        return islice(newest_first(place.store, CALLS, place.selection, where=is_meant), limit)

    def _is_asked(self, found: _Found, row: CallRow) -> bool:
        """A call of the agent's own file, as one of the session that was recorded."""
        at, seen = found.seen[0]
        return self._recordings[at].selection.has(replace(row, session_id=seen.id))

    def _is_meant(self, found: _Found) -> bool:
        is_seen = any(self._recordings[at].selection.has(row) for at, row in found.seen)
        return is_seen or (found.said is not None and self._past is not None and self._past.selection.has(found.said))

    @cached_property
    def _recorded(self) -> list[_Found]:
        """All sessions of all recordings, and the same ones in the agents' own files."""
        found: list[_Found] = []
        by_id: dict[str, _Found] = {}
        for at, place in enumerate(self._recordings):
            for row in rows_of(place.store, SESSIONS):
                ids = [id for id in (row.id, row.conversation_id) if id]
                known = next((by_id[id] for id in ids if id in by_id and by_id[id].seen[-1][0] != at), None)
                if known is None:
                    known = _Found([])
                    found.append(known)
                known.seen.append((at, row))
                by_id.update((id, known) for id in ids if id not in by_id)
        taken: set[str] = set()
        for each in found if self._twins else ():
            at, row = each.seen[0]
            said = self._twins.said_of(self._recordings[at].store, row) if self._twins else None
            if said is not None and said.id not in taken:
                taken.add(said.id)
                each.said = said
        return found

    def _only_in_files(self, limit: int | None = None, *, whole: bool = False) -> Iterator[_Found]:
        """The sessions that no recording has, the newest so many; `whole`: of all the store, not of the selection."""
        if self._past is None:
            return iter(())
        taken = {each.said.id for each in self._recorded if each.said}
        meant = Selection() if whole else self._past.selection
        rows = newest_first(self._past.store, SESSIONS, meant, where=lambda row: row.id not in taken)
        return (_Found([], row) for row in islice(rows, limit))

    def _one(self, found: _Found) -> OneSession:
        if not found.seen:
            (row,) = found.rows
            return OneSession(row, (SAID,), at=len(self._recordings))
        at, seen = found.seen[0]
        new, known = self._new_calls(found)
        twin = self._twins.of(self._recordings[at].store, seen) if found.said and self._twins else None
        if twin is None:
            return OneSession(_with_calls(seen, new, found.rows), (_known_by(seen),), at=at)
        new += self._only_said(found, known)
        row = replace(twin.row, calls=seen.calls, failed_calls=seen.failed_calls, **counts_of(seen.usage))
        return OneSession(_with_calls(row, new, found.rows), (_known_by(seen), SAID), at=at, agreement=twin.agreement)

    def _new_calls(self, found: _Found) -> tuple[list[CallRow], Counted]:
        """The calls that later recordings add to the first one, and those of all of them."""
        first, *others = found.seen
        known = Counted.of(self._calls(*first) if others else ())
        new: list[CallRow] = []
        for at, row in others:
            more = [call for call in self._calls(at, row) if call not in known]
            known.join(Counted.of(more))
            new += more
        return new, known

    def _calls(self, at: int, row: SessionRow) -> Iterator[CallRow]:
        mine = Selection(sessions=frozenset((row.id,)))
        return selected(self._recordings[at].store, CALLS, mine, where=lambda call: call.twin is None)

    def _only_said(self, found: _Found, known: Counted) -> Iterator[CallRow]:
        """The calls that the agent's own file alone has, as calls of the session that was recorded."""
        at, seen = found.seen[0]
        twin = self._twins.of(self._recordings[at].store, seen) if self._twins else None
        for row in twin.calls if twin else ():
            if row not in known:
                yield replace(row, session_id=seen.id)


def _twins(past: LmdbStore | MemoryStore) -> Twins:
    from .twins import Twins  # with it come the readers of session files

    return Twins(past)


def _known_by(row: SessionRow) -> str:
    """A session that ran before the capture began was seen too."""
    return row.view_source if row.view_source in (SAID, "hooked") else SEEN


def _complete(found: _Found) -> SessionRow:
    first, *others = found.rows
    return replace(
        first,
        cwd=next((row.cwd for row in found.rows if row.cwd), None),
        branch=next((row.branch for row in found.rows if row.branch), ""),
        agent_version=next((row.agent_version for row in found.rows if row.agent_version), ""),
        title=next((row.title for row in (*others, first) if row.title), ""),
    )


def _with_calls(row: SessionRow, more: Sequence[CallRow], rows: Sequence[SessionRow]) -> SessionRow:
    return replace(
        row,
        start_timestamp_ms=min(each.start_timestamp_ms for each in rows),
        end_timestamp_ms=max((each.end_timestamp_ms for each in rows if each.end_timestamp_ms), default=None),
        calls=row.calls + len(more),
        failed_calls=row.failed_calls + sum(each.status == "error" for each in more),
        **counts_of(sum((each.usage for each in more), row.usage)),
    )
