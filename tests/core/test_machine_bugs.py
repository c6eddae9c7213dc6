"""A function of a graph raises: it ends the graph at its event, or is counted, as the author of the graph wants."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from reactivex import operators as ops

from agentsight_rx import GraphError, Kernel, Machine, Operator, Sink, Stream, run
from agentsight_rx.core.kernels import change, compose, each, keep
from agentsight_rx.core.machine import Bug, are_ours
from agentsight_rx.core.per_key import per_key
from agentsight_rx.core.stream import of
from agentsight_rx.events import Origin, Readline
from agentsight_rx.events.loss import Reason
from agentsight_rx.operators import normalize
from agentsight_rx.runtime.run import OnBug, Summary
from tests.runtime.test_run import Keeping

EVENTS = [Readline(Origin(number, 1, wall_ns=number), f"echo {number}") for number in range(10)]
SECRET = "sk-ant-api03-" + "abcdefghijklmnop" * 5


class Failing:
    """Raises at one event, as the function, predicate, machine and key of operators."""

    def __init__(self, place: int, error: BaseException) -> None:
        self.command = f"echo {place}"
        self.error = error

    def same(self, event: Readline) -> Readline:
        if event.command == self.command:
            raise self.error
        return event

    def key(self, event: Readline) -> str:
        return self.same(event).command[-1]

    def machine(self) -> Machine[Readline, Readline]:
        return Same(self)

    def by_hand(self, _: object) -> Kernel[Readline, Readline]:
        return ByHand(self)


class Same(Machine[Readline, Readline]):
    def __init__(self, failing: Failing) -> None:
        self.failing = failing

    def feed(self, event: Readline, /) -> Iterable[Readline]:
        return [self.failing.same(event)]


class ByHand(Kernel[Readline, Readline]):
    def __init__(self, failing: Failing) -> None:
        self.failing = failing

    def feed(self, batch: Sequence[Readline], /) -> Sequence[Readline]:
        return [self.failing.same(event) for event in batch]


def always(event: Readline) -> Readline:
    return event


OPERATORS: dict[str, Callable[[Failing], Operator[Any, Any]]] = {
    "change": lambda failing: change(failing.same),
    "keep": lambda failing: keep(failing.same),
    "each": lambda failing: each(failing.machine, name="each"),
    "per_key": lambda failing: per_key(always, failing.machine, name="per_key", key_type=Readline),
    "crowded": lambda failing: per_key(always, failing.machine, name="crowded", key_type=Readline, limit=2),
    "key": lambda failing: per_key(failing.key, partial(Same, Failing(-1, ValueError())), name="key", key_type=str),
    "composed": lambda failing: compose("both", normalize(), change(failing.same, name="composed")),
}


def cut(events: Sequence[Any], size: int) -> Stream[Any]:
    return of(*(events[start : start + size] for start in range(0, len(events), size)))


def run_kept(operator: Operator[Any, Any], size: int, on_bug: OnBug) -> tuple[list[Any], Summary]:
    kept = Keeping()
    return kept.items, run(cut(EVENTS, size).pipe(change(always), operator, change(always)), [kept_in(kept)], on_bug=on_bug)


def kept_in(kept: Keeping) -> Sink[Any]:
    return Sink("kept", lambda _: kept)


@pytest.mark.parametrize("name", OPERATORS)
@given(place=st.integers(0, 9), size=st.integers(1, 10), error=st.sampled_from([ValueError, KeyError, StopIteration]))
def test_it_ends_the_graph_at_its_event_over_any_cutting(name: str, place: int, size: int, error: type[Exception]) -> None:
    kept = Keeping()
    graph = cut(EVENTS, size).pipe(change(always), OPERATORS[name](Failing(place, error("no"))), change(always))
    with pytest.raises(GraphError) as raised:
        run(graph, [kept_in(kept)])
    assert [event.command for event in kept.items] == [event.command for event in EVENTS[:place]]
    assert (raised.value.operator, raised.value.event) == (name, "Readline")
    assert isinstance(raised.value.__cause__, error)
    assert not raised.value.summary.complete


@pytest.mark.parametrize("name", OPERATORS)
@given(place=st.integers(0, 9), size=st.integers(1, 10), error=st.sampled_from([ValueError, KeyError, StopIteration]))
def test_or_it_is_counted_and_its_event_alone_is_lost(name: str, place: int, size: int, error: type[Exception]) -> None:
    bugs = Keeping()
    operator = OPERATORS[name](Failing(place, error("no")))
    items, summary = run_kept(operator, size, Sink("bugs", lambda _: bugs))
    assert [event.command for event in items] == [event.command for event in EVENTS if event != EVENTS[place]]
    assert (summary.ledger.complete, summary.exit_status, summary.error) == (False, 1, None)
    assert sum(meter.lost(Reason.BUG) for meter in summary.ledger) == 1
    (bug,) = bugs.items
    assert isinstance(bug, Bug)
    assert (bug.operator, bug.event, bug.count, bug.size) == (name, "Readline", 1, 0)
    assert bug.origin is not None
    assert (bug.origin.time_ns, error.__name__ in bug.error) == (place, True)
    assert __file__ in bug.where or error is StopIteration


def test_a_kernel_written_by_hand_loses_the_batch_at_which_it_raises() -> None:
    """What it had made of it before is not known."""
    kept = Keeping()
    operator = Operator[Any, Any]("by hand", Failing(5, ValueError("no")).by_hand)
    with pytest.raises(GraphError, match=r"in by hand: ValueError: no"):
        run(cut(EVENTS, 3).pipe(operator), [kept_in(kept)])
    assert kept.items == EVENTS[:3]
    items, summary = run_kept(operator, 3, "count")
    assert items == [*EVENTS[:3], *EVENTS[6:]]
    assert sum(meter.lost(Reason.BUG) for meter in summary.ledger) == 3


class AtTheEnd(Machine[Any, Any]):
    def feed(self, event: Any, /) -> Iterable[Any]:
        return [event]

    def finish(self) -> Iterable[Any]:
        raise ValueError("at the end")


class AtATick(AtTheEnd):
    def tick(self, now_ns: int, /) -> Iterable[Any]:
        raise ValueError("at a tick")


@pytest.mark.parametrize(("machine", "said"), [(AtTheEnd, "at the end"), (AtATick, "at a tick")])
@pytest.mark.parametrize("of_keys", [False, True])
def test_a_tick_and_the_end_end_the_graph_too(machine: type[Machine[Any, Any]], said: str, *, of_keys: bool) -> None:
    kept = Keeping()
    apart = per_key(lambda _: 1, machine, name="own", key_type=int) if of_keys else each(machine, name="own")
    late = Readline(Origin(10**9, 1), "late")
    with pytest.raises(GraphError, match=f"in own: ValueError: {said}"):
        run(of([*EVENTS, late], time_of=lambda event: event.origin.time_ns).pipe(apart), [kept_in(kept)])
    assert kept.items[: len(EVENTS)] == EVENTS


def test_an_error_of_this_package_ends_no_graph() -> None:
    """A capture goes on: what it has is worth more."""
    broken: Any = object()  # has no origin, so that `normalize` raises
    kept = Keeping()
    summary = run(of([EVENTS[0], broken, EVENTS[1]]).pipe(normalize()), [kept_in(kept)])
    assert [event.command for event in kept.items] == ["echo 0", "echo 1"]
    assert (summary.ledger.complete, summary.exit_status) == (False, 0)


def through_rx(failing: Failing) -> Any:
    return ops.map(failing.same)


@pytest.mark.parametrize("name", [*OPERATORS, "map"])
@given(
    place=st.integers(0, 9),
    size=st.integers(1, 10),
    error=st.sampled_from([SystemExit(3), KeyboardInterrupt(), GeneratorExit()]),
    on_bug=st.sampled_from(["raise", "count"]),
)
def test_what_ends_the_program_ends_the_run_as_what_it_is_over_any_cutting(
    name: str, place: int, size: int, error: BaseException, on_bug: OnBug
) -> None:
    """And the sinks have what came before it."""
    kept = Keeping()
    made: dict[str, Callable[[Failing], Any]] = {**OPERATORS, "map": through_rx}
    failing = made[name](Failing(place, error))
    with pytest.raises(type(error)) as raised:
        run(cut(EVENTS, size).pipe(change(always), failing, change(always)), [kept_in(kept)], on_bug=on_bug)
    assert raised.value is error
    assert [event.command for event in kept.items] == [event.command for event in EVENTS[:place]]


def test_what_a_sink_of_bugs_gets_has_no_secrets() -> None:
    bugs = Keeping()
    run_kept(change(Failing(5, ValueError(f"bad key {SECRET}")).same), 3, Sink("bugs", lambda _: bugs))
    assert SECRET not in bugs.items[0].error
    assert bugs.items[0].error.startswith("ValueError: bad key [redacted:")


def test_whose_a_function_is() -> None:
    ours: Operator[Readline, Readline] = normalize()
    assert are_ours([normalize, partial(keep, always), ours, compose("both", ours, ours)])
    for own in (always, partial(always), str.upper, change(always), compose("both", ours, change(always))):
        assert not are_ours([normalize, own])
