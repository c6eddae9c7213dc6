"""An operator of somewhere else in our graph: losses pass it, and what is no event goes no further."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentsight_rx import Bounded, Checkpointed, Machine, Operator, op
from agentsight_rx.core.engine import Engine
from agentsight_rx.core.merge import beside_losses
from agentsight_rx.core.stream import of
from agentsight_rx.events import BlindSpot, Event, Loss, Origin, Readline, TlsUse, time_of
from agentsight_rx.events.loss import Reason
from agentsight_rx.testing import Law, check_operator

START_NS = 10**12


def origin(number: int) -> Origin:
    return Origin(START_NS + number * 7_000_000, 1)


def typed(number: int) -> Event:
    return Readline(origin(number), f"{number}")


def lost(number: int) -> Event:
    return Loss(origin(number), "tls", Reason.KERNEL_LOST, number + 1)


def unread(number: int) -> Event:
    return BlindSpot(origin(number), 1, connections=1, size=1)


def used(number: int) -> Event:
    whose = origin(number)
    return TlsUse(whose, 1, path="/x", stack="openssl", method="symbol", proven=True, connections=1, size=1)


def in_order(kinds: list[Callable[[int], Event]]) -> list[Event]:
    return [make(number) for number, make in enumerate(kinds)]


kinds: st.SearchStrategy[list[Any]] = st.lists(st.sampled_from([typed, lost, unread, used]), max_size=12)
events: st.SearchStrategy[list[Event]] = kinds.map(in_order)


def same(event: Event) -> Event:
    return event


class Nothing(Machine[Event, Event]):
    def feed(self, event: Event, /) -> Iterable[Event]:
        return ()


class Late(Bounded[Event, Event], Checkpointed[list[Readline]]):
    """Emits each line when time goes on."""

    def __init__(self) -> None:
        self.state: list[Readline] = []

    def feed(self, event: Event, /) -> Iterable[Event]:
        assert isinstance(event, Readline)
        self.state.append(event)
        return ()

    def tick(self, now_ns: int, /) -> Iterable[Event]:
        return self.finish()

    def finish(self) -> Iterable[Event]:
        out, self.state = self.state, []
        return out

    def held(self) -> int:
        return len(self.state)


def out_of(operator: Operator[Event, Event], made: list[Event], *, strict: bool = True) -> tuple[list[Event], Engine]:
    engine, out = Engine(strict=strict), list[Event]()
    of(made, time_of=time_of).pipe(beside_losses("it", operator)).subscribe(out.append, scheduler=engine)
    engine.run_inline()
    return out, engine


@given(events)
def test_an_operator_that_drops_everything_drops_no_loss(made: list[Event]) -> None:
    out, _ = out_of(op.each(Nothing, name="nothing"), made)
    assert [event for event in made if not isinstance(event, Readline)] == out


@given(events)
def test_what_changes_nothing_keeps_the_order(made: list[Event]) -> None:
    out, _ = out_of(op.change(same), made)
    assert made == out


@pytest.mark.parametrize("foreign", [3, "text", origin(1)])
def test_what_is_no_event_is_counted_as_a_bug_and_goes_no_further(foreign: object, capsys: pytest.CaptureFixture[str]) -> None:
    wrong: Operator[Event, Event] = op.change(lambda _: cast("Event", foreign))
    out, engine = out_of(wrong, [typed(1), lost(2), typed(3)], strict=False)
    assert [lost(2)] == out
    (entry,) = [entry for entry in engine.ledger.entries() if entry.stage == "of/it"]
    assert (Reason.BUG, 2) == (entry.reason, entry.count)
    assert "is no kind of agentsight_rx.events.Event" in capsys.readouterr().err
    with pytest.raises(TypeError, match="is no kind of"):
        out_of(wrong, [typed(1)])


def weight(_: object) -> int:
    return 1


def test_it_keeps_the_promises_of_all_operators() -> None:
    def made() -> Operator[Event, Event]:
        return beside_losses("it", op.each(Late, name="late"))

    law: Law[Event, Event] = Law("events", weight, weight)
    check_operator(made, events, law=law)
