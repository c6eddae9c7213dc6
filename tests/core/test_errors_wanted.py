"""A wrong value in a graph is named with what was wanted, before anything runs."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import pytest

import agentsight_rx
from agentsight_rx import Machine, op, sinks, sources
from agentsight_rx.errors import UsageError


class Same(Machine[int, int]):
    def feed(self, event: int, /) -> Iterable[int]:
        return [event]


SINK: Any = sinks.console()
numbers: Any = sources.from_events([1, 2], time_of=None)
run: Any = agentsight_rx.run
merge: Any = agentsight_rx.merge
any_op: Any = op
WRONG: dict[str, tuple[Callable[[], Any], str]] = {
    "a machine": (
        lambda: any_op.each(Same(), name="each"),
        "op.each wants a function that makes .* the class Same",
    ),
    "no function": (lambda: any_op.keep(3), "op.keep wants a function, and got a value of int"),
    "nothing to make": (lambda: any_op.change(None), "op.change wants a function, and got a value of NoneType"),
    "no kinds": (lambda: any_op.only(), "op.only wants kinds of events, and got nothing"),
    "an operator that was not called": (lambda: numbers.pipe(op.only), r"op\.only wants kinds .*: write op\.only\(Kind\)"),
    "a kind that is none": (lambda: any_op.only(3), "op.only wants kinds of events, and got a value of int"),
    "no streams": (lambda: merge(), r"merge wants Streams, such as merge\(a, b\), and got nothing"),
    "a list of streams": (lambda: merge([numbers]), "merge wants Streams, .* and got a value of list"),
    "no operator": (lambda: numbers.pipe(3), "pipe wants operators, .* and got a value of int"),
    "a list as graph": (lambda: run([1, 2]), "a graph wants a Stream or another Observable, and got a value of list"),
    "a class as sink": (lambda: run(numbers, [Same]), "run wants a list of Sinks, .* and got the class Same"),
    "a sink alone": (lambda: run(numbers, SINK), "run wants a list of Sinks, .* and got a value of Sink"),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_value_is_named_with_what_was_wanted(name: str) -> None:
    make, said = WRONG[name]
    with pytest.raises(UsageError, match=said):
        make()


def test_right_values_run() -> None:
    same, kept = numbers.pipe(op.each(Same, name="same")), numbers.pipe(op.keep(bool), op.only(int))
    summary = run(merge(same, kept, time_of=int), ())
    assert (summary.ended_by, summary.complete, summary.exit_status) == ("end of input", True, 0)
