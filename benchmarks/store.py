"""Events into LMDB: in segments, as the store sink writes them, against one row an event."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from functools import partial
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory

from agentsight_rx.core.sink import Writer
from agentsight_rx.events import Event
from agentsight_rx.events.loss import Ledger
from agentsight_rx.sinks.store import store
from agentsight_rx.store.rows.tables import SEGMENTS, Segment
from agentsight_rx.store.state import LmdbStore, Put, Table
from benchmarks.recording import traffic
from benchmarks.timing import Case, Row, Work, measure

__all__ = ["rows"]

_BATCHES = (1, 100, 1000)
_COMMITS = 30
_EVENTS = Table[Event]("events", Event)


def rows(rounds: int, scale: float = 1.0, /) -> list[Row]:
    """Records of an answer, about 170 bytes of content each. `synced`: to disk behind each transaction, by the clock."""
    events: list[Event] = [chunk for chunk in traffic(8) if len(chunk.data) < 1000]
    commits = max(1, int(_COMMITS * scale))
    cases: list[Case] = []
    with TemporaryDirectory() as folder, ExitStack() as stack:
        for size in _BATCHES:
            batch, number = events[:size], count()
            single = LmdbStore.open(Path(folder) / f"single-{size}.lmdb")
            segments = LmdbStore.open(Path(folder) / f"segments-{size}.lmdb")
            sink = store(Path(folder) / f"sink-{size}.lmdb").open(Ledger())
            for each in (single, segments, sink):
                stack.callback(each.close)
            floor, synced = f"a row an event, transactions of {size}", f"a row an event, transactions of {size}, synced"
            target, total = None if size == 1 else 1.0, size * commits
            segmented, written = partial(_segments, segments, batch, number, commits), partial(_sink, sink, batch, commits)
            cases += [
                Case(floor, partial(_singly, single, batch, number, commits), total),
                Case(f"a segment of {size}", segmented, total, floor=floor, target=target),
                Case(synced, partial(_singly_synced, single, batch, number, commits), total, waits=True),
                Case(f"store sink, flushed each {size}, synced", written, total, floor=synced, waits=True),
            ]
        return measure("store", cases, rounds)


def _singly(to: LmdbStore, batch: Sequence[Event], number: count[int], commits: int) -> Work:
    def work() -> None:
        for _ in range(commits):
            to.commit([Put(_EVENTS, next(number), event) for event in batch])

    return work


def _singly_synced(to: LmdbStore, batch: Sequence[Event], number: count[int], commits: int) -> Work:
    def work() -> None:
        for _ in range(commits):
            to.commit([Put(_EVENTS, next(number), event) for event in batch])
            to.sync()

    return work


def _segments(to: LmdbStore, batch: Sequence[Event], number: count[int], commits: int) -> Work:
    def work() -> None:
        for _ in range(commits):
            to.commit([Put(SEGMENTS, next(number), Segment(tuple(batch)))])

    return work


def _sink(to: Writer[Event], batch: Sequence[Event], commits: int) -> Work:
    def work() -> None:
        for _ in range(commits):
            to.write(batch)
            to.flush()

    return work
