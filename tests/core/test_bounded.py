"""A table of at most so many entries."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from agentsight_rx.core.bounded import Recent, Weighed


def table(*keys: str, most: int = 3) -> Recent[str, int]:
    made: Recent[str, int] = Recent(most)
    for value, key in enumerate(keys):
        made.put(key, value)
    return made


def test_the_one_not_used_for_longest_makes_way() -> None:
    some = table("a", "b", "c")
    assert some.use("a") == 0
    assert some.put("d", 3) == ("b", 1)
    assert list(some) == ["c", "a", "d"]


def test_to_set_a_key_again_is_a_use_and_takes_no_room() -> None:
    some = table("a", "b", "c")
    assert some.put("a", 9) is None
    assert list(some.items()) == [("b", 1), ("c", 2), ("a", 9)]


def test_what_is_not_there_is_made_once_and_the_one_not_used_for_longest_makes_way() -> None:
    some = table("a", "b", "c")
    made = iter((7, 8))
    assert [some.use_or_make(key, lambda: next(made)) for key in ("a", "d", "d")] == [0, 7, 7]
    assert list(some.items()) == [("c", 2), ("a", 0), ("d", 7)]


def test_a_look_is_no_use() -> None:
    some = table("a", "b")
    assert (some.get("a"), some["a"], some.use("z")) == (0, 0, None)
    assert some.pop_oldest() == ("a", 0)
    assert some.oldest == 1
    assert table().oldest is None


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 7))), st.integers(1, 4))
def test_it_holds_the_keys_used_last(steps: list[tuple[bool, int]], most: int) -> None:
    some: Recent[int, int] = Recent(most)
    order: list[int] = []
    for put, key in steps:
        if put:
            gone = some.put(key, key)
            order = [*(other for other in order if other != key), key]
            assert gone == ((order[0], order[0]) if len(order) > most else None)
            order = order[-most:]
        elif some.use(key) is not None:
            order = [*(other for other in order if other != key), key]
        assert list(some) == order


def weights(table: Weighed[str, int]) -> list[tuple[str, int]]:
    return list(table.newest_first())[::-1]


def test_older_entries_make_way_for_weight_and_for_number() -> None:
    some: Weighed[str, int] = Weighed(3, 10, int)
    for key, weight in (("a", 2), ("b", 3), ("c", 4)):
        some.put(key, weight)
    assert some.use("a") == 2
    some.put("d", 1)
    assert weights(some) == [("c", 4), ("a", 2), ("d", 1)]
    some.put("e", 8)
    assert weights(some) == [("d", 1), ("e", 8)]
    assert (some.get("d"), some.get("c"), some.use("c"), len(some)) == (1, None, None, 2)


def test_the_newest_may_stay_whatever_it_weighs() -> None:
    strict: Weighed[str, int] = Weighed(3, 10, int)
    mild: Weighed[str, int] = Weighed(3, 10, int, least=1)
    for some in (strict, mild):
        some.put("a", 1)
        some.put("b", 11)
    assert (weights(strict), weights(mild)) == ([], [("b", 11)])


@given(st.lists(st.tuples(st.sampled_from(["put", "pop", "use", "clear"]), st.integers(0, 4), st.integers(0, 9))))
def test_its_weight_is_that_of_its_entries(steps: list[tuple[str, int, int]]) -> None:
    some: Weighed[int, int] = Weighed(3, 12, lambda value: value + 1)
    known: list[tuple[int, int]] = []  # the oldest first
    for step, key, value in steps:
        found = [pair for pair in known if pair[0] == key]
        rest = [pair for pair in known if pair[0] != key]
        if step == "put":
            some.put(key, value)
            known = [*rest, (key, value)][-3:]
            while sum(weight + 1 for _, weight in known) > 12:
                known.pop(0)
        elif step == "pop":
            some.pop(key)
            known = rest
        elif step == "use":
            some.use(key)
            known = rest + found
        else:
            some.clear()
            known = []
        assert list(some.newest_first()) == known[::-1]
