"""Folders say that something in them has changed, once each time, and where a folder that is not there yet has come."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from agentsight_rx.sources.session_files import stirred
from agentsight_rx.sources.session_files.stirred import Stirred


@pytest.fixture
def watched() -> Iterator[Stirred]:
    made = Stirred()
    yield made
    made.close()


def test_each_kind_of_change_is_told_once(watched: Stirred, tmp_path: Path) -> None:
    file, other = tmp_path / "a.jsonl", tmp_path / "b.jsonl"
    assert watched.watch([str(tmp_path)], [])
    assert not watched.watch([str(tmp_path)], []), "nothing new"
    assert watched.is_whole
    file.write_bytes(b"1")
    assert watched.within(5)
    assert not watched.within(0)
    for change in (lambda: os.truncate(file, 0), lambda: file.rename(other), other.unlink, (tmp_path / "d").mkdir):
        change()
        assert watched.within(5)
    assert [] == list((tmp_path / "d").iterdir())  # to look is no change
    assert not watched.within(0)


def test_a_place_that_is_not_there_yet_is_told_of(watched: Stirred, tmp_path: Path) -> None:
    place = tmp_path / ".codex" / "sessions"
    watched.watch([], [str(place)])
    (tmp_path / "other.txt").touch()
    assert watched.within(5), "a name came where the place may come"
    place.parent.mkdir()
    assert watched.within(5)
    assert watched.watch([], [str(place)])
    place.mkdir()
    assert watched.within(5)
    watched.watch([str(place)], [str(place)])
    (tmp_path / "more.txt").touch()
    assert not watched.within(0), "the place is there, so its home is not watched any more"


def test_where_no_watches_are_left_it_is_not_whole(watched: Stirred, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stirred, "_MOST", 1)
    watched.watch([str(tmp_path), "/"], [])
    assert not watched.is_whole
    monkeypatch.setattr(stirred, "_MOST", 4096)
    watched.watch([str(tmp_path), os.devnull, str(tmp_path / "gone")], [])
    assert watched.is_whole, "a folder that went meanwhile has no changes"
    watched.close()
    watched.watch([str(tmp_path)], [])
    assert (False, False) == (watched.is_whole, watched.within(0))
