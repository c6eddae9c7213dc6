"""A function of a graph raises: the run ends in order, and says which operator called it with what."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import reactivex as rx
from reactivex import operators as ops

from agentsight_rx import GraphError, Run, op, run
from agentsight_rx.core.errors import UsageError
from agentsight_rx.core.merge import merge
from agentsight_rx.core.sink import Sink
from agentsight_rx.core.stream import as_stream, of
from agentsight_rx.events import Origin, Readline, time_of
from agentsight_rx.events.loss import Entry, Reason
from tests.runtime.test_run import Keeping

EVENTS = [Readline(Origin(number, 1, wall_ns=number), f"echo {number}") for number in range(1, 601)]
TYPO = "'Readline' object has no attribute 'comand'"


def typo(event: Any, *_: object) -> Any:
    """The third event shows it."""
    return event.comand if event.command == "echo 3" else event


def typo_of_two(_: Any, event: Any) -> Any:
    return typo(event)


def at_the_end(events: list[Any]) -> Any:
    return typo(events[2])


FAILING: dict[str, tuple[Callable[[Any], Any], str, str]] = {
    "map": (ops.map(typo), "map", "Readline"),
    "map_indexed": (ops.map_indexed(typo), "map_indexed", "Readline"),
    "filter": (ops.filter(typo), "filter", "Readline"),
    "scan": (ops.scan(typo_of_two), "scan", "Readline"),
    "reduce": (ops.reduce(typo_of_two), "reduce", "Readline"),
    "do_action": (ops.do_action(typo), "do_action", "Readline"),
    "flat_map": (ops.flat_map(lambda event: rx.just(typo(event))), "flat_map", "Readline"),
    "group_by": (ops.group_by(typo), "group_by", "Readline"),
    "distinct": (ops.distinct_until_changed(typo), "distinct_until_changed", "Readline"),
    "take_while": (ops.take_while(typo), "take_while", "Readline"),
    "below others": (lambda source: source.pipe(ops.map(typo), ops.pairwise(), ops.filter(bool)), "map", "Readline"),
    "above others": (lambda source: source.pipe(ops.skip(1), ops.map(lambda each: each), ops.map(typo)), "map", "Readline"),
    "of lists": (lambda source: source.pipe(ops.to_list(), ops.map(at_the_end)), "map", "list"),
}


@pytest.mark.parametrize(("failing", "operator", "kind"), FAILING.values(), ids=FAILING.keys())
def test_the_error_names_the_operator_and_what_it_was_given(failing: Callable[[Any], Any], operator: str, kind: str) -> None:
    with pytest.raises(GraphError) as raised:
        run(of(EVENTS, time_of=time_of).pipe(failing))
    error = raised.value
    assert (error.operator, error.event) == (operator, kind)
    assert str(error) == f"the graph ended by an error in {operator}, given {kind}: AttributeError: {TYPO}"
    assert isinstance(error.__cause__, AttributeError)


def test_what_was_handed_to_sinks_before_stays_and_the_summary_tells() -> None:
    kept = Keeping()
    with pytest.raises(GraphError) as raised:
        run(of(EVENTS, time_of=time_of).pipe(ops.map(typo)), [Sink("kept", lambda _: kept)])
    summary = raised.value.summary
    assert kept.items == EVENTS[:2]
    assert (summary.error, summary.failures, summary.exit_status) == (raised.value, (str(raised.value),), 1)
    assert (summary.complete, summary.ended_by) == (False, "graph")


def test_a_run_in_steps_returns_it() -> None:
    with Run(of(EVENTS, time_of=time_of).pipe(ops.map(typo))) as running:
        running.wait()
        summary = running.stop()
    assert summary.error is not None
    assert summary.error.operator == "map"


def test_a_window_of_time_is_named_by_what_it_gave() -> None:
    def fail(_: object) -> object:
        raise ValueError("a bug")

    later = of(EVENTS, time_of=time_of).pipe(ops.buffer_with_time(1.0), ops.map(fail))
    with pytest.raises(GraphError, match=r"error in map, given list: ValueError: a bug$"):
        run(later)


def test_a_branch_of_a_merge_that_fails_is_counted_and_the_others_go_on(capsys: pytest.CaptureFixture[str]) -> None:
    kept = Keeping()
    both = merge(of(EVENTS[:5], time_of=time_of), as_stream(of(EVENTS[5:], time_of=time_of).pipe(ops.map(broken))))
    summary = run(both, [Sink("kept", lambda _: kept)], on_bug="count")
    assert kept.items == EVENTS[:5]
    assert summary.error is None
    assert not summary.complete
    assert "a bug" in capsys.readouterr().err


def test_a_branch_of_a_merge_that_fails_ends_a_graph_of_ones_own() -> None:
    kept = Keeping()
    both = merge(of(EVENTS[:5], time_of=time_of), as_stream(of(EVENTS[5:], time_of=time_of).pipe(ops.map(broken))))
    with pytest.raises(GraphError, match="in map, given Readline: ValueError: a bug"):
        run(both, [Sink("kept", lambda _: kept)])
    assert kept.items == EVENTS[:5]


def broken(_: Any) -> Any:
    raise ValueError("a bug")


def test_a_replay_ends_by_the_end_of_its_input() -> None:
    assert run(of(EVENTS, time_of=time_of)).ended_by == "end of input"
    assert run(of(EVENTS, time_of=time_of).pipe(ops.filter(bool))).ended_by == "end of input"


def test_a_graph_that_has_enough_ends_the_run() -> None:
    assert run(of(EVENTS[:1], EVENTS[1:], time_of=time_of).pipe(ops.take(1))).ended_by == "graph"


class _Wordless(Exception):
    """An error whose own methods fail."""

    def __str__(self) -> str:
        raise ValueError("no text")

    __repr__ = __str__


def wordless(event: Any) -> Any:
    raise _Wordless


@pytest.mark.parametrize("failing", [op.change(wordless), ops.map(wordless), op.map_async(wordless)])
def test_an_error_without_a_text_ends_the_graph_too(failing: Any) -> None:
    with pytest.raises(GraphError, match="_Wordless: a _Wordless without a text"):
        run(of(EVENTS).pipe(failing))


def test_an_error_that_no_operator_is_known_for_ends_the_graph() -> None:
    def fails() -> None:
        raise ArithmeticError("at the end")

    with pytest.raises(GraphError, match="in an operator: ArithmeticError: at the end") as raised:
        run(of(EVENTS).pipe(ops.finally_action(fails)))
    assert (raised.value.summary.exit_status, raised.value.summary.ended_by) == (1, "graph")


CAUGHT: dict[str, tuple[Any, int]] = {
    "retry": (ops.retry(3), 599),
    "catch": (ops.catch(rx.empty()), 2),
    "resume": (ops.on_error_resume_next(rx.empty()), 2),
}


@pytest.mark.parametrize("name", CAUGHT)
@pytest.mark.parametrize("size", [1, 7, 600])
def test_an_event_whose_error_the_graph_catches_is_counted(name: str, size: int) -> None:
    caught, count = CAUGHT[name]
    kept = Keeping()
    batches = (EVENTS[start : start + size] for start in range(0, len(EVENTS), size))
    graph: Any = of(*batches).pipe(op.change(typo)).pipe(caught)
    summary = run(graph, [Sink("kept", lambda _: kept)])
    assert len(kept.items) == count
    assert summary.ledger.unintended() == [Entry("of/change", Reason.BUG, 1)]


def test_who_joins_a_shared_stream_that_has_failed_gets_its_error() -> None:
    shared: Any = of(EVENTS).pipe(op.change(typo)).share()
    graphs: list[Any] = [shared.pipe(ops.retry(3)), shared.pipe(ops.catch(shared))]
    for graph in graphs:
        with pytest.raises(GraphError, match="in change, given Readline"):
            run(graph)


@pytest.mark.parametrize("wrong", ["rais", None, Sink])
def test_another_way_to_meet_bugs_is_refused(wrong: Any) -> None:
    with pytest.raises(UsageError, match="on_bug wants a Sink, or one of raise, raise_all, count"):
        run(of(EVENTS), on_bug=wrong)
