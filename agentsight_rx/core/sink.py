"""The interface of a destination: a writer that gets batches from a bounded box, on a thread of its own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Generic, Protocol, TypeVar

from msgspec import Struct

from ..events.loss import Ledger
from .errors import SinkError

__all__ = ["ReaderLeft", "Sink", "Unwritten", "Writer"]

E_contra = TypeVar("E_contra", contravariant=True)


class Unwritten(SinkError):
    """Of the items that a writer was handed, in this batch or earlier ones, `count` are lost. It wrote or keeps the others."""

    def __init__(self, message: str, *, count: int) -> None:
        super().__init__(message)
        self.count = count


class ReaderLeft(Unwritten):
    """The reader went away, as of a closed pipe: the items are lost, and nothing is wrong with the run."""


class Writer(Protocol[E_contra]):
    """
    Used by one thread. `write` may raise: the batch is then counted as lost, and the next one is tried. A writer that keeps
    items for a later write, or wrote a part of a batch, raises Unwritten from any method, which says how many were lost.
    `flush` is called at least every 250 ms, `close` once.
    """

    def write(self, batch: Sequence[E_contra], /) -> None: ...
    def flush(self) -> None: ...
    def close(self) -> None: ...


class Sink(Struct, Generic[E_contra], frozen=True):
    """
    A destination for what a graph emits, not yet open. `open` is called before capture starts and may raise SinkError or
    StoreError.
    """

    name: str
    open: Callable[[Ledger], Writer[E_contra]]
    events: int = 65_536  # room in its box
    size: int = 64 << 20
    keeps_ledger: bool = False  # it is closed after all others, so that it writes their last counts
    # Its reader takes what it writes, and may be slow or leave: there is no deadline at the end, and no message where it left
    awaits_reader: bool = False
    wants: frozenset[type] = frozenset()  # of Tick and AnswerProgress, which only those sinks get that want them
    # Whether a person sees at once what it writes; None: yes. If no sink is watched, events wait for each other, at less cost
    is_watched: Callable[[], bool] | None = None
