"""The recordings of one user -> a store and a session to answer from. Files of other users are never opened."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from msgspec import Struct

from ...core.errors import StoreError, UsageError
from ...core.messages import program
from ...llm.prices import Prices
from ...runtime.web.recordings import Listed, StoredRecordings
from ...runtime.web.search import SearchIndex
from ...store.rows.kinds import SessionRow
from ...store.state import Store
from ...view.queries import Selection, sessions_named
from ...view.queries.reading import newest_session
from ...view.queries.sessions.gaps import missing_said
from ...view.queries.sessions.health import Health, Healths
from ..places.stores import MACHINE

_LOOKED_THROUGH = 300  # recordings, the newest, for the begin of an id


class Found(Struct, frozen=True):
    """One session of a recording."""

    recording: str
    store: Store
    session: SessionRow
    being_written: bool

    @property
    def selection(self) -> Selection:
        """All rows of the session."""
        return Selection(sessions=frozenset({self.session.id}))

    @property
    def health(self) -> Health:
        """The gaps of the session."""
        return Healths(self.store, being_written=self.being_written).of(self.session)

    @property
    def not_seen(self) -> str:
        """The gaps in one sentence."""
        found = self.health
        said = missing_said(found.missing, live=bool(found.live), seen_by=found.seen_by)
        return f"{said}: the tool not_seen says what, and why" if found.missing else said


class Library:
    """
    `paths` gives the files that there are, the newest last. Of these, `uid` may ask about their own: a file of another user is
    left out, and so is the recording of the machine that root has, since it has the sessions of all users.
    """

    def __init__(
        self, paths: Callable[[], Sequence[Path]], uid: int, *, is_being_written: Callable[[Path], bool], prices: Prices
    ) -> None:
        self._all = paths
        self._uid = uid
        self.prices = prices
        self.recordings = StoredRecordings(self.paths, is_being_written)
        self.search = SearchIndex(self.recordings)  # in memory: nothing is written

    def paths(self) -> list[Path]:
        """The files of this user."""
        return [path for path in self._all() if not refusal_of(path, self._uid)]

    @property
    def left_out(self) -> str:
        """How many files are of other users."""
        count = sum(path.exists() and bool(refusal_of(path, self._uid)) for path in self._all())
        return f"{count} recordings of other users are left out" if count else ""

    def close(self) -> None:
        self.search.close()
        self.recordings.close()

    def opened(self, listed: Listed) -> Store | None:
        """None where it cannot be read."""
        try:
            return self.recordings.opened(listed.id).store
        except (StoreError, KeyError):
            return None

    def found(self, recording: str, session: str) -> Found:
        """
        The session whose id begins so, or the newest one; of one recording, or of the newest that has it. Raises UsageError and
        StoreError.
        """
        for each, store in self._stores(recording):
            if session in ("", "newest"):
                newest = newest_session(store)
                rows = [newest] if newest else []
            else:
                rows = sessions_named(store, session=session, agent=None)
                rows = [row for row in rows if row.id == session] or rows
            if len(rows) > 1:
                raise UsageError(f"{len(rows)} sessions begin with {session[:80]!r}; give more of the id")
            if rows:
                return Found(each.id, store, rows[0], each.being_written)
        live = any(each.being_written for each in self.recordings.listed())
        later = ". One is being recorded, and shows what happened a second ago: ask again" if live else ""
        which = f"session begins with {session[:80]!r}" if session else "session of an agent was recorded"
        raise UsageError(f"no {which}{f' in {recording[:80]}' if recording else ''}; find_sessions lists the sessions{later}")

    def _stores(self, recording: str) -> Iterator[tuple[Listed, Store]]:
        listed = self.recordings.listed()
        if not listed:
            raise StoreError(f"there is no recording of yours; make one with `{program()} record -- COMMAND`")
        if recording:
            name = Path(recording).name.removesuffix(".lmdb")
            one = next((each for each in listed if each.id == name), None)
            if one is None:
                raise UsageError(f"no recording of yours is {recording[:80]!r}; find_sessions lists the recordings")
            yield one, self.recordings.opened(one.id).store
            return
        for each in listed[:_LOOKED_THROUGH]:
            store = self.opened(each)
            if store is not None:
                yield each, store


def refusal_of(path: Path, uid: int, /) -> str:
    """Why nothing is answered about a recording; empty where it is."""
    try:
        owner = os.stat(path).st_uid
    except OSError as error:
        return f"{path} cannot be read: {error.strerror}"
    if owner != uid:
        return f"{path} is a recording of user {owner}, and user {uid} asks: only your own recordings are answered about"
    if uid == 0 and path.name == MACHINE:
        return f"{path} has the sessions of all users of this machine: only your own recordings are answered about"
    return ""
