"""What the author of an operator knows about it: the input of the shared test, and the laws that it checks besides its own."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import TYPE_CHECKING, Any, Generic, Literal, TypeVar

from msgspec import Struct

from ....core.stream import Operator
from ....events import time_of
from ....events.loss import Reason

if TYPE_CHECKING:
    from hypothesis import strategies as st

__all__ = ["START_NS", "Case", "Law"]

START_NS = 5_000_000_000_000  # a machine that has been up for a while: time never begins at 0

A = TypeVar("A")
B = TypeVar("B")


class Law(Struct, Generic[A, B], frozen=True):
    """
    `weight in == weight out + lost + held`, in `unit`s: where that is events, a loss weighs its count, in bytes its size; what
    the operator counts for the `unseen` reasons was lost before it and weighs nothing.
    """

    unit: Literal["events", "bytes"]
    weigh_in: Callable[[A], int]
    weigh_out: Callable[[B], int]
    unseen: frozenset[Reason] = frozenset()


class Case(Struct, Generic[A, B], frozen=True):
    """
    One operator and what its author knows about it.

    An operator that hands on what it takes in has a `law`; one that only computes something from it has none.
    `poison(time_ns)` is an event at which the operator raises, of a key that no other event has; None: no event makes it raise.
    `joined` makes outputs comparable of an operator that may emit one event for several, depending on how its input was cut.
    `key` tells which events the operator knows together; None: all of them. What it makes of one key depends on no other.
    `aside` finds the output that says what was known at a moment: the ticks decide on it, so outputs are compared without it.
    `forgets` says that such a bug costs the operator its state of other events too, since it has one machine for all.
    """

    operator: Callable[[], Operator[A, B]]
    events: st.SearchStrategy[list[A]]
    law: Law[A, B] | None = None
    poison: Callable[[int], A] | None = None
    forgets: bool = False
    key: Callable[[A], Hashable] | None = None
    aside: Callable[[B], bool] = lambda _: False
    joined: Callable[[list[B]], list[B]] = list
    time_of: Callable[[Any], int] = time_of
