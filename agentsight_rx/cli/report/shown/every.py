"""A report -> all stores of the user, in which each session and each call counts once, and what could not be read of them."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace

from ....core.errors import StoreError, UsageError
from ....store.state import LmdbStore
from ....store.words import plural
from ....view.queries import Selection
from ....view.queries.choosing import selection_of
from ....view.queries.sessions.once import Once, Place
from ...places.stores import all_stores, counted, imported
from .ask import Ask
from .screen import Line, Prose


class Every(Struct, frozen=True):
    """`paths` are the files of the places of `once`; `unread` says what of the others."""

    once: Once
    paths: tuple[Path, ...]
    unread: tuple[str, ...] = ()

    @property
    def where(self) -> str:
        """For people: the path of the only one, or how many they are."""
        return str(self.paths[0]) if len(self.paths) == 1 else counted(self.paths)

    @property
    def lines(self) -> Iterator[Line]:
        """What could not be read."""
        return (Prose(line, mark="! ") for line in self.unread)


def every(ask: Ask) -> Every:
    """
    All stores, or the one of --db. Raises UsageError where no store has the session, the agent or the project, and StoreError
    where none can be read.
    """
    given = all_stores(ask.flags.db)
    given = given if len(given) > 1 else [ask.path]
    opened, errors = _opened(ask, given)
    if not opened:
        raise errors[given[0]]
    past, places, refused = imported(), dict[Path, Place](), list[UsageError]()
    for path, store in opened.items():
        selection = Selection(sessions=frozenset())
        try:
            selection = replace(selection_of(ask.flags, store, now_ms=ask.now_ms), limit=None)
        except UsageError as error:
            refused.append(error)
        places[path] = Place(store, selection)
    if len(refused) == len(places):
        raise refused[0]
    recordings = [place for path, place in places.items() if path != past]
    return Every(Once(recordings, places.get(past) if past else None), tuple(places), tuple(_unread(ask, errors)))


def _opened(ask: Ask, paths: Sequence[Path]) -> tuple[dict[Path, LmdbStore], dict[Path, StoreError]]:
    opened, errors = dict[Path, LmdbStore](), dict[Path, StoreError]()
    for path in paths:
        try:
            opened[path] = ask.opened(path)
        except StoreError as error:
            errors[path] = error
    return opened, errors


def _unread(ask: Ask, errors: dict[Path, StoreError]) -> Iterator[str]:
    """One line about root's recordings, and a line about each other store."""
    of_root = [path for path in errors if path.stat().st_uid == 0 and not os.access(path, os.R_OK)]
    if of_root:
        belong = "belongs" if len(of_root) == 1 else "belong"
        yield f"{plural(len(of_root), 'recording')} {belong} to root, and can be read by it: sudo {ask.command}"
    yield from (f"not read: {error}" for path, error in errors.items() if path not in of_root)
