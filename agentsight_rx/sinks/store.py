"""Events and rows -> an LMDB store: the event log in segments, rows by id, the ledger, in one transaction a flush."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from pathlib import Path

from ..core.sink import Sink
from ..events import Event, milliseconds
from ..loss import Ledger
from ..state import META, LmdbStore, Put, Write
from ..view import AnyRow, Output
from ..view.tables import LOSSES, RUNS, SEGMENTS, TOTALS, Recording, Segment, put
from ..view.tally import Tally

__all__ = ["redaction_key", "store"]

_KEY = "redaction_key"  # of the meta table
_SEGMENT_MOST = 512  # events in one segment: one LMDB value, which takes the GIL once


def store(path: str | Path, *, owner: tuple[int, int] | None = None, key: bytes | None = None) -> Sink[Output]:
    """
    Keep everything in the LMDB file at `path`. What was flushed survives a kill of this process; a flush comes every 250 ms.

    `key` is stored too, for `redaction_key`. Raises StoreError on opening where the file is not a store of this version.
    """
    return Sink("store", lambda ledger: _StoreWriter(LmdbStore.open(path, owner=owner), ledger, key), keeps_ledger=True)


def redaction_key(path: str | Path | None) -> bytes:
    """
    The key for the labels of secrets in the store at `path`. It is the stored one, so that equal secrets have equal labels in
    all recordings of a store, else 32 random bytes. Raises StoreError where the file is not a store.
    """
    if path is not None and os.path.isfile(path) and os.path.getsize(path):
        kept = LmdbStore.open(path, readonly=True)
        try:
            found = kept.get(META, _KEY)
        finally:
            kept.close()
        if isinstance(found, str):
            return bytes.fromhex(found)
    return os.urandom(32)


class _StoreWriter:
    def __init__(self, to: LmdbStore, ledger: Ledger, key: bytes | None) -> None:
        if key is not None and to.get(META, _KEY) is None:
            to.commit([Put(META, _KEY, key.hex())])
        self._store = to
        self._ledger = ledger
        last = to.scan(SEGMENTS, reverse=True, limit=1)
        self._number = int(last[0][0][0]) + 1 if last else 0
        runs = to.scan(RUNS, reverse=True, limit=1)
        self._recording = Recording(number=runs[0][1].number + 1 if runs else 1, started_ms=milliseconds(time.time_ns()))
        self._tally = Tally()
        self._writes: list[Write] = []
        self._waiting: list[Event] = []
        self._commit()

    def write(self, batch: Sequence[Output], /) -> None:
        for item in batch:
            if isinstance(item, AnyRow):
                self._tally.add((item,))
                self._writes.append(put(item))
            else:
                self._waiting.append(item)
                if len(self._waiting) >= _SEGMENT_MOST:
                    self._seal()
        if len(self._writes) >= _SEGMENT_MOST:
            self._commit()

    def _seal(self) -> None:
        events, self._waiting = self._waiting, []
        if events:
            self._writes.append(Put(SEGMENTS, self._number, Segment(tuple(events))))
            self._number += 1

    def flush(self) -> None:
        self._seal()
        if self._writes:
            self._commit()
        self._store.sync()

    def _commit(self, *, ended: bool = False) -> None:
        self._seal()
        writes, self._writes = self._writes, []
        now_ms = milliseconds(time.time_ns())
        self._recording = Recording(
            self._recording.number,
            self._ledger.began_ms or self._recording.started_ms,
            committed_ms=now_ms,
            ended=ended,
            seconds=self._ledger.seconds,
        )
        losses: list[Write] = [
            Put(LOSSES, (self._recording.number, entry.stage, entry.reason.value), entry) for entry in self._ledger.entries()
        ]
        number = self._recording.number
        self._store.commit([*writes, *losses, Put(TOTALS, number, self._tally.totals), Put(RUNS, number, self._recording)])

    def close(self) -> None:
        self._commit(ended=True)
        self._store.sync()
        self._store.close()
