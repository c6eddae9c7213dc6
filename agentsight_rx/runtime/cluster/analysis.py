"""Batches of events -> events and rows, by the graph of `replay` on this thread; its state between two batches."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ...core.engine import Engine, EngineState
from ...core.errors import SpoolError
from ...core.stream import Node, origin
from ...events import Event, time_of
from ...graphs import TraceOptions, recorded
from ...store.rows.tables import StageCount
from ...view import Output
from .output import Losses

__all__ = ["Analysis"]


class Analysis:
    """
    One recording, or a stretch of it. Time is the time of its own events, whatever other hosts do. `emit` gets what the graph
    emits.
    """

    singles = 0

    def __init__(
        self, options: TraceOptions, emit: Callable[[Sequence[Output]], None], state: EngineState | None = None
    ) -> None:
        self._emit = emit
        self._engine = Engine(strict=False)
        graph = recorded(origin("replay", _Nothing, time_of=time_of), options)
        if not _is_ours(graph.node()):
            raise SpoolError("the graph has operators of RxPY itself, whose state cannot be kept between segments")
        with self._engine:
            graph.attach(self._engine, self)
        (self._hub,) = self._engine.hubs
        if state is not None:
            self._engine.restore(state)

    def push(self, batch: Sequence[Event], /) -> None:
        self._engine.push(self._hub, batch)

    def end(self) -> None:
        """The input has ended: open items come out as partial."""
        self._engine.end(self._hub)
        self._engine.linger()

    def snapshot(self) -> EngineState:
        return self._engine.snapshot()

    def losses(self) -> Losses:
        """The losses that were counted here; in a stretch that continues from a state, only its own."""
        ledger = self._engine.ledger
        return Losses(tuple(ledger.entries()), tuple(StageCount(meter.stage, meter.seen, meter.passed) for meter in ledger))

    # -- the end of the graph ------------------------------------------------------------------------------------------

    def on_batch(self, batch: Sequence[Any], /) -> None:
        self._emit(batch)

    def on_completed(self) -> None:
        pass

    def on_error(self, error: Exception, /) -> None:
        raise error


class _Nothing:
    """A source that is never read: its events are pushed."""

    def open(self) -> None:
        pass

    def poll(self, timeout: float, /) -> Sequence[Event] | None:
        return None

    def lost(self) -> Sequence[Event]:
        return ()

    def close(self) -> Sequence[Event]:
        return ()


def _is_ours(node: Node) -> bool:
    return node.ours and all(map(_is_ours, node.inputs))
