"""What the cache of programs gives back, and what it never uses."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from agentsight_rx.sources.kernel import cache as module
from agentsight_rx.sources.kernel.cache import Cache, key_of
from agentsight_rx.sources.kernel.loaded import Function, Image, Map

_IMAGE = Image(
    (Map("counts", 6, 4, 8, entries=3, flags=0, key_type='"int"', leaf_type='"unsigned long long"'),),
    (Function("on_read", bytes(range(16)), ((0, 0),)),),
)
_OTHER = Image((), ())
_KEY = key_of(["text"])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "own" / "programs"


@pytest.fixture
def kept(folder: Path) -> Cache:
    cache = Cache(folder)
    assert cache.put(_KEY, _IMAGE)
    return cache


def _file(folder: Path) -> Path:
    (file,) = folder.iterdir()
    return file


def test_what_was_kept_comes_back(kept: Cache) -> None:
    assert kept.get(_KEY) == _IMAGE


def test_directory_and_file_are_for_their_owner_alone_whatever_the_umask(folder: Path) -> None:
    before = os.umask(0)
    try:
        (folder.parent.parent / "own").mkdir(mode=0o700)
        Cache(folder).put(_KEY, _IMAGE)
    finally:
        os.umask(before)
    assert [stat.S_IMODE(path.stat().st_mode) for path in (folder, _file(folder))] == [0o700, 0o600]


def test_a_newer_image_takes_the_place(kept: Cache, folder: Path) -> None:
    kept.put(_KEY, _OTHER)
    assert kept.get(_KEY) == _OTHER
    assert len(list(folder.iterdir())) == 1


def test_an_unknown_key_gives_nothing(kept: Cache) -> None:
    assert kept.get(key_of(["other"])) is None


@pytest.mark.parametrize(
    "other",
    [
        ["text2", ["a.b"], ["-DX"], ["6.1"]],
        ["text", ["a.c"], ["-DX"], ["6.1"]],
        ["text", ["a.b"], ["-DY"], ["6.1"]],
        ["text", ["a.b"], ["-DX"], ["6.2"]],
        ["text", ["a.b", "-DX"], [], ["6.1"]],
    ],
)
def test_the_key_changes_with_each_part(other: list[str | list[str]]) -> None:
    assert key_of(other) != key_of(["text", ["a.b"], ["-DX"], ["6.1"]])


def test_a_file_under_the_key_of_another_is_not_used(kept: Cache, folder: Path) -> None:
    other = key_of(["other"])
    _file(folder).rename(folder / f"{other}.program")
    assert kept.get(other) is None


def test_any_changed_byte_makes_the_file_unused(kept: Cache, folder: Path) -> None:
    file = _file(folder)
    whole = file.read_bytes()
    for at in range(len(whole)):
        file.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
        assert kept.get(_KEY) is None, at
    file.write_bytes(whole)
    assert kept.get(_KEY) == _IMAGE


def test_a_cut_file_and_one_with_more_at_its_end_are_not_used(kept: Cache, folder: Path) -> None:
    file = _file(folder)
    whole = file.read_bytes()
    for changed in (*(whole[:size] for size in range(len(whole))), whole + b"\0"):
        file.write_bytes(changed)
        assert kept.get(_KEY) is None, len(changed)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o602, 0o644, 0o666])
def test_a_file_on_which_others_have_rights_is_not_used(kept: Cache, folder: Path, mode: int) -> None:
    _file(folder).chmod(mode)
    assert kept.get(_KEY) is None


@pytest.mark.parametrize("mode", [0o770, 0o707, 0o755])
def test_a_directory_on_which_others_have_rights_is_not_used(kept: Cache, folder: Path, mode: int) -> None:
    folder.chmod(mode)
    assert (kept.get(_KEY), kept.put(_KEY, _OTHER)) == (None, False)
    assert kept.state() == (False, f"{folder} is not used: it has mode {mode:04o}: other users have rights on it")


@pytest.mark.parametrize("mode", [0o770, 0o707])
def test_a_directory_above_to_which_others_may_write_is_not_used(kept: Cache, folder: Path, mode: int) -> None:
    folder.parent.chmod(mode)
    assert (kept.get(_KEY), kept.put(_KEY, _OTHER)) == (None, False)


@pytest.mark.needs("root")
@pytest.mark.parametrize("which", ["file", "directory", "above"])
def test_what_belongs_to_another_user_is_not_used(kept: Cache, folder: Path, which: str) -> None:
    os.chown({"file": _file(folder), "directory": folder, "above": folder.parent}[which], 12_345, 0)
    assert kept.get(_KEY) is None


def test_links_are_not_used(kept: Cache, folder: Path, tmp_path: Path) -> None:
    file, real = _file(folder), tmp_path / "real"
    file.rename(real)
    file.symlink_to(real)
    assert kept.get(_KEY) is None
    file.unlink()
    os.link(real, file)
    assert kept.get(_KEY) is None


def test_a_link_for_the_directory_is_not_used(kept: Cache, folder: Path, tmp_path: Path) -> None:
    folder.rename(tmp_path / "moved")
    folder.symlink_to(tmp_path / "moved")
    assert (kept.get(_KEY), kept.put(_KEY, _OTHER)) == (None, False)


def test_a_pipe_of_that_name_does_not_hold_us(kept: Cache, folder: Path) -> None:
    file = _file(folder)
    file.unlink()
    os.mkfifo(file, 0o600)
    assert kept.get(_KEY) is None


def test_what_is_wrong_is_replaced(kept: Cache, folder: Path) -> None:
    _file(folder).chmod(0o666)
    assert kept.put(_KEY, _OTHER)
    assert kept.get(_KEY) == _OTHER


def test_what_was_used_last_stays(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_ENTRIES_MOST", 2)
    cache = Cache(folder)
    for number in range(3):
        cache.put(str(number), _OTHER)
        os.utime(folder / f"{number}.program", (number, number))
        if number == 1:
            assert cache.get("0") == _OTHER  # used just now
    assert [cache.get(str(number)) for number in range(3)] == [_OTHER, None, _OTHER]


def test_without_a_directory_nothing_is_kept() -> None:
    cache = Cache(None)
    assert (cache.put(_KEY, _IMAGE), cache.get(_KEY)) == (False, None)


def test_a_place_that_cannot_be_a_directory_is_no_error(tmp_path: Path) -> None:
    (tmp_path / "own").write_text("a file")
    cache = Cache(tmp_path / "own" / "programs")
    assert (cache.put(_KEY, _IMAGE), cache.get(_KEY), cache.state()[0]) == (False, None, False)


def test_the_state_names_the_place_and_what_is_in_it(kept: Cache, folder: Path) -> None:
    used, seen = kept.state()
    assert (used, seen) == (True, f"{folder}, 1 program, {_file(folder).stat().st_size:,} bytes")
    assert Cache(folder / "none").state()[1].endswith("nothing in it yet")
