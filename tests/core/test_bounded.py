"""A table of at most so many entries."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from agentsight_rx.core.bounded import Recent


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
