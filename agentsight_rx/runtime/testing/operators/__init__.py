"""
An operator and its input -> the promises that every operator keeps, tried with inputs and cuts that hypothesis draws.

    def test_split_lines() -> None:
        check_operator(split_lines, chunks, law=Law("bytes", chunk_bytes, line_bytes))

`trial` and `driven` check what all operators promise, over batches of any size, and what their author knows.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from ....core.errors import UsageError
from ....core.stream import Operator
from ....events import time_of as time_of_event
from .driven import Case, Driven, Law
from .trial import Trial

if TYPE_CHECKING:
    from hypothesis import strategies as st

__all__ = ["EXAMPLES", "check", "check_operator"]

EXAMPLES = 40  # inputs of one check

_MISSING = "check_operator needs hypothesis, which draws the inputs: pip install 'agentsight-rx[testing]'"

A = TypeVar("A")
B = TypeVar("B")


def check_operator(
    factory: Callable[[], Operator[A, B]],
    events: st.SearchStrategy[list[A]] | Sequence[A],
    *,
    law: Law[A, B] | None = None,
    time_of: Callable[[Any], int] = time_of_event,
    key: Callable[[A], Hashable] | None = None,
    poison: Callable[[int], A] | None = None,
    forgets: bool = False,
) -> None:
    """
    Raise an AssertionError that shows a small input for which the operator breaks one of the promises of all operators:

    - any cutting of its input into batches gives the same output, also behind a stock operator;
    - a snapshot anywhere changes nothing, so a machine with a state is Checkpointed;
    - with a `law` nothing vanishes: what came in went out, was counted as lost, or is still held;
    - it changes no batch that it was given, and two subscriptions share nothing;
    - it depends on no clock, on no chance and on no number of ticks, and its end comes once;
    - with a `key` what it makes of the events of one key depends on no other;
    - with `poison(time_ns)`, an event at which it raises, it goes on behind that event, and the bug is counted. `forgets` says
      that it has one machine for all events, whose state goes with the bug.

    `events` are one input, or a strategy of hypothesis for inputs, in order of time. `time_of` is the time of an event in ns.
    """
    try:
        from hypothesis import strategies
    except ImportError as error:
        raise UsageError(_MISSING) from error
    inputs = strategies.just(list(events)) if isinstance(events, Sequence) else events
    _require_operator(factory())
    check(Case(factory, inputs, law=law, time_of=time_of, key=key, poison=poison, forgets=forgets))


def _require_operator(made: object) -> None:
    if not isinstance(made, Operator):
        raise UsageError(f"check_operator needs a function that returns an Operator, as op.each does; it returned {made!r}")


def check(case: Case[A, B], *, examples: int = EXAMPLES, shrink: bool = True) -> None:
    """The same for a `Case`."""
    from hypothesis import HealthCheck, Phase, given, settings
    from hypothesis import strategies as st

    from .driven import batches_of

    phases = [Phase.explicit, Phase.reuse, Phase.generate, *([Phase.shrink] if shrink else [])]

    @settings(
        max_examples=examples,
        deadline=None,
        database=None,
        phases=phases,
        report_multiple_bugs=False,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )
    @given(case.events, st.data())
    def all_promises(events: list[Any], data: st.DataObject) -> None:
        trial = Trial(case, events)
        batches = data.draw(batches_of(events), "batches")
        trial.any_cutting_gives_the_same_output(batches)
        trial.it_goes_on_from_a_snapshot_anywhere(batches)
        trial.nothing_vanishes(batches)
        trial.it_touches_nothing_but_its_own_state(batches)
        trial.two_subscriptions_share_nothing()
        driven = Driven(case, events, trial.operator)
        driven.a_key_knows_only_its_own_events()
        driven.the_number_of_ticks_is_no_news(data.draw(st.randoms(use_true_random=True), "ticks"))  # of a seed: ticks are many
        driven.no_clock_and_no_chance_are_asked()
        driven.the_end_is_said_and_comes_once()
        if case.poison is not None:
            trial.it_goes_on_behind_a_bug(case.poison, data.draw(st.integers(0, len(events)), "place of the bug"))

    all_promises()
