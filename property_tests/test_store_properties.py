"""Keys sort and come back as they should; the store in memory and the one on disk agree, also after a kill -9."""

from __future__ import annotations

import os
import random
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeAlias

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from msgspec import Struct

from agentsight_rx.store.state import Delete, Key, LmdbStore, MemoryStore, Part, Put, Table, Write
from agentsight_rx.store.state.table import KEPT, LONGEST_KEY, decode_key, encode_key, shorten
from property_tests.killed_writer import write_and_be_killed
from property_tests.quick import fewer

Parts: TypeAlias = tuple[Part, ...]


class Row(Struct, frozen=True):
    number: int
    content: bytes = b""


ROWS = Table("rows", Row)
TEXTS = Table("rows\0texts", str)
TABLES: tuple[Table[Any], ...] = (ROWS, TEXTS)

# Few letters, among them those that the encoding treats as special, so that keys meet; some near and over LMDB's limit.
texts = st.text("ab\0\xff\ud800\U0001f600", max_size=3)
long_texts = st.tuples(st.sampled_from([470, 479, 495, 502, 600]), texts).map(lambda pair: "p" * pair[0] + pair[1])
parts = st.one_of(
    st.integers(0, 2),
    st.integers(0, 2**64 - 1),
    texts,
    st.binary(max_size=2),
    long_texts,
    long_texts.map(lambda text: text.encode("utf-8", "surrogatepass")),
)
keys = st.lists(parts, max_size=3).map(tuple[Part, ...])
row_writes = st.builds(Put[Row], st.just(ROWS), keys, st.builds(Row, st.integers(0, 99), st.binary(max_size=3)))
text_writes = st.builds(Put[str], st.just(TEXTS), keys, st.text("ab", max_size=3))
deletes = st.builds(Delete, st.sampled_from(TABLES), keys)


def in_order(key: Parts) -> list[tuple[int, Part]]:
    """The order that `encode_key` promises, said in Python."""
    return [(0 if isinstance(part, int) else 1 if isinstance(part, bytes) else 2, part) for part in key]


@given(st.lists(keys, max_size=8))
def test_bytes_sort_like_keys(many: list[Parts]) -> None:
    assert sorted(many, key=in_order) == sorted(many, key=encode_key)


@given(keys)
def test_a_key_comes_back(key: Parts) -> None:
    assert key == decode_key(encode_key(key))


@given(keys, keys)
def test_bytes_lie_within_the_bounds_of_a_prefix_only_if_the_key_begins_with_it(key: Parts, prefix: Parts) -> None:
    for candidate in (key, prefix + key):
        low, high = ROWS.bounds(prefix, None, None)
        assert (candidate[: len(prefix)] == prefix) == (low <= ROWS.key(candidate) < high)


@given(keys, keys)
def test_shortened_keys_fit_stay_apart_and_keep_their_front(one: Parts, other: Parts) -> None:
    raw, short = encode_key(one), shorten(encode_key(one))
    assert len(short) <= LONGEST_KEY
    assert raw[:KEPT] == short[:KEPT]
    assert (one == other) == (short == shorten(encode_key(other)))


