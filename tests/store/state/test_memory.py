from __future__ import annotations

from agentsight_rx.store.state import MemoryStore, Put, Table

LISTS = Table("lists", list[int])


def test_a_value_that_was_read_is_not_the_one_in_the_store() -> None:
    store = MemoryStore()
    written = [1]
    store.commit([Put(LISTS, "a", written)])
    written.append(2)
    (read,) = [value for _, value in store.scan(LISTS)]
    read.append(3)
    assert store.get(LISTS, "a") == [1]


def test_two_stores_share_nothing() -> None:
    MemoryStore().commit([Put(LISTS, "a", [1])])
    assert MemoryStore().scan(LISTS) == []
