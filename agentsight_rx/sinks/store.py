"""Events and rows -> an LMDB store: the event log in segments, rows by id, the ledger, in one transaction a flush."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from msgspec.structs import replace

from ..core.sink import Sink, Unwritten
from ..errors import NoSpaceError, StoreError
from ..events import Event, milliseconds
from ..loss import Ledger
from ..say import say
from ..state import META, LmdbStore, Put, Write
from ..view import AnyRow, Output
from ..view.tables import LOSSES, RUNS, SEGMENTS, TOTALS, Recording, Segment, put
from ..view.tally import Tally

__all__ = ["redaction_key", "store"]

_KEY = "redaction_key"  # of the meta table
_SEGMENT_MOST = 512  # events in one segment: one LMDB value, which takes the GIL once


def store(
    path: str | Path, *, owner: tuple[int, int] | None = None, key: bytes | None = None, required: bool = True
) -> Sink[Output]:
    """
    Keep everything in the LMDB file at `path`. What was flushed survives a kill of this process; a flush comes every 250 ms.

    `key` is stored too, for `redaction_key`. Raises StoreError on opening where the file is not a store of this version. Where
    the disk is full it raises NoSpaceError, or, if the store is not `required`, counts what it cannot keep until there is room.
    """

    def opened(ledger: Ledger) -> _StoreWriter:
        writer = _StoreWriter(lambda: LmdbStore.open(path, owner=owner), ledger, key)
        try:
            writer.begin()
        except NoSpaceError as error:
            if required:
                raise
            say(f"NOTHING IS STORED until there is room: {error}")
        return writer

    return Sink("store", opened, keeps_ledger=True)


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
    """A commit keeps all of the items handed over since the one before, or none of them: then they are counted."""

    def __init__(self, opening: Callable[[], LmdbStore], ledger: Ledger, key: bytes | None) -> None:
        self._opening = opening
        self._ledger = ledger
        self._tally = Tally()
        self._key = key
        self._store: LmdbStore | None = None
        self._number = 0  # of the next segment
        self._recording = Recording(number=1, started_ms=milliseconds(time.time_ns()))
        self._writes: list[Write] = []
        self._waiting: list[Event] = []
        self._pending = 0  # items since the last commit
        self._unsynced = 0  # committed since the disk last confirmed

    def begin(self) -> LmdbStore:
        """Open the store and begin a run in it."""
        store = self._opening()
        try:
            if self._key is not None and store.get(META, _KEY) is None:
                store.commit([Put(META, _KEY, self._key.hex())])
            last = store.scan(SEGMENTS, reverse=True, limit=1)
            runs = store.scan(RUNS, reverse=True, limit=1)
            number = runs[0][1].number + 1 if runs else 1
            recording = replace(self._recording, number=number, committed_ms=milliseconds(time.time_ns()))
            store.commit([Put(RUNS, number, recording)])
        except BaseException:
            store.discard()
            raise
        self._number = int(last[0][0][0]) + 1 if last else 0
        self._store, self._recording = store, recording
        return store

    def write(self, batch: Sequence[Output], /) -> None:
        self._pending += len(batch)
        for item in batch:
            if isinstance(item, AnyRow):
                self._tally.add((item,))
                self._writes.append(put(item))
            else:
                self._waiting.append(item)
        if len(self._writes) + len(self._waiting) >= _SEGMENT_MOST:
            self._commit()

    def flush(self) -> None:
        if self._pending:
            self._commit()
        self._sync()

    def _commit(self, *, ended: bool = False) -> None:
        """Raises Unwritten where nothing of it was kept."""
        rows, events, count = self._writes, self._waiting, self._pending
        self._writes, self._waiting, self._pending = [], [], 0
        try:
            store = self._store or self.begin()
            parts = [tuple(events[at : at + _SEGMENT_MOST]) for at in range(0, len(events), _SEGMENT_MOST)]
            segments = [Put(SEGMENTS, self._number + place, Segment(part)) for place, part in enumerate(parts)]
            recording = replace(
                self._recording,
                started_ms=self._ledger.began_ms or self._recording.started_ms,
                committed_ms=milliseconds(time.time_ns()),
                ended=ended,
                seconds=self._ledger.seconds,
            )
            losses = [
                Put(LOSSES, (recording.number, entry.stage, entry.reason.value), entry) for entry in self._ledger.entries()
            ]
            totals = Put(TOTALS, recording.number, self._tally.totals)
            store.commit([*segments, *rows, *losses, totals, Put(RUNS, recording.number, recording)])
        except Exception as error:
            raise Unwritten(str(error), count=count) from error
        self._number += len(segments)
        self._recording = recording
        self._unsynced += count

    def _sync(self) -> None:
        unsynced, self._unsynced = self._unsynced, 0
        try:
            if self._store is not None:
                self._store.sync()
        except StoreError as error:
            raise Unwritten(str(error), count=unsynced) from error

    def close(self) -> None:
        try:
            self._commit(ended=True)
            self._sync()
        finally:
            if self._store is not None:
                self._store.close()
