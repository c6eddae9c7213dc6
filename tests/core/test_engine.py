"""Time in steps, timers, ticks, and how a subscription finds its run. No clock and no thread anywhere."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from typing import Any, TypeAlias

import msgspec
import pytest
import reactivex as rx
from hypothesis import given as for_all
from hypothesis import settings
from hypothesis import strategies as st
from reactivex import abc
from reactivex import operators as ops

from agentsight_rx.core.engine import Engine, EngineState, Site
from agentsight_rx.core.hub import Hub
from agentsight_rx.core.machine import Kernel
from agentsight_rx.core.stream import Operator, Stream, of, origin
from agentsight_rx.events import Event, Loss, Origin, Tick, TlsHandshake, time_of
from agentsight_rx.events.loss import Entry, Reason

MS = 1_000_000
Timed: TypeAlias = tuple[int, str]  # ms, name
Batch: TypeAlias = Sequence[Timed]
Seen: TypeAlias = list[int | str]  # what a kernel saw: ticks by their ms, events by their names


def at(event: Timed) -> int:
    return event[0] * MS


def given(*batches: Batch) -> Stream[Timed]:
    return of(*batches, time_of=at)


class Watch(Kernel[Timed, Timed]):
    def __init__(self, seen: Seen) -> None:
        self._seen = seen

    def feed(self, batch: Batch, /) -> Batch:
        self._seen += [name for _, name in batch]
        return batch

    def tick(self, now_ns: int, /) -> Batch:
        self._seen.append(now_ns // MS)
        return ()


def watch(seen: Seen) -> Operator[Timed, Timed]:
    return Operator("watch", lambda _: Watch(seen))


def seen_of(*batches: Batch) -> Seen:
    """What a kernel behind `batches` sees."""
    seen: Seen = []
    engine = Engine()
    given(*batches).pipe(watch(seen)).subscribe(scheduler=engine)
    engine.run_inline()
    return seen


def does(act: Callable[[], object]) -> abc.ScheduledAction[Any]:
    def action(_: abc.SchedulerBase, __: object = None) -> None:
        act()

    return action


def bug() -> None:
    raise IndexError("a bug")


class Live:
    """A run whose clock the test moves."""

    def __init__(self, clock_ms: int = 0, *, strict: bool = True) -> None:
        self.engine = Engine(strict=strict)
        self.seen: Seen = []
        given().pipe(watch(self.seen)).subscribe(scheduler=self.engine)
        (self.hub,) = self.engine.hubs
        self.engine.start(clock_ms * MS)

    def push(self, *events: Timed) -> None:
        self.engine.push(self.hub, events)

    def idle(self, clock_ms: int) -> None:
        self.engine.idle(clock_ms * MS)


# -- steps of time -----------------------------------------------------------------------------------------------------


def test_time_begins_at_the_step_of_the_first_event_and_advances_by_20_ms() -> None:
    assert seen_of([(1003, "a"), (1019, "b"), (1075, "c")]) == ["a", "b", 1020, 1040, 1060, "c"]


def test_a_tick_comes_before_the_events_of_the_same_time() -> None:
    assert seen_of([(0, "a"), (20, "b"), (20, "c"), (40, "d")]) == ["a", 20, "b", "c", 40, "d"]


def test_a_batch_is_cut_at_the_steps_that_it_crosses_and_nowhere_else() -> None:
    batches: list[Batch] = []

    class Batches(Kernel[Timed, Timed]):
        def feed(self, batch: Batch, /) -> Batch:
            batches.append(batch)
            return batch

    whole = [(0, "a"), (19, "b"), (20, "c"), (39, "d"), (100, "e")]
    engine = Engine()
    given(whole).pipe(Operator("batches", lambda _: Batches())).subscribe(scheduler=engine)
    engine.run_inline()
    assert batches == [whole[:2], whole[2:4], whole[4:]]


def test_a_batch_within_one_step_is_handed_on_as_it_is() -> None:
    batches: list[Batch] = []

    class Batches(Kernel[Timed, Timed]):
        def feed(self, batch: Batch, /) -> Batch:
            batches.append(batch)
            return batch

    whole = ((0, "a"), (19, "b"))
    given(whole).pipe(Operator("batches", lambda _: Batches())).subscribe()
    assert batches[0] is whole


@pytest.mark.parametrize("size", [1, 2, 3, 7])
def test_ticks_do_not_depend_on_how_batches_are_cut(size: int) -> None:
    events = [(time_ms, str(time_ms)) for time_ms in (3, 3, 19, 20, 21, 90, 85, 100, 1500, 1500, 7000, 7030)]
    cut = [events[start : start + size] for start in range(0, len(events), size)]
    assert seen_of(*cut) == seen_of(events)


def test_late_events_do_not_turn_time_back() -> None:
    assert seen_of([(50, "a"), (10, "b"), (61, "c"), (0, "d"), (80, "e")]) == ["a", "b", 60, "c", "d", 80, "e"]


def test_steps_are_coarse_once_nothing_happened_for_a_second() -> None:
    ticks = seen_of([(0, "a"), (5000, "b")])[1:-1]
    assert ticks == [*range(20, 1000, 20), 1000, 2000, 3000, 4000, 5000]


def test_a_gap_of_hours_costs_thousands_of_ticks_and_not_billions() -> None:
    ticks = seen_of([(0, "a"), (7 * 86_400_000, "b")])[1:-1]
    assert len(ticks) < 3000
    assert ticks[-1] == 7 * 86_400_000


def test_behind_a_gap_steps_are_fine_again_and_time_is_near_the_event() -> None:
    seen = seen_of([(0, "a"), (10_510, "b"), (10_530, "c"), (10_555, "d")])
    assert seen[seen.index(10_000) :] == [10_000, 10_500, "b", 10_520, "c", 10_540, "d"]


def test_an_event_without_a_time_source_moves_no_time() -> None:
    seen: Seen = []
    engine = Engine()
    of([(0, "a")], [(500, "b")]).pipe(watch(seen)).subscribe(scheduler=engine)
    engine.run_inline()
    assert seen == ["a", "b"]
    assert engine.now_ns == 0


# -- idle time ---------------------------------------------------------------------------------------------------------


def test_when_idle_time_goes_on_to_a_slack_behind_the_clock() -> None:
    live = Live(1000)
    live.idle(1119)
    assert live.seen == []
    live.idle(1145)
    assert live.seen == [1020, 1040]


def test_idle_steps_are_coarse_after_a_second_and_fine_again_with_the_first_event() -> None:
    live = Live(0)
    live.push((0, "a"))
    live.idle(3600)
    assert live.seen[-3:] == [1000, 2000, 3000]
    live.push((3510, "b"), (3530, "c"))
    assert live.seen[-4:] == [3500, "b", 3520, "c"]
    live.idle(3680)
    assert live.seen[-3:] == [3540, 3560, 3580]


def test_an_event_that_is_late_when_idle_makes_no_tick_but_steps_are_fine_again() -> None:
    live = Live(0)
    live.idle(3100)
    assert live.seen[-1] == 3000
    live.push((2995, "late"))
    live.idle(3150)
    assert live.seen[-4:] == [3000, "late", 3020, 3040]


@pytest.mark.parametrize("clock_ms", [0, 500, 3050, 70_000])
def test_before_it_is_due_time_does_not_advance_and_then_it_does(clock_ms: int) -> None:
    live = Live(0)
    live.idle(clock_ms)
    before, due_ns = list(live.seen), live.engine.due_ns
    assert due_ns is not None
    live.engine.idle(due_ns - 1)
    assert live.seen == before
    live.engine.idle(due_ns)
    assert live.seen[:-1] == before


def test_an_event_makes_time_due_earlier() -> None:
    live = Live(0)
    live.idle(3600)
    live.push((3510, "b"))
    assert live.engine.due_ns == 3620 * MS


def test_before_the_first_event_and_the_clock_there_is_no_time() -> None:
    engine = Engine()
    assert engine.due_ns is None
    engine.idle(5000 * MS)
    assert engine.now_ns == 0


class Log(Kernel[Event, Event]):
    """Ticks by their ms, events by their ms as text."""

    def __init__(self, seen: Seen) -> None:
        self._seen = seen

    def feed(self, batch: Sequence[Event], /) -> Sequence[Event]:
        self._seen += [str(time_of(event) // MS) for event in batch]
        return batch

    def tick(self, now_ns: int, /) -> Sequence[Event]:
        self._seen.append(now_ns // MS)
        return ()

    def snapshot(self) -> bytes:
        return b""


def log_of(*batches: Sequence[Event], live: Callable[[Engine, Hub[Event]], None] | None = None) -> Seen:
    seen: Seen = []
    engine = Engine()
    of(*batches, time_of=time_of).pipe(Operator("log", lambda _: Log(seen))).subscribe(scheduler=engine)
    if live is None:
        engine.run_inline()
    else:
        live(engine, engine.hubs[0])
    return seen


def shake(time_ms: int) -> Event:
    return TlsHandshake(Origin(time_ms * MS, 1))


def row(time_ms: int) -> Event:
    return Tick(Origin(time_ms * MS, 0))


def test_a_tick_row_lets_time_go_on_as_idle_time_did_and_goes_no_further() -> None:
    recorded = [shake(0), row(40), shake(30), row(1500), row(3000), shake(3005)]
    expected = ["0", 20, 40, "30", *range(60, 1060, 20), 2000, 3000, "3005"]
    assert log_of(recorded) == expected
    assert log_of(*[[event] for event in recorded]) == expected
    assert log_of([row(0)], recorded[:1], recorded[1:]) == expected


waits = st.sampled_from([0, 3, 10, 25, 60, 400, 1200, 5000, 100_000])
happenings = st.lists(st.tuples(st.sampled_from(["idle", "event", "event"]), waits, st.integers(0, 90)), max_size=15)


@settings(max_examples=60, deadline=None)
@for_all(happenings, st.integers(1, 5))
def test_a_recording_with_tick_rows_replays_the_same_ticks_and_events(happened: list[tuple[str, int, int]], size: int) -> None:
    recorded = [row(1000)]

    def live(engine: Engine, hub: Hub[Event]) -> None:
        clock_ms = 1000
        engine.start(clock_ms * MS)
        for what, wait_ms, late_ms in happened:
            clock_ms += wait_ms
            if what == "event":
                recorded.append(shake(clock_ms - late_ms))
                engine.push(hub, recorded[-1:])
                continue
            before_ns = engine.now_ns
            engine.idle(clock_ms * MS)
            if engine.now_ns > before_ns:
                recorded.append(row(engine.now_ns // MS))

    seen = log_of(live=live)
    assert log_of(recorded) == seen
    assert log_of(*[recorded[start : start + size] for start in range(0, len(recorded), size)]) == seen


# -- timers ------------------------------------------------------------------------------------------------------------


def test_a_timer_runs_at_the_step_at_which_its_time_has_come_and_sees_its_own_time() -> None:
    live = Live(0)
    ran: list[tuple[str, int]] = []

    def note(_: abc.SchedulerBase, name: str | None = None) -> None:
        ran.append((str(name), live.engine.now_ns // MS))

    for name, seconds in (("b", 0.03), ("a", 0.01), ("c", 0.03)):
        live.engine.schedule_relative(seconds, note, name)
    live.push((19, "x"))
    assert ran == []
    live.push((40, "y"))
    assert ran == [("a", 10), ("b", 30), ("c", 30)]


def test_timers_run_before_the_machines_of_the_same_step() -> None:
    live = Live(0)
    live.push((0, "a"))
    live.engine.schedule_relative(0.02, does(lambda: live.seen.append("timer")))
    live.push((20, "x"))
    assert live.seen == ["a", "timer", 20, "x"]


def test_a_timer_set_before_the_first_event_counts_from_its_step() -> None:
    live = Live(900_000)
    ran: list[int] = []
    live.engine.schedule_relative(0.05, does(lambda: ran.append(live.engine.now_ns // MS)))
    live.idle(904_990)
    assert ran == []
    live.push((905_013, "a"))
    live.idle(905_149)
    assert ran == []
    live.idle(905_160)
    assert ran == [905_050]


def test_a_timer_may_be_cancelled() -> None:
    live = Live(0)
    ran: list[str] = []
    live.engine.schedule_relative(0.01, does(lambda: ran.append("a"))).dispose()
    live.push((100, "x"))
    assert ran == []


def test_a_timer_may_set_another_one() -> None:
    live = Live(0)
    ran: list[int] = []

    def again(scheduler: abc.SchedulerBase, left: int | None = None) -> None:
        ran.append(live.engine.now_ns // MS)
        if left:
            scheduler.schedule_relative(timedelta(milliseconds=5), again, left - 1)

    live.push((0, "a"))
    live.engine.schedule_relative(0.005, again, 3)
    live.push((20, "x"))
    assert ran == [5, 10, 15, 20]


def test_a_time_of_day_is_one_on_the_scale_of_now() -> None:
    live = Live(1000)
    ran: list[int] = []
    live.push((1000, "a"))
    when = live.engine.now + timedelta(milliseconds=30)
    live.engine.schedule_absolute(when, does(lambda: ran.append(live.engine.now_ns // MS)))
    live.push((1100, "x"))
    assert ran == [1030]


def test_something_periodic_keeps_its_period() -> None:
    live = Live(0)
    ran: list[int] = []
    live.push((0, "a"))
    stop = live.engine.schedule_periodic(0.03, lambda _: ran.append(live.engine.now_ns // MS))
    live.push((100, "x"))
    stop.dispose()
    live.push((300, "y"))
    assert ran == [30, 60, 90]


def test_an_action_scheduled_inside_an_action_runs_right_behind_it() -> None:
    engine = Engine()
    ran: list[str] = []

    def outer(scheduler: abc.SchedulerBase, _: object = None) -> None:
        scheduler.schedule(does(lambda: ran.append("inner")))
        scheduler.schedule_relative(-1.0, does(lambda: ran.append("due at once")))
        ran.append("outer")

    engine.schedule(outer)
    assert ran == ["outer", "inner", "due at once"]


def test_a_bug_in_a_timer_is_counted_and_time_goes_on(capsys: pytest.CaptureFixture[str]) -> None:
    live = Live(strict=False)
    ran: list[str] = []
    live.engine.schedule_relative(0.01, does(bug))
    live.engine.schedule_relative(0.01, does(lambda: ran.append("next")))
    live.push((0, "a"))
    live.idle(200)
    assert ran == ["next"]
    assert live.engine.ledger.entries() == [Entry("timers", Reason.BUG, 1)]
    assert "IndexError" in capsys.readouterr().err


def test_a_bug_in_a_timer_is_raised_where_the_engine_is_strict() -> None:
    live = Live()
    live.engine.schedule_relative(0.01, does(bug))
    live.push((0, "a"))
    with pytest.raises(IndexError):
        live.idle(200)


def test_when_the_sources_have_ended_timers_run_out_but_not_for_ever() -> None:
    engine = Engine()
    ran: list[float] = []
    engine.schedule_periodic(7.0, lambda _: ran.append(engine.now_ns / 1e9))
    engine.run_inline()
    assert ran == [7.0, 14.0, 21.0, 28.0, 35.0, 42.0, 49.0, 56.0]


def test_lingering_ends_as_soon_as_there_is_nobody_left() -> None:
    engine = Engine()
    ran: list[float] = []
    engine.schedule_periodic(1.0, lambda _: ran.append(engine.now_ns / 1e9))
    engine.linger(lambda: len(ran) >= 3)
    assert ran == [1.0, 2.0, 3.0]


# -- finding the run ---------------------------------------------------------------------------------------------------


def test_else_to_a_private_run_that_ends_with_the_subscription() -> None:
    out: list[Timed] = []
    given([(0, "a")]).subscribe(out.append)
    given([(0, "b")]).subscribe(out.append)
    assert out == [(0, "a"), (0, "b")]


def test_two_sources_of_one_private_subscription_share_a_run() -> None:
    out: list[tuple[Timed, Timed]] = []
    given([(0, "a"), (30, "c")]).pipe(ops.zip(given([(10, "b"), (20, "d")]))).subscribe(out.append)
    assert out == [((0, "a"), (10, "b")), ((30, "c"), (20, "d"))]


@pytest.mark.parametrize("kept", [False, True])
def test_a_subscription_that_failed_leaves_no_run_behind(kept: bool) -> None:
    def fail() -> Any:
        raise OSError("no such device")

    broken: Stream[Timed] = origin("broken", fail, time_of=None)
    kept_error: BaseException | None = None
    try:
        broken.subscribe()
    except OSError as error:
        kept_error = error if kept else None
    out: list[Timed] = []
    given([(0, "a")]).subscribe(out.append)
    assert out == [(0, "a")]
    assert kept == (kept_error is not None)


def test_what_belongs_to_a_key_is_made_once_a_run() -> None:
    engine = Engine()
    assert engine.state("key", list[int]) is engine.state("key", list[int])
    assert engine.state("key", list[int]) is not Engine().state("key", list[int])


# -- reading sources ---------------------------------------------------------------------------------------------------


class Tape:
    """A reader that writes down what is asked of it."""

    def __init__(self, batches: Iterator[Batch | None], lost: Batch = (), rest: Batch = ()) -> None:
        self.asked: list[str] = []
        self._batches, self._lost, self._rest = batches, lost, rest

    def open(self) -> None:
        self.asked.append("open")

    def poll(self, timeout: float, /) -> Batch | None:
        self.asked.append("poll")
        return next(self._batches)

    def lost(self) -> Batch:
        self.asked.append("lost")
        return self._lost

    def close(self) -> Batch:
        self.asked.append("close")
        return self._rest


def from_tape(tape: Tape) -> Stream[Timed]:
    return origin("tape", lambda: tape, time_of=at)


def test_a_source_is_opened_read_to_its_end_and_closed_and_its_last_words_are_heard() -> None:
    tape = Tape(iter([[(0, "a")], [], [(10, "b")], None]), [(20, "lost")], [(30, "rest")])
    out: list[Timed] = []
    from_tape(tape).subscribe(out.append)
    assert tape.asked == ["open", "poll", "poll", "poll", "poll", "lost", "close"]
    assert out == [(0, "a"), (10, "b"), (20, "lost"), (30, "rest")]


def test_a_source_that_nobody_wants_any_more_is_read_no_further_and_closed() -> None:
    tape = Tape(iter([[(0, "a"), (1, "b")], [(2, "c")]]))
    out: list[Timed] = []
    from_tape(tape).pipe(ops.take(1)).subscribe(out.append)
    assert out == [(0, "a")]
    assert tape.asked == ["open", "poll", "close"]


def test_a_source_is_closed_where_its_reader_fails() -> None:
    tape = Tape(iter([[(0, "a")]]))
    with contextlib.suppress(StopIteration, RuntimeError):
        from_tape(tape).subscribe()
    assert tape.asked[-1] == "close"


@pytest.mark.parametrize("size", [1, 2, 4])
def test_several_sources_are_read_in_order_of_time_however_they_are_cut(size: int) -> None:
    def cut(events: list[Timed]) -> Stream[Timed]:
        return given(*[events[start : start + size] for start in range(0, len(events), size)])

    one = cut([(0, "a"), (100, "b"), (200, "c"), (200, "d")])
    other = cut([(50, "e"), (100, "f"), (150, "g"), (90, "h")])
    out: list[Timed] = []
    rx.merge(one, other).subscribe(out.append)
    assert "".join(name for _, name in out) == "aebfghcd"


def test_a_source_that_comes_up_in_mid_run_is_read_too() -> None:
    out: list[str] = []

    def two(event: Timed) -> rx.Observable[Timed]:
        time_ms, name = event
        return given([(time_ms, f"{name}1"), (time_ms + 1, f"{name}2")])

    given([(0, "a"), (300, "b")]).pipe(ops.flat_map(two)).subscribe(lambda event: out.append(event[1]))
    assert out == ["a1", "a2", "b1", "b2"]


def test_a_source_that_comes_up_after_the_others_ended_is_read_too() -> None:
    out: list[str] = []

    def one(event: Timed) -> rx.Observable[Timed]:
        return given([event])

    late = given([(0, "a"), (10, "b")]).pipe(ops.delay(0.5))
    late.pipe(ops.flat_map(one)).subscribe(lambda event: out.append(event[1]), on_completed=lambda: out.append("|"))
    assert out == ["a", "b", "|"]


def test_a_run_is_told_of_each_source_once() -> None:
    engine = Engine()
    attached: list[Hub[Any]] = []
    engine.attached = attached.append
    source = given([(0, "a")])
    for _ in range(2):
        source.subscribe(scheduler=engine)
    given().subscribe(scheduler=engine)
    assert [hub.name for hub in attached] == ["of", "of"]
    assert attached == engine.hubs


def test_a_hub_knows_whether_anybody_wants_it() -> None:
    engine = Engine()
    one, other = (given([(0, "a")]).subscribe(scheduler=engine) for _ in range(2))
    assert all(hub.wanted for hub in engine.hubs)
    one.dispose()
    assert [hub.wanted for hub in engine.hubs] == [False, True]
    other.dispose()
    assert not any(hub.wanted for hub in engine.hubs)


# -- the ledger --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("clock", [time_of, None])
def test_losses_that_sources_report_are_entered_where_they_arose(clock: Callable[[Loss], int] | None) -> None:
    engine = Engine()
    losses = [Loss(Origin(1, 1), "tls", Reason.KERNEL_LOST, count, 10) for count in (1, 2)]
    of(losses, time_of=clock, name="tls").subscribe(scheduler=engine)
    engine.run_inline()
    assert engine.ledger.entries() == [Entry("tls", Reason.KERNEL_LOST, 3, 20)]


def test_a_source_counts_what_it_gave() -> None:
    engine = Engine()
    given([(0, "a"), (50, "b")], [(60, "c")]).subscribe(scheduler=engine)
    engine.run_inline()
    assert [(meter.stage, meter.seen) for meter in engine.ledger] == [("of", 3)]


def test_two_stages_of_one_name_are_counted_apart() -> None:
    engine = Engine(strict=False)
    sites = [Site(engine, "of/keep"), Site(engine, "of/keep")]
    assert [site.meter.stage for site in sites] == ["of/keep", "of/keep#2"]


def test_a_run_goes_on_from_its_snapshot_as_if_it_had_not_stopped() -> None:
    events = [shake(0), row(40), shake(30), shake(70), row(1500), shake(1490), row(3000), shake(3005)]

    def run(batch: Sequence[Event], seen: Seen, state: EngineState | None = None) -> EngineState:
        engine = Engine()
        source = of(batch, time_of=time_of)
        source.pipe(Operator("log", lambda _: Log(seen))).subscribe(scheduler=engine)
        if state is not None:
            engine.restore(state)
        engine.push(engine.hubs[0], batch)
        return engine.snapshot()

    whole: Seen = []
    run(events, whole)
    for cut in range(1, len(events)):
        parts: Seen = []
        state = run(events[:cut], parts)
        kept = msgspec.msgpack.decode(msgspec.msgpack.encode(state), type=EngineState)
        run(events[cut:], parts, kept)
        assert whole == parts


def test_a_run_with_timers_of_stock_operators_cannot_be_saved() -> None:
    engine = Engine()
    of([shake(0)], time_of=time_of).pipe(ops.delay(1.0)).subscribe(scheduler=engine)
    engine.push(engine.hubs[0], [shake(0)])
    with pytest.raises(TypeError, match="cannot be saved"):
        engine.snapshot()
