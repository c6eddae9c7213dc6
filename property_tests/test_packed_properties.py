"""A packed table says what a plain list of its rows says, in memory and on disk, after any changes and after a kill -9."""

from __future__ import annotations

import os
import random
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeAlias

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from msgspec import Struct

from agentsight_rx.store.state import Delete, LmdbStore, MemoryStore, Put, Table, Write, by_index, pages
from property_tests.killed_writer import write_and_be_killed
from property_tests.quick import fewer

Key: TypeAlias = tuple[int, str]


class Line(Struct, frozen=True, omit_defaults=True):
    kind: str
    pid: int | None = None
    target: str | None = None
    text: str = ""


LINES = Table(
    "lines",
    Line,
    {"kind": lambda row: row.kind, "pid": lambda row: row.pid, "target": lambda row: row.target},
    packed=True,
)
BESIDE = Table("lines2", str, packed=True)


class Task(Struct, frozen=True, omit_defaults=True):
    session: str | None = None
    time: int = -1
    text: str = ""


def _with_time(row: Task) -> tuple[str, int] | None:
    return None if row.session is None or row.time < 0 else (row.session, row.time)


# By an id that says nothing of the time
TASKS = Table(
    "tasks",
    Task,
    {"time": lambda row: None if row.time < 0 else row.time, "session": _with_time},
    packed=True,
    order="time",
    block_most=4000,
)
INDEXES = ("kind", "pid", "target")

times = st.integers(0, 9)
ids = st.sampled_from(["a", "b", "a\0", "p" * 300, "p" * 300 + "q", "p" * 600])
keys = st.tuples(times, ids)
# Of some rows one fills a block, so few rows make many blocks
texts = st.one_of(st.text("ab", max_size=3), st.integers(0, 99).map(lambda seed: random.Random(seed).randbytes(1500).hex()))
lines = st.builds(
    Line,
    st.sampled_from(["file", "process", "file process"]),
    st.none() | st.sampled_from([0, 1, 200, 70_000]),
    st.none() | st.sampled_from(["/a", "/a/b", "file"]),
    texts,
)


