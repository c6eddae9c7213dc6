"""A file that was cut short is refused before LMDB maps it: reading a page that is not there ends the process."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import lmdb
import pytest

import agentsight_rx.store.state
from agentsight_rx.errors import StoreError
from agentsight_rx.store.state import LmdbStore, Put, Table, is_lmdb
from agentsight_rx.store.state.lmdb_pages import is_truncated

ROWS = Table("rows", bytes)
ROOT = Path(agentsight_rx.store.state.__file__).parents[2]
READ_ALL = """
import sys
from agentsight_rx.errors import StoreError
from agentsight_rx.store.state import LmdbStore, Table
try:
    store = LmdbStore.open(sys.argv[1], readonly=True)
    rows = store.scan(Table("rows", bytes))
except StoreError as error:
    print("refused:", error)
else:
    print(len(rows))
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "run.lmdb"
    store = LmdbStore.open(path)
    for number in range(61):
        store.commit([Put(ROWS, (number, part), bytes(700 + 97 * number)) for part in range(7)])
    store.close()
    return path


def test_a_whole_store_is_not_cut(path: Path) -> None:
    assert not is_truncated(str(path))


def test_at_any_length_the_store_is_refused_or_whole_and_the_reader_lives(path: Path) -> None:
    size = path.stat().st_size
    for left in (size - 1, size - 4096, size * 3 // 4, size // 2, 20_000, 8192, 8191, 5000, 4096, 200, 17, 1):
        os.truncate(path, left)
        command = [sys.executable, "-c", READ_ALL, str(path)]
        done = subprocess.run(command, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True, check=False)
        assert done.returncode == 0, (left, done)
        assert done.stdout.startswith("refused:") or done.stdout == "427\n", (left, done.stdout)
        assert left == path.stat().st_size


def test_a_cut_store_is_a_clear_error_both_ways(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)
    before = path.read_bytes()
    for readonly in (True, False):
        with pytest.raises(StoreError, match="is cut short, pages of the store are missing: use a whole copy of it"):
            LmdbStore.open(path, readonly=readonly)
    assert before == path.read_bytes()


def test_a_free_page_behind_the_end_is_not_missing(path: Path) -> None:
    """The pages of what was deleted are not read, so the file may end before them."""
    with lmdb.open(str(path), subdir=False, lock=False) as environment, environment.begin(write=True) as txn:
        txn.put(b"z" * 20, bytes(90_000))
    with lmdb.open(str(path), subdir=False, lock=False) as environment, environment.begin(write=True) as txn:
        txn.delete(b"z" * 20)
    os.truncate(path, path.stat().st_size - 4096)
    assert not is_truncated(str(path))
    store = LmdbStore.open(path, readonly=True)
    assert len(store.scan(ROWS)) == 427
    store.close()


def test_what_is_no_store_is_left_to_lmdb(tmp_path: Path) -> None:
    for content in (b"", b"x", bytes(8192), b"SQLite format 3\0" * 1000):
        (tmp_path / "file").write_bytes(content)
        assert not is_truncated(str(tmp_path / "file"))
        assert not is_lmdb(str(tmp_path / "file"))


def test_a_store_is_known_by_its_beginning_and_a_pipe_is_not_read(path: Path) -> None:
    assert is_lmdb(str(path))
    pipe = path.parent / "pipe"
    os.mkfifo(pipe)
    assert not is_lmdb(str(pipe))
