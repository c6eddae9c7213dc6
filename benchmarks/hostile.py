"""
What hostile traffic costs the whole product, each kind in a process of its own: processor time, memory, and what is not read.

    python -m benchmarks hostile                          # the table
    python -m benchmarks.hostile 2000000 "rapid resets"   # 2 MB of one kind, as JSON
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import ClassVar

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from agentsight_rx import operators as op
from agentsight_rx.core.merge import merge
from agentsight_rx.core.sink import Sink
from agentsight_rx.core.stream import Stream, of
from agentsight_rx.events import TlsEvent, time_of
from agentsight_rx.graphs import RECORD_HTTP_FILTERS, TraceOptions, http_messages
from agentsight_rx.runtime.run import Run
from agentsight_rx.sinks import store
from agentsight_rx.sinks.web import Feed
from agentsight_rx.view import Output
from benchmarks.apart import command, environment
from benchmarks.hostile_traffic import CONTENT, TRAFFIC, records
from benchmarks.memory import memory_of
from benchmarks.recording import cut
from benchmarks.timing import Row

__all__ = ["HostileRow", "Measured", "graph", "rows"]

_SIZE = 4_000_000
_CPU_MOST = 0.15  # s a MB; content that grows has no such target
_CPU_SLACK = 3.0  # there is no floor of the same run: a busy machine takes up to three times as long
_PEAK_MOST = 256  # MB
_BATCH = 64
_SAMPLE_S = 0.002


class Measured(Struct, frozen=True):
    """
    One kind of traffic: records and bytes in, bytes that were counted and not read, processor time of all threads, and the most
    anonymous memory over that before. The map of the store is not among it.
    """

    name: str
    records: int
    size: int
    cut: int
    cpu_s: float
    peak: int = 0


class HostileRow(Row, frozen=True):
    """`size`, `peak` and `cut` in MB."""

    cpu_s_per_mb: float = 0.0
    cpu_most: float | None = None
    size: float = 0.0
    peak: float = 0.0
    cut: float = 0.0

    columns: ClassVar[tuple[str, ...]] = ("MB", "CPU s/MB", "target", "peak MB", "target", "MB cut", "met")

    def _within(self, slack: float) -> bool:
        most = float("inf") if self.cpu_most is None else self.cpu_most * (_CPU_SLACK if slack > 1 else 1)
        return self.cpu_s_per_mb <= most and self.peak <= _PEAK_MOST

    @property
    def result(self) -> str:
        return f"{self.cpu_s_per_mb:.3f} CPU s/MB, target {self.cpu_most}; peak {self.peak:.0f} MB, target {_PEAK_MOST}"

    def cells(self) -> tuple[str, ...]:
        return (
            f"{self.size:.2f}",
            f"{self.cpu_s_per_mb:.3f}",
            "" if self.cpu_most is None else f"<= {self.cpu_most:g}",
            f"{self.peak:.1f}",
            f"<= {_PEAK_MOST}",
            f"{self.cut:.2f}",
            "yes" if self.met else "no",
        )


def rows(rounds: int, scale: float = 1.0, /) -> list[Row]:
    """The fastest of some rounds, and the highest of their peaks."""
    best: dict[str, Measured] = {}
    for _ in range(max(1, rounds // 4)):
        for made in _measured(int(_SIZE * scale)):
            before = best.get(made.name, made)
            best[made.name] = replace(made, cpu_s=min(made.cpu_s, before.cpu_s), peak=max(made.peak, before.peak))
    return [_row(made) for made in best.values()]


def _row(made: Measured) -> Row:
    us, size = made.cpu_s * 1e6, made.size / 1e6
    return HostileRow(
        "hostile",
        made.name,
        us_per_event=us / made.records,
        events_per_s=1e6 * made.records / us,
        mb_per_s=size / made.cpu_s,
        cpu_s_per_mb=made.cpu_s / size,
        cpu_most=None if made.name in CONTENT else _CPU_MOST,
        size=size,
        peak=made.peak / 1e6,
        cut=made.cut / 1e6,
    )


def _measured(size: int, names: Sequence[str] = ()) -> list[Measured]:
    """Each kind in a process of its own, forked from one that has no threads, as this one may have."""
    done = subprocess.run(command("hostile", size, *names), stdout=subprocess.PIPE, env=environment(), check=True)
    return [msgspec.json.decode(line, type=Measured) for line in done.stdout.splitlines()]


def main(size: int, names: Sequence[str] = ()) -> None:
    """Print a line of JSON for each kind."""
    for name in names or TRAFFIC:
        print(msgspec.json.encode(_sampled(name, size)).decode(), flush=True)


def _sampled(name: str, size: int) -> Measured:
    """Run one kind in a child, and sample the memory of that from outside."""
    ready, begin, result = os.pipe(), os.pipe(), os.pipe()
    child = os.fork()
    if not child:
        try:
            events = list(records(TRAFFIC[name](size)))
            os.write(ready[1], b"!")
            os.read(begin[0], 1)
            os.write(result[1], msgspec.json.encode(_run(name, events)))
        finally:
            os._exit(0)
    os.close(result[1])
    os.close(ready[1])
    os.read(ready[0], 1)
    idle = peak = memory_of(child).anonymous
    os.write(begin[1], b"!")
    while not os.waitpid(child, os.WNOHANG)[0]:
        peak = max(peak, memory_of(child).anonymous)
        time.sleep(_SAMPLE_S)
    made = msgspec.json.decode(os.read(result[0], 4096), type=Measured)
    for end in (ready[0], *begin, result[0]):
        os.close(end)
    return replace(made, peak=peak - idle)


def graph(batches: Sequence[Sequence[TlsEvent]]) -> Stream[Output]:
    """As `record` has it, but for the source."""
    source = of(*batches, time_of=time_of, name="tls").pipe(op.find_blind_spots())
    messages = http_messages(source, TraceOptions(http_filters=RECORD_HTTP_FILTERS)).pipe(op.merge_mcp())
    return merge(messages).pipe(op.remove_auth(), op.materialize())


def _run(name: str, events: Sequence[TlsEvent]) -> Measured:
    with TemporaryDirectory() as folder:
        began = time.process_time()
        with Run(graph(cut(events, _BATCH)), [store(Path(folder) / "run.lmdb"), Sink("page", Feed)], on_bug="raise_all") as run:
            run.wait()
            summary = run.stop()
        spent = time.process_time() - began
    size = sum(len(getattr(event, "data", b"")) for event in events)
    lost = sum(entry.size for entry in summary.ledger.unintended() if entry.stage.startswith("tls/"))
    return Measured(name, len(events), size, cut=lost, cpu_s=spent)


if __name__ == "__main__":
    main(int(float(sys.argv[1])), sys.argv[2:])
