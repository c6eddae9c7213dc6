"""A store -> the view after its events, from which a run continues, and the checkpoints that make this quick."""

from __future__ import annotations

import msgspec
from msgspec import Raw, Struct
from msgspec.structs import replace

from ...core.errors import StoreError
from ...events import Event
from ...policy.rules.guard.values import Rules
from ..fold.fold import Fold, FoldState
from ..fold.guard.talk import Priced
from ..rows.kinds import Row
from ..state import Store, Table
from .reading import read_events

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


class Resumed(Struct, frozen=True):
    """
    The view after all events of a log: its state, and the rows of the last event, which may not have been committed with it.
    """

    state: FoldState
    rows: tuple[Row, ...] = ()


def resume(store: Store, rules: Rules | None = None, *, priced: Priced | None = None, follows: bool = False) -> Resumed | None:
    """
    The view after the events of the log, folded from the last checkpoint on; None for an empty log. `rules` are for a
    guard, which `follows` the rules that were loaded then. The new run begins with the given rules.
    """
    try:
        checkpoint = store.get(CHECKPOINT, 0)
    except StoreError:  # of a release whose view keeps something else: all of the log says the same
        checkpoint = None
    fold, rows, seen = Fold(rules, priced=priced, follows=follows), list[Row](), checkpoint is not None
    if checkpoint is not None:
        fold.restore(checkpoint.state)
    for event in read_events(store, segment=checkpoint.segment if checkpoint else 0):
        rows, seen = fold.add(event), True
    rows = [*rows, *fold.settle()]
    return Resumed(_for_new_run(fold.snapshot()), tuple(rows)) if seen else None


def _for_new_run(state: FoldState) -> FoldState:
    """What ended in the old run says nothing of this one: a run that sends the same events again has the same numbers."""
    views = state.views
    guard = views.guard and replace(views.guard, loaded="")
    return replace(state, views=replace(views, calls=replace(views.calls, done=[]), guard=guard))
