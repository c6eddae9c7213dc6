"""What every store does, for both of them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import assert_type

import pytest
from msgspec import Struct

from agentsight_rx.errors import StoreError
from agentsight_rx.store.state import Delete, LmdbStore, MemoryStore, Part, Put, Store, Table


class Span(Struct, frozen=True):
    name: str
    at: tuple[int, ...] = ()


SPANS = Table("spans", Span)
NAMES = Table("names", str)
LONG = "p" * 600


@pytest.fixture(params=["memory", "lmdb"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    store = MemoryStore() if request.param == "memory" else LmdbStore.open(tmp_path / "run.lmdb")
    yield store
    store.close()


def put_names(store: Store, *keys: Part | tuple[Part, ...]) -> None:
    store.commit([Put(NAMES, key, str(key)) for key in keys])


def test_a_row_comes_back_as_it_was_written(store: Store) -> None:
    store.commit([Put(SPANS, (1, "a"), Span("x", (1, 2)))])
    row = store.get(SPANS, (1, "a"))
    assert_type(row, Span | None)
    assert Span("x", (1, 2)) == row


def test_a_key_without_a_row_gives_none(store: Store) -> None:
    put_names(store, "a")
    assert store.get(NAMES, "b") is None
    assert store.get(SPANS, "a") is None


def test_many_rows_are_read_at_once_in_the_order_that_was_asked_for(store: Store) -> None:
    put_names(store, "b", "a", LONG)
    assert store.get_all(NAMES, ["a", "none", LONG, ("b",), "a"]) == ["a", None, LONG, "b", "a"]
    assert store.get_all(NAMES, []) == []


def test_a_second_put_replaces_the_first(store: Store) -> None:
    store.commit([Put(NAMES, 1, "old")])
    store.commit([Put(NAMES, 1, "new")])
    assert store.scan(NAMES) == [((1,), "new")]


def test_writes_of_one_commit_apply_in_order(store: Store) -> None:
    store.commit(
        [Put(NAMES, 1, "a"), Delete(NAMES, 1), Delete(NAMES, 2), Put(NAMES, 2, "b"), Put(NAMES, 3, "c"), Put(NAMES, 3, "d")]
    )
    assert store.scan(NAMES) == [((2,), "b"), ((3,), "d")]


def test_deleting_what_is_not_there_does_nothing(store: Store) -> None:
    store.commit([Delete(NAMES, 1)])
    store.commit([])
    assert store.scan(NAMES) == []


def test_a_commit_that_fails_changes_nothing(store: Store) -> None:
    with pytest.raises(OverflowError):
        put_names(store, 1, -1)
    with pytest.raises(TypeError):
        store.commit([Put(NAMES, 1, "a"), Put(Table("objects", object), 1, object())])
    assert store.scan(NAMES) == []


def test_a_scan_gives_keys_and_values_in_the_order_of_the_keys(store: Store) -> None:
    put_names(store, 256, "b", 1, ("a", 2), "a", b"z")
    rows = store.scan(NAMES)
    assert_type(rows, list[tuple[tuple[Part, ...], str]])
    assert [key for key, _ in rows] == [(1,), (256,), (b"z",), ("a",), ("a", 2), ("b",)]
    assert rows[4][1] == "('a', 2)"


def test_tables_do_not_mix(store: Store) -> None:
    others = [Table(name, str) for name in ("name", "names2", "names\0")]
    put_names(store, "a")
    store.commit([Put(table, "a", table.name) for table in others])
    assert store.scan(NAMES) == [(("a",), "a")]
    assert [[(("a",), table.name)] for table in others] == [store.scan(table) for table in others]


def test_a_prefix_is_of_whole_parts(store: Store) -> None:
    put_names(store, ("a", 1), ("a", 2), ("ab", 1), "a", "a\0", ("b", 1), ("a\0b", 1))
    assert [key for key, _ in store.scan(NAMES, prefix="a")] == [("a",), ("a", 1), ("a", 2)]
    assert [key for key, _ in store.scan(NAMES, prefix=("a", 2))] == [("a", 2)]


def test_start_is_included_and_stop_is_not(store: Store) -> None:
    put_names(store, 1, 2, (2, "x"), 3, (3, "x"))
    assert [key for key, _ in store.scan(NAMES, start=2, stop=3)] == [(2,), (2, "x")]
    assert store.scan(NAMES, start=3, stop=2) == []


def test_a_range_may_lie_within_a_prefix(store: Store) -> None:
    put_names(store, ("a", 1), ("a", 2), ("a", 3), ("b", 2))
    assert [key for key, _ in store.scan(NAMES, prefix="a", start=("a", 2), stop="z")] == [("a", 2), ("a", 3)]


def test_reverse_gives_the_last_first(store: Store) -> None:
    put_names(store, 1, 2, 3)
    store.commit([Put(SPANS, 1, Span("behind"))])
    assert [key for key, _ in store.scan(NAMES, stop=3, reverse=True)] == [(2,), (1,)]
    assert [key for key, _ in store.scan(NAMES, reverse=True, limit=2)] == [(3,), (2,)]


def test_a_limit_is_how_many_at_most(store: Store) -> None:
    put_names(store, 1, 2, 3)
    assert [len(store.scan(NAMES, limit=limit)) for limit in (0, 2, 9)] == [0, 2, 3]


def test_long_keys_are_found_and_come_back_whole(store: Store) -> None:
    put_names(store, (LONG, 1), (LONG, 2))
    assert str((LONG, 2)) == store.get(NAMES, (LONG, 2))
    assert store.get(NAMES, (LONG, 3)) is None
    store.commit([Delete(NAMES, (LONG, 1))])
    assert [((LONG, 2), str((LONG, 2)))] == store.scan(NAMES)


def test_long_keys_are_in_order_with_prefix_range_and_limit(store: Store) -> None:
    put_names(store, *((LONG, number) for number in range(20)), (LONG + "q", 3), "p", "q")
    assert [(LONG, number) for number in range(20)] == [key for key, _ in store.scan(NAMES, prefix=LONG)]
    assert [key for key, _ in store.scan(NAMES, start=(LONG, 5), stop=(LONG, 9), limit=2)] == [(LONG, 5), (LONG, 6)]
    assert [key for key, _ in store.scan(NAMES, reverse=True, limit=3)] == [("q",), (LONG + "q", 3), (LONG, 19)]


def test_long_keys_are_found_whatever_the_length_of_the_bounds(store: Store) -> None:
    for size in range(450, 520):
        front = "p" * size
        put_names(store, (front, b"p" * 600))
        for reverse in (False, True):
            found = store.scan(NAMES, start=(front, b"a"), stop=(front, "ab"), reverse=reverse)
            assert [key for key, _ in found] == [(front, b"p" * 600)]


def test_a_row_of_another_shape_is_an_error(store: Store) -> None:
    store.commit([Put(NAMES, 1, "a")])
    with pytest.raises(StoreError):
        store.get(Table("names", Span), 1)


def test_sync_and_a_second_close_do_no_harm(store: Store) -> None:
    put_names(store, 1)
    store.sync()
    store.close()
    store.close()
