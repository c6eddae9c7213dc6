"""A run on one thread: every source is read to its end, event by event in order of time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from .hub import Hub
from .pace import STEP_NS

if TYPE_CHECKING:
    from .engine import Engine

__all__ = ["run_inline"]


def run_inline(engine: Engine) -> None:
    """
    Read every source of `engine` to its end on this thread: event by event in order of time, then of sources. A source to which
    an operator subscribes on the way is opened between two steps of time. So the cutting into batches changes nothing.
    """
    with engine:
        _Inline(engine).run()


class _Inline:
    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._opened: dict[Hub[Any], None] = {}
        self._waiting: dict[Hub[Any], tuple[Sequence[Any], int]] = {}  # a batch, and where in it the next event stands

    def run(self) -> None:
        engine, waiting = self._engine, self._waiting
        try:
            while True:
                live = [hub for hub in self._opened if not hub.ended and hub.wanted]
                self._read(live)
                heads = sorted((hub.time_at(*waiting[hub]), place) for place, hub in enumerate(live) if hub in waiting)
                new = engine.hubs[len(self._opened) :]
                if new and not (heads and heads[0][0] < engine.now_ns + STEP_NS):
                    for hub in new:
                        self._opened[hub] = None
                        hub.reader.open()
                elif heads:
                    self._push_oldest(live, heads)
                elif not live:
                    engine.linger(self._wanted)
                    if not self._wanted():
                        return
        finally:
            for hub in self._opened:
                if not hub.ended:
                    hub.reader.close()

    def _wanted(self) -> bool:
        return any(hub.wanted for hub in self._engine.hubs)

    def _read(self, live: Sequence[Hub[Any]]) -> None:
        for hub in live:
            if hub not in self._waiting:
                batch = hub.reader.poll(0.05)
                if batch is None:
                    self._engine.push(hub, [*hub.reader.lost(), *hub.reader.close()])
                    self._engine.end(hub)
                elif batch:
                    self._waiting[hub] = batch, 0

    def _push_oldest(self, live: Sequence[Hub[Any]], heads: Sequence[tuple[int, int]]) -> None:
        """Push what one source has within this step and before the next event of any other."""
        time_ns, place = heads[0]
        border = min([*heads[1:2], ((time_ns // STEP_NS + 1) * STEP_NS, -1)])
        hub = live[place]
        batch, start = self._waiting.pop(hub)
        stop = next((at for at in range(start + 1, len(batch)) if (hub.time_at(batch, at), place) > border), len(batch))
        if stop < len(batch):
            self._waiting[hub] = batch, stop
        self._engine.push(hub, batch[start:stop])
