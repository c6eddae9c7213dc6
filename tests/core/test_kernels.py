"""Functions and machines as operators: what each lets through, counts, keeps and forgets."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import msgspec
import pytest
from msgspec import Struct
from msgspec.structs import replace

from agentsight_rx.core.engine import Engine, Site
from agentsight_rx.core.kernels import change, each, keep, only
from agentsight_rx.core.machine import Bounded, Checkpointed, Kernel, Machine, Malformed, TakesRuns
from agentsight_rx.core.per_key import per_key
from agentsight_rx.core.stream import Operator
from agentsight_rx.events import Loss, Origin
from agentsight_rx.events.loss import Entry, Reason


class Word(Struct, frozen=True):
    key: str | None
    text: str


class Kept(Struct):
    words: list[str]
    ticks: int


class Joined(Bounded[Word, str], Checkpointed[Kept]):
    """Joins words up to a full stop. `!` is malformed, `?` a bug; after 10 ticks it says what it has."""

    clock = 0  # counts the words of all

    def __init__(self) -> None:
        self.words: list[str] = []
        self.ticks = 0

    def feed(self, word: Word, /) -> Iterable[str]:
        if word.text == "?":
            raise ArithmeticError("a bug")
        if word.text == "!":
            raise Malformed("a mark", after=[" ".join([*self.words, "!"])], lost=self.held())
        self.words.append(word.text)
        Joined.clock += 1
        self.ticks = Joined.clock
        return self.finish() if word.text == "." else ()

    def tick(self, now_ns: int, /) -> Iterable[str]:
        if now_ns == 666:
            raise ArithmeticError("a bug in a tick")
        if now_ns == 13:
            raise Malformed("late", after=["late"], lost=self.held())
        return self.finish() if now_ns >= 10 else ()

    def finish(self) -> Iterable[str]:
        if "bad end" in self.words:
            raise Malformed("bad end", after=["bad"], lost=3)
        words, self.words = self.words, []
        return [" ".join(words)] if words else []

    def held(self) -> int:
        return sum(map(len, self.words))

    def used_ns(self) -> int:
        return self.ticks

    def snapshot(self) -> Kept:
        return Kept(self.words, self.ticks)

    def restore(self, state: Kept, /) -> None:
        self.words, self.ticks = state.words, state.ticks


def words(text: str) -> list[Word]:
    """`a:one b:two -:three`: words with their keys, `-` for none."""
    pairs = (part.partition(":") for part in text.split())
    return [Word(None if key == "-" else key, word) for key, _, word in pairs]


def running(operator: Operator[Any, Any], *, strict: bool = True) -> tuple[Kernel[Any, Any], Site]:
    site = Site(Engine(strict=strict), "stage")
    return operator.kernel(site), site


def by_key(machine: Callable[[], Machine[Word, str]] = Joined, *, limit: int = 8192, budget: int = 0) -> Operator[Word, str]:
    weigh = size_of if budget else None
    return per_key(lambda word: word.key, machine, name="joined", key_type=str, limit=limit, budget=budget, weigh=weigh)


def size_of(batch: Sequence[Word]) -> int:
    if any(word.text == "?" for word in batch):
        raise ArithmeticError("a bug")
    return sum(len(word.text) for word in batch)


def lost(site: Site) -> list[tuple[str, int, int]]:
    return [(entry.reason.value, entry.count, entry.size) for entry in site.meter.entries()]


def share(people: int) -> int:
    return 12 // people


# -- change and keep ---------------------------------------------------------------------------------------------------


def test_change_replaces_each_event() -> None:
    kernel, site = running(change(str.upper))
    assert kernel.feed(("a", "b")) == ["A", "B"]
    assert lost(site) == []


def test_keep_lets_through_what_is_asked_for_and_counts_the_rest_as_filtered() -> None:
    kernel, site = running(keep(str.isalpha))
    assert kernel.feed(["a", "1", "b", "2", "3"]) == ["a", "b"]
    assert lost(site) == [("filtered", 3, 0)]


def test_only_lets_through_what_is_of_these_kinds_and_counts_the_rest_as_filtered() -> None:
    kernel, site = running(only(str))
    assert ["a", "b"] == list(kernel.feed(["a", 1, b"c", "b"]))
    assert 2 == site.meter.lost(Reason.FILTERED)
    kernel, _ = running(only(str, bytes))
    assert ["a", b"c"] == list(kernel.feed(["a", 1, b"c"]))
    assert ("only", "str, bytes, int") == (only(str, bytes, int).name, only(str, bytes, int).options)


@pytest.mark.parametrize("operator", [change(share), keep(share)])
def test_a_bug_costs_one_event_and_those_behind_it_come_through(operator: Operator[int, int]) -> None:
    kernel, site = running(operator, strict=False)
    assert len(kernel.feed([1, 0, 2, 0, 3])) == 3
    assert lost(site) == [("bug", 2, 0)]


@pytest.mark.parametrize("operator", [change(share), keep(share)])
def test_a_bug_is_raised_where_the_engine_is_strict(operator: Operator[int, int]) -> None:
    kernel, _ = running(operator)
    with pytest.raises(ZeroDivisionError):
        kernel.feed([1, 0])


def test_what_a_filter_drops_and_a_bug_costs_is_not_counted_twice() -> None:
    kernel, site = running(keep(lambda number: share(number) > 4), strict=False)
    assert kernel.feed([1, 0, 12, 2]) == [1, 2]
    assert lost(site) == [("bug", 1, 0), ("filtered", 1, 0)]


# -- each --------------------------------------------------------------------------------------------------------------


def test_one_machine_sees_every_event() -> None:
    kernel, _ = running(each(Joined, name="joined"))
    assert kernel.feed(words("a:one b:two c:.")) == ["one two ."]


def test_a_machine_gives_more_at_a_tick_and_at_the_end() -> None:
    kernel, _ = running(each(Joined, name="joined"))
    kernel.feed(words("a:one"))
    assert kernel.tick(9) == []
    assert kernel.tick(10) == ["one"]
    kernel.feed(words("a:two"))
    assert kernel.finish() == ["two"]


def test_a_malformed_event_emits_what_is_known_counts_the_rest_and_starts_afresh() -> None:
    kernel, site = running(each(Joined, name="joined"))
    assert kernel.feed(words("a:one a:! a:two a:.")) == ["one !", "two ."]
    assert lost(site) == [("malformed", 1, 3)]


def test_a_bug_costs_the_machine_what_it_held() -> None:
    kernel, site = running(each(Joined, name="joined"), strict=False)
    assert kernel.feed(words("a:one a:? a:two a:.")) == ["two ."]
    assert lost(site) == [("bug", 1, 3)]
    kernel.feed(words("a:four"))
    assert kernel.tick(666) == []
    assert kernel.held() == 0
    assert lost(site) == [("bug", 2, 7)]


def test_a_machine_is_made_anew_for_each_subscription() -> None:
    operator = each(Joined, name="joined")
    one, other = running(operator)[0], running(operator)[0]
    one.feed(words("a:one"))
    assert (one.held(), other.held()) == (3, 0)


# -- per_key -----------------------------------------------------------------------------------------------------------


def test_keys_do_not_mix() -> None:
    kernel, _ = running(by_key())
    assert kernel.feed(words("a:one b:two a:. b:.")) == ["one .", "two ."]


def test_what_has_no_key_goes_by_in_its_place() -> None:
    kernel, _ = running(by_key())
    assert kernel.feed(words("a:one -:x a:. -:y")) == [Word(None, "x"), "one .", Word(None, "y")]


def test_the_end_finishes_every_machine_those_not_used_for_longest_first() -> None:
    kernel, site = running(by_key(limit=4))
    kernel.feed(words("a:1 b:2 c:3 b:4"))
    assert kernel.finish() == ["1", "3", "2 4"]
    assert kernel.held() == 0
    assert lost(site) == []


def test_the_keys_not_used_for_longest_make_room_and_count_if_they_held_something() -> None:
    kernel, site = running(by_key(limit=4))
    assert kernel.feed(words("a:1 b:2 c:3 d:4")) == []
    assert kernel.feed(words("e:5 f:6")) == ["1", "2"]
    assert lost(site) == [("evicted", 2, 0)]
    assert kernel.finish() == ["3", "4", "5", "6"]


def test_a_key_that_was_used_again_stays() -> None:
    kernel, _ = running(by_key(limit=4))
    kernel.feed(words("a:1 b:2 c:3 a:4"))
    assert kernel.feed(words("d:5 e:6")) == ["2"]
    assert kernel.finish() == ["3", "1 4", "5", "6"]


def test_never_more_than_the_limit_are_alive() -> None:
    alive: set[str] = set()

    class Counted(Joined):
        def feed(self, word: Word, /) -> Iterable[str]:
            alive.add(word.text)
            assert len(alive) <= 6
            return super().feed(word)

        def finish(self) -> Iterable[str]:
            alive.difference_update(self.words)
            return super().finish()

    kernel, _ = running(by_key(Counted, limit=6))
    for number in range(50):
        kernel.feed([Word(str(number), str(number))])
    assert len(alive) > 3


def test_evicting_what_holds_nothing_is_no_loss() -> None:
    kernel, site = running(by_key(limit=2))
    assert kernel.feed(words("a:1 a:. b:2 b:. c:3 c:. d:4")) == ["1 .", "2 .", "3 ."]
    assert lost(site) == []


def test_what_an_evicted_machine_does_not_give_is_counted_in_bytes() -> None:
    class Keeps(Joined):
        def finish(self) -> Iterable[str]:
            return ()

    kernel, site = running(by_key(Keeps, limit=2))
    kernel.feed(words("a:one b:two c:three"))
    assert lost(site) == [("evicted", 1, 3)]


def test_a_machine_that_is_malformed_when_it_has_to_go_still_says_what_it_knows() -> None:
    kernel, site = running(by_key(limit=2))
    assert kernel.feed([Word("a", "bad end"), Word("b", "2"), Word("c", "3")]) == ["bad"]
    assert lost(site) == [("malformed", 1, 3)]


def test_a_malformed_key_starts_afresh_and_others_do_not_notice() -> None:
    kernel, site = running(by_key())
    assert kernel.feed(words("a:one b:two a:! a:x b:. a:.")) == ["one !", "two .", "x ."]
    assert lost(site) == [("malformed", 1, 3)]


@pytest.mark.parametrize("limit", [2, 100])
def test_a_malformed_tick_drops_only_its_key(limit: int) -> None:
    kernel, site = running(by_key(limit=limit))
    kernel.feed(words("a:one b:three"))
    assert kernel.tick(13) == ["late", "late"]
    assert kernel.held() == 0
    assert lost(site) == [("malformed", 2, 8)]


def test_a_bug_drops_its_key_and_what_it_held_and_others_do_not_notice() -> None:
    kernel, site = running(by_key(), strict=False)
    assert kernel.feed(words("a:one b:two a:? a:x b:. a:.")) == ["two .", "x ."]
    assert lost(site) == [("bug", 1, 3)]


def test_a_bug_in_a_tick_drops_its_keys_and_what_they_held() -> None:
    kernel, site = running(by_key(limit=2), strict=False)
    kernel.feed(words("a:one b:three"))
    assert kernel.tick(666) == []
    assert kernel.held() == 0
    assert lost(site) == [("bug", 2, 8)]


def test_a_bug_in_the_key_function_costs_one_event() -> None:
    def key(word: Word) -> str | None:
        return word.text if word.key is None else {"a": "a"}[word.key]

    kernel, site = running(per_key(key, Joined, name="joined", key_type=str), strict=False)
    assert kernel.feed(words("a:one x:two a:.")) == ["one ."]
    assert lost(site) == [("bug", 1, 0)]


class Together(Joined, TakesRuns[Word, str]):
    """Takes words up to a mark at once and emits them as one; a `?` behind an `a` is a bug of the faster way."""

    def feed_run(self, events: Sequence[Word], start: int, /) -> tuple[int, Sequence[str]]:
        stop = start
        while stop < len(events) and events[stop].text.isalpha():
            stop += 1
        if stop < len(events) and events[stop].text == "?" and stop > start:
            raise ArithmeticError("a bug")
        return stop, ["+".join(word.text for word in events[start:stop])] if stop > start else []


def test_what_comes_of_a_run_stands_at_the_place_of_its_last_event() -> None:
    kernel, _ = running(by_key(Together))
    assert kernel.feed(words("a:one b:two -:x a:three -:y b:four a:. a:five b:six a:seven")) == [
        *(words("-:x")), "one+three", *(words("-:y")), ".", "two+four+six", "five+seven",
    ]  # fmt: skip


def test_a_bug_in_a_run_costs_one_event() -> None:
    kernel, site = running(by_key(Together), strict=False)
    assert kernel.feed(words("a:one a:two b:three a:? b:four a:five a:six")) == ["three+four", "five+six"]
    assert lost(site) == [("bug", 3, 0)]  # each event at which it raised: the run was tried from each


def test_a_malformed_event_behind_a_run_ends_only_its_machine() -> None:
    kernel, site = running(by_key(Together), strict=False)
    assert kernel.feed(words("a:one a:two a:! b:three a:four a:five")) == ["one+two", "!", "four+five"]
    assert lost(site) == [("malformed", 1, 0)]


def test_runs_end_where_the_table_is_half_full() -> None:
    kernel, _ = running(by_key(Together, limit=2))
    assert kernel.feed(words("a:one a:two b:three b:. a:.")) == ["three .", "one two ."]


def test_a_bug_in_making_a_machine_costs_one_event() -> None:
    made: list[Joined] = []

    def make() -> Joined:
        made.append(Joined())
        if len(made) == 2:
            raise ArithmeticError("a bug in the second")
        return made[-1]

    kernel, site = running(by_key(make), strict=False)  # the first shows whether such machines tick
    assert kernel.feed(words("a:one a:two a:.")) == ["two ."]
    assert lost(site) == [("bug", 1, 0)]


@pytest.mark.parametrize("text", ["a:?", "a:one b:? c:."])
def test_a_bug_of_a_key_is_raised_where_the_engine_is_strict(text: str) -> None:
    kernel, _ = running(by_key())
    with pytest.raises(ArithmeticError):
        kernel.feed(words(text))


def test_a_bug_is_told_once_a_stage(capsys: pytest.CaptureFixture[str]) -> None:
    kernel, _ = running(by_key(), strict=False)
    kernel.feed(words("a:? b:? c:?"))
    said = capsys.readouterr().err
    assert said.count("bug in stage") == 1
    assert "ArithmeticError: a bug" in said


def test_a_tick_reaches_every_key_old_and_young() -> None:
    kernel, _ = running(by_key(limit=4))
    kernel.feed(words("a:1 b:2 c:3"))
    assert kernel.tick(10) == ["1", "2", "3"]


def test_a_machine_may_inherit_its_tick() -> None:
    class Child(Joined):
        pass

    kernel, _ = running(by_key(Child))
    kernel.feed(words("a:1"))
    assert kernel.tick(10) == ["1"]


def test_machines_that_do_not_tick_are_not_asked() -> None:
    class Silent(Machine[Word, str]):
        def feed(self, word: Word, /) -> Iterable[str]:
            return [word.text]

    kernel, _ = running(by_key(Silent))
    kernel.feed(words("a:1"))
    assert kernel.tick(10) == []


def test_held_is_the_sum_over_all_keys() -> None:
    kernel, _ = running(by_key(limit=4))
    kernel.feed(words("a:1 b:22 c:333"))
    assert kernel.held() == 6


def test_a_restored_kernel_evicts_the_same_keys() -> None:
    kernel, _ = running(by_key(limit=4))
    kernel.feed(words("a:1 b:2 c:3 a:4"))
    resumed, site = running(by_key(limit=4))
    resumed.restore(msgspec.msgpack.decode(msgspec.msgpack.encode(kernel.snapshot())))
    assert resumed.feed(words("d:5 e:6")) == ["2"]
    assert resumed.finish() == ["3", "1 4", "5", "6"]
    assert lost(site) == [("evicted", 1, 0)]


def test_over_the_budget_those_not_used_for_longest_say_what_they_have_until_a_quarter_is_free() -> None:
    kernel, site = running(by_key(budget=10))
    assert kernel.feed(words("a:111 b:2222 a:11")) == []
    assert kernel.feed(words("c:33")) == ["2222"]
    assert (kernel.held(), lost(site)) == (7, [("evicted", 1, 0)])
    assert kernel.feed(words("b:88888888")) == ["111 11", "33"]
    assert kernel.feed(words("b:.")) == ["88888888 ."]
    assert kernel.finish() == []


class Heir(Joined):
    """Numbers what it says, and goes on where an earlier one of its key had to stop."""

    def __init__(self) -> None:
        super().__init__()
        self.number = 0

    def finish(self) -> Iterable[str]:
        words = list(super().finish())
        self.number += len(words)
        return [f"{self.number} {said}" for said in words]

    def legacy(self) -> bytes:
        return str(self.number or "").encode()

    def inherit(self, legacy: bytes, /) -> None:
        self.number = int(legacy)


def test_a_machine_knows_what_an_earlier_one_of_its_key_left() -> None:
    kernel, _ = running(by_key(Heir, limit=4))
    assert kernel.feed(words("a:x a:.")) == ["1 x ."]
    kernel.feed(words("b:1 c:1 d:1 e:1 f:1"))
    resumed, _ = running(by_key(Heir, limit=4))
    resumed.restore(msgspec.msgpack.decode(msgspec.msgpack.encode(kernel.snapshot())))
    for one in (kernel, resumed):
        assert list(one.feed(words("a:y a:.")))[-1] == "2 y ."


def test_a_machine_that_keeps_nothing_is_left_alone_when_memory_is_short() -> None:
    kernel, _ = running(by_key(budget=10))
    assert kernel.feed(words("a:111 a:. b:123456")) == ["111 ."]
    asked: list[str] = []

    class Silent(Joined):
        def evict(self) -> Iterable[str]:
            asked.append("evicted")
            return super().evict()

    kernel, _ = running(by_key(Silent, budget=10))
    kernel.feed(words("a:111 a:. b:123456 c:12345"))
    assert asked == ["evicted"]


def test_under_the_budget_nothing_is_asked_for_however_much_has_passed() -> None:
    kernel, site = running(by_key(budget=10))
    assert kernel.feed(words("a:1234567 a:. b:1234567 b:. c:1234567 c:.")) == ["1234567 ."] * 3
    assert lost(site) == []


@pytest.mark.parametrize("cut", range(1, 8))
def test_the_budget_is_kept_wherever_batches_are_cut(cut: int) -> None:
    said = words("a:111 b:2222 c:333 a:44 d:5555 b:6 c:77 a:8888")
    whole, pieces = running(by_key(budget=10))[0], running(by_key(budget=10))[0]
    expected = [*whole.feed(said), *whole.finish()]
    assert len(expected) > 4
    assert [*pieces.feed(said[:cut]), *pieces.feed(said[cut:]), *pieces.finish()] == expected


def test_an_event_that_cannot_be_weighed_is_a_bug_of_its_own_only() -> None:
    kernel, site = running(by_key(budget=10), strict=False)
    assert kernel.feed(words("a:1 b:? a:2 a:.")) == ["1 2 ."]
    assert lost(site) == [("bug", 1, 0)]


def test_keys_that_are_tuples_come_back_as_tuples() -> None:
    def pair(word: Word) -> tuple[str, int]:
        return word.text, 1

    def operator() -> Operator[Word, str]:
        return per_key(pair, Joined, name="joined", key_type=tuple[str, int])

    kernel, _ = running(operator())
    kernel.feed(words("a:1 b:2"))
    resumed, _ = running(operator())
    resumed.restore(msgspec.msgpack.decode(msgspec.msgpack.encode(kernel.snapshot())))
    resumed.feed(words("c:1"))
    assert resumed.finish() == ["1 1", "2"]


# -- losses that machines report ---------------------------------------------------------------------------------------

ORIGIN = Origin(1, 1)
GAP = Loss(ORIGIN, "tls", Reason.KERNEL_LOST, 2, 30)


class Passes(Machine[Loss, Loss]):
    """Passes losses unchanged, and reports one of its own at each tick."""

    def feed(self, loss: Loss, /) -> Iterable[Loss]:
        return [replace(loss, origin=replace(loss.origin, wall_ns=5))]

    def tick(self, now_ns: int, /) -> Iterable[Loss]:
        return [Loss(ORIGIN, "passes", Reason.TRUNCATED, 1, 7)]


PASSES: list[Operator[Loss, Loss]] = [
    each(Passes, name="passes"),
    per_key(lambda loss: loss.stage, Passes, name="passes", key_type=str),
]


@pytest.mark.parametrize("operator", PASSES)
def test_a_loss_that_a_machine_reports_goes_on_and_into_the_ledger(operator: Operator[Loss, Loss]) -> None:
    kernel, site = running(operator)
    kernel.feed([GAP])
    assert [loss.stage for loss in kernel.tick(10)] == ["passes"]
    assert site.meter.entries() == [Entry("stage", Reason.TRUNCATED, 1, 7)]


class Adds(Passes):
    """Passes losses unchanged, and each time reports an equal one of its own."""

    def feed(self, loss: Loss, /) -> Iterable[Loss]:
        return [*super().feed(loss), loss]


@pytest.mark.parametrize("batches", [[[GAP, GAP]], [[GAP], [GAP]]])
def test_a_loss_of_its_own_counts_even_where_one_from_upstream_looks_the_same(batches: list[list[Loss]]) -> None:
    kernel, site = running(each(Adds, name="adds"))
    for batch in batches:
        kernel.feed(batch)
    assert site.meter.entries() == [Entry("stage", Reason.KERNEL_LOST, 4, 60)]


@pytest.mark.parametrize("operator", PASSES)
def test_a_loss_from_upstream_was_counted_where_it_arose(operator: Operator[Loss, Loss]) -> None:
    kernel, site = running(operator)
    out: Sequence[Loss] = kernel.feed([GAP, GAP])
    assert [loss.count for loss in out] == [2, 2]
    assert site.meter.entries() == []


def test_machines_that_have_nothing_left_to_do_are_dropped_once_a_second() -> None:
    made: list[str] = []

    class Idle(Joined):
        def __init__(self) -> None:
            super().__init__()
            made.append("")
            self.inherited = b""

        def tick(self, now_ns: int, /) -> Iterable[str]:
            return ()

        def idle(self) -> bool:
            return not self.words

        def legacy(self) -> bytes:
            return self.inherited + b"x"

        def inherit(self, legacy: bytes, /) -> None:
            self.inherited = legacy
            made.append(legacy.decode())

    kernel, site = running(by_key(Idle))
    second = 1_000_000_000
    kernel.tick(5 * second)
    kernel.feed(words("a:1 a:. b:2"))
    kernel.tick(5 * second + second // 2)
    kernel.feed(words("a:3 a:."))
    assert made.count("x") == 0
    kernel.tick(6 * second)
    kernel.feed(words("a:4 b:5"))
    assert made.count("x") == 1  # of `a`; `b` still holds a word
    assert kernel.finish() == ["2 5", "4"]
    assert lost(site) == []


class _Passing(Joined):
    """Is over where it holds nothing, and says what it has at each second tick."""

    def tick(self, now_ns: int, /) -> Iterable[str]:
        return self.finish() if now_ns % 2 == 0 else ()

    def idle(self) -> bool:
        return not self.words


def test_a_kernel_that_goes_on_drops_what_is_over_when_the_other_one_would() -> None:
    """Else a key that comes again is in another place, and so is what a tick makes of it."""
    first, second, now_ns = running(by_key(_Passing))[0], running(by_key(_Passing))[0], 10**15
    first.tick(now_ns)
    assert ["one ."] == first.feed(words("a:one a:. b:two"))
    second.restore(first.snapshot())
    for kernel in (first, second):
        assert [] == kernel.tick(now_ns + 1)
        kernel.feed(words("a:three b:four"))
        assert ["three", "two four"] == kernel.tick(now_ns + 2)
