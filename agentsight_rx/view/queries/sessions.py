"""Store, selection -> the sessions of agents."""

from __future__ import annotations

from collections.abc import Iterator

from ...store.rows.kinds import SessionRow
from ...store.rows.tables import SESSIONS
from ...store.state import Store
from .reading import selected
from .selection import Selection

__all__ = ["read_sessions"]


def read_sessions(store: Store, selection: Selection, /) -> Iterator[SessionRow]:
    """The sessions that were seen in the time of the selection, in the order in which they began."""
    return selected(store, SESSIONS, selection)
