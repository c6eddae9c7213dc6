"""Hostile traffic through the product's graph: little work and little memory, and every byte is in an event or counted."""

from __future__ import annotations

import sys
import tracemalloc
from collections.abc import Callable, Sequence
from types import FrameType

import pytest

from agentsight_rx.core.engine import Engine
from agentsight_rx.events import Loss, TlsChunk
from benchmarks.hostile import graph
from benchmarks.hostile_traffic import CONTENT, TRAFFIC, records
from benchmarks.recording import cut

_SIZE = 1_000_000
_CALLS_MOST = 2_500_000  # of Python and of C: 0.15 s
_MEMORY_MOST = 128 << 20


class _Counted:
    """The end of a graph: keeps nothing but the sizes of what was counted as lost."""

    singles = 0

    def __init__(self) -> None:
        self.lost = 0

    def on_batch(self, batch: Sequence[object], /) -> None:
        self.lost += sum(event.size for event in batch if isinstance(event, Loss))

    def on_completed(self) -> None:
        pass

    def on_error(self, error: Exception, /) -> None:
        raise error


def events_of(name: str) -> list[TlsChunk]:
    return list(records(TRAFFIC[name](_SIZE)))


def run(events: Sequence[TlsChunk]) -> tuple[Engine, _Counted]:
    """In batches as the inbox gives them: of 128 KiB."""
    engine, end = Engine(), _Counted()
    graph(cut(events, 8)).attach(engine, end)
    engine.run_inline()
    return engine, end


def calls_of(act: Callable[[], object]) -> int:
    count = 0

    def counted(_frame: FrameType, event: str, _argument: object) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    sys.setprofile(counted)
    try:
        act()
    finally:
        sys.setprofile(None)
    return count


@pytest.mark.parametrize("name", [name for name in TRAFFIC if name not in CONTENT])
def test_frames_that_cost_more_than_they_weigh_stay_cheap(name: str) -> None:
    events = events_of(name)
    assert calls_of(lambda: run(events)) <= _CALLS_MOST


@pytest.mark.parametrize("name", TRAFFIC)
def test_the_graph_stays_small(name: str) -> None:
    events = events_of(name)
    tracemalloc.start()
    try:
        run(events)
        assert tracemalloc.get_traced_memory()[1] <= _MEMORY_MOST
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    "name", ["chunks of one byte", "empty continuations", "rapid resets", "header bomb (HPACK)", "tiny WebSocket messages"]
)
def test_a_flood_is_counted_with_its_reason(name: str) -> None:
    engine, end = run(events_of(name))
    (meter,) = [meter for meter in engine.ledger if meter.stage == "tls/parse_http"]
    assert end.lost == sum(entry.size for entry in meter.entries())
    assert end.lost > _SIZE / 2
