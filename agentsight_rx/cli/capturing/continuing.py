"""Options and a store -> the options with what a run goes on with there."""

from __future__ import annotations

import os
from pathlib import Path

from msgspec.structs import replace

from ...core.errors import StoreError, UsageError
from ...graphs import TraceOptions
from ...sinks import stored_key
from ...sinks.label_key import HOSTS
from ...store.log.resuming import Checkpoints, resume
from ...store.rows.ids import EXCHANGES_A_RUN
from ...store.rows.tables import RUNS
from ...store.state import META, LmdbStore


def keyed(options: TraceOptions, store: Path | None) -> TraceOptions:
    """
    The options with what a run goes on with in `store`: the redaction key, the view, and numbers of exchanges that no earlier
    run has. Raises StoreError where the file is not a store, UsageError where the options have another key than the store.
    """
    key, stored = options.redaction_key, stored_key(store)
    if key is not None and stored is not None and key != stored:
        raise UsageError(
            f"the labels of secrets in {store} were made with another key than the one of --redaction-key: "
            "give another --db, or leave the key out"
        )
    options = replace(
        options, redaction_key=key or stored or os.urandom(32), checkpoints=None if store is None else Checkpoints()
    )
    if store is None or not os.path.isfile(store) or not os.path.getsize(store):
        return options
    kept = LmdbStore.open(store, readonly=True)
    try:
        if kept.get(META, HOSTS) is not None:
            raise StoreError(f"{store} holds what several hosts recorded, and a run cannot go on from that: give another --db")
        runs = kept.scan(RUNS, reverse=True, limit=1)
        earlier = runs[0][1].number if runs else 0
        resumed = resume(kept, options.guard, priced=options.priced, follows=options.rules_file is not None)
        return replace(options, resumed=resumed, first_exchange=earlier * EXCHANGES_A_RUN)
    finally:
        kept.close()