class SaysTheSame(RuleBasedStateMachine):
    """The stores beside a dict of all rows."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = TemporaryDirectory()
        self.path = Path(self.folder.name, "run.lmdb")
        self.memory = MemoryStore()
        self.disk = LmdbStore.open(self.path, dictionary=b"file process target text kind")
        self.rows: dict[Key, Line] = {}

    def teardown(self) -> None:
        self.disk.close()
        self.folder.cleanup()

    def commit(self, *writes: Write) -> None:
        for store in (self.memory, self.disk):
            store.commit(writes)

    def expected(self, reverse: bool = False) -> list[tuple[Key, Line]]:
        return sorted(self.rows.items(), key=lambda each: each[0], reverse=reverse)

    @rule(many=st.lists(st.tuples(keys, lines), max_size=6))
    def put_some(self, many: list[tuple[Key, Line]]) -> None:
        self.commit(*(Put(LINES, key, row) for key, row in many))
        self.rows |= dict(many)

    @rule(row=lines, count=st.integers(1, 40))
    def append_some(self, row: Line, count: int) -> None:
        """As a recording does: behind all others."""
        last = max(self.rows, default=(9, ""))[0]
        many = {(last + 1 + number, "a"): row for number in range(count)}
        self.commit(*(Put(LINES, key, row) for key, row in many.items()))
        self.rows |= many

    @rule(gone=st.lists(keys, max_size=3), row=lines, key=keys)
    def remove_some_and_put_one(self, gone: list[Key], row: Line, key: Key) -> None:
        self.commit(*(Delete(LINES, each, self.rows.get(each)) for each in gone), Put(LINES, key, row))
        for each in gone:
            self.rows.pop(each, None)
        self.rows[key] = row

    @rule(until=times)
    def remove_the_oldest(self, until: int) -> None:
        self.commit(*(Delete(LINES, key, row) for key, row in self.expected() if key[0] < until))
        self.rows = {key: row for key, row in self.rows.items() if key[0] >= until}

    @rule(readonly=st.booleans())
    def reopen(self, readonly: bool) -> None:
        self.disk.close()
        if readonly:
            self.disk = LmdbStore.open(self.path, readonly=True)
            self.all_rows_are_there()
            self.disk.close()
        self.disk = LmdbStore.open(self.path)

    @rule(key=keys, number=st.integers(0))
    def get(self, key: Key, number: int) -> None:
        some = [key, *sorted(self.rows)[number % (len(self.rows) + 1) :][:2]]
        for store in (self.memory, self.disk):
            assert [self.rows.get(each) for each in some] == store.get_all(LINES, some)

    @rule(
        time=st.none() | times,
        start=st.none() | keys,
        stop=st.none() | keys,
        reverse=st.booleans(),
        limit=st.none() | st.integers(0, 5),
    )
    def scan(self, time: int | None, start: Key | None, stop: Key | None, reverse: bool, limit: int | None) -> None:
        prefix = () if time is None else (time,)
        expected = [
            (key, row)
            for key, row in self.expected(reverse)
            if key[: len(prefix)] == prefix and (start is None or start <= key) and (stop is None or key < stop)
        ][:limit]
        for store in (self.memory, self.disk):
            assert expected == store.scan(LINES, prefix=prefix, start=start, stop=stop, reverse=reverse, limit=limit)

    @rule(
        row=lines,
        index=st.sampled_from(INDEXES),
        start=st.none() | times,
        stop=st.none() | keys,
        reverse=st.booleans(),
        limit=st.none() | st.integers(0, 20),
    )
    def find(self, row: Line, index: str, start: int | None, stop: Key | None, reverse: bool, limit: int | None) -> None:
        part = LINES.indexes[index](row)
        if not isinstance(part, str | int):
            return
        expected = [
            (key, each)
            for key, each in self.expected(reverse)
            if getattr(each, index) == part and (start is None or start <= key[0]) and (stop is None or key < stop)
        ][:limit]
        begin = None if start is None else (part, start)
        end = None if stop is None else (part, *stop)
        for store in (self.memory, self.disk):
            found = by_index(store, LINES, index, prefix=part, start=begin, stop=end, reverse=reverse, limit=limit)
            assert expected == list(found)

    @rule(index=st.sampled_from(INDEXES))
    def find_all(self, index: str) -> None:
        """Without a value, in the order of the values."""
        found = [(value, key) for key, row in self.expected() if (value := getattr(row, index)) is not None]
        for store in (self.memory, self.disk):
            assert [key for _, key in sorted(found)] == [key for key, _ in by_index(store, LINES, index)]

    @rule(text=st.text("ab", max_size=2))
    def put_beside(self, text: str) -> None:
        self.commit(Put(BESIDE, text, text))

    @invariant()
    def all_rows_are_there(self) -> None:
        for store in (self.memory, self.disk):
            assert self.expected() == list(pages(store, LINES))


tasks = st.builds(Task, st.none() | st.sampled_from("abc"), st.integers(-1, 40) | st.integers(2**64 - 2, 2**64 - 1), texts)
changes = st.lists(st.tuples(st.integers(0, 30).map(str), st.none() | tasks), max_size=12)
bounds = st.none() | st.integers(0, 41)


@settings(max_examples=fewer(200), deadline=None)
@given(
    st.lists(changes, max_size=8),
    st.none() | st.sampled_from("abc"),
    bounds,
    bounds,
    st.booleans(),
    st.none() | st.integers(0, 9),
)
def test_rows_are_found_in_the_order_of_time_where_their_keys_are_in_another(
    many: list[list[tuple[str, Task | None]]],
    session: str | None,
    start: int | None,
    stop: int | None,
    reverse: bool,
    limit: int | None,
) -> None:
    rows: dict[str, Task] = {}
    with TemporaryDirectory() as folder:
        disk, memory = LmdbStore.open(Path(folder, "run.lmdb")), MemoryStore()
        for some in many:
            for store in (memory, disk):
                store.commit([Delete(TASKS, key) if row is None else Put(TASKS, key, row) for key, row in some])
            for key, row in some:
                rows.pop(key, None)
                rows |= {} if row is None else {key: row}
        expected = sorted(
            (
                ((key,), row)
                for key, row in rows.items()
                if row.time >= 0
                and (session is None or row.session == session)
                and (start is None or start <= row.time)
                and (stop is None or row.time < stop)
            ),
            key=lambda each: (each[1].time, each[0]),
            reverse=reverse,
        )[:limit]
        front = () if session is None else (session,)
        index = "time" if session is None else "session"
        first, end = (None if bound is None else (*front, bound) for bound in (start, stop))
        for store in (memory, disk):
            assert sorted((key,) for key in rows) == [key for key, _ in pages(store, TASKS)]
            found = by_index(store, TASKS, index, prefix=front, start=first, stop=end, reverse=reverse, limit=limit)
            assert expected == list(found)
        disk.close()


TestSaysTheSame = SaysTheSame.TestCase
TestSaysTheSame.settings = settings(max_examples=fewer(100), stateful_step_count=25, deadline=None)


def batches(seed: int) -> list[list[Write]]:
    """Commits as of a recording: most rows are appended, some come late, some are withdrawn. The same for the same seed."""
    dice, time = random.Random(seed), 0

    def write() -> Write:
        nonlocal time
        time += dice.randrange(3)
        key = (max(0, time - dice.choice([0, 0, 0, 5, 50])), f"{dice.randrange(3)}")
        row = Line("file", dice.randrange(5), f"/{dice.randrange(50)}", dice.randbytes(dice.randrange(300)).hex())
        return Delete(LINES, key) if dice.random() < 0.1 else Put(LINES, key, row)

    return [[write() for _ in range(dice.randrange(1, 30))] for _ in range(199)]


@pytest.mark.slow
@settings(max_examples=5, deadline=None)
@given(seed=st.integers(0, 2**32), said=st.integers(1, 199))
def test_a_killed_writer_leaves_whole_commits_and_no_fewer_than_it_said(seed: int, said: int) -> None:
    with TemporaryDirectory() as folder:
        path = os.path.join(folder, "run.lmdb")
        write_and_be_killed(path, batches, seed, said)
        disk = LmdbStore.open(path)
        found = disk.scan(LINES)
        assert [row for row in found if row[1].pid == 3] == list(by_index(disk, LINES, "pid", prefix=3))
        disk.close()
        rows: dict[object, Line] = {}
        for number, batch in enumerate(batches(seed), start=1):
            for write in batch:
                if isinstance(write, Put):
                    rows[write.key] = write.value
                else:
                    rows.pop(write.key, None)
            if number >= said and sorted(rows.items(), key=str) == sorted(found, key=str):
                return
        raise AssertionError(f"what is on disk is not the outcome of {said} or more commits")
