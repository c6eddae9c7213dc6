from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from threading import Event

import lmdb
import pytest

import agentsight_rx.store.state
from agentsight_rx.errors import StoreError
from agentsight_rx.store.state import SCHEMA_VERSION, Delete, LmdbStore, Put, Store, Table, Upgrade, Write
from agentsight_rx.store.state.lmdb_store import META

ROWS = Table("rows", bytes)
ROOT = Path(agentsight_rx.store.state.__file__).parents[2]

# Commits three rows a step and prints a line for each step, until it is killed or asked to stop.
WRITER = """
import sys
from agentsight_rx.store.state import LmdbStore, Put, Table
rows = Table("rows", bytes)
store = LmdbStore.open(sys.argv[1])
for step in range(int(sys.argv[2])):
    store.commit([Put(rows, (step, part), b"x" * 1000) for part in range(3)])
    print(step, flush=True)
sys.stdin.readline()
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "run.lmdb"


@contextmanager
def writing(path: Path, *, steps: int) -> Generator[subprocess.Popen[str], None, None]:
    command = [sys.executable, "-c", WRITER, str(path), str(steps)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as writer:
        try:
            yield writer
        finally:
            writer.kill()


def read_lines(writer: subprocess.Popen[str], count: int) -> list[int]:
    assert writer.stdout is not None
    return [int(writer.stdout.readline()) for _ in range(count)]


def contents(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in folder.iterdir()}


def assert_refused(path: Path, why: str) -> None:
    """Neither way of opening works, and no file was changed or made."""
    before = contents(path.parent)
    for readonly in (False, True):
        with pytest.raises(StoreError, match=why) as refusal:
            LmdbStore.open(path, readonly=readonly)
        assert str(path) in str(refusal.value)
    assert before == contents(path.parent)


def test_rows_outlive_the_store_and_a_second_writer_appends(path: Path) -> None:
    for number in (1, 2):
        store = LmdbStore.open(path)
        store.commit([Put(ROWS, number, b"row")])
        store.close()
    store = LmdbStore.open(path, readonly=True)
    assert store.scan(ROWS) == [((1,), b"row"), ((2,), b"row")]
    store.close()


def test_a_store_is_one_file_beside_its_lock(path: Path) -> None:
    LmdbStore.open(path).close()
    assert sorted(contents(path.parent)) == ["run.lmdb", "run.lmdb-lock"]


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o777])
def test_both_files_are_private_whatever_the_umask(path: Path, umask: int) -> None:
    before = os.umask(umask)
    try:
        LmdbStore.open(path).close()
    finally:
        os.umask(before)
    assert [file.stat().st_mode for file in path.parent.iterdir()] == [0o100600, 0o100600]


def test_both_files_belong_to_the_owner(path: Path) -> None:
    owner = (12345, 12346) if os.getuid() == 0 else (os.getuid(), os.getgid())
    LmdbStore.open(path, owner=owner).close()
    assert [owner, owner] == [(file.stat().st_uid, file.stat().st_gid) for file in path.parent.iterdir()]


def test_the_schema_version_is_in_the_store(path: Path) -> None:
    store = LmdbStore.open(path)
    assert store.scan(META) == [(("product",), "agentsight-rx"), (("schema_version",), SCHEMA_VERSION)]
    store.close()


def test_a_store_of_another_version_is_refused_and_not_touched(path: Path) -> None:
    store = LmdbStore.open(path)
    store.commit([Put(META, "schema_version", 4)])
    store.close()
    (path.parent / "run.lmdb-lock").unlink()
    assert_refused(path, "has schema version 4 and this agentsight-rx reads 1 to 3: use the release that recorded it")


def test_an_lmdb_file_of_another_program_is_refused_and_not_touched(path: Path) -> None:
    with lmdb.open(str(path), subdir=False, lock=False) as environment, environment.begin(write=True) as txn:
        txn.put(b"key", b"value")
    assert_refused(path, "is an LMDB file that agentsight-rx did not write: give the path of a store")


@pytest.mark.parametrize("content", [b"x", b"SQLite format 3\0" * 1000, bytes(8192)])
def test_a_file_that_is_no_store_is_refused_and_not_touched(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    assert_refused(path, "is not a store: give the path of a store")


def test_a_directory_is_refused(path: Path) -> None:
    path.mkdir()
    for readonly in (False, True):
        with pytest.raises(StoreError, match="is not a regular file"):
            LmdbStore.open(path, readonly=readonly)


def test_a_path_that_cannot_be_created_is_a_clear_error(path: Path) -> None:
    with pytest.raises(StoreError, match="cannot be created: No such file or directory"):
        LmdbStore.open(path / "run.lmdb")


def test_opening_to_read_creates_no_file(path: Path) -> None:
    with pytest.raises(StoreError, match="There is no store at"):
        LmdbStore.open(path, readonly=True)
    assert contents(path.parent) == {}
    LmdbStore.open(path).close()
    (path.parent / "run.lmdb-lock").unlink()
    before = contents(path.parent)
    store = LmdbStore.open(path, readonly=True)
    assert store.scan(ROWS) == []
    store.close()
    assert before == contents(path.parent)


def test_a_reader_without_a_lock_file_stops_when_a_writer_comes(path: Path) -> None:
    LmdbStore.open(path).close()
    (path.parent / "run.lmdb-lock").unlink()
    store = LmdbStore.open(path, readonly=True)
    with writing(path, steps=1) as writer:
        read_lines(writer, 1)
        with pytest.raises(StoreError, match="open it again"):
            store.get(ROWS, (0, 0))
    store.close()


@pytest.mark.parametrize("left", [b"", None])
def test_a_writer_killed_while_it_made_the_file_leaves_one_that_can_be_used(path: Path, left: bytes | None) -> None:
    if left is None:
        lmdb.open(str(path), subdir=False).close()  # LMDB's own pages, and no row
    else:
        path.write_bytes(left)
    store = LmdbStore.open(path)
    assert store.get(META, "schema_version") == SCHEMA_VERSION
    store.close()


def test_a_file_is_opened_once_in_a_process(path: Path) -> None:
    store = LmdbStore.open(path)
    for readonly in (False, True):
        with pytest.raises(StoreError, match="is already open in this process: use that store, or close it first"):
            LmdbStore.open(path, readonly=readonly)
    store.commit([Put(ROWS, 1, b"still works")])
    assert store.get(ROWS, 1) == b"still works"
    store.close()


def test_a_store_opened_to_read_refuses_to_be_written(path: Path) -> None:
    LmdbStore.open(path).close()
    store = LmdbStore.open(path, readonly=True)
    with pytest.raises(StoreError, match=r"cannot be written: .*read-only"):
        store.commit([Delete(ROWS, 1)])
    store.sync()
    store.close()


def test_a_closed_store_raises_a_store_error(path: Path) -> None:
    store = LmdbStore.open(path)
    store.close()
    for call in (lambda: store.get(ROWS, 1), lambda: store.scan(ROWS), lambda: store.commit([]), store.sync):
        with pytest.raises(StoreError):
            call()


def test_a_full_map_grows_and_the_whole_batch_is_there(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agentsight_rx.store.state.lmdb_store.MAP_SIZE", 1 << 16)
    store = LmdbStore.open(path)
    store.commit([Put(ROWS, number, b"x" * 10_000) for number in range(97)])
    assert list(range(97)) == [key[0] for key, _ in store.scan(ROWS)]
    store.close()


def test_a_thread_reads_while_the_map_grows(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agentsight_rx.store.state.lmdb_store.MAP_SIZE", 1 << 16)
    store = LmdbStore.open(path)
    done = Event()

    def read() -> int:
        most = 0
        while not done.is_set():
            count = len(store.scan(ROWS))
            assert count % 7 == 0
            assert count >= most
            most = count
        return most

    with ThreadPoolExecutor(1) as thread:  # with two that never pause, LMDB's binding can take seconds to abort a commit
        reader = thread.submit(read)
        try:
            for step in range(41):
                store.commit([Put(ROWS, (step, part), b"x" * 5000) for part in range(7)])
        finally:
            done.set()
        assert reader.result() <= 7 * 41
    assert len(store.scan(ROWS)) == 7 * 41
    store.close()


def test_a_reader_follows_a_file_that_another_process_grows(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    LmdbStore.open(path).close()
    monkeypatch.setattr("agentsight_rx.store.state.lmdb_store.MAP_SIZE", 1 << 16)
    store = LmdbStore.open(path, readonly=True)
    assert store.scan(ROWS) == []
    with writing(path, steps=101) as writer:
        read_lines(writer, 101)
        assert len(store.scan(ROWS)) == 303
        assert store.get(ROWS, (100, 2)) == b"x" * 1000
    store.close()


def test_killing_a_writer_loses_nothing_that_was_committed(path: Path) -> None:
    with writing(path, steps=1_000_000) as writer:
        said = read_lines(writer, 53)
        writer.kill()
        assert writer.wait() == -9
    store = LmdbStore.open(path)
    keys = [key for key, _ in store.scan(ROWS)]
    steps = len(keys) // 3
    assert steps >= len(said)
    assert [(step, part) for step in range(steps) for part in range(3)] == keys
    store.commit([Put(ROWS, (steps, 0), b"goes on")])
    assert store.get(ROWS, (steps, 0)) == b"goes on"
    store.close()


def test_a_store_that_another_process_writes_is_refused_to_a_writer_and_open_to_readers(path: Path) -> None:
    with writing(path, steps=3) as writer:
        read_lines(writer, 3)
        before = path.read_bytes()
        with pytest.raises(StoreError, match="is being written by another process: end that one"):
            LmdbStore.open(path)
        assert before == path.read_bytes()
        store = LmdbStore.open(path, readonly=True)
        assert len(store.scan(ROWS)) == 9
        store.close()
    store = LmdbStore.open(path)
    store.commit([Put(ROWS, 99, b"the other one ended")])
    store.close()


def old(path: Path) -> None:
    store = LmdbStore.open(path)
    store.commit([Put(ROWS, 1, b"old"), Put(META, "schema_version", 1)])
    store.close()


def upgrades_by(first: Upgrade) -> dict[int, Upgrade]:
    """From version 1 by `first`, from later ones by nothing."""
    return {1: first, **dict.fromkeys(range(2, SCHEMA_VERSION), lambda _: None)}


def test_an_older_store_is_read_as_it_is_and_upgraded_to_be_written(path: Path) -> None:
    old(path)
    before = path.read_bytes()
    store = LmdbStore.open(path, readonly=True)
    assert (store.get(ROWS, 1), store.indexed) == (b"old", False)
    store.close()
    assert before == path.read_bytes()
    store = LmdbStore.open(path, upgrades=upgrades_by(lambda store: store.commit([Put(ROWS, 1, b"new")])))
    assert (store.get(ROWS, 1), store.get(META, "schema_version"), store.indexed) == (b"new", SCHEMA_VERSION, True)
    store.close()


def test_an_upgrade_that_fails_changes_nothing(path: Path) -> None:
    def fails(store: Store) -> None:
        store.commit([Put(ROWS, number, b"half") for number in range(1000)])
        raise KeyboardInterrupt

    old(path)
    with pytest.raises(KeyboardInterrupt):
        LmdbStore.open(path, upgrades=upgrades_by(fails))
    store = LmdbStore.open(path, readonly=True)
    assert (store.scan(ROWS), store.get(META, "schema_version")) == ([((1,), b"old")], 1)
    store.close()
    with pytest.raises(StoreError, match="has schema version 1: record into it once"):
        LmdbStore.open(path)


def test_an_upgrade_that_needs_a_larger_map_gets_one(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    old(path)
    monkeypatch.setattr("agentsight_rx.store.state.lmdb_store.MAP_SIZE", 1 << 16)
    rows: list[Write] = [Put(ROWS, number, bytes(1000)) for number in range(997)]
    store = LmdbStore.open(path, upgrades=upgrades_by(lambda store: store.commit(rows)))
    assert len(store.scan(ROWS)) == 997
    store.close()


def test_a_store_left_in_the_middle_of_an_upgrade_is_refused(path: Path) -> None:
    store = LmdbStore.open(path)
    store.commit([Put(META, "upgrading", 3)])
    store.close()
    (path.parent / "run.lmdb-lock").unlink()
    assert_refused(path, "was left while it was changed to another schema version: use a copy from before")


def test_what_is_used_is_less_than_the_file(path: Path) -> None:
    store = LmdbStore.open(path)
    store.commit([Put(ROWS, number, bytes(5000)) for number in range(97)])
    used = store.used()
    assert 97 * 5000 < used <= path.stat().st_size
    store.commit([Delete(ROWS, number) for number in range(90)])
    assert store.used() < used / 5
    store.close()


@pytest.mark.parametrize("moved", [True, False])
def test_a_store_whose_file_is_gone_is_not_said_to_be_on_the_disk(path: Path, moved: bool) -> None:
    store = LmdbStore.open(path)
    store.commit([Put(ROWS, 1, b"row")])
    if moved:
        path.rename(path.with_name("elsewhere.lmdb"))
        store.sync()
        store.close()
        assert LmdbStore.open(path.with_name("elsewhere.lmdb"), readonly=True).get(ROWS, 1) == b"row"
        return
    path.unlink()
    path.write_bytes(b"another file")
    for step in (store.sync, store.close):
        with pytest.raises(StoreError, match="is gone: it was removed, or its file system was unmounted"):
            step()
