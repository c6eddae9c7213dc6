"""What is found by an index, in both stores and in one without indexes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from msgspec import Struct

from agentsight_rx.store.state import Delete, LmdbStore, MemoryStore, Part, Put, Store, Table, by_index

LONG = "/" + "p" * 600


class Call(Struct, frozen=True):
    model: str | None
    pid: int = 1
    path: str = ""


CALLS = Table(
    "calls",
    Call,
    {"model": lambda row: row.model, "pid": lambda row: (row.pid, row.path), "path": lambda row: row.path or None},
)


class Without(MemoryStore):
    """As a store of a schema that had none, opened to read."""

    @property
    def indexed(self) -> bool:
        return False


@pytest.fixture(params=["memory", "lmdb", "without"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    kinds: dict[str, Callable[[], Store]] = {
        "memory": MemoryStore,
        "without": Without,
        "lmdb": lambda: LmdbStore.open(tmp_path / "run.lmdb"),
    }
    store = kinds[request.param]()
    yield store
    store.close()


def keys(store: Store, index: str, prefix: Part | tuple[Part, ...] = (), **bounds: object) -> list[tuple[Part, ...]]:
    return [key for key, _ in by_index(store, CALLS, index, prefix=prefix, **bounds)]  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


def test_rows_are_found_by_each_index_in_the_order_of_their_keys(store: Store) -> None:
    store.commit([Put(CALLS, (number, "id"), Call("ab"[number % 2], pid=number % 3)) for number in range(7)])
    assert [(1, "id"), (3, "id"), (5, "id")] == keys(store, "model", "b")
    assert [(0, "id"), (3, "id"), (6, "id")] == keys(store, "pid", 0)
    assert [Call("b", 1)] == [row for _, row in by_index(store, CALLS, "model", prefix="b", limit=1)]


def test_a_row_without_the_value_is_not_found(store: Store) -> None:
    store.commit([Put(CALLS, 1, Call(None)), Put(CALLS, 2, Call("m"))])
    assert [(2,)] == keys(store, "model")


def test_a_row_that_changed_is_found_by_what_it_is_now(store: Store) -> None:
    store.commit([Put(CALLS, 1, Call("old")), Put(CALLS, 2, Call("old"))])
    store.commit([Put(CALLS, 1, Call("new"))])
    assert ([(2,)], [(1,)]) == (keys(store, "model", "old"), keys(store, "model", "new"))
    assert [(2,)] == keys(store, "model", "old", limit=1)


def test_a_row_that_was_deleted_is_not_found(store: Store) -> None:
    store.commit([Put(CALLS, number, Call("m")) for number in (1, 2, 3)])
    store.commit([Delete(CALLS, 1), Delete(CALLS, 2, Call("m"))])
    assert [(3,)] == keys(store, "model", "m")


def test_a_delete_that_knows_the_row_leaves_nothing_in_the_indexes() -> None:
    store = MemoryStore()
    store.commit([Put(CALLS, 1, Call("m", path="x"))])
    store.commit([Delete(CALLS, 1, Call("m", path="x"))])
    assert store.used() == 0


def test_ranges_reverse_and_limit(store: Store) -> None:
    store.commit([Put(CALLS, number, Call("m", pid=number)) for number in range(1, 8)])
    assert [(3,), (4,)] == keys(store, "pid", start=3, stop=5)
    assert [(7,), (6,)] == keys(store, "pid", reverse=True, limit=2)
    assert [] == keys(store, "pid", limit=0)


def test_long_paths_are_found(store: Store) -> None:
    store.commit([Put(CALLS, number, Call("m", path=LONG + str(number % 2))) for number in range(6)])
    assert [(1,), (3,), (5,)] == keys(store, "path", LONG + "1")
    assert [(5,)] == keys(store, "path", LONG + "1", reverse=True, limit=1)


def test_more_than_a_page_is_found(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agentsight_rx.store.state.indexes._PAGE", 7)
    store.commit([Put(CALLS, number, Call("m" if number % 3 else "n", pid=5)) for number in range(100)])
    store.commit([Put(CALLS, number, Call("x", pid=5)) for number in range(50)])
    assert [(number,) for number in range(50, 100) if number % 3] == keys(store, "model", "m")
    assert [(number,) for number in range(99, 49, -1) if number % 3][:20] == keys(store, "model", "m", reverse=True, limit=20)
