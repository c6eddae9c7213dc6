"""
Events and rows -> an LMDB store: the event log, rows with their indexes, the ledger, in one transaction a flush.

Longer than 300 lines because one writer decides what a transaction holds.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Raw
from msgspec.structs import replace

from ..core.errors import StoreError, UnwritableError
from ..core.messages import say
from ..core.sink import Sink, Unwritten
from ..core.weight import weight
from ..events import BodyPart, Event, HttpRequest, HttpResponse, SseMessage, StdioChunk, TlsChunk, Witness, milliseconds
from ..events.loss import Ledger
from ..store.log.parts import LogWriter
from ..store.log.resuming import CHECKPOINT, CHECKPOINT_ENCODED, Checkpoint, Checkpoints, EncodedCheckpoint, Resumed
from ..store.log.upkeep import UPGRADES, Retention, retain
from ..store.rows.gap_counts import LossClock, LossTime, SessionGaps
from ..store.rows.kind import key_of, kind_of, put, table_of
from ..store.rows.kinds import SEEN, SessionRow
from ..store.rows.tables import LOSS_TIMES, LOSSES, REMOVED, RUNS, SESSION_GAPS, STAGES, TOTALS, Recording, StageCount
from ..store.rows.tally import Tally
from ..store.state import META, LmdbStore, MemoryStore, Put, Write
from ..view import AnyRow, AuditRow, Output, Row
from .label_key import HOSTS, KEY, Lent
from .web import AgeClock

_RETAIN_S = 60.0
_ITEMS_MOST = 2048  # of one commit: each page of an index is written once for all of them
_WEIGHT_MOST = 1 << 20  # bytes of their content: it is compressed while the graph goes on
_WITH_CONTENT = frozenset({HttpRequest, HttpResponse, SseMessage, BodyPart, TlsChunk, StdioChunk})
_MEMORY_MOST = 256 << 20  # bytes of rows and contents, compressed
_TYPICAL_ROWS = Path(__file__).with_name("typical_rows.jsonl")  # a new store compresses its rows by them


def _dictionary() -> bytes:
    lines = _TYPICAL_ROWS.read_bytes().splitlines()
    return b"".join(msgspec.msgpack.encode(msgspec.json.decode(line)) for line in lines)


def memory(lent: Lent) -> Sink[Output]:
    """Keep the newest rows and events in memory, for a page of a run that is not stored: at most 256 MiB."""

    def opened(ledger: Ledger) -> _StoreWriter:
        writer = _StoreWriter(MemoryStore, ledger, retention=Retention(most_bytes=_MEMORY_MOST), lent=lent)
        writer.begin()
        return writer

    return Sink("memory", opened)


def store(
    path: str | Path,
    *,
    owner: tuple[int, int] | None = None,
    key: bytes | None = None,
    required: bool = True,
    resumed: Resumed | None = None,
    checkpoints: Checkpoints | None = None,
    retention: Retention | None = None,
    lent: Lent | None = None,
    host: str = "",
) -> Sink[Output]:
    """
    Keep everything in the LMDB file at `path`. Flushed events survive a kill of this process; a flush comes every 250 ms.

    `key` is stored too, for `redaction_key`; `resumed` is what `resume` made of the store, from which the run goes on,
    `checkpoints` has the state of the view now and then, `retention` limits the stored data, and `lent` gets the open store.
    With a `host` the events are logged as its own. Raises StoreError on opening where the file is not a store of a version that
    is known, or another process writes it. Where nothing can be written there it raises UnwritableError; a store that is not
    `required` counts what it cannot keep until that changes.
    """

    def opened(ledger: Ledger) -> _StoreWriter:
        def opening() -> LmdbStore:
            return LmdbStore.open(path, owner=owner, upgrades=UPGRADES, dictionary=_dictionary())

        writer = _StoreWriter(
            opening,
            ledger,
            key=key,
            resumed=resumed,
            checkpoints=checkpoints,
            retention=retention,
            lent=lent,
            host=host,
        )
        try:
            writer.begin()
        except UnwritableError as error:
            if required:
                raise
            say(f"NOTHING IS STORED until that changes: {error}")
        return writer

    return Sink("store", opened, keeps_ledger=True, is_watched=lambda: False, path=os.path.abspath(path))


class _StoreWriter:
    """A commit keeps all of the items handed over since the one before, or none of them: then they are counted."""

    def __init__(
        self,
        opening: Callable[[], LmdbStore | MemoryStore],
        ledger: Ledger,
        *,
        key: bytes | None = None,
        resumed: Resumed | None = None,
        checkpoints: Checkpoints | None = None,
        retention: Retention | None = None,
        lent: Lent | None = None,
        host: str = "",
    ) -> None:
        self._opening = opening
        self._host = host
        self._ledger = ledger
        self._gaps: dict[str, SessionGaps] = {}  # what the rows since the last commit add to those of their sessions
        self._tally = Tally(gaps=self._gaps)
        self._losses = LossClock()
        self._key = key
        self._resumed = resumed
        self._checkpoints = checkpoints
        self._state: bytes | None = None  # of the view, behind the event that came last
        self._cut: tuple[int, bytes] | None = None  # so many of the waiting events are before that state
        self._retention = retention
        self._retained_s: float | None = None  # when it was last done
        self._ages = AgeClock()
        self._lent = lent
        self._store: LmdbStore | MemoryStore | None = None
        self._log: LogWriter | None = None
        self._recording = Recording(number=1, started_ms=milliseconds(time.time_ns()))
        self._writes: list[Write] = []
        self._waiting: list[Event] = []
        self._pending = 0  # items since the last commit
        self._weight = 0  # bytes of content in them
        self._unsynced = 0  # committed since the disk last confirmed
        self._changed = False  # since then, by events or by what was removed
        self._counts: dict[str, StageCount] = {}  # as committed
        self._holds = False  # what is written is committed with the next state of the run, and not before

    def begin(self) -> LmdbStore | MemoryStore:
        """Open the store and begin a run in it."""
        store = self._opening()
        try:
            if self._key is not None and store.get(META, KEY) is None:
                store.commit([Put(META, KEY, self._key.hex())])
            if self._host and store.get(META, HOSTS) is None:
                store.commit([Put(META, HOSTS, "several")])
            runs = store.scan(RUNS, reverse=True, limit=1)
            number = runs[0][1].number + 1 if runs else 1
            recording = replace(self._recording, number=number, committed_ms=milliseconds(time.time_ns()))
            log = LogWriter(store, self._host)
            self._store = store  # for what the tally has to know
            before = self._from_before(store, log, ended=bool(runs) and runs[0][1].ended)
            store.commit([Put(RUNS, number, recording), Put(TOTALS, number, self._tally.totals), *before])
        except BaseException:
            self._store = None
            store.discard()
            raise
        self._log, self._recording = log, recording
        if self._lent is not None:
            self._lent.store = store
        return store

    def _from_before(self, store: LmdbStore | MemoryStore, log: LogWriter, *, ended: bool) -> list[Write]:
        """
        The checkpoint from which the next run goes on; where the last run did not end in order, also the rows of its last
        event, which may not have been committed with it.
        """
        if self._resumed is None:
            return []
        checkpoint = Put(CHECKPOINT, 0, Checkpoint(log.first, self._resumed.state))
        if ended:
            return [checkpoint]
        for row in self._resumed.rows:
            if not isinstance(row, AuditRow) or store.get(table_of(row), key_of(row)) is None:
                self._count(row)
        rows = [put(row) for row in self._resumed.rows]
        return [checkpoint, *rows]

    def _count(self, row: Row) -> None:
        """Into the totals of this run goes what no earlier one has counted."""
        goes_on = self._resumed is not None or self._holds
        if goes_on and self._store is not None and not self._tally.knows(row):
            before = self._store.get(table_of(row), key_of(row))
            if before is not None:
                self._tally.know(before)
        self._tally.add((row,))

    def write(self, batch: Sequence[Output], /) -> None:
        self._pending += len(batch)
        for item in batch:
            if isinstance(item, AnyRow):
                if type(item) is SessionRow and item.file_gone and self._was_removed(item):
                    continue
                self._count(item)
                self._writes.append(put(item))
            else:
                self._event(item)
        if not self._holds and (len(self._writes) + len(self._waiting) >= _ITEMS_MOST or self._weight >= _WEIGHT_MOST):
            self._commit()

    def _was_removed(self, row: SessionRow) -> bool:
        noted = self._store.get(REMOVED, 0) if self._store is not None else None
        return noted is not None and kind_of(row).over(row) < noted.before_ms

    def hold(self) -> None:
        self._holds = True

    def save(self, state: Put[Any], /) -> None:
        self._commit(state)

    def _event(self, event: Event) -> None:
        if self._state is not None:  # all rows of the event before are there
            self._cut, self._state = (len(self._waiting), self._state), None
        self._waiting.append(event)
        if type(event) is Witness and event.seen_by != SEEN:
            self._recording = replace(self._recording, seen_by=event.seen_by)
        if type(event) in _WITH_CONTENT:
            self._weight += weight(event)
        if self._checkpoints is not None:
            self._state = self._checkpoints.behind(event)

    def flush(self) -> None:
        if self._pending and not self._holds:
            self._commit()
        self._retain()
        self._sync()

    def _retain(self) -> None:
        """By age each minute, by size each time. What cannot be removed now, since the disk is full, is removed later."""
        if self._retention is None or self._store is None or self._log is None:
            return
        now_s = time.monotonic()
        due = self._retained_s is None or now_s - self._retained_s >= _RETAIN_S
        limits = self._retention if due else replace(self._retention, keep_ms=None)
        self._retained_s = now_s if due else self._retained_s
        self._changed = True
        try:
            retain(self._store, limits, self._log, now_ms=self._ages.now_ms())
        except StoreError as error:
            raise Unwritten(f"older data cannot be removed: {error}", count=0) from error

    def _commit(self, *with_it: Write, ended: bool = False) -> None:
        """Raises Unwritten where nothing of it was kept."""
        rows, events, count = self._writes, self._waiting, self._pending
        cut, self._cut = self._cut, None
        self._writes, self._waiting, self._pending, self._weight = [], [], 0, 0
        try:
            store = self._store or self.begin()
            assert self._log is not None
            segments = [*_logged(self._log, events, cut), *(self._log.closed() if ended else [])]
            recording = replace(
                self._recording,
                started_ms=self._ledger.began_ms or self._recording.started_ms,
                committed_ms=milliseconds(time.time_ns()),
                ended=ended,
                seconds=self._ledger.seconds,
            )
            entries = self._ledger.entries()
            losses = [Put(LOSSES, (recording.number, entry.stage, entry.reason.value), entry) for entry in entries]
            spans = self._losses.grown(entries, self._recording.committed_ms, recording.committed_ms)
            times = [Put(LOSS_TIMES, (recording.number, *_place_of(span)), span) for span in spans]
            gaps: list[Write] = [*self._grown(store), *times]
            totals = Put(TOTALS, recording.number, self._tally.totals)
            stages = self._stages(recording.number)
            self._changed = True
            store.commit([*with_it, *segments, *rows, *losses, *gaps, *stages, totals, Put(RUNS, recording.number, recording)])
        except Exception as error:
            if self._log is not None:
                self._log.undo()
            raise Unwritten(str(error), count=count) from error
        self._log.keep()
        self._gaps.clear()
        self._losses.keep(entries, spans)
        self._counts |= {put.value.stage: put.value for put in stages}
        self._recording = recording
        self._unsynced += count

    def _grown(self, store: LmdbStore | MemoryStore) -> list[Put[SessionGaps]]:
        """The gaps of sessions, with what came since the last commit."""
        none = SessionGaps()
        new = [(id, grown) for id, grown in self._gaps.items() if grown != none]  # a call that began and ended adds none
        return [Put(SESSION_GAPS, id, (store.get(SESSION_GAPS, id) or none) + grown) for id, grown in new]

    def _stages(self, run: int) -> list[Put[StageCount]]:
        """The counts of the stages that changed since the last commit."""
        counts = (StageCount(meter.stage, meter.seen, meter.passed) for meter in self._ledger)
        return [Put(STAGES, (run, each.stage), each) for each in counts if self._counts.get(each.stage) != each]

    def _sync(self) -> None:
        unsynced, self._unsynced = self._unsynced, 0
        try:
            if self._store is not None and self._changed:
                self._store.sync()
                self._changed = False
        except StoreError as error:
            raise Unwritten(str(error), count=unsynced) from error

    def close(self) -> None:
        try:
            if self._holds and self._pending:
                self._end_unsaved()
            self._commit(ended=True)
            self._retained_s = None
            self._retain()
            self._sync()
        finally:
            if self._store is not None:
                self._store.close()

    def _end_unsaved(self) -> None:
        """The run ended without a state behind what came last: that is not kept, so that a run from the last state makes it."""
        if self._store is not None:
            self._store.commit([Put(RUNS, self._recording.number, replace(self._recording, ended=True))])
        what = f"{self._pending:,} events and rows behind the last saved state are not kept"
        raise Unwritten(
            f"{what}: a run that goes on from there makes them again, of sources that can be read again", count=self._pending
        )


def _place_of(span: LossTime) -> tuple[str, str, int]:
    return span.stage, span.reason.value, span.from_ms


def _logged(log: LogWriter, events: list[Event], cut: tuple[int, bytes] | None) -> list[Write]:
    """The events in the log, and the state of the view between the segments before `cut` and those behind it."""
    if cut is None:
        return log.append(events)
    before, state = cut
    first = log.append(events[:before])
    checkpoint = Put(CHECKPOINT_ENCODED, 0, EncodedCheckpoint(log.seal(), Raw(state)))
    return [*first, checkpoint, *log.append(events[before:])]
