"""Events, made or read -> a recording of them in memory, which every report and query reads."""

from __future__ import annotations

from collections.abc import Sequence

from ... import graphs, sinks
from ...core.engine import Engine
from ...core.sink import Writer
from ...core.stream import of
from ...events import Event, time_of
from ...store.state import MemoryStore
from ...view import Output


def recorded(events: Sequence[Event], options: graphs.TraceOptions | None = None) -> MemoryStore:
    """
    What `replay` of these events into a store makes: the product's whole graph, also where it takes raw records. It needs no
    thread, and a bug in an operator is raised. At most 256 MiB are kept.
    """
    lent, engine = sinks.Lent(), Engine(strict=True)
    graph = graphs.recorded(of(events, time_of=time_of, name="events"), options or graphs.TraceOptions())
    writer = sinks.memory(lent).open(engine.ledger)
    engine.ledger.begin()
    try:
        graph.attach(engine, _Written(writer))
        engine.run_inline()
        engine.ledger.end()
    finally:
        writer.close()
    assert isinstance(lent.store, MemoryStore)
    return lent.store


class _Written:
    """The end of the graph: a sink gets all of it."""

    singles = 0

    def __init__(self, writer: Writer[Output]) -> None:
        self._writer = writer

    def on_batch(self, batch: Sequence[Output], /) -> None:
        self._writer.write(batch)

    def on_completed(self) -> None:
        pass

    def on_error(self, error: Exception, /) -> None:
        raise error
