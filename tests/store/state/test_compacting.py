"""A store without its free pages: what is in it stays, and no one has it open meanwhile."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentsight_rx.errors import StoreError, UnwritableError
from agentsight_rx.store.state import Delete, LmdbStore, Put, Table, compact
from agentsight_rx.store.state.lmdb_store import META
from tests.disks import fill, small_disk

NUMBERS = Table("numbers", str)


def written(path: Path, rows: int, *, kept: int) -> Path:
    store = LmdbStore.open(path)
    store.commit([Put(NUMBERS, number, f"{number} " * 200) for number in range(rows)])
    store.commit([Delete(NUMBERS, number) for number in range(rows - kept)])
    store.close()
    return path


def rows_of(path: Path) -> dict[object, str]:
    store = LmdbStore.open(path, readonly=True)
    try:
        return {key[0]: value for key, value in store.scan(NUMBERS)}
    finally:
        store.close()


def test_the_free_space_is_given_back_and_nothing_else_changes(tmp_path: Path) -> None:
    path = written(tmp_path / "run.lmdb", 2000, kept=20)
    path.chmod(0o640)
    rows = rows_of(path)
    before, after = compact(path)
    assert (os.path.getsize(path), 20) == (after, len(rows))
    assert after < before / 10
    assert rows == rows_of(path)
    assert 0o640 == path.stat().st_mode & 0o777
    assert ["run.lmdb"] == sorted(each.name for each in tmp_path.iterdir())
    again, same = compact(path)
    assert (after, after) == (again, same)


def test_a_run_goes_on_in_it(tmp_path: Path) -> None:
    path = written(tmp_path / "run.lmdb", 500, kept=5)
    compact(path)
    store = LmdbStore.open(path)
    store.commit([Put(NUMBERS, 1, "new")])
    store.close()
    assert 6 == len(rows_of(path))


@given(st.lists(st.tuples(st.integers(0, 30), st.booleans(), st.text(max_size=600)), max_size=40))
def test_whatever_was_written_and_removed_is_the_same_behind_it(
    tmp_path_factory: pytest.TempPathFactory, writes: list[tuple[int, bool, str]]
) -> None:
    path = tmp_path_factory.mktemp("store") / "run.lmdb"
    store = LmdbStore.open(path)
    for number, is_put, text in writes:
        store.commit([Put(NUMBERS, number, text) if is_put else Delete(NUMBERS, number)])
    store.close()
    before = rows_of(path)
    compact(path)
    assert before == rows_of(path)


OTHER = """
import sys
from agentsight_rx.store.state import META, LmdbStore
store = LmdbStore.open(sys.argv[1], readonly=sys.argv[2] == "reads")
store.get(META, "product")
print("open", flush=True)
input()
"""


@pytest.mark.parametrize(
    ("how", "said"), [("reads", "is open in another process, such as serve"), ("writes", "is being written")]
)
def test_a_store_that_a_process_has_open_is_not_touched(tmp_path: Path, how: str, said: str) -> None:
    path = written(tmp_path / "run.lmdb", 100, kept=10)
    number = path.stat().st_ino
    command = [sys.executable, "-c", OTHER, str(path), how]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        assert b"open\n" == other.stdout.readline()
        with pytest.raises(StoreError, match=said):
            compact(path)
        other.communicate(b"\n")
    assert (number, 10) == (path.stat().st_ino, len(rows_of(path)))
    assert ["run.lmdb", "run.lmdb-lock"] == sorted(each.name for each in tmp_path.iterdir())


def test_who_opens_it_to_read_meanwhile_goes_on_with_the_file_as_it_was(tmp_path: Path) -> None:
    path = written(tmp_path / "run.lmdb", 100, kept=10)
    compact(path)
    reader = LmdbStore.open(path, readonly=True)  # as it is without a lock file
    before = reader.scan(NUMBERS)
    subprocess.run([sys.executable, "-m", "agentsight_rx", "report", "compact", "--db", str(path)], check=True)
    assert before == reader.scan(NUMBERS)
    writer = LmdbStore.open(path)
    writer.commit([Delete(NUMBERS, number) for number in range(100)])
    with pytest.raises(StoreError, match="open it again"):
        reader.scan(NUMBERS)
    reader.close()
    writer.close()


@pytest.mark.parametrize("content", [None, b"x" * 9000])
def test_what_is_no_store_is_refused(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "run.lmdb"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(StoreError):
        compact(path)
    assert content is None or content == path.read_bytes()


def test_a_lock_file_that_cannot_be_opened_is_said(tmp_path: Path) -> None:
    path = written(tmp_path / "run.lmdb", 10, kept=10)
    compact(path)
    (tmp_path / "run.lmdb-lock").symlink_to(tmp_path)
    with pytest.raises(StoreError):
        compact(path)


def test_a_disk_that_fails_leaves_the_store_as_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = written(tmp_path / "run.lmdb", 20, kept=20)

    def fsync(_: int) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(os, "fsync", fsync)
    with pytest.raises(StoreError, match=r"run\.lmdb cannot be compacted: Input/output error"):
        compact(path)
    assert 20 == len(rows_of(path))
    assert [] == list(tmp_path.glob(".*.part"))


@pytest.mark.needs("disk")
def test_without_space_for_the_copy_the_store_stays_as_it_is(tmp_path: Path) -> None:
    with small_disk(tmp_path / "small") as disk:
        path = written(disk / "run.lmdb", 200, kept=200)
        rows = rows_of(path)
        fill(disk)
        with pytest.raises(UnwritableError, match="no space left"):
            compact(path)
        assert rows == rows_of(path)
        store = LmdbStore.open(path, readonly=True)
        assert "agentsight-rx" == store.get(META, "product")
        store.close()
