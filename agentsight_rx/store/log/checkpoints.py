"""The view beside its events -> its state from time to time, for the store to keep where the log has the same events."""

from __future__ import annotations

import msgspec
from msgspec import Raw, Struct

from ...events import Event
from ..fold.fold import Fold, FoldState
from ..state import Table

__all__ = ["CHECKPOINT", "CHECKPOINT_ENCODED", "EVERY", "Checkpoint", "Checkpoints", "EncodedCheckpoint"]

EVERY = 50_000  # events; to fold so many again takes a second or two at the begin of the next run


class Checkpoint(Struct, frozen=True):
    """The state of the view before the segment of that number."""

    segment: int
    state: FoldState


class EncodedCheckpoint(Struct, frozen=True):
    """A Checkpoint whose state is msgpack already."""

    segment: int
    state: Raw


CHECKPOINT = Table("checkpoint", Checkpoint)  # one row
CHECKPOINT_ENCODED = Table(CHECKPOINT.name, EncodedCheckpoint)


class Checkpoints:
    """
    Shared by what folds the events and by the store that keeps them, each in its thread: an event, and the state behind it. The
    store knows the event when it comes by: events that were dropped between the two do not move the place.
    """

    def __init__(self, every: int = EVERY) -> None:
        self._every = every
        self._folded = 0
        self._newest: tuple[Event, bytes] | None = None

    def folded(self, event: Event, fold: Fold, /) -> None:
        """`fold` has taken `event`. The state is encoded at once, since it changes with the next one."""
        self._folded += 1
        if self._folded % self._every == 0:
            self._newest = event, msgspec.msgpack.encode(fold.snapshot())

    def behind(self, event: Event, /) -> bytes | None:
        """The state behind this event, as msgpack, if it is the newest one."""
        newest = self._newest
        return newest[1] if newest is not None and newest[0] is event else None
