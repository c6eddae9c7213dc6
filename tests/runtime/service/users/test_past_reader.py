"""The process that reads one user's session files: its exit status, and when it reads again."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import msgspec
import pytest

from agentsight_rx.runtime.service.users import past_reader
from agentsight_rx.runtime.service.users.past import Left, Task
from agentsight_rx.runtime.service.users.places import forgotten
from agentsight_rx.store.log.upkeep import Retention
from agentsight_rx.store.rows.tables import SESSIONS
from agentsight_rx.store.state import LmdbStore
from agentsight_rx.store.state.lmdb_files import is_being_written, only_writer
from tests.live.capture import until
from tests.sources.session_files.test_source import NAME, home, write
from tests.view.transcripts.samples import CLAUDE

__all__ = ["home"]


def started(task: Task) -> subprocess.Popen[bytes]:
    words = [sys.executable, "-m", past_reader.__name__, msgspec.json.encode(task).decode()]
    return subprocess.Popen(words, stdin=subprocess.PIPE, stderr=subprocess.PIPE)


def ended(task: Task) -> Left:
    with started(task) as process:
        process.wait(120)
        return Left(process.returncode)


def sessions(path: Path) -> set[str]:
    store = LmdbStore.open(path, readonly=True)
    try:
        return {row.id for _, row in store.scan(SESSIONS)}
    finally:
        store.close()


def test_without_a_store_it_says_whether_there_are_files(home: Path, tmp_path: Path) -> None:
    assert Left.FOUND is ended(Task(str(home)))
    assert Left.NOTHING is ended(Task(str(home), agents=("pi",)))
    assert Left.NOTHING is ended(Task(str(tmp_path / "home/.claude")))
    assert Left.FOUND is ended(Task(str(tmp_path / "home/.claude"), own=str(home / NAME))), "they imported before"
    assert Left.AWAY is ended(Task(str(tmp_path / "nowhere")))


def test_all_files_are_read_once_and_a_store_of_the_user_is_its_begin(home: Path, tmp_path: Path) -> None:
    own, store = tmp_path / "own.lmdb", tmp_path / "past.lmdb"
    assert Left.KEPT is ended(Task(str(home), store=str(own), agents=("claude",)))
    (home / NAME).unlink()
    assert Left.KEPT is ended(Task(str(home), store=str(store), own=str(own)))
    assert len(sessions(own)) == 1
    assert sessions(own) < sessions(store)
    before = store.stat().st_mtime_ns
    assert Left.KEPT is ended(Task(str(home), store=str(store)))
    assert before == store.stat().st_mtime_ns, "nothing is new"
    assert 0o600 == store.stat().st_mode & 0o777


def test_limits_hold_where_nothing_is_new(home: Path, tmp_path: Path) -> None:
    store = tmp_path / "past.lmdb"
    assert Left.KEPT is ended(Task(str(home), store=str(store)))
    assert sessions(store)
    assert Left.KEPT is ended(Task(str(home), store=str(store), retention=Retention(keep_ms=1000)))
    assert set() == sessions(store)


def test_files_that_are_all_away_are_said(home: Path, tmp_path: Path) -> None:
    store = tmp_path / "past.lmdb"
    ended(Task(str(home), store=str(store)))
    kept = sessions(store)
    home.rename(tmp_path / "elsewhere")
    home.mkdir()
    assert Left.AWAY is ended(Task(str(home), store=str(store)))
    assert kept == sessions(store)


def test_what_a_user_removed_is_not_read_and_another_import_goes_first(home: Path, tmp_path: Path) -> None:
    store = tmp_path / "past.lmdb"
    forgotten(store).touch()
    assert Left.UNWANTED is ended(Task(str(home), store=str(store)))
    assert not store.exists()
    forgotten(store).unlink()
    ended(Task(str(home), store=str(store)))
    write(home, NAME, CLAUDE + b"\n")
    held = only_writer(str(store))
    try:
        assert Left.BUSY is ended(Task(str(home), store=str(store)))
    finally:
        os.close(held)


def test_a_store_that_cannot_be_written_is_said_beside_it(home: Path, tmp_path: Path) -> None:
    store = tmp_path / "past.lmdb"
    store.write_text("this is no store")
    assert Left.FAILED is ended(Task(str(home), store=str(store)))
    assert "past.lmdb is not a store" in (tmp_path / "past.log").read_text()
    assert "this is no store" == store.read_text()


@pytest.mark.parametrize("name", ["past.lmdb", "past.log", "past.part"])
def test_a_link_at_the_place_of_a_file_changes_nothing_behind_it(home: Path, tmp_path: Path, name: str) -> None:
    (other := tmp_path / "other").write_text("of another user")
    own = tmp_path / "own.lmdb"
    ended(Task(str(home), store=str(own), agents=("claude",)))
    (tmp_path / name).symlink_to(other)
    ended(Task(str(home), store=str(tmp_path / "past.lmdb"), own=str(own)))
    assert "of another user" == other.read_text()


def test_it_follows_until_its_input_ends_and_costs_nothing_meanwhile(home: Path, tmp_path: Path) -> None:
    store = tmp_path / "past.lmdb"
    process = started(Task(str(home), store=str(store), stays=True, pause_s=0.1))
    try:
        until(lambda: store.exists() and store.stat().st_size > 0 and len(sessions(store)) == 3)
        until(lambda: _state(process.pid) == "S")
        assert 19 == os.getpriority(os.PRIO_PROCESS, process.pid)
        assert "1000" == Path(f"/proc/{process.pid}/oom_score_adj").read_text().strip()
        until(lambda: not is_being_written(store))  # while nothing changes
        write(home, ".claude/projects/-work-shop/new.jsonl", CLAUDE.replace(b"1a2b", b"9f9f").replace(b"msg_", b"msg_new"))
        until(lambda: len(sessions(store)) == 4)
        process.communicate()
        assert process.returncode in (Left.KEPT, Left.STOPPED)
    finally:
        process.kill()
        process.communicate()


def _state(pid: int) -> str:
    time.sleep(0.1)
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
