"""A recording of 64 interleaved model calls through the whole graph, against only parsing it and against plain RxPY."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, cast

from agentsight_rx import operators as op
from agentsight_rx.core.engine import Engine
from agentsight_rx.core.merge import merge
from agentsight_rx.core.sink import Writer
from agentsight_rx.core.stream import Operator, Stream, of
from agentsight_rx.events import TlsChunk, TlsEvent, time_of
from agentsight_rx.graphs import RECORD_HTTP_FILTERS, TraceOptions, http_messages
from agentsight_rx.runtime.run import Run
from agentsight_rx.sinks.store import store
from agentsight_rx.view import CallRow, Output
from benchmarks import naive
from benchmarks.recording import cut, traffic
from benchmarks.sse import SAID
from benchmarks.timing import Case, Row, Work, measure

__all__ = ["graph_of", "parse_only", "rows", "stages", "started", "stored_run"]

_FLOWS = 64
_BATCH = 256
_OPTIONS = TraceOptions(http_filters=RECORD_HTTP_FILTERS)


def rows(rounds: int, scale: float = 1.0, /) -> list[Row]:
    flows = max(1, int(_FLOWS * scale))
    chunks = traffic(flows)
    batches = cut(chunks, _BATCH)
    calls = _calls(batches)
    assert len(calls) == flows, "not every call was found"
    assert calls == sorted(naive.run(chunks)), "the two do not do the same work"
    events, size = len(chunks), sum(len(chunk.data) for chunk in chunks)
    floor, whole, inline = "parse only", "graph without sinks", "graph and LMDB store on one thread"
    threads = "graph and LMDB store in a Run, with its start and end"
    with TemporaryDirectory() as folder:
        fresh = (Path(folder) / f"{number}.lmdb" for number in count())
        cases = [
            Case(floor, partial(parse_only, chunks), events, size),
            Case(whole, partial(graph_of, batches), events, size, floor, 8.0),
            Case(inline, lambda: _stored(batches, next(fresh)), events, size, floor),
            Case(threads, lambda: stored_run(batches, next(fresh)), events, size, floor, waits=True),
            Case("stock RxPY, an item an event", lambda: lambda: naive.run(chunks), events, size, whole, 3.0, at_least=True),
        ]
        return measure("pipeline", cases, rounds)


def stages(rounds: int, scale: float = 1.0, /) -> list[Row]:
    """The graph cut off behind each of its operators: what each adds is the time over the row above."""
    chunks = traffic(max(1, int(_FLOWS * scale)))
    batches = cut(chunks, _BATCH)
    operators: list[Operator[Any, Any]] = [
        op.filter_tls(),
        op.parse_http(),
        op.decode_content(),
        op.merge_sse(),
        op.normalize(),
        op.drop_marked(),
        op.filter_http(*RECORD_HTTP_FILTERS),
        op.remove_auth(),
    ]
    stream: Stream[Any] = _source(batches)
    graphs = [stream]
    for operator in operators:
        graphs.append(graphs[-1].then(operator))
    graphs.append(merge(graphs[-1]))
    graphs.append(graphs[-1].then(op.materialize()))
    names = ["the source alone", *(f"+ {operator.name}" for operator in operators), "+ merge", "+ materialize"]
    cases = [Case("parse only", partial(parse_only, chunks), len(chunks))]
    cases += [
        Case(name, partial(started, graph), len(chunks), floor=above)
        for name, graph, above in zip(names, graphs, ["", *names], strict=False)
    ]
    return measure("stages", cases, rounds)


def _source(batches: Sequence[Sequence[TlsEvent]]) -> Stream[TlsEvent]:
    return of(*batches, time_of=time_of, name="tls")


def _pipeline(batches: Sequence[Sequence[TlsEvent]]) -> Stream[Output]:
    return merge(http_messages(_source(batches), _OPTIONS).pipe(op.remove_auth())).pipe(op.materialize())


class _Counted:
    """The end of a graph: counts what arrives."""

    singles = 0

    def __init__(self) -> None:
        self.count = 0

    def on_batch(self, batch: Sequence[object], /) -> None:
        self.count += len(batch)

    def on_completed(self) -> None:
        pass

    def on_error(self, error: Exception, /) -> None:
        raise error


class _Written(_Counted):
    """The end of a graph: writes what arrives into a store, on this thread."""

    singles = 0

    def __init__(self, writer: Writer[Output]) -> None:
        super().__init__()
        self._writer = writer

    def on_batch(self, batch: Sequence[object], /) -> None:
        self._writer.write(cast("Sequence[Output]", batch))

    def on_completed(self) -> None:
        self._writer.close()


def started(graph: Stream[Any]) -> Work:
    engine = Engine()
    graph.attach(engine, _Counted())
    return engine.run_inline


def graph_of(batches: Sequence[Sequence[TlsEvent]]) -> Work:
    return started(_pipeline(batches))


def _stored(batches: Sequence[Sequence[TlsEvent]], path: Path) -> Work:
    engine = Engine()
    _pipeline(batches).attach(engine, _Written(store(path).open(engine.ledger)))
    return engine.run_inline


def stored_run(batches: Sequence[Sequence[TlsEvent]], path: Path) -> Work:
    graph, sink = _pipeline(batches), store(path)

    def work() -> None:
        with Run(graph, [sink], on_bug="raise_all") as run:
            run.wait()
            summary = run.stop()
        assert summary.complete, summary.ledger.unintended()

    return work


def parse_only(chunks: Sequence[TlsChunk]) -> Work:
    """Find the border of each chunk, find the data of its event, decode that. Requests and heads are passed over."""

    def work() -> None:
        for chunk in chunks:
            data = chunk.data
            line = data.find(b"\r\n", 0, 10)
            if line < 1 or chunk.origin.direction != "in":
                continue
            size = int(data[:line], 16)
            event = data[line + 2 : line + 2 + size]
            if event:
                SAID.decode(event[event.find(b"data: ") + 6 : -2])

    return work


def _calls(batches: Sequence[Sequence[TlsEvent]]) -> list[naive.Call]:
    """The calls that the graph finds, for comparison."""
    rows: list[CallRow] = []

    class Taken(_Counted):
        singles = 0

        def on_batch(self, batch: Sequence[object], /) -> None:
            rows.extend(row for row in batch if isinstance(row, CallRow) and row.status == "complete")

    engine = Engine()
    _pipeline(batches).attach(engine, Taken())
    engine.run_inline()
    return sorted((row.text, row.prompt, row.output_tokens) for row in rows)
