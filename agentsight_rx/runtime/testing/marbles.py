"""
Marble diagrams and a graph -> what it emits and when, in virtual time: no clock is asked, and nothing waits.

    assert expected("-A-B|") == observed(cold("-a-b|").pipe(op.change(str.upper)))
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal, TypeVar, cast

import reactivex
from msgspec import Struct
from reactivex import Observable
from reactivex.observable.marbles import parse
from reactivex.testing import TestScheduler

E = TypeVar("E")

_CREATED_S, _SUBSCRIBED_S = 100.0, 200.0  # those of RxPY's own tests


class Moment(Struct, frozen=True):
    """What an Observable said, so many seconds after it was subscribed to. An end has no value; an error has its text."""

    seconds: float
    kind: Literal["event", "end", "error"]
    value: object = None


def cold(diagram: str, *, timespan: float = 1.0, lookup: Mapping[str, Any] | None = None) -> Observable[Any]:
    """
    The events of a marble diagram, from the moment of the subscription on. Each character takes `timespan` seconds: `-` is no
    event, `|` the end, `#` an error, `(a,b)` are two events at once, any other word an event: that of `lookup`, if there.
    """
    return reactivex.from_marbles(diagram, timespan, lookup=_events(lookup))


def expected(diagram: str, *, timespan: float = 1.0, lookup: Mapping[str, Any] | None = None) -> list[Moment]:
    """What an Observable that follows this diagram says."""
    said = parse(diagram, timespan=timespan, lookup=_events(lookup))
    return [_moment(cast("float", time_s), notification) for time_s, notification in said]


def observed(graph: Observable[Any] | Callable[[], Observable[Any]], *, seconds: float = 800.0) -> list[Moment]:
    """What a graph says within these seconds of virtual time. An operator that fails raises its exception here."""

    def create() -> Observable[Any]:
        return graph() if callable(graph) else graph

    made = TestScheduler().start(
        create,
        created=_CREATED_S,
        subscribed=_SUBSCRIBED_S,
        disposed=_SUBSCRIBED_S + seconds,
    )
    return [_moment(each.time - _SUBSCRIBED_S, each.value) for each in made.messages]


def _moment(seconds: float, notification: Any) -> Moment:
    exact = round(seconds, 6)  # a scheduler counts microseconds
    match notification.kind:
        case "N":
            return Moment(exact, "event", notification.value)
        case "E":
            return Moment(exact, "error", str(notification.exception))
        case _:
            return Moment(exact, "end")


def _events(lookup: Mapping[str, Any] | None) -> dict[str | float, Any] | None:
    return {word: event for word, event in lookup.items()} if lookup else None  # noqa: C416 (dict is invariant in its keys)
