"""A Stream is an Observable that moves batches inside: fused between our operators, single events to everybody else."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, TypeAlias

import msgspec
import pytest
import reactivex as rx
from reactivex import ConnectableObservable, Observable
from reactivex import operators as ops
from reactivex.subject import Subject

from agentsight_rx.core.engine import Engine, Site
from agentsight_rx.core.kernels import change, each, keep
from agentsight_rx.core.machine import Bounded, Checkpointed, Kernel, Node
from agentsight_rx.core.stream import Chain, Operator, Stream, of, origin
from agentsight_rx.events.loss import Entry, Reason

MS = 1_000_000
Timed: TypeAlias = tuple[int, str]  # ms, name


def at(event: Timed) -> int:
    return event[0] * MS


def given(*batches: Sequence[Timed]) -> Stream[Timed]:
    return of(*batches, time_of=at)


def numbers(*batches: Sequence[int]) -> Stream[int]:
    return of(*batches)


def heard(observable: Observable[Any], engine: Engine | None = None) -> list[Any]:
    """All that a subscriber hears: events, "|" for the end, the error."""
    out: list[Any] = []
    engine = engine or Engine()
    observable.subscribe(out.append, out.append, lambda: out.append("|"), scheduler=engine)
    engine.run_inline()
    return out


def same(number: int) -> int:
    return number


def double(number: int) -> int:
    return 2 * number


def odd(number: int) -> bool:
    return number % 2 == 1


def choke(number: int) -> None:
    if not number:
        raise ZeroDivisionError("a bug in a subscriber")


def share_six(people: int) -> int:
    return 6 // people


class Batches(Kernel[int, int]):
    """Writes down the batches that come by."""

    def __init__(self, seen: list[Sequence[int]]) -> None:
        self._seen = seen

    def feed(self, batch: Sequence[int], /) -> Sequence[int]:
        self._seen.append(batch)
        return batch


def batches(seen: list[Sequence[int]]) -> Operator[int, int]:
    return Operator("batches", lambda _: Batches(seen))


class Sum(Bounded[int, int], Checkpointed[int]):
    """Says nothing until the end, and then the sum."""

    def __init__(self) -> None:
        self.state = 0

    def feed(self, number: int, /) -> Iterable[int]:
        self.state += number
        return ()

    def finish(self) -> Iterable[int]:
        total, self.state = self.state, 0
        return [total]

    def held(self) -> int:
        return self.state


def total() -> Operator[int, int]:
    return each(Sum, name="sum")


# -- events and batches ------------------------------------------------------------------------------------------------


def test_a_subscriber_gets_single_events_in_order_and_then_the_end() -> None:
    assert heard(numbers([1, 2], [], [3])) == [1, 2, 3, "|"]


def test_neighbouring_operators_hand_each_other_whole_batches() -> None:
    seen: list[Sequence[int]] = []
    whole = (1, 2, 3)
    assert heard(numbers(whole, (4,)).pipe(batches(seen), batches(seen))) == [1, 2, 3, 4, "|"]
    assert [id(batch) for batch in seen[:2]] == [id(whole), id(whole)]
    assert seen[2:] == [(4,), (4,)]


def test_operators_fuse_however_they_were_put_together() -> None:
    double_odd = heard(numbers([1, 2, 3]).pipe(keep(odd), change(double)))
    assert double_odd == [2, 6, "|"]
    assert heard(numbers([1, 2, 3]).pipe(keep(odd)).pipe(change(double))) == double_odd
    operators: list[Operator[int, int]] = [change(double), keep(odd)]
    assert heard(operators[0](operators[1](numbers([1, 2, 3])))) == double_odd


def test_a_batch_of_which_nothing_is_left_goes_no_further() -> None:
    seen: list[Sequence[int]] = []
    heard(numbers([2, 4], [5, 6]).pipe(keep(odd), batches(seen)))
    assert seen == [[5]]


def test_the_end_finishes_machines_one_after_the_other() -> None:
    assert heard(numbers([1, 2, 3]).pipe(total(), change(double), total())) == [12, "|"]


def test_each_stage_counts_what_it_saw_and_passed() -> None:
    engine = Engine()
    heard(numbers([1, 2, 3], [4]).pipe(keep(odd), change(double)), engine)
    counts = {meter.stage: (meter.seen, meter.passed, meter.lost()) for meter in engine.ledger}
    assert counts == {"of": (4, 4, 0), "of/keep": (4, 2, 2), "of/change": (2, 2, 0)}


def test_an_operator_on_any_observable_gathers_what_comes_in_one_step() -> None:
    seen: list[Sequence[int]] = []
    assert heard(batches(seen)(rx.from_iterable([1, 2, 3]))) == [1, 2, 3, "|"]
    assert seen == [[1, 2, 3]]


def test_behind_a_stock_operator_a_batch_stays_a_batch() -> None:
    seen: list[Sequence[int]] = []
    heard(numbers([1, 2, 3], [4, 5]).pipe(ops.filter(odd)).pipe(batches(seen)))
    assert seen == [[1, 3], [5]]


def test_what_a_subject_says_by_itself_comes_through_at_once() -> None:
    subject: Subject[int] = Subject()
    out: list[int] = []
    change(double)(subject).subscribe(out.append)
    subject.on_next(1)
    assert out == [2]
    subject.on_next(2)
    assert out == [2, 4]


# -- stock operators ---------------------------------------------------------------------------------------------------

EVENTS = [(0, "a"), (10, "b"), (100, "c"), (490, "d"), (505, "e"), (900, "f")]
OTHERS = [(5, "x"), (200, "y")]


def twice(event: Timed) -> Observable[Timed]:
    return of([event], [event])


def named(number: int) -> Timed:
    return 0, str(number)


def joined(window: Observable[Timed]) -> Observable[Timed]:
    return window.pipe(ops.reduce(both, (0, "")))


def both(one: Timed, other: Timed) -> Timed:
    return 0, one[1] + other[1]


def all_of(some: list[Timed]) -> Timed:
    return 0, "".join(name for _, name in some)


def pair(two: tuple[Timed, Timed]) -> Timed:
    return both(*two)


def loud(event: Timed) -> Timed:
    return 0, event[1].upper()


def alone(event: Timed) -> Observable[Timed]:
    return given([event])


def windows(source: Observable[Timed]) -> Observable[Timed]:
    return source.pipe(ops.window_with_time(0.2), ops.flat_map(joined))


def buffers(source: Observable[Timed]) -> Observable[Timed]:
    return source.pipe(ops.buffer_with_time(0.2), ops.map(all_of))


def ticking(source: Observable[Timed]) -> Observable[Timed]:
    return source.pipe(ops.merge(rx.interval(0.2).pipe(ops.take(3), ops.map(named))))


def zipped(source: Observable[Timed]) -> Observable[Timed]:
    return source.pipe(ops.zip(given(OTHERS)), ops.map(pair))


def latest(source: Observable[Timed]) -> Observable[Timed]:
    return source.pipe(ops.with_latest_from(given(OTHERS)), ops.map(pair))


def switched(source: Observable[Timed]) -> Observable[Timed]:
    return source.pipe(ops.map(alone), ops.switch_latest())


# What comes out, each event with the ms at which it comes
STOCK: dict[str, tuple[Callable[[Observable[Timed]], Observable[Timed]], str]] = {
    "map": (ops.map(loud), "0A 0B 100C 480D 500E 900F 900|"),
    "scan": (ops.scan(both), "0a 0ab 100abc 480abcd 500abcde 900abcdef 900|"),
    "delay": (ops.delay(0.1), "100a 100b 200c 580d 600e 1000f 1000|"),
    "debounce": (ops.debounce(0.1), "100b 200c 600e 900f 900|"),
    "throttle_first": (ops.throttle_first(0.05), "0a 100c 480d 900f 900|"),
    "sample": (ops.sample(0.2), "200c 600e 1000f 1000|"),
    "buffer_with_time": (buffers, "200abc 400 600de 800 900f 900|"),
    "window_with_time": (windows, "200abc 400 600de 800 900f 900|"),
    "timeout": (ops.timeout(0.3), "0a 0b 100c 400Timeout"),
    "timeout to another": (ops.timeout(0.3, rx.just((0, "late"))), "0a 0b 100c 400late 400|"),
    "take_until_with_time": (ops.take_until_with_time(0.5), "0a 0b 100c 480d 500|"),
    "skip_until_with_time": (ops.skip_until_with_time(0.1), "100c 480d 500e 900f 900|"),
    "take_last_with_time": (ops.take_last_with_time(0.5), "900d 900e 900f 900|"),
    "skip_last_with_time": (ops.skip_last_with_time(0.2), "480a 480b 480c 900d 900e 900|"),
    "delay_subscription": (ops.delay_subscription(0.05), "60a 60b 100c 480d 500e 900f 900|"),
    "delay_with_mapper": (ops.delay_with_mapper(lambda _: rx.timer(0.1)), "100a 100b 200c 580d 600e 1000f 1000|"),
    "throttle_with_mapper": (ops.throttle_with_mapper(lambda _: rx.timer(0.1)), "100b 200c 600e 900f 900|"),
    "interval": (ticking, "0a 0b 100c 2000 4001 480d 500e 6002 900f 900|"),
    "flat_map": (ops.flat_map(twice), "0a 0a 0b 0b 100c 100c 480d 480d 500e 500e 900f 900f 900|"),
    "switch_latest": (switched, "0b 100c 480d 500e 900f 900|"),
    "merge": (ops.merge(given(OTHERS)), "0a 0x 0b 100c 200y 480d 500e 900f 900|"),
    "zip": (zipped, "0ax 200by 200|"),
    "with_latest_from": (latest, "0bx 100cx 480dy 500ey 900fy 900|"),
    "concat": (ops.concat(given(OTHERS)), "0a 0b 100c 480d 500e 900f 900x 900y 900|"),
    "start_with": (ops.start_with((0, "first")), "0first 0a 0b 100c 480d 500e 900f 900|"),
    "take": (ops.take(3), "0a 0b 100c 100|"),
    "share": (ops.share(), "0a 0b 100c 480d 500e 900f 900|"),
    "retry": (ops.retry(2), "0a 0b 100c 480d 500e 900f 900|"),
}


def louder(event: Timed) -> Timed:
    return event[0], event[1] + "!"


def timed(observable: Observable[Timed], engine: Engine) -> str:
    """What comes out, each with the ms of engine time at which it came."""
    out: list[str] = []

    def hear(name: object) -> None:
        out.append(f"{engine.now_ns // MS}{name}")

    observable.subscribe(lambda event: hear(event[1]), hear, lambda: hear("|"), scheduler=engine)
    engine.run_inline()
    return " ".join(out)


@pytest.mark.parametrize("size", [1, 2, 6])
@pytest.mark.parametrize(("operator", "expected"), STOCK.values(), ids=STOCK.keys())
def test_stock_operators_live_on_event_time_without_a_scheduler_or_a_thread(
    operator: Callable[[Observable[Timed]], Observable[Timed]], expected: str, size: int
) -> None:
    source = given(*[EVENTS[start : start + size] for start in range(0, len(EVENTS), size)])
    threads = threading.active_count()
    assert timed(source.pipe(operator), Engine()) == expected
    assert threading.active_count() == threads


@pytest.mark.parametrize("size", [1, 2, 6])
@pytest.mark.parametrize(("operator", "expected"), STOCK.values(), ids=STOCK.keys())
def test_they_do_so_between_two_operators_of_ours(
    operator: Callable[[Observable[Timed]], Observable[Timed]], expected: str, size: int
) -> None:
    source = given(*[EVENTS[start : start + size] for start in range(0, len(EVENTS), size)])
    between = change(louder)(source.pipe(keep(at_any_time)).pipe(operator))
    assert timed(between, Engine()).replace("!", "") == expected


def at_any_time(event: Timed) -> bool:
    return event[0] >= 0


@pytest.mark.parametrize("name", ["delay", "take_until_with_time", "sample", "buffer_with_time", "timeout"])
def test_time_begins_with_the_first_event_however_late_that_is(name: str) -> None:
    operator, expected = STOCK[name]
    up_for_days = 500_000_000
    later = given([(time_ms + up_for_days, event) for time_ms, event in EVENTS])
    engine = Engine()
    out = timed(later.pipe(operator), engine).split(" ")
    assert " ".join(str(int(word[:9]) - up_for_days) + word[9:] for word in out) == expected


def test_after_a_long_silence_a_timer_counts_from_the_event_that_set_it() -> None:
    source = given([(0, "a"), (3_000_510, "b"), (3_000_900, "c")])
    assert timed(source.pipe(ops.delay(0.1)), Engine()) == "100a 3000600b 3001000c 3001000|"


def test_a_second_pipe_of_stock_operators_stays_in_the_run() -> None:
    threads = threading.active_count()
    out: list[Timed] = []
    given(EVENTS).pipe(ops.map(loud)).pipe(ops.debounce(0.1)).pipe(ops.delay(0.1)).subscribe(out.append)
    assert "".join(name for _, name in out) == "BCEF"
    assert threading.active_count() == threads


def test_a_stock_operator_may_stand_first_and_ours_behind_it_and_another_one_last() -> None:
    stream = numbers([1, 2], [3]).pipe(ops.skip(1)).pipe(change(double)).pipe(ops.sum())
    assert heard(stream) == [10, "|"]


def test_a_stock_operator_that_connects_keeps_its_connect() -> None:
    published = numbers([1, 2]).pipe(ops.publish())
    assert isinstance(published, ConnectableObservable)
    out: list[int] = []
    for _ in range(2):
        published.subscribe(out.append)
    assert out == []
    published.connect()
    assert out == [1, 1, 2, 2]
    assert heard(numbers([1, 2]).pipe(ops.publish(), ops.ref_count())) == [1, 2, "|"]


# -- subscriptions -----------------------------------------------------------------------------------------------------


def counted(log: list[str], events: Sequence[int]) -> Stream[int]:
    """A source that says when its reader is made."""

    class Reader:
        def __init__(self) -> None:
            log.append("made")
            self._batches: Iterator[Sequence[int]] = iter([events])

        def open(self) -> None: ...
        def poll(self, timeout: float, /) -> Sequence[int] | None:
            return next(self._batches, None)

        def lost(self) -> Sequence[int]:
            return ()

        def close(self) -> Sequence[int]:
            return ()

    return origin("counted", Reader, time_of=None)


def test_a_source_is_read_once_a_run_for_all_who_subscribe() -> None:
    log: list[str] = []
    source = counted(log, [1, 2])
    engine, one, other = Engine(), list[int](), list[int]()
    source.subscribe(one.append, scheduler=engine)
    source.pipe(change(double)).subscribe(other.append, scheduler=engine)
    engine.run_inline()
    assert (one, other, log) == ([1, 2], [2, 4], ["made"])


def test_another_run_reads_it_again() -> None:
    log: list[str] = []
    source = counted(log, [1, 2])
    assert heard(source) == heard(source) == [1, 2, "|"]
    assert log == ["made", "made"]


def test_each_subscription_to_operators_has_its_own_state() -> None:
    stream = numbers([1, 2, 3]).pipe(total())
    engine, one, other = Engine(), list[int](), list[int]()
    stream.subscribe(one.append, scheduler=engine)
    stream.subscribe(other.append, scheduler=engine)
    engine.run_inline()
    assert (one, other) == ([6], [6])


def test_who_comes_after_the_end_is_told_so() -> None:
    engine = Engine()
    stream = numbers([1])
    heard(stream, engine)
    assert heard(stream, engine) == ["|"]
    assert heard(stream.pipe(total()), engine) == [0, "|"]


def test_who_unsubscribes_hears_no_more_and_his_machines_end() -> None:
    engine = Engine()
    out: list[int] = []
    source = numbers([1, 2], [3])
    subscription = source.pipe(change(double)).subscribe(out.append, scheduler=engine)
    source.pipe(ops.filter(lambda number: number == 2)).subscribe(lambda _: subscription.dispose(), scheduler=engine)
    engine.run_inline()
    assert out == [2, 4]


def test_taking_some_ends_in_the_middle_of_a_batch() -> None:
    engine = Engine()
    assert heard(numbers([1, 2, 3, 4], [5]).pipe(change(double)).pipe(ops.take(2)), engine) == [2, 4, "|"]
    assert not any(hub.wanted for hub in engine.hubs)


def test_a_subscriber_that_raises_is_counted_and_others_do_not_notice(capsys: pytest.CaptureFixture[str]) -> None:
    engine = Engine(strict=False)
    source = numbers([1, 0, 2], [3])
    out: list[int] = []
    source.subscribe(choke, scheduler=engine)
    source.subscribe(out.append, scheduler=engine)
    engine.run_inline()
    assert out == [1, 0, 2, 3]
    assert engine.ledger.entries() == [Entry("of/subscriber", Reason.BUG, 1)]
    assert "ZeroDivisionError" in capsys.readouterr().err


def test_a_subscriber_that_raises_is_heard_where_the_engine_is_strict() -> None:
    engine = Engine()
    numbers([0]).subscribe(choke, scheduler=engine)
    with pytest.raises(ZeroDivisionError):
        engine.run_inline()


def test_an_error_goes_down_to_the_subscriber_and_ends_the_stream() -> None:
    out = heard(numbers([1, 0, 2]).pipe(ops.map(share_six)).pipe(change(double)))
    assert out[0] == 12
    assert isinstance(out[1], ZeroDivisionError)
    assert len(out) == 2


def test_what_machines_hold_when_an_error_stops_them_is_counted() -> None:
    engine = Engine(strict=False)
    heard(numbers([1, 2, 0]).pipe(ops.map(share_six)).pipe(total(), change(double)), engine)
    assert engine.ledger.entries() == [Entry("map/sum", Reason.BUG, 1, 9)]


def test_retrying_joins_the_source_again_with_its_next_batch() -> None:
    stream = numbers([1], [0], [2], [3]).pipe(ops.map(share_six), ops.retry(3))
    assert heard(stream) == [6, 3, 2, "|"]


# -- share -------------------------------------------------------------------------------------------------------------


def test_what_is_shared_runs_once_and_whole_batches_stay_whole() -> None:
    seen: list[Sequence[int]] = []
    ones: list[Sequence[int]] = []
    others: list[Sequence[int]] = []
    shared = numbers((1, 2), (3,)).pipe(batches(seen)).share()
    engine = Engine()
    shared.pipe(batches(ones)).attach(engine, Sink())
    shared.pipe(batches(others)).attach(engine, Sink())
    engine.run_inline()
    assert seen == ones == others == [(1, 2), (3,)]


def test_two_subscribers_to_single_events_get_each_event_in_turn() -> None:
    out: list[object] = []
    shared = numbers((1, 2), (3,)).pipe(change(same)).share()
    engine = Engine()
    shared.subscribe(lambda number: out.append(("first", number)), scheduler=engine)
    shared.pipe(change(double)).subscribe(lambda number: out.append(("second", number)), scheduler=engine)
    engine.run_inline()
    assert out == [(who, number * by) for number in (1, 2, 3) for who, by in (("first", 1), ("second", 2))]


def test_two_runs_share_nothing() -> None:
    shared = numbers([1, 2]).pipe(total()).share()
    assert heard(shared) == heard(shared) == [3, "|"]


def test_what_is_shared_runs_until_the_last_one_leaves() -> None:
    engine = Engine()
    shared = numbers([1]).pipe(total()).share()
    one, other = (shared.subscribe(scheduler=engine) for _ in range(2))
    one.dispose()
    assert engine.hubs[0].wanted
    other.dispose()
    assert not engine.hubs[0].wanted
    assert heard(shared, engine) == [1, "|"]


def test_who_comes_after_the_end_of_what_is_shared_is_told_so() -> None:
    engine = Engine()
    shared = numbers([1]).share()
    heard(shared, engine)
    assert heard(shared, engine) == ["|"]


def test_an_error_goes_to_all_who_share() -> None:
    engine = Engine()
    shared = change(same)(numbers([1, 0]).pipe(ops.map(share_six))).share()
    errors: list[Exception] = []
    for _ in range(2):
        shared.subscribe(on_error=errors.append, scheduler=engine)
    engine.run_inline()
    assert [type(error) for error in errors] == [ZeroDivisionError] * 2


# -- the graph as a value ----------------------------------------------------------------------------------------------


def test_a_stream_shows_what_it_is_made_of() -> None:
    stream = numbers().pipe(keep(odd, name="odd", options="1, 3, 5"), change(double))
    assert stream.node() == Node("change", "", (Node("odd", "1, 3, 5", (Node("of"),)),))


def test_stock_operators_appear_by_name() -> None:
    stream = numbers().pipe(ops.map(double), ops.take(2)).pipe(change(same))
    taken = Node("take", "", (Node("map", "", (Node("of"),), ours=False),), ours=False)
    assert change(same)(stream).node() == Node("change", "", (Node("change", "", (taken,)),))


def test_streams_that_stock_operators_were_given_are_inputs_too() -> None:
    one, other = of([1], name="one"), of([2], name="other")
    both = (Node("one"), Node("other"))
    assert change(same)(one.pipe(ops.merge(other))).node() == Node("change", "", (Node("merge", "", both, ours=False),))
    assert change(same)(one.pipe(ops.timeout(1, other))).node() == Node("change", "", (Node("timeout", "", both, ours=False),))


def test_a_pipe_of_ones_own_shows_what_is_in_it() -> None:
    def own(source: Observable[int]) -> Observable[int]:
        return source.pipe(ops.map(double), ops.skip(1))

    piped = numbers().pipe(own).pipe(ops.publish(), ops.ref_count())
    names, node = list[str](), change(same)(piped).node()
    while node.inputs:
        names.append(node.name)
        (node,) = node.inputs
    assert names == ["change", "ref_count", "publish", "skip", "map"]


def test_an_observable_made_elsewhere_is_a_node_without_inputs() -> None:
    assert change(same)(rx.of(1)).node() == Node("change", "", (Node("observable", "Observable", ours=False),))


def test_what_is_shared_shows_what_is_above_it() -> None:
    assert numbers().pipe(change(same)).share().node() == Node("share", "", (Node("change", "", (Node("of"),)),))


# -- chains ------------------------------------------------------------------------------------------------------------


class Sink:
    singles = 0

    def __init__(self) -> None:
        self.heard: list[Any] = []

    def on_batch(self, batch: Sequence[Any], /) -> None:
        self.heard.append(list(batch))

    def on_completed(self) -> None:
        self.heard.append("|")

    def on_error(self, error: Exception, /) -> None:
        self.heard.append(error)


def chain(sink: Sink) -> Chain[int]:
    return Chain(Engine(), "of", [change(double), total(), total()], sink)


def test_a_chain_goes_on_from_a_snapshot() -> None:
    first, second = Sink(), Sink()
    before, after = chain(first), chain(second)
    before.on_batch([1, 2])
    after.restore(msgspec.msgpack.decode(msgspec.msgpack.encode(before.snapshot())))
    assert before.held() == after.held() == 6
    for each_chain in (before, after):
        each_chain.on_batch([3])
        each_chain.on_completed()
    assert first.heard == second.heard == [[12], "|"]


def test_a_chain_that_ended_ticks_no_more() -> None:
    ticks: list[int] = []

    class Ticks(Kernel[int, int]):
        def tick(self, now_ns: int, /) -> Sequence[int]:
            ticks.append(now_ns)
            return [now_ns]

    sink = Sink()
    ticking_chain: Chain[int] = Chain(Engine(), "of", [Operator("ticks", lambda _: Ticks())], sink)
    ticking_chain.tick(1)
    ticking_chain.on_completed()
    ticking_chain.on_completed()
    ticking_chain.tick(2)
    ticking_chain.on_error(ValueError("too late"))
    assert (ticks, sink.heard) == ([1], [[1], "|"])


class Bad(Kernel[int, int]):
    """Fails at zeros, at the tick of 13, and at the end."""

    def feed(self, batch: Sequence[int], /) -> Sequence[int]:
        return [share_six(number) for number in batch]

    def tick(self, now_ns: int, /) -> Sequence[int]:
        return [share_six(13 - now_ns)]

    def finish(self) -> Sequence[int]:
        raise ZeroDivisionError("a bug at the end")


def test_a_bug_in_a_kernel_written_by_hand_costs_its_batch_and_ends_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    engine, sink = Engine(strict=False), Sink()
    bad: Chain[int] = Chain(engine, "of", [Operator("bad", lambda _: Bad()), total()], sink)
    for batch in ([1, 2], [3, 0], [6]):
        bad.on_batch(batch)
    bad.tick(13)
    bad.tick(12)
    bad.on_completed()
    assert sink.heard == [[6 + 3 + 1 + 6], "|"]
    assert engine.ledger.entries() == [Entry("of/bad", Reason.BUG, 2 + 1 + 1)]
    assert capsys.readouterr().err.count("bug in of/bad") == 1


def test_what_a_tick_gives_reaches_the_operators_behind_before_they_tick() -> None:
    log: list[str] = []

    class Says(Kernel[int, int]):
        def __init__(self, name: str) -> None:
            self._name = name

        def feed(self, batch: Sequence[int], /) -> Sequence[int]:
            log.append(f"{self._name} gets {batch}")
            return batch

        def tick(self, now_ns: int, /) -> Sequence[int]:
            log.append(f"{self._name} ticks")
            return [now_ns] if self._name == "one" else ()

    stages = [Operator("says", lambda _, name=name: Says(name)) for name in ("one", "two")]  # type: ignore[misc]
    Chain(Engine(), "of", stages, Sink()).tick(7)
    assert log == ["one ticks", "two gets [7]", "two ticks"]


def test_an_operator_gives_its_running_part_to_who_runs_it_elsewhere() -> None:
    site = Site(Engine(), "elsewhere")
    assert change(double).kernel(site).feed([1, 2]) == [2, 4]
