"""Our operators on a scheduler of virtual time: each event keeps its time, and machines wait in that time."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import pytest
import reactivex
import reactivex.operators as rx
from reactivex import Observable
from reactivex.testing import TestScheduler

from agentsight_rx import Machine, op
from agentsight_rx.core.stream import Stream, as_stream, of
from agentsight_rx.testing import cold, observed


def times(graph: Observable[Any] | Callable[[], Observable[Any]]) -> list[tuple[float, object]]:
    return [(each.seconds, "end" if each.kind == "end" else each.value) for each in observed(graph)]


class Late(Machine[str, str]):
    """Emits its letters when no other came for 2.5 seconds of ticks."""

    def __init__(self) -> None:
        self._waiting: list[str] = []
        self._since_ns: int | None = None

    def feed(self, event: str, /) -> Iterable[str]:
        self._waiting.append(event)
        self._since_ns = None
        return ()

    def tick(self, now_ns: int, /) -> Iterable[str]:
        self._since_ns = self._since_ns or now_ns
        if now_ns - self._since_ns < 2_500_000_000:
            return ()
        out, self._waiting = self._waiting, []
        return out

    def finish(self) -> Iterable[str]:
        return [f"{each}?" for each in self._waiting]


class NextTick(Machine[str, int]):
    """Emits the milliseconds of the first tick behind each letter."""

    def __init__(self) -> None:
        self._asked = False

    def feed(self, event: str, /) -> Iterable[int]:
        self._asked = True
        return ()

    def tick(self, now_ns: int, /) -> Iterable[int]:
        asked, self._asked = self._asked, False
        return [now_ns // 1_000_000 - 200_000] if asked else ()


class Upper(Machine[str, str]):
    def feed(self, event: str, /) -> Iterable[str]:
        return [event.upper()]


OPERATORS: dict[str, Callable[[Observable[str]], Stream[str]]] = {
    "change": op.change(str.upper),
    "each": op.each(Upper, name="upper"),
    "per_key": op.per_key(lambda event: event, Upper, name="upper", key_type=str, limit=4),
}


@pytest.mark.parametrize("name", OPERATORS)
def test_each_event_keeps_its_time(name: str) -> None:
    made = times(cold("-a-b|").pipe(OPERATORS[name]))
    assert [(1.0, "A"), (3.0, "B"), (4.0, "end")] == made


def test_stock_operators_between_ours_wait_in_the_same_time() -> None:
    made = times(cold("-a-b|").pipe(op.change(str.upper), rx.delay(0.5), op.change(str.lower)))
    assert [(1.5, "a"), (3.5, "b"), (4.5, "end")] == made


def test_a_machine_that_waits_is_ticked_in_virtual_time() -> None:
    """The steps are 20 ms, and whole seconds behind one second of silence."""
    made = times(cold("-a---------b|").pipe(op.each(Late, name="late")))
    assert [(4.0, "a"), (12.0, "b?"), (12.0, "end")] == made


def test_time_is_fine_again_behind_an_event_that_ends_a_silence() -> None:
    made = times(cold("-a---b-----|", timespan=1.5).pipe(op.each(NextTick, name="next_tick")))
    assert [(1.52, 1520), (7.52, 7520), (16.5, "end")] == made


def test_the_branches_of_one_shared_stream_are_one_run() -> None:
    made: list[str] = []

    def graph() -> Observable[str]:
        shared = as_stream(cold("-a-b|").pipe(rx.do_action(made.append))).share()
        return reactivex.merge(shared.pipe(op.change(str.upper)), shared.pipe(op.change(str)))

    assert [(1.0, "A"), (1.0, "a"), (3.0, "B"), (3.0, "b"), (4.0, "end")] == times(graph)
    assert ["a", "b"] == made


def test_a_source_of_batches_is_read_when_it_is_subscribed_to() -> None:
    made = times(reactivex.merge(of(["a", "b"]).pipe(op.change(str.upper)), cold("-c|")))
    assert [(0.0, "A"), (0.0, "B"), (1.0, "c"), (2.0, "end")] == made


def test_a_stream_that_never_ends_does_not_keep_the_scheduler_busy() -> None:
    scheduler, out = TestScheduler(), list[str]()
    source = reactivex.concat(cold("-a"), reactivex.never())
    source.pipe(op.each(Late, name="late")).subscribe(out.append, scheduler=scheduler)
    scheduler.start()
    assert ["a"] == out


def broken(_: object) -> float:
    return 1 / 0


def test_a_bug_in_an_operator_is_raised() -> None:
    with pytest.raises(ZeroDivisionError):
        times(cold("-a|").pipe(op.change(broken)))
