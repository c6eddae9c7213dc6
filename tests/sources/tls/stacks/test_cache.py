"""Findings that are kept between runs."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from agentsight_rx.sources.tls.stacks import cache
from agentsight_rx.sources.tls.stacks.cache import find_stacks_cached, identity_of, keep_finding
from agentsight_rx.sources.tls.stacks.finding import Finding, Hook
from agentsight_rx.sources.tls.stacks.search import TIMED_OUT
from tests.sources.tls.stacks import Maker
from tests.sources.tls.stacks.test_exported_placement import with_openssl
from tests.sources.tls.stacks.test_search_boringssl import boringssl

FOUND = (Finding("BoringSSL", "error reasons", evidence=("found",)),)
LARGE = 5 << 20


class Searches:
    """Stands for the search and counts the calls."""

    def __init__(self) -> None:
        self.count = 0
        self.found: tuple[Finding, ...] = FOUND

    def __call__(self, file: object, name: str) -> tuple[Finding, ...]:
        self.count += 1
        return self.found


@pytest.fixture
def searches(monkeypatch: pytest.MonkeyPatch) -> Searches:
    searches = Searches()
    monkeypatch.setattr(cache, "find_stacks", searches)
    return searches


def program(folder: Path, name: str = "program", size: int = LARGE) -> Path:
    path = folder / name
    path.write_bytes(b"")
    os.truncate(path, size)
    return path


def asked(path: Path, folder: Path) -> tuple[Finding, ...]:
    with path.open("rb") as file:
        return find_stacks_cached(file, str(path), folder=folder)


def test_a_file_is_searched_once(tmp_path: Path, searches: Searches) -> None:
    path, folder = program(tmp_path), tmp_path / "cache"
    assert FOUND == asked(path, folder) == asked(path, folder)
    assert searches.count == 1
    (kept,) = folder.iterdir()
    assert kept.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(("maker", "hooks"), [(boringssl(Maker()), 2), (with_openssl(Maker()), 5)])
def test_the_findings_come_back_whole(tmp_path: Path, maker: Maker, hooks: int) -> None:
    path, folder = tmp_path / "program", tmp_path / "cache"
    path.write_bytes(maker.made())
    os.truncate(path, LARGE)
    found = asked(path, folder)
    assert len(found[0].hooks) == hooks
    assert asked(path, folder) == found


def test_a_file_that_changed_is_searched_again(tmp_path: Path, searches: Searches) -> None:
    path, folder = program(tmp_path), tmp_path / "cache"
    asked(path, folder)
    before = path.stat()
    path.write_bytes(bytes(LARGE))
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))  # its owner can set this time, but not that of the inode
    asked(path, folder)
    assert searches.count == 2


def test_a_small_file_is_searched_each_time(tmp_path: Path, searches: Searches) -> None:
    path, folder = program(tmp_path, size=1000), tmp_path / "cache"
    asked(path, folder)
    asked(path, folder)
    assert searches.count == 2
    assert not folder.exists()


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff\xfe", b'{"finder": "x", "entries": {}}', b'{"entries": 3}'])
def test_a_damaged_cache_is_written_anew(tmp_path: Path, searches: Searches, content: bytes) -> None:
    path, folder = program(tmp_path), tmp_path / "cache"
    asked(path, folder)
    (kept,) = folder.iterdir()
    kept.write_bytes(content)
    asked(path, folder)
    asked(path, folder)
    assert searches.count == 2


def test_a_cache_that_others_can_write_is_ignored(tmp_path: Path, searches: Searches) -> None:
    path, folder = program(tmp_path), tmp_path / "cache"
    asked(path, folder)
    (kept,) = folder.iterdir()
    kept.chmod(0o666)
    asked(path, folder)
    assert searches.count == 2


def test_a_link_in_its_place_is_replaced(tmp_path: Path, searches: Searches) -> None:
    path, folder = program(tmp_path), tmp_path / "cache"
    asked(path, folder)
    (kept,) = folder.iterdir()
    kept.rename(tmp_path / "elsewhere")
    kept.symlink_to(tmp_path / "elsewhere")
    asked(path, folder)
    assert searches.count == 2
    assert not kept.is_symlink()


def test_the_code_of_the_search_is_its_version(tmp_path: Path, searches: Searches, monkeypatch: pytest.MonkeyPatch) -> None:
    path, folder = program(tmp_path), tmp_path / "cache"
    asked(path, folder)
    monkeypatch.setattr(cache, "finder", lambda: "another")
    asked(path, folder)
    assert searches.count == 2


def test_the_number_of_entries_is_bounded(tmp_path: Path, searches: Searches, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache, "_ENTRIES_MOST", 3)
    folder = tmp_path / "cache"
    paths = [program(tmp_path, f"program{number}") for number in range(5)]
    for path in paths:
        asked(path, folder)
    for path in paths[2:]:
        asked(path, folder)
    assert searches.count == 5
    asked(paths[0], folder)
    assert searches.count == 6


def test_a_search_that_ran_out_of_time_is_not_kept(tmp_path: Path, searches: Searches) -> None:
    searches.found = (Finding("BoringSSL", "", failure=TIMED_OUT),)
    path, folder = program(tmp_path), tmp_path / "cache"
    asked(path, folder)
    asked(path, folder)
    assert searches.count == 2


def test_without_a_place_for_the_cache_files_are_searched(tmp_path: Path, searches: Searches) -> None:
    path, folder = program(tmp_path), tmp_path / "cache"
    folder.write_bytes(b"")
    assert FOUND == asked(path, folder) == asked(path, folder)
    assert searches.count == 2


def test_what_a_run_has_shown_replaces_the_finding(tmp_path: Path, searches: Searches) -> None:
    path, folder = program(tmp_path), tmp_path / "cache"
    waiting = Finding("rustls with ring", "positions", failure="waiting", candidates=(1, 2))
    searches.found = (*FOUND, waiting)
    assert searches.found == asked(path, folder)
    with path.open("rb") as file:
        identity = identity_of(file)
    learnt = Finding("rustls with ring", "positions", hooks=(Hook("ring_encrypt", 1, layout=(257, 40, 3, -1)),))
    keep_finding(identity, learnt, folder=folder)
    keep_finding("of another file", learnt, folder=folder)
    assert (*FOUND, learnt) == asked(path, folder)
    assert searches.count == 1
