from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import lmdb
import msgspec
import pytest

from agentsight_rx.errors import StoreError
from agentsight_rx.store.state import LmdbStore, Put, Store, Table
from agentsight_rx.store.state.lmdb_rows import DICTIONARY, Values

TYPICAL = msgspec.msgpack.encode({"start_timestamp_ms": 1, "end_timestamp_ms": 2, "provider": "anthropic", "model": "large"})
ROWS = Table[dict[str, int | str]]("rows", dict)


def row(number: int) -> dict[str, int | str]:
    return {"start_timestamp_ms": number, "end_timestamp_ms": number, "provider": "anthropic", "model": f"model {number}"}


@pytest.mark.parametrize("value", [b"", b"\x01", b"x" * 48, msgspec.msgpack.encode(row(5)), bytes(range(256)), bytes(50_000)])
def test_a_value_comes_back_as_it_was(value: bytes) -> None:
    for values in (Values(), Values(TYPICAL)):
        assert value == values.unpack(values.pack(value))


def test_a_row_like_the_typical_ones_takes_a_third() -> None:
    value = msgspec.msgpack.encode(row(5))
    assert len(Values(TYPICAL).pack(value)) < len(value) / 2.5
    assert value == Values().pack(value)


def test_what_is_broken_is_a_clear_error() -> None:
    packed = Values(TYPICAL).pack(msgspec.msgpack.encode(row(5)))
    for values, raw in ((Values(), packed), (Values(TYPICAL), packed[:-3]), (Values(TYPICAL), b"\xc1")):
        with pytest.raises(StoreError, match="use a whole copy of it"):
            values.unpack(raw)


def test_a_store_keeps_its_dictionary_and_is_read_by_it(tmp_path: Path) -> None:
    path = tmp_path / "run.lmdb"
    store = LmdbStore.open(path, dictionary=TYPICAL)
    store.commit([Put(ROWS, number, row(number)) for number in range(97)])
    small = store.used()
    store.close()
    store = LmdbStore.open(path, readonly=True)
    assert [((number,), row(number)) for number in range(97)] == store.scan(ROWS)
    assert (row(7), TYPICAL) == (store.get(ROWS, 7), store.get(DICTIONARY, 0))
    store.close()
    store = LmdbStore.open(path, dictionary=b"another release has other rows")
    store.commit([Put(ROWS, 5, row(500))])
    assert [row(500), row(6)] == [store.get(ROWS, number) for number in (5, 6)]
    store.close()
    plain = LmdbStore.open(tmp_path / "plain.lmdb")
    plain.commit([Put(ROWS, number, row(number)) for number in range(97)])
    assert small < plain.used()
    plain.close()


def test_an_upgraded_store_gets_a_dictionary(tmp_path: Path) -> None:
    path = tmp_path / "run.lmdb"
    with lmdb.open(str(path), subdir=False, lock=False) as environment, environment.begin(write=True) as txn:
        for name, value in (("product", "agentsight-rx"), ("schema_version", 1)):
            txn.put(Table("meta", int).key(name), msgspec.msgpack.encode(value))

    def upgrade(store: Store) -> None:
        store.commit([Put(ROWS, 1, row(1))])

    store = LmdbStore.open(path, upgrades={1: upgrade, 2: lambda _: None}, dictionary=TYPICAL)
    assert (TYPICAL, row(1)) == (store.get(DICTIONARY, 0), store.get(ROWS, 1))
    store.close()


def test_threads_read_at_once(tmp_path: Path) -> None:
    store = LmdbStore.open(tmp_path / "run.lmdb", dictionary=TYPICAL)
    store.commit([Put(ROWS, number, row(number)) for number in range(97)])
    expected = store.scan(ROWS)
    with ThreadPoolExecutor(4) as threads:
        assert all(reading.result() == expected for reading in [threads.submit(store.scan, ROWS) for _ in range(40)])
    store.close()
