"""The store of a run -> readers of the same process, since a process opens a file once."""

from __future__ import annotations

from ..store.state import LmdbStore, MemoryStore

__all__ = ["Lent"]


class Lent:
    """What the writer lends while the run lasts; None before it is open."""

    def __init__(self) -> None:
        self.store: LmdbStore | MemoryStore | None = None
