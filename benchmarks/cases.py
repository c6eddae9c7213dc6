"""Rows of the benchmarks of single parts -> figures: operators, ring, store, hostile traffic, connections that come and go."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from benchmarks import contexts, filters, fold, hop, hostile, keyed, pipeline, redaction, ring, sse, store, wire
from benchmarks.churn import ChurnRow
from benchmarks.churn import rows as churn_rows
from benchmarks.figures import Figure, Size
from benchmarks.hostile import HostileRow
from benchmarks.timing import Row

__all__ = ["churned", "hostile_traffic", "operators", "rings", "stored", "wires"]

_HOPS = ("1 operator, batch 256", "6 operators, batch 256", "12 operators, batch 256", "6 stock RxPY operators, single events")
_GROWTH_MOST, _ANONYMOUS_MOST = 12.0, 100.0  # MB
_HOSTILE_LEAST = 0.5  # of the full size
_MEANT_FROM = 0.05  # smaller sizes only show that it runs
_PEAK_MOST, _CPU_MOST = 256.0, 0.15  # MB, s a MB


def _ratios(group: str, rows: Iterable[Row]) -> Iterator[Figure]:
    for row in rows:
        if row.ratio is not None:
            yield Figure(
                group=group,
                name=f"{row.name}, to: {row.floor}",
                value=row.ratio,
                target=row.target,
                at_least=row.at_least,
                note=f"{row.us_per_event:.2f} µs an event",
            )


def operators(size: Size) -> Iterator[Figure]:
    """What each operator of the graph adds, in units of parsing; hops against plain functions; rules, the fold, contexts."""
    parse, *stages = pipeline.stages(size.rounds, size.scale)
    before = 0.0
    for row in stages:
        added, before = row.us_per_event - before, row.us_per_event
        yield Figure(
            group="operators",
            name=f"{row.name}: added, to parse only",
            value=max(0.0, added) / parse.us_per_event,
            note=f"{added * 1000:+,.0f} ns an event",
        )
    yield from _ratios("operators", (row for row in hop.rows(size.rounds, size.scale) if row.name in _HOPS))
    for part in (keyed, filters, redaction, sse, fold, contexts):
        yield from _ratios("operators", (row for row in part.rows(size.rounds, size.scale) if row.target is not None))


def wires(size: Size) -> Iterator[Figure]:
    yield from _ratios("wire", wire.rows(size.rounds, size.scale))


def rings(size: Size) -> Iterator[Figure]:
    yield from _ratios("ring", ring.rows(size.rounds, size.scale))


def stored(size: Size) -> Iterator[Figure]:
    """In batches of one a store costs what the disk does, which says nothing of ours."""
    made = store.rows(size.rounds, size.scale)
    yield from _ratios("store", (row for row in made if not row.floor.endswith((" of 1", " of 1, synced"))))


def hostile_traffic(size: Size) -> Iterator[Figure]:
    """The worst of all kinds, in sizes at which the start of a run no longer counts."""
    scale = max(size.scale, _HOSTILE_LEAST) if size.scale >= _MEANT_FROM else size.scale
    rows = [row for row in hostile.rows(size.rounds, scale) if isinstance(row, HostileRow)]
    slowest = max((row for row in rows if row.cpu_most is not None), key=lambda row: row.cpu_s_per_mb)
    largest = max(rows, key=lambda row: row.peak)
    yield Figure(
        group="hostile",
        name="hostile traffic, processor time a MB, worst of all kinds",
        value=slowest.cpu_s_per_mb,
        unit="s",
        target=_CPU_MOST,
        note=f"{slowest.name}; {len(rows)} kinds",
    )
    yield Figure(
        group="hostile",
        name="hostile traffic, peak of memory, worst of all kinds",
        value=largest.peak,
        unit="MB",
        target=_PEAK_MOST,
        note=largest.name,
    )


def churned(size: Size) -> Iterator[Figure]:
    """Without a kernel: the engine and the store over connections of processes that start, ask and end."""
    rows: Sequence[ChurnRow] = [row for row in churn_rows(size.rounds, size.scale / 2) if isinstance(row, ChurnRow)]
    last, points = rows[-1], [(float(row.name.split()[0].replace(",", "")), row.anonymous) for row in rows]
    yield Figure(
        group="memory",
        name="anonymous memory after churn",
        value=last.anonymous,
        unit="MB",
        target=_ANONYMOUS_MOST,
        original="86 to 88 MB (peers)",
        note=f"{last.name}, each of a process of its own; {last.mapped:.0f} MB more are mapped files",
        points=tuple(points),
    )
    yield Figure(
        group="memory",
        name="growth of it, from two fifths of the connections on",
        value=last.growth,
        unit="MB",
        target=_GROWTH_MOST,
        note=f"{rows[0].us_per_event:.0f} to {last.us_per_event:.0f} µs an event with the store",
    )
