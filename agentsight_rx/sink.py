"""The interface of a destination: a writer that gets batches from a bounded box, on a thread of its own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol, TypeAlias

from msgspec import Struct

from .events import Event
from .loss import Ledger
from .view import Row

__all__ = ["Output", "Sink", "Writer"]

Output: TypeAlias = Event | Row


class Writer(Protocol):
    """
    Used by one thread. `write` may raise: the batch is then counted as lost, and the next one is tried. `flush` is called
    at least every 250 ms, `close` once.
    """

    def write(self, batch: Sequence[Output], /) -> None: ...
    def flush(self) -> None: ...
    def close(self) -> None: ...


class Sink(Struct, frozen=True):
    """A destination, not yet open. `open` is called before capture starts and may raise SinkError or StoreError."""

    name: str
    open: Callable[[Ledger], Writer]
    events: int = 65_536  # room in its box
    size: int = 64 << 20
