"""Directories of readers: made below one that root alone may change, and never reached through what a user put there."""

from __future__ import annotations

import os
import pwd
import stat
from pathlib import Path

import pytest

from agentsight_rx.errors import UnwritableError
from agentsight_rx.runtime.service.users.places import USERS, Reader, admit, group_reader, make_place, stores_of, user_reader

ME = Reader(os.geteuid(), os.getegid())


def mode(path: Path) -> str:
    return stat.filemode(path.lstat().st_mode)


def test_a_user_is_looked_up_and_needs_no_entry() -> None:
    found = pwd.getpwuid(os.getuid())
    assert Reader(os.getuid(), found.pw_gid, found.pw_dir) == user_reader(os.getuid())
    assert Reader(61001, 61001) == user_reader(61001)


def test_the_writer_of_a_group_is_a_user_that_no_one_is() -> None:
    reader = group_reader(27)
    with pytest.raises(KeyError):
        pwd.getpwuid(reader.uid)
    assert (27, True, "group-27", "group 27") == (reader.gid, reader.shared, reader.name, reader.said)
    for gid in (0, 1 << 24):
        with pytest.raises(UnwritableError, match=f"group {gid} can be given no recording: its number is to be from 1"):
            group_reader(gid)


def test_a_group_whose_writer_would_be_someone_gets_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    me = pwd.getpwuid(os.getuid())

    def found(_: int) -> pwd.struct_passwd:
        return me

    monkeypatch.setattr(pwd, "getpwuid", found)
    with pytest.raises(UnwritableError, match=f"{me.pw_name} is user"):
        group_reader(27)


def test_names_of_stores_differ_since_the_page_knows_recordings_by_them() -> None:
    stores = {reader.store() for reader in (user_reader(1), group_reader(1), group_reader(2))}
    assert 3 == len({path.stem for path in stores})
    assert all(path.is_relative_to(USERS) for path in stores)


@pytest.mark.needs("root")
def test_only_its_reader_enters_a_directory(tmp_path: Path) -> None:
    users = tmp_path / "users"
    for reader in (Reader(61001, 61002), group_reader(61003)):
        make_place(reader, users)
        store = make_place(reader, users)
        found = store.parent.lstat()
        assert (reader.uid, reader.gid) == (found.st_uid, found.st_gid)
        assert not store.exists()
    assert "drwx--x--x" == mode(users)
    assert "drwx------" == mode(users / "61001")
    assert "drwxr-x---" == mode(users / "group-61003")


@pytest.mark.needs("root")
def test_a_directory_that_was_left_half_made_is_finished(tmp_path: Path) -> None:
    (tmp_path / "users/61001").mkdir(parents=True, mode=0o777)
    place = make_place(Reader(61001, 61001), tmp_path / "users").parent
    assert (61001, "drwx------") == (place.stat().st_uid, mode(place))


def test_readers_are_let_in_again_behind_a_start_of_the_service(tmp_path: Path) -> None:
    users = tmp_path / "users"
    admit(users)
    assert not users.exists(), "it is made for the first reader"
    users.mkdir(mode=0o700)
    admit(users)
    assert "drwx--x--x" == mode(users)


@pytest.mark.needs("root")
def test_the_mode_that_a_user_gave_their_own_directory_stays(tmp_path: Path) -> None:
    place = make_place(Reader(61001, 61001), tmp_path / "users").parent
    place.chmod(0o755)
    make_place(Reader(61001, 61001), tmp_path / "users")
    assert "drwxr-xr-x" == mode(place)


@pytest.mark.needs("root")
@pytest.mark.parametrize("kind", ["link", "file", "another user's"])
def test_what_is_no_directory_of_the_user_is_refused_and_stays(tmp_path: Path, kind: str) -> None:
    users, target = tmp_path / "users", tmp_path / "target"
    users.mkdir(mode=0o711)
    target.mkdir()
    place = users / "61001"
    if kind == "link":
        place.symlink_to(target)
    elif kind == "file":
        place.touch()
    else:
        place.mkdir()
        os.chown(place, 61002, 61002)
    before = place.lstat()
    with pytest.raises(UnwritableError, match="is to be a directory of user 61001, and it is not: move it away"):
        make_place(Reader(61001, 61001), users)
    assert (before.st_uid, before.st_mode) == (place.lstat().st_uid, place.lstat().st_mode)
    assert 0 == target.stat().st_uid


@pytest.mark.needs("root")
def test_a_directory_above_that_another_user_has_is_refused(tmp_path: Path) -> None:
    users = tmp_path / "users"
    users.mkdir()
    os.chown(users, 61001, 61001)
    with pytest.raises(UnwritableError, match="users is to be a directory of user 0, and it is not"):
        make_place(Reader(61001, 61001), users)
    admit(users)
    assert not any(users.iterdir())
    assert "drwxr-xr-x" == mode(users)


def test_a_place_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UnwritableError, match="cannot be made: Not a directory"):
        make_place(ME, tmp_path / "file/users")
    (tmp_path / "link").symlink_to(tmp_path)
    with pytest.raises(UnwritableError, match="link cannot be made"):
        make_place(ME, tmp_path / "link")


@pytest.mark.needs("root")
def test_without_the_right_to_give_a_directory_away_it_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "chown", refuse)
    with pytest.raises(UnwritableError, match="users/61001 cannot be made: Operation not permitted"):
        make_place(Reader(61001, 61001), tmp_path / "users")


def test_a_reader_finds_what_was_made_for_them_and_their_groups(tmp_path: Path) -> None:
    made = [Reader(7, 0).store(tmp_path), Reader(0, 27, shared=True).store(tmp_path), Reader(8, 0).store(tmp_path)]
    for path in made:
        path.parent.mkdir()
        path.touch()
    assert made[:2] == stores_of(7, [3, 27], tmp_path)
    assert made[2:] == stores_of(8, [], tmp_path)
    assert [] == stores_of(9, [], tmp_path / "missing")
    assert [] == stores_of(7, [], tmp_path / ("x" * 300)), "a place that cannot be looked at"
    made[0].unlink()
    made[0].symlink_to(made[0])
    assert [] == stores_of(7, [], tmp_path), "a name that leads nowhere is nothing"
