"""What a graph as a value says of its stock operators."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from reactivex import operators as ops

from agentsight_rx.core.machine import Node, may_subscribe_again
from agentsight_rx.core.stream import Stream, as_stream, of
from agentsight_rx.operators import change

ONCE: dict[str, Callable[[Any], Any]] = {
    "map": ops.map(str),
    "map_indexed": ops.map_indexed(lambda event, number: (event, number)),
    "reduce": ops.reduce(max),
    "buffer_with_count": ops.buffer_with_count(3),
    "buffer_with_time": ops.buffer_with_time(1.0),
    "debounce": ops.debounce(1.0),
}
AGAIN: dict[str, Callable[[Any], Any]] = {
    "flat_map": ops.flat_map(lambda _: numbers()),
    "concat": ops.concat(of([1])),
    "repeat": ops.repeat(2),
    "share": ops.share(),
    "merge": ops.merge(of([1])),
    "with_latest_from": ops.with_latest_from(of([1])),
    "window_toggle": ops.window_toggle(of([1]), lambda _: numbers()),
}


def numbers() -> Stream[int]:
    return of([1, 2])


@pytest.mark.parametrize(("name", "operator"), ONCE.items(), ids=ONCE)
def test_operators_that_subscribe_once_have_the_name_that_their_author_wrote(name: str, operator: Any) -> None:
    node = numbers().pipe(operator).node()
    assert (node.name, node.ours, may_subscribe_again(node)) == (name, False, False)


@pytest.mark.parametrize(("name", "operator"), AGAIN.items(), ids=AGAIN)
def test_operators_that_subscribe_later_or_for_several_are_known(name: str, operator: Any) -> None:
    node = numbers().pipe(operator).node()
    assert (node.name, may_subscribe_again(node)) == (name, True)


def test_one_anywhere_below_is_found() -> None:
    below: Any = numbers().pipe(ops.repeat(2))
    assert may_subscribe_again(as_stream(below.pipe(ops.map(str))).pipe(change(str.upper)).node())


def test_graphs_of_ours_do_not() -> None:
    assert not may_subscribe_again(numbers().pipe(change(str)).share().node())
    assert not may_subscribe_again(Node("of"))
