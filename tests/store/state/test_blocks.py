"""Rows of packed tables in blocks: how many bytes they take, how blocks are cut, and what a commit writes again."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from msgspec import Struct

from agentsight_rx.errors import StoreError
from agentsight_rx.store.state import Delete, LmdbStore, MemoryStore, Put, Table, by_index
from agentsight_rx.store.state.block_heads import BlockHeads
from agentsight_rx.store.state.blocks import Blocks, Change
from agentsight_rx.store.state.lmdb_rows import Values
from agentsight_rx.store.state.memory import SortedRows
from agentsight_rx.store.state.sent import Written
from agentsight_rx.store.state.table import encode_key

PAGE = 4096 - 16


class Line(Struct, frozen=True, omit_defaults=True):
    id: str
    kind: str
    path: str | None = None
    text: str = ""


LINES = Table("lines", Line, {"kind": lambda row: row.kind, "path": lambda row: row.path}, packed=True)
SINGLE = Table("lines", Line, LINES.indexes)
TIMED = Table(
    "timed", Line, {"time": lambda row: len(row.text), "kind": lambda row: (row.kind, len(row.text))}, packed=True, order="time"
)
SMALL = Table("small", Line, packed=True, block_most=5000)


def line(number: int, kind: str = "file") -> Line:
    return Line(f"line-{number:016x}-open", kind, f"/src/include/{number % 97}.h", f"open /src/include/{number % 97}.h")


class Kept:
    """Blocks over bytes, and the size of what each change wrote."""

    def __init__(self) -> None:
        self.rows = SortedRows()
        self.blocks = Blocks(self.rows, Values(), BlockHeads(), Written())

    def put(self, *numbers: int) -> dict[bytes, bytes | None]:
        rows = {number: line(number) for number in numbers}
        encode = msgspec.msgpack.encode
        return self.change({encode_key(number): Change(encode(row), LINES.head(row)) for number, row in rows.items()})

    def change(self, changes: dict[bytes, Change]) -> dict[bytes, bytes | None]:
        written = dict(self.blocks.changed(LINES, changes))
        self.rows.change(written)
        return written

    def sizes(self) -> list[int]:
        return [len(raw) for _, raw in self.rows.walk(b"", b"\xff")]


def test_rows_together_take_a_tenth_of_what_they_take_alone(tmp_path: Path) -> None:
    packed, single = LmdbStore.open(tmp_path / "packed.lmdb"), LmdbStore.open(tmp_path / "single.lmdb")
    for begin in range(0, 5000, 25):
        packed.commit([Put(LINES, (number, f"{number}"), line(number)) for number in range(begin, begin + 25)])
        single.commit([Put(SINGLE, (number, f"{number}"), line(number)) for number in range(begin, begin + 25)])
    assert packed.used() * 10 < single.used()
    assert [row for _, row in packed.scan(LINES)] == [row for _, row in single.scan(SINGLE)]
    packed.close()
    single.close()


def test_appended_rows_fill_their_blocks() -> None:
    kept = Kept()
    for begin in range(0, 20_000, 25):
        kept.put(*range(begin, begin + 25))
    *full, _ = kept.sizes()
    assert len(full) > 10
    assert all(PAGE * 0.85 < size <= PAGE for size in full)


def test_so_do_rows_that_are_appended_before_others() -> None:
    kept = Kept()
    kept.put(*range(1_000_000, 1_000_050))
    for begin in range(0, 20_000, 25):
        kept.put(*range(begin, begin + 25))
    *full, _, _ = kept.sizes()
    assert all(PAGE * 0.85 < size <= PAGE for size in full)


def test_many_rows_at_once_fill_them_too() -> None:
    kept = Kept()
    kept.put(*range(20_000))
    *full, _ = kept.sizes()
    assert all(PAGE * 0.85 < size <= PAGE for size in full)


def test_a_commit_writes_the_blocks_of_its_rows_and_no_others() -> None:
    kept = Kept()
    kept.put(*range(20_000))
    for numbers in ((20_001,), (12_345,), range(20_001, 20_026)):
        written = kept.put(*numbers)
        assert len(written) <= 3
        assert sum(len(raw) for raw in written.values() if raw is not None) <= 3 * PAGE


def test_a_commit_that_changes_nothing_writes_nothing() -> None:
    kept = Kept()
    kept.put(*range(100))
    assert kept.put(7) == {}
    assert kept.change({encode_key(1000): Change(None)}) == {}


def test_a_block_without_rows_is_gone() -> None:
    store = MemoryStore()
    store.commit([Put(LINES, number, line(number)) for number in range(5000)])
    store.commit([Delete(LINES, number) for number in range(5000)])
    assert (store.used(), store.scan(LINES), store.get(LINES, 7)) == (0, [], None)


def test_rows_that_compress_to_nothing_do_not_make_a_block_that_takes_much_memory() -> None:
    kept = Kept()
    kept.change({encode_key(number): Change(b"x" * 5000) for number in range(1000)})
    assert 50 < len(kept.sizes()) < 60


def test_so_do_blocks_of_which_a_commit_shall_write_little() -> None:
    store = MemoryStore()
    for begin in range(0, 1000, 5):
        store.commit([Put(SMALL, number, line(number)) for number in range(begin, begin + 5)])
    written = store.used()
    store.commit([Put(SMALL, 1000, line(1000))])
    assert 0 < store.used() - written < 100
    rows = SortedRows()
    blocks = Blocks(rows, Values(), BlockHeads(), Written())
    rows.change(dict(blocks.changed(SMALL, {encode_key(number): Change(b"x" * 500) for number in range(1000)})))
    assert 100 < len(list(rows.walk(b"", b"\xff"))) < 130


def test_a_row_that_is_larger_than_a_page_is_a_block_of_its_own() -> None:
    store = MemoryStore()
    rows = {
        number: Line("x", "file", text=bytes((number * at * at) % 251 for at in range(9000)).hex()) for number in range(1, 5)
    }
    store.commit([Put(LINES, number, row) for number, row in rows.items()])
    assert rows == {key[0]: row for key, row in store.scan(LINES)}


@pytest.mark.parametrize("reverse", [False, True])
def test_keys_that_begin_alike_for_long_are_in_order(tmp_path: Path, reverse: bool) -> None:
    store = LmdbStore.open(tmp_path / "run.lmdb")
    keys = [("p" * size, number) for size in (10, 250, 300, 600) for number in range(200)]
    for number in (1, 0):
        store.commit([Put(LINES, key, line(at * at, f"{at % 3}")) for at, key in enumerate(keys) if at % 2 == number])
    assert sorted(keys, reverse=reverse) == [key for key, _ in store.scan(LINES, reverse=reverse)]
    found = list(by_index(store, LINES, "kind", prefix="1", start=("1", "p" * 300), reverse=reverse))
    assert sorted((key for at, key in enumerate(keys) if at % 3 == 1 and at >= 400), reverse=reverse) == [
        key for key, _ in found
    ]
    assert [line(500 * 500, "2")] == [store.get(LINES, keys[500])]
    store.close()


def test_a_row_is_found_by_what_it_is_now_also_where_its_block_was_cut() -> None:
    store = MemoryStore()
    store.commit([Put(LINES, number, line(number, "old")) for number in range(0, 4000, 2)])
    store.commit([Put(LINES, number, line(number, "new")) for number in range(1000, 3000)])
    found = {kind: [key[0] for key, _ in by_index(store, LINES, "kind", prefix=kind)] for kind in ("old", "new", "none")}
    assert found == {
        "old": [*range(0, 1000, 2), *range(3000, 4000, 2)],
        "new": list(range(1000, 3000)),
        "none": [],
    }


def test_bounds_of_another_value_leave_no_row() -> None:
    store = MemoryStore()
    store.commit([Put(LINES, number, line(number)) for number in range(9)])
    store.commit([Put(TIMED, f"{number}", line(number)) for number in range(9)])
    for bounds in ({"start": ("other",)}, {"start": ("other", 1)}, {"stop": ("a",)}, {"stop": ("a", 9)}, {"limit": 0}):
        for table in (LINES, TIMED):
            assert [] == list(by_index(store, table, "kind", prefix="file", **bounds))  # pyright: ignore[reportArgumentType]


def test_a_broken_block_is_a_clear_error() -> None:
    kept = Kept()
    kept.put(*range(100))
    for broken in (b"no frame", Values().compress(b"no rows")):
        kept.rows.change({key: b"\0" + broken for key, _ in list(kept.rows.walk(b"", b"\xff"))})
        with pytest.raises(StoreError, match="use a whole copy of it"):
            kept.blocks.get(LINES, 5)
