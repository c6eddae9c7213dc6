"""Windows and pairs by the time of events: the same in whatever order and batches they come, and what is late is counted."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple, cast

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentsight_rx import op, run
from agentsight_rx.core.engine import Engine, Site
from agentsight_rx.core.errors import GraphError, UsageError
from agentsight_rx.core.machine import Kernel
from agentsight_rx.core.stream import Operator, of
from agentsight_rx.events import Origin, Readline
from agentsight_rx.events.loss import Entry, Reason
from agentsight_rx.operators import Pair, Session, Sliding, Tumbling, Window, unix_ns
from agentsight_rx.view import SessionRow

MS = 1_000_000
S = 1000 * MS


class Typed(NamedTuple):
    """An event, and how much later it comes."""

    event: Readline
    delay_ms: int


def line(ms: int, number: int, key: int = 0) -> Readline:
    return Readline(Origin(ms, key, wall_ns=ms * MS), str(number))


def key_of(event: Readline) -> int:
    return event.origin.pid


def is_even(event: Readline) -> bool:
    return int(event.command) % 2 == 0


def is_third(event: Readline) -> bool:
    return int(event.command) % 3 == 0


KINDS: list[Any] = [Tumbling(0.5), Sliding(1.0, every=0.3), Sliding(0.2, every=0.5), Session(0.4)]


@st.composite
def lines(draw: st.DrawFn, most_delay_ms: int) -> list[Typed]:
    ms, found = 10_000, list[Typed]()
    for number in range(draw(st.integers(0, 25))):
        ms += draw(st.sampled_from([0, 1, 30, 199, 400, 500, 1700]))
        found.append(Typed(line(ms, number, draw(st.integers(0, 1))), draw(st.integers(0, most_delay_ms))))
    return found


def arrivals(typed: Sequence[Typed]) -> list[Readline]:
    by_time = sorted(typed, key=lambda each: each.event.origin.time_ns + each.delay_ms)
    return [each.event for each in by_time]


def expected_windows(kind: Any, events: Sequence[Readline]) -> set[tuple[int, int, int, tuple[str, ...]]]:
    """By what the words say."""
    found: dict[tuple[int, int, int], list[Readline]] = {}
    for key in {key_of(event) for event in events}:
        own = sorted((event for event in events if key_of(event) == key), key=unix_ns)
        if isinstance(kind, Session):
            group: list[Readline] = []
            for event in own:
                if group and unix_ns(event) - unix_ns(group[-1]) >= 400 * MS:
                    found[key, unix_ns(group[0]), unix_ns(group[-1]) + 400 * MS] = group
                    group = []
                group.append(event)
            if group:
                found[key, unix_ns(group[0]), unix_ns(group[-1]) + 400 * MS] = group
            continue
        length, step = round(kind.seconds * S), round(getattr(kind, "every", kind.seconds) * S)
        for event in own:
            for number in range(unix_ns(event) // step + 1):
                if number * step <= unix_ns(event) < number * step + length:
                    found.setdefault((key, number * step, number * step + length), []).append(event)
    return {(*place, tuple(sorted(event.command for event in group))) for place, group in found.items()}


def running(operator: Operator[Any, Any]) -> tuple[Kernel[Any, Any], Site]:
    site = Site(Engine(), "timed")
    return operator.kernel(site), site


def fed(kernel: Kernel[Any, Any], events: Sequence[Readline], size: int, ticks: bool = True) -> list[Any]:
    """In batches of this size, with the steps of time between them."""
    out: list[Any] = []
    for start in range(0, len(events), size):
        batch = events[start : start + size]
        out += kernel.feed(batch)
        if ticks:
            out += kernel.tick(max(event.origin.time_ns for event in batch) * MS)
    return out


def shown(window: Window[Readline]) -> tuple[int, int, int, tuple[str, ...]]:
    return window.key, window.start_ns, window.end_ns, tuple(sorted(event.command for event in window.events))


@pytest.mark.parametrize("kind", KINDS, ids=repr)
@given(typed=lines(900), size=st.integers(1, 9), ticks=st.booleans())
def test_windows_are_the_same_in_any_order_within_the_lateness(
    kind: Any, typed: list[Typed], size: int, *, ticks: bool
) -> None:
    kernel, site = running(op.window(kind, key=key_of, lateness=1.0))
    windows = [*fed(kernel, arrivals(typed), size, ticks), *kernel.finish()]
    expected = expected_windows(kind, [each.event for each in typed])
    assert sorted(map(shown, windows)) == sorted(expected)
    between = len({each.event.command for each in typed} - {command for window in expected for command in window[3]})
    assert site.meter.entries() == [Entry("timed", Reason.FILTERED, between)] * bool(between)
    for each in windows:
        assert [event.origin.time_ns for event in each.events] == sorted(event.origin.time_ns for event in each.events)
    whole = [each.end_ns for each in windows if not each.is_partial]
    assert whole == sorted(whole)


@given(typed=lines(5000), size=st.integers(1, 9), limit=st.integers(1, 40))
def test_each_event_is_in_its_window_or_is_counted_as_late(typed: list[Typed], size: int, limit: int) -> None:
    kernel, site = running(op.window(Tumbling(0.5), key=key_of, lateness=0.1, limit=limit))
    windows = [*fed(kernel, arrivals(typed), size), *kernel.finish()]
    assert sum(len(each.events) for each in windows) + site.meter.lost(Reason.LATE) == len(typed)
    assert len({(each.key, each.start_ns) for each in windows}) == len(windows)


def expected_pairs(events: Sequence[Readline]) -> list[tuple[str, str]]:
    return [
        (first.command, second.command)
        for first in events
        for second in events
        if first is not second and key_of(first) == key_of(second) and is_even(first) and is_third(second)
        if 0 <= unix_ns(second) - unix_ns(first) <= 500 * MS
    ]


@given(typed=lines(900), size=st.integers(1, 9), ticks=st.booleans())
def test_pairs_are_the_same_in_any_order_within_the_lateness(typed: list[Typed], size: int, *, ticks: bool) -> None:
    kernel, site = running(op.join_within(0.5, is_even, is_third, key=key_of, lateness=1.0))
    pairs = [*fed(kernel, arrivals(typed), size, ticks), *kernel.finish()]
    assert sorted((each.first.command, each.second.command) for each in pairs) == sorted(
        expected_pairs([each.event for each in typed])
    )
    assert site.meter.entries() == []


@given(typed=lines(5000), size=st.integers(1, 9))
def test_where_a_pair_is_missing_something_was_late(typed: list[Typed], size: int) -> None:
    kernel, site = running(op.join_within(0.5, is_even, is_third, key=key_of, lateness=0.1))
    pairs = [(each.first.command, each.second.command) for each in fed(kernel, arrivals(typed), size)]
    expected = expected_pairs([each.event for each in typed])
    assert set(pairs) <= set(expected)
    assert len(pairs) == len(expected) or site.meter.lost(Reason.LATE)


def test_what_is_held_is_bounded_and_what_goes_is_counted() -> None:
    kernel, site = running(op.join_within(1000.0, is_even, is_third, limit=10))
    fed(kernel, [line(ms, 6) for ms in range(100)], 1)
    held = msgspec.msgpack.decode(kernel.snapshot())[3]
    assert sum(len(events) for _, _, events in held) <= 10
    assert site.meter.lost(Reason.EVICTED) >= 190


@pytest.mark.parametrize(
    "operator", [op.window(KINDS[1], key=key_of), op.window(KINDS[3]), op.join_within(0.5, is_even, is_third)]
)
@given(typed=lines(900), place=st.integers(0, 25))
def test_one_that_is_saved_goes_on_as_if_nothing_had_been(operator: Operator[Any, Any], typed: list[Typed], place: int) -> None:
    events = arrivals(typed)
    whole, _ = running(operator)
    before, _ = running(operator)
    after, _ = running(operator)
    expected = [*fed(whole, events, 1), *whole.finish()]
    found = fed(before, events[:place], 1)
    after.restore(before.snapshot())
    assert [*found, *fed(after, events[place:], 1), *after.finish()] == expected


def test_while_nothing_comes_windows_come_by_the_steps_of_time() -> None:
    kernel, _ = running(op.window(Tumbling(1.0), lateness=0.5))
    assert kernel.feed([line(10_100, 1)]) == []
    assert kernel.tick(10_200 * MS) == []
    assert kernel.tick(11_500 * MS) == []  # 10.1 + 1.3 - 0.5 s are known
    (came,) = kernel.tick(11_700 * MS)
    assert (came.start_ns, came.end_ns, came.is_partial) == (10_000 * MS, 11_000 * MS, False)


def test_an_event_that_is_both_is_no_pair_with_itself() -> None:
    kernel, _ = running(op.join_within(1.0, is_even, is_third))
    assert kernel.feed([line(10_000, 6)]) == []
    assert [(each.first.command, each.second.command) for each in kernel.feed([line(10_500, 12)])] == [("6", "12")]


def test_in_a_graph() -> None:
    out: list[Any] = []
    graph = of([line(ms, ms) for ms in (10_000, 10_400, 11_000, 13_000)]).pipe(op.window(Tumbling(1.0)), op.change(out.append))
    assert run(graph).complete
    assert [(len(each.events), each.is_partial) for each in out] == [(2, False), (1, False), (1, True)]


def test_the_time_of_an_item() -> None:
    assert unix_ns(line(5, 1)) == 5 * MS
    assert unix_ns(Readline(Origin(7, 1), "x")) == 7
    with pytest.raises(TypeError, match="a str does not say its time: give time_of"):
        unix_ns("x")
    assert unix_ns(SessionRow("s", 5)) == 5 * MS


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: Tumbling(0.0), "Tumbling"),
        (lambda: Sliding(1.0, every=-1.0), "every"),
        (lambda: Session(-1.0), "gap"),
        (lambda: op.window(Tumbling(1.0), lateness=-1.0), "lateness"),
        (lambda: op.join_within(-1.0, is_even, is_even), "seconds, of at least 0"),
        (lambda: op.join_within(1.0, is_even, is_even, limit=0), "limit"),
        (lambda: Tumbling(math.inf), "seconds.* finite"),
        (lambda: Sliding(1.0, every=math.inf), "every.* finite"),
        (lambda: Session(math.inf), "gap.* finite"),
        (lambda: op.window(Tumbling(1.0), lateness=math.inf), "lateness.* finite"),
        (lambda: op.join_within(math.inf, is_even, is_even), "seconds, of at least 0"),
        (lambda: op.window(Sliding(3600.0, every=0.01)), "an event would be in more than 65536 windows"),
        (lambda: op.window(cast("Any", Tumbling)), "op.window wants op.Tumbling.* and got the class Tumbling"),
        (lambda: op.window(cast("Any", 1.0)), "op.window wants op.Tumbling.* and got a value of float"),
    ],
)
def test_wrong_values_are_said(make: Any, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        make()


def test_a_pair_is_two_events() -> None:
    assert Pair(1, 2) == Pair(first=1, second=2)


@pytest.mark.parametrize("kind", KINDS, ids=repr)
def test_a_key_that_is_not_equal_to_itself_loses_nothing(kind: Any) -> None:
    kernel, site = running(op.window(kind, key=lambda _: math.nan))
    windows = [*kernel.feed([line(10_100, number) for number in range(9)]), *kernel.finish()]
    assert {event.command for each in windows for event in each.events} == set(map(str, range(9)))
    assert site.meter.entries() == []


@pytest.mark.parametrize("kind", [Tumbling(2.0), Sliding(2.0, every=1.0), Session(2.0)], ids=repr)
def test_many_keys_at_once_are_as_few(kind: Any) -> None:
    """Of each the work is its own: 30,000 sessions that are open at once took minutes when each event looked at all of them."""
    kernel, site = running(op.window(kind, key=lambda event: event.command))
    windows = [*kernel.feed([line(10_000 + number // 100, number) for number in range(30_000)]), *kernel.finish()]
    assert len({each.key for each in windows}) == 30_000
    assert site.meter.entries() == []


@pytest.mark.parametrize("time", [math.nan, None])
def test_a_time_that_is_none_is_an_error_at_its_event(time: Any) -> None:
    def time_of(_: object) -> Any:
        return time

    for operator in (op.window(Session(1.0), time_of=time_of), op.join_within(1.0, is_even, is_third, time_of=time_of)):
        with pytest.raises(GraphError, match="given Readline"):
            run(of([line(10_000, 6)]).pipe(operator))


def test_what_is_neither_needs_no_time() -> None:
    """A graph of `trace` emits rows without one beside its events."""
    kernel, _ = running(op.join_within(1.0, lambda item: item == 1, lambda item: item == 2, time_of=lambda item: item * S))
    assert list(kernel.feed(["neither", 1, None, 2])) == [Pair(1, 2)]


def test_a_pair_within_no_time_has_one_time() -> None:
    made = [Readline(Origin(1, 0, wall_ns=10 * S + ns), "6") for ns in (0, 0, 1)]
    kernel, _ = running(op.join_within(0.0, is_even, is_third))
    assert [(each.first.origin.wall_ns, each.second.origin.wall_ns) for each in kernel.feed(made)] == [(10 * S, 10 * S)] * 2
    kernel, _ = running(op.join_within(0.0, is_even, is_third, key=lambda event: event.command))
    assert kernel.feed([line(10_000 + number // 10, number) for number in range(30_000)]) == []
