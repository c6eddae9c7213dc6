"""A store -> the key for the labels of secrets in it."""

from __future__ import annotations

import os
from pathlib import Path

from ..state import META, LmdbStore, Store

__all__ = ["KEY", "redaction_key", "redaction_key_in"]

KEY = "redaction_key"  # of the meta table


def redaction_key(path: str | Path | None) -> bytes:
    """
    The key for the labels of secrets in the store at `path`. It is the stored one, so that equal secrets have equal labels in
    all recordings of a store, else 32 random bytes. Raises StoreError where the file is not a store.
    """
    if path is not None and os.path.isfile(path) and os.path.getsize(path):
        kept = LmdbStore.open(path, readonly=True)
        try:
            return redaction_key_in(kept)
        finally:
            kept.close()
    return os.urandom(32)


def redaction_key_in(store: Store) -> bytes:
    """The same of a store that is open."""
    found = store.get(META, KEY)
    return bytes.fromhex(found) if isinstance(found, str) else os.urandom(32)
