"""Options and a store -> the options with what a run goes on with there."""

from __future__ import annotations

import os
from pathlib import Path

from msgspec.structs import replace

from ..graphs import TraceOptions
from ..sinks import redaction_key
from ..state import LmdbStore
from ..view.checkpoints import Checkpoints
from ..view.log import resume

__all__ = ["keyed"]


def keyed(options: TraceOptions, store: Path | None) -> TraceOptions:
    """
    The options with what a run goes on with in `store`: the redaction key and the view. Raises StoreError where the file is not
    a store.
    """
    key = redaction_key(store)
    options = replace(options, redaction_key=key, checkpoints=None if store is None else Checkpoints())
    if store is None or not os.path.isfile(store) or not os.path.getsize(store):
        return options
    kept = LmdbStore.open(store, readonly=True)
    try:
        return replace(options, resumed=resume(kept))
    finally:
        kept.close()
