"""The graph over calls on 1, 8, 64 and 1,000 connections at once, in the batches of a busy ring, against only parsing them."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks import naive
from benchmarks.figures import Figure, Size
from benchmarks.pipeline import graph_of, parse_only, stored_run
from benchmarks.recording import cut, traffic
from benchmarks.timing import Case, measure

__all__ = ["figures"]

_CALLS = 64  # in all, but for the many connections, which make one each
_BATCH = 4096
_CONNECTIONS_MOST = 1000  # at full size
_STORED = 64  # connections of the case with a store
_NAIVE_LEAST = 3.0
_MANY_MOST = 1.15  # times what an event costs with one connection

# connections -> target, the original's, ours before
_CASES: dict[int, tuple[float | None, str]] = {1: (None, ""), 8: (None, ""), 64: (5.5, "8.7x"), 1000: (None, "11x")}


def figures(size: Size) -> Iterator[Figure]:
    points: list[tuple[float, float]] = []
    for most, (target, before) in _CASES.items():
        connections = min(most, size.many(_CONNECTIONS_MOST))
        chunks = traffic(connections, calls=max(1, size.many(_CALLS) // connections))
        batches, events = cut(chunks, _BATCH), len(chunks)
        with TemporaryDirectory() as folder:
            fresh = (Path(folder) / f"{number}.lmdb" for number in count())
            cases = [
                Case("parse only", partial(parse_only, chunks), events),
                Case("graph", partial(graph_of, batches), events, floor="parse only"),
            ]
            if most == _STORED:
                cases.append(
                    Case("naive", lambda: lambda: naive.run(chunks), events, floor="graph", at_least=True)  # noqa: B023 (measured at once)
                )
                cases.append(Case("stored", lambda: stored_run(batches, next(fresh)), events, floor="parse only", waits=True))  # noqa: B023 (measured at once)
            _, graph, *more = measure("graph", cases, size.rounds)
        assert graph.ratio is not None
        points.append((connections, graph.ratio))
        note = f"{graph.us_per_event:.2f} µs an event"
        yield Figure(
            group="graph",
            name=f"graph to parse only, {most:,} connection{'s' if most > 1 else ''}",
            value=graph.ratio,
            target=target,
            before=before,
            note=note,
        )
        if more:
            simple, row = more
            assert row.ratio is not None
            yield Figure(
                group="graph",
                name="naive RxPY to the graph, 64 connections",
                value=simple.ratio,
                target=_NAIVE_LEAST,
                at_least=True,
                note=f"{simple.us_per_event:.1f} µs an event; an item an event, group_by, h11 and json",
            )
            yield Figure(
                group="graph",
                name="a store, threaded: added to the graph",
                value=max(0.0, row.ratio - graph.ratio),
                before="10x",
                note=f"{row.us_per_event:.2f} µs an event by the clock, start and end of the run included",
            )
    yield Figure(
        group="graph",
        name="1,000 connections to 1",
        value=points[-1][1] / points[0][1],
        target=_MANY_MOST,
        note="how much more an event costs with many connections",
        points=tuple(points),
    )
