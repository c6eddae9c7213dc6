"""A recording, a path -> the answer for the page, from one moment of the store, kept until the store changes."""

from __future__ import annotations

from collections.abc import Mapping
from threading import Lock

from msgspec import Struct

from ..core.bounded import Recent
from ..errors import StoreError
from ..prices import Prices
from ..view.page import PageError, Picture, answer
from ..view.page.rail import RailRow, rail_of
from ..view.queries.context_reading import Contexts
from .recordings import Recordings

__all__ = ["Pictures", "Rail", "Unreadable"]

_KEPT = 2  # pictures of recordings that are looked at: each takes up to 80 MB
_RAILS = 2000  # recordings whose rows in the rail are kept
_LIMIT_MOST = 500


class Unreadable(Struct, frozen=True):
    recording: str
    error: str


class Rail(Struct, frozen=True):
    """Sessions of the newest recordings first. `next`: the recording to go on behind, "" at the end."""

    sessions: tuple[RailRow, ...]
    next: str
    recordings: int
    unreadable: tuple[Unreadable, ...] = ()


class Pictures:
    """One question at a time: what several ask at once is read once."""

    def __init__(self, recordings: Recordings, prices: Prices) -> None:
        self.recordings = recordings
        self._prices = prices
        self._lock = Lock()
        self._kept: Recent[str, tuple[int, Picture]] = Recent(_KEPT)
        self._rails: Recent[str, tuple[int, tuple[RailRow, ...]]] = Recent(_RAILS)
        self._contexts: Recent[str, Contexts] = Recent(_KEPT)  # of recordings that go on

    def version(self, recording: str, /) -> int:
        """Raises PageError where it is not there."""
        try:
            return self.recordings.opened(recording).version
        except (KeyError, StoreError) as error:
            raise _gone(recording, error) from error

    def answer(self, recording: str, path: str, given: Mapping[str, str], /) -> object:
        """Raises PageError."""
        with self._lock:
            try:
                return answer(self._picture(recording), recording, path, given)
            except StoreError as error:
                self._kept.pop(recording, None)
                raise _gone(recording, error) from error

    def rail(self, *, limit: int, behind: str = "") -> Rail:
        """The sessions of as many recordings as give `limit` rows."""
        listed = self.recordings.listed()
        ids = [each.id for each in listed]
        start = ids.index(behind) + 1 if behind in ids else 0
        found: list[RailRow] = []
        unreadable: list[Unreadable] = []
        last = ""
        for at, id in enumerate(ids[start:], start):
            try:
                found += self._rail(id)
            except PageError as error:
                unreadable.append(Unreadable(id, str(error)))
            if len(found) >= min(limit, _LIMIT_MOST) and at + 1 < len(ids):
                last = id
                break
        return Rail(tuple(found), last, len(ids), tuple(unreadable))

    def _rail(self, id: str) -> tuple[RailRow, ...]:
        with self._lock:
            try:
                opened = self.recordings.opened(id)
                known = self._rails.use(id)
                if known is None or known[0] != opened.version:
                    known = opened.version, tuple(rail_of(self._picture(id, keep=id in self._kept), id))
                    self._rails.put(id, known)
            except (KeyError, StoreError) as error:
                raise _gone(id, error) from error
        return known[1]

    def _picture(self, recording: str, *, keep: bool = True) -> Picture:
        try:
            opened = self.recordings.opened(recording)
        except KeyError as error:
            raise _gone(recording, error) from error
        known = self._kept.use(recording)
        same = known is not None and (known[0], known[1].store) == (opened.version, opened.store)  # a file may come back
        if known is None or not same or known[1].being_written != opened.being_written:
            made = Picture(
                opened.store,
                self._prices,
                being_written=opened.being_written,
                closing=opened.closing,
                version=opened.version,
                contexts=self._contexts_of(recording, same_store=known is not None and known[1].store is opened.store),
            )
            known = opened.version, made
            if keep:
                self._kept.put(recording, known)
        return known[1]

    def _contexts_of(self, recording: str, *, same_store: bool) -> Contexts:
        """The contexts of the picture before, if it was of the same store."""
        known = self._contexts.use(recording)
        if known is None or not same_store:
            known = Contexts(self._prices)
            self._contexts.put(recording, known)
        return known


def _gone(recording: str, error: Exception) -> PageError:
    if isinstance(error, KeyError):
        return PageError(f"the recording {recording[:80]} is not here, or no longer", 404)
    return PageError(str(error), 503)
