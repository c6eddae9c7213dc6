"""What a person has seen is kept in one file of the user, by several programs at once, and is never trusted further."""

from __future__ import annotations

import fcntl
import os
from multiprocessing import get_context
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentsight_rx.errors import UnwritableError
from agentsight_rx.runtime.recording import seen_file
from agentsight_rx.runtime.recording.seen_file import SeenFile
from agentsight_rx.view.queries.decided import Seen


def test_what_was_seen_is_there_for_another_program(tmp_path: Path) -> None:
    path = tmp_path / "data" / "seen.jsonl"
    one, other = SeenFile(path), SeenFile(path)
    assert {} == one.read() == other.read()
    one.add([Seen("alert-1", 1, 10), Seen("alert-2", 12, 10)])
    assert {"alert-1", "alert-2"} == set(other.read())
    other.add([Seen("alert-1", 0, 20), Seen("alert-2", 100, 20)])
    assert {"alert-2": Seen("alert-2", 100, 20)} == one.read()
    assert 0o600 == path.stat().st_mode & 0o777
    assert 0o700 == path.parent.stat().st_mode & 0o777


@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 3)), max_size=12))
def test_the_last_line_about_an_alert_holds(marks: list[tuple[str, int]]) -> None:
    data = b"".join(b'{"alert":"%b","count":%d,"at_ms":1}\n' % (name.encode(), count) for name, count in marks)
    last = dict(marks)
    found = seen_file.marks_of(data + b"\x00\xffnothing\n[]\n" + data)
    assert {name: count for name, count in last.items() if count} == {name: each.count for name, each in found.items()}


def test_an_unchanged_file_is_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = SeenFile(tmp_path / "seen.jsonl")
    seen.add([Seen("alert-1", 1, 10)])
    first = seen.read()

    def refused(*_: object) -> bytes:
        raise AssertionError

    monkeypatch.setattr(os, "pread", refused)
    assert first is seen.read()


def test_a_file_that_grew_too_long_is_written_anew_with_the_newest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(seen_file, "_BYTES_MOST", 600)
    monkeypatch.setattr(seen_file, "_KEPT_MOST", 5)
    seen = SeenFile(tmp_path / "seen.jsonl")
    for number in range(20):
        seen.add([Seen(f"alert-{number}", 1, number)])
    assert seen.path.stat().st_size <= 600
    assert f"alert-{19}" in seen.read()
    assert len(seen.read()) < 20


def _add(path: Path, name: str) -> None:
    seen = SeenFile(path)
    for number in range(40):
        seen.add([Seen(f"{name}-{number}", 1, number)])


def test_programs_that_write_at_once_lose_nothing(tmp_path: Path) -> None:
    path = tmp_path / "seen.jsonl"
    programs = [get_context("fork").Process(target=_add, args=(path, name)) for name in ("a", "b", "c")]
    for each in programs:
        each.start()
    for each in programs:
        each.join(60)
    assert {f"{name}-{number}" for name in ("a", "b", "c") for number in range(40)} == set(SeenFile(path).read())


def test_a_new_file_in_its_place_is_written_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another program writes it anew between our opening and our lock."""
    path = tmp_path / "seen.jsonl"
    seen, taken = SeenFile(path), list[int]()

    def locked(file: int, _: int) -> None:
        if not taken:
            os.rename(path, tmp_path / "old")
            path.write_bytes(b"")
        taken.append(file)

    monkeypatch.setattr(fcntl, "flock", locked)
    seen.add([Seen("alert-1", 1, 1)])
    assert {"alert-1"} == set(seen.read())
    assert 2 == len(taken)

    def always(_: int, __: int) -> None:
        path.unlink()
        path.write_bytes(b"")
        (tmp_path / "another").write_bytes(b"")

    monkeypatch.setattr(fcntl, "flock", always)
    path.write_bytes(b"")
    os.link(path, tmp_path / "held")  # its inode is not given to the next file
    with pytest.raises(UnwritableError, match="another process writes it all the time"):
        SeenFile(path).add([Seen("alert-1", 1, 1)])


@pytest.mark.parametrize("kind", ["link", "folder", "pipe"])
def test_what_is_no_file_of_the_user_is_neither_read_nor_written(tmp_path: Path, kind: str) -> None:
    path, elsewhere = tmp_path / "seen.jsonl", tmp_path / "elsewhere"
    elsewhere.write_bytes(b'{"alert":"alert-1","count":1,"at_ms":1}\n')
    if kind == "link":
        path.symlink_to(elsewhere)
    elif kind == "folder":
        path.mkdir()
    else:
        os.mkfifo(path)
    seen = SeenFile(path)
    assert {} == seen.read()
    with pytest.raises(UnwritableError, match=r"seen\.jsonl cannot be written: "):
        seen.add([Seen("alert-2", 1, 1)])
    assert 1 == elsewhere.read_bytes().count(b"\n")


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "" == SeenFile(tmp_path / "a" / "b" / "seen.jsonl").refusal
    (tmp_path / "file").write_bytes(b"")
    assert f"{tmp_path}/file is not a directory" == SeenFile(tmp_path / "file" / "seen.jsonl").refusal
    with pytest.raises(UnwritableError):
        SeenFile(tmp_path / "file" / "seen.jsonl").add([Seen("a", 1, 1)])

    def refused(_: object, __: int) -> bool:
        return False

    monkeypatch.setattr(os, "access", refused)
    assert f"{tmp_path} cannot be written here" == SeenFile(tmp_path / "seen.jsonl").refusal


@pytest.mark.needs("root")
def test_under_sudo_it_belongs_to_the_user(tmp_path: Path) -> None:
    path = tmp_path / "data" / "seen.jsonl"
    SeenFile(path, (65534, 65534)).add([Seen("alert-1", 1, 1)])
    assert [(65534, 65534)] * 2 == [(each.stat().st_uid, each.stat().st_gid) for each in (path, path.parent)]
