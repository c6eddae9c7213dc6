from __future__ import annotations

import errno
import fcntl
import os
import stat
import threading
from collections.abc import Callable
from pathlib import Path
from uuid import uuid4

import pytest

from agentsight_rx.errors import SpoolError
from agentsight_rx.runtime.cluster import Place, load, place_of, plan_of, run_here, settings_of
from agentsight_rx.runtime.cluster.place import LocalPlace
from tests.runtime.cluster.hosts import contents, spool_at

MAKERS: dict[str, Callable[[Path], Place]] = {
    "folder": lambda path: place_of(str(path / "place")),
    "file": lambda path: place_of(f"file://{path}/place"),
    "objects": lambda path: place_of(f"memory://{uuid4().hex}/place"),
}


@pytest.fixture(params=MAKERS)
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    return MAKERS[request.param](tmp_path)


def test_what_is_put_is_read_and_listed(place: Place) -> None:
    assert [] == place.folders()
    assert [] == place.names("a")
    assert place.read("a/one") is None
    place.put("a/one", b"1")
    place.put("b/two", b"2")
    place.put("a/one", b"3")
    assert b"3" == place.read("a/one")
    assert ["a", "b"] == place.folders()
    assert ["one"] == place.names("a")


def test_only_the_first_creates(place: Place) -> None:
    assert place.create("a/one", b"1")
    assert not place.create("a/one", b"2")
    assert b"1" == place.read("a/one")


def test_of_many_that_create_at_once_one_does(place: Place) -> None:
    made: list[bool] = []

    def create(number: int) -> None:
        made.append(place.create("a/one", b"%d" % number))

    threads = [threading.Thread(target=create, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [False] * 7 + [True] == sorted(made)


def test_what_is_removed_is_gone_also_twice(place: Place) -> None:
    place.put("a/one", b"1")
    place.remove("a/one")
    place.remove("a/one")
    assert place.read("a/one") is None


def test_what_killed_writers_left_is_removed_beside_a_living_one(tmp_path: Path) -> None:
    living: list[str] = []

    def hidden() -> list[str]:
        return sorted(path.name for path in (tmp_path / "a").iterdir() if path.name.startswith("."))

    def at(_: str, __: int) -> None:
        """In the middle of a write."""
        living.extend(hidden())
        for name in (".0a.part", ".0b.part", ".open", "own.part"):
            (tmp_path / "a" / name).write_bytes(b"half")
        assert 2 == place_of(str(tmp_path)).tidy("a")
        assert sorted([*living, ".open"]) == hidden()

    assert place_of(str(tmp_path), at).create("a/one", b"whole")
    assert 1 == len(living)
    assert {"one": b"whole", ".open": b"half", "own.part": b"half"} == {
        path.name: path.read_bytes() for path in (tmp_path / "a").iterdir()
    }
    assert 0 == place_of(str(tmp_path)).tidy("nosuch")


def test_a_writer_whose_file_is_removed_before_it_is_locked_makes_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    locked, removed = fcntl.flock, list[int]()

    def lock(descriptor: int, operation: int) -> None:
        if not removed:
            removed.append(descriptor)
            assert 1 == place_of(str(tmp_path)).tidy("a")
        locked(descriptor, operation)

    monkeypatch.setattr(fcntl, "flock", lock)
    assert place_of(str(tmp_path)).create("a/one", b"whole")
    assert removed
    assert ["one"] == [path.name for path in (tmp_path / "a").iterdir()]


def test_files_and_folders_are_private(tmp_path: Path) -> None:
    place_of(str(tmp_path / "place")).put("a/one", b"1")
    assert 0o600 == stat.S_IMODE((tmp_path / "place" / "a" / "one").stat().st_mode)
    assert 0o700 == stat.S_IMODE((tmp_path / "place" / "a").stat().st_mode)


def test_a_place_that_cannot_be_used_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(SpoolError, match="cannot be written"):
        place_of(str(tmp_path / "file")).put("a/one", b"1")
    with pytest.raises(SpoolError, match="cannot be opened"):
        place_of("nosuch://bucket/place")


def test_a_folder_without_hard_links_is_a_sentence_that_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(_: Path, __: Path) -> None:
        raise PermissionError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "link", refused)
    with pytest.raises(SpoolError, match="has no hard links"):
        place_of(str(tmp_path)).create("web1/a", b"x")
    assert list((tmp_path / "web1").iterdir()) == []


def test_a_run_into_an_object_store_gives_what_a_folder_has(tmp_path: Path) -> None:
    spool = LocalPlace(str(spool_at(tmp_path / "spool", hosts=("web1", "db1"), turns=2)))
    local, objects = place_of(str(tmp_path / "out")), place_of(f"memory://{uuid4().hex}/out")
    for out in (local, objects):
        plan = plan_of(spool, out, settings_of(out, redaction_key=b"k" * 32))
        run_here(plan, lambda _: None)
    expected = contents(tmp_path / "out")
    found = {name: objects.read(name) for name in expected}
    assert expected == found
    assert len(expected) > 10
    assert load(local, tmp_path / "a.lmdb") == load(objects, tmp_path / "b.lmdb")
