"""A store -> the key under which secrets in it have their labels."""

from __future__ import annotations

import os
from pathlib import Path

from ..store.state import META, LmdbStore, MemoryStore, Store

KEY = "redaction_key"  # of the meta table
HOSTS = "hosts"  # of the meta table: the ids of its rows have names of hosts in them


def redaction_key(path: str | Path | None) -> bytes:
    """
    The key for the labels of secrets in the store at `path`. It is the stored one, so that equal secrets have equal labels in
    all recordings of a store, else 32 random bytes. Raises StoreError where the file is not a store.
    """
    return stored_key(path) or os.urandom(32)


def stored_key(path: str | Path | None) -> bytes | None:
    """The key that is stored; None where there is none, or no store yet."""
    if path is None or not os.path.isfile(path) or not os.path.getsize(path):
        return None
    kept = LmdbStore.open(path, readonly=True)
    try:
        return _key_in(kept)
    finally:
        kept.close()


def redaction_key_in(store: Store) -> bytes:
    """The key of a store that is open, else 32 random bytes."""
    return _key_in(store) or os.urandom(32)


def _key_in(store: Store) -> bytes | None:
    found = store.get(META, KEY)
    return bytes.fromhex(found) if isinstance(found, str) else None


# -- shared store --------------------------------------------------------------------------------------------------
# The store of a run -> readers of the same process, since a process opens a file once.


class Lent:
    """What the writer lends while the run lasts; None before it is open."""

    def __init__(self) -> None:
        self.store: LmdbStore | MemoryStore | None = None