class StoresAgree(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.folder = TemporaryDirectory()
        self.path = Path(self.folder.name, "run.lmdb")
        self.memory = MemoryStore()
        self.disk = LmdbStore.open(self.path)

    def teardown(self) -> None:
        self.disk.close()
        self.folder.cleanup()

    @rule(write=st.one_of(row_writes, text_writes, deletes))
    def write_one(self, write: Write) -> None:
        self.write_many([write])

    @rule(writes=st.lists(st.one_of(row_writes, text_writes, deletes), max_size=8))
    def write_many(self, writes: list[Write]) -> None:
        for store in (self.memory, self.disk):
            store.commit(writes)

    @rule(number=st.integers(0), table=st.sampled_from(TABLES))
    def delete_one_that_is_there(self, number: int, table: Table[Any]) -> None:
        if rows := self.memory.scan(table):
            self.write_many([Delete(table, rows[number % len(rows)][0])])

    @rule(key=keys, table=st.sampled_from(TABLES))
    def get(self, key: Parts, table: Table[Any]) -> None:
        assert self.memory.get(table, key) == self.disk.get(table, key)

    @rule(some=st.lists(keys, max_size=4), table=st.sampled_from(TABLES))
    def get_all(self, some: list[Parts], table: Table[Any]) -> None:
        expected = [self.memory.get(table, key) for key in some]
        assert expected == self.memory.get_all(table, some) == self.disk.get_all(table, some)

    @rule(
        table=st.sampled_from(TABLES),
        prefix=st.one_of(st.just(()), keys, parts),
        start=st.none() | keys,
        stop=st.none() | keys,
        reverse=st.booleans(),
        limit=st.none() | st.integers(0, 5),
    )
    def scan(
        self,
        table: Table[Any],
        prefix: Key,
        start: Parts | None,
        stop: Parts | None,
        reverse: bool,
        limit: int | None,
    ) -> None:
        expected = [
            (key, value)
            for key, value in self.memory.scan(table)
            if key[: len(as_parts(prefix))] == as_parts(prefix)
            and (start is None or in_order(start) <= in_order(key))
            and (stop is None or in_order(key) < in_order(stop))
        ]
        expected = (expected[::-1] if reverse else expected)[:limit]
        for store in (self.memory, self.disk):
            assert expected == store.scan(table, prefix=prefix, start=start, stop=stop, reverse=reverse, limit=limit)

    @rule(number=st.integers(0), reverse=st.booleans(), limit=st.integers(1, 5))
    def scan_from_a_key_that_is_there(self, number: int, reverse: bool, limit: int) -> None:
        if rows := self.memory.scan(ROWS):
            key = rows[number % len(rows)][0]
            self.scan(ROWS, key[:1], key, None, reverse, limit)
            self.scan(ROWS, (), None, key, reverse, limit)

    @rule(readonly=st.booleans())
    def reopen(self, readonly: bool) -> None:
        self.disk.close()
        if readonly:
            self.disk = LmdbStore.open(self.path, readonly=True)
            self.both_hold_the_same()
            self.disk.close()
        self.disk = LmdbStore.open(self.path)

    @invariant()
    def both_hold_the_same(self) -> None:
        for table in TABLES:
            assert self.memory.scan(table) == self.disk.scan(table)


TestStoresAgree = StoresAgree.TestCase
TestStoresAgree.settings = settings(max_examples=fewer(100), stateful_step_count=25, deadline=None)


def as_parts(key: Key) -> Parts:
    return key if isinstance(key, tuple) else (key,)


def batches(seed: int) -> list[list[Write]]:
    """A few hundred commits that overwrite and delete each other's rows, the same ones for the same seed."""
    dice = random.Random(seed)

    def write() -> Write:
        key = (dice.randrange(20), "p" * dice.choice([1, 480, 600]))
        return (
            Delete(ROWS, key) if dice.random() < 0.3 else Put(ROWS, key, Row(dice.randrange(1000), b"x" * dice.randrange(5000)))
        )

    return [[write() for _ in range(dice.randrange(1, 9))] for _ in range(499)]


@pytest.mark.slow
@settings(max_examples=7, deadline=None)
@given(seed=st.integers(0, 2**32), said=st.integers(1, 499))
def test_a_killed_writer_leaves_a_whole_number_of_commits_and_no_fewer_than_it_said(seed: int, said: int) -> None:
    with TemporaryDirectory() as folder:
        path = os.path.join(folder, "run.lmdb")
        write_and_be_killed(path, batches, seed, said)
        disk, memory = LmdbStore.open(path), MemoryStore()
        found = disk.scan(ROWS)
        disk.close()
        for number, batch in enumerate(batches(seed), start=1):
            memory.commit(batch)
            if number >= said and memory.scan(ROWS) == found:
                return
        raise AssertionError(f"what is on disk is not the outcome of {said} or more commits")
