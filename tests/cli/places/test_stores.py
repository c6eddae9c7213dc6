"""Which recordings a command finds by itself: the user's own, and those that a recorder of the machine made for them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from agentsight_rx.cli.places import stores
from agentsight_rx.errors import StoreError, UnwritableError
from agentsight_rx.runtime.service.users.places import Reader
from tests.cli.guarding import ran, stay_in

UID, GID = 61001, 61002


@pytest.fixture
def users(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The invoking user is one without an entry in passwd, in one more group."""
    stay_in(tmp_path, monkeypatch)
    monkeypatch.setattr(stores, "USERS", tmp_path / "users")
    monkeypatch.setattr(stores, "invoking_user", lambda: (UID, GID))
    monkeypatch.setattr(os, "getuid", lambda: UID)
    monkeypatch.setattr(os, "getgroups", lambda: [GID, 27])
    return tmp_path / "users"


def make(path: Path, number: int) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    os.utime(path, (number, number))
    return path


def test_recordings_of_the_machine_are_beside_the_own_ones(tmp_path: Path, users: Path) -> None:
    own = make(tmp_path / ".local/share/agentsight-rx/agentsight-1.lmdb", 2)
    mine = make(Reader(UID, GID).store(users), 3)
    shared = make(Reader(0, 27, shared=True).store(users), 1)
    make(Reader(UID + 1, GID).store(users), 4)
    make(Reader(0, 28, shared=True).store(users), 5)
    assert [shared, own, mine] == stores.recorded()
    assert mine == stores.newest_store(None)
    assert [own] == stores.recorded(own)


def test_root_has_the_recording_of_the_machine(users: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make(Reader(0, 0).store(users), 1)
    monkeypatch.setattr(stores, "invoking_user", lambda: (0, 0))
    monkeypatch.setattr(os, "getuid", lambda: 0)
    assert [] == stores.recorded()


def test_a_user_without_a_home_has_what_the_machine_recorded(users: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "")
    with pytest.raises(UnwritableError, match=f"user {UID} has no home directory"):
        stores.recorded()
    mine = make(Reader(UID, GID).store(users), 1)
    assert [mine] == stores.recorded()


def test_under_sudo_the_groups_are_those_of_the_person(users: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "getuid", lambda: 0)
    monkeypatch.setenv("HOME", "/")

    def home(_: int) -> Path:
        return users

    monkeypatch.setattr(stores, "_home", home)
    mine = make(Reader(0, GID, shared=True).store(users), 1)
    make(Reader(0, 27, shared=True).store(users), 1)
    assert [mine] == stores.recorded()


def test_without_any_it_is_said_where_they_were_looked_for(tmp_path: Path, users: Path) -> None:
    with pytest.raises(StoreError, match=f"no recording found in {tmp_path}"):
        stores.newest_store(None)


def test_the_list_says_in_which_folders_they_are(tmp_path: Path, users: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make(tmp_path / ".local/share/agentsight-rx/agentsight-1.lmdb", 1)
    make(Reader(UID, GID).store(users), 2)
    monkeypatch.setenv("COLUMNS", "400")
    lines = ran("report", "list", "--text")
    assert f"in {tmp_path}/.local/share/agentsight-rx and {users}/{UID}" == lines[0]


def test_stores_are_counted_apart_from_the_imported_sessions(tmp_path: Path, users: Path) -> None:
    past = make(tmp_path / ".local/share/agentsight-rx/past.lmdb", 1)
    own = make(tmp_path / ".local/share/agentsight-rx/agentsight-1.lmdb", 2)
    assert "the imported sessions" == stores.counted([past])
    assert "1 recording and the imported sessions" == stores.counted([past, own])
    assert ("1 recording", "0 recordings") == (stores.counted([own]), stores.counted([]))
