"""A look at session files says what is new behind a saved place, without reading a file."""

from __future__ import annotations

from pathlib import Path

from agentsight_rx.runtime.resume import saved_places
from agentsight_rx.sources.session_files.look import Progress, is_all_read
from tests.sources.session_files.test_source import NAME, home, imported, options

__all__ = ["home"]


def looked(home: Path, path: Path) -> tuple[bool, int, int]:
    (source,) = saved_places(path)
    assert source.place is not None
    progress = Progress()
    found = is_all_read(options(home), [], source.place, progress)
    assert found == progress.caught_up.is_set()
    return found, progress.files, progress.read_files


def test_a_look_says_whether_there_is_more(home: Path, tmp_path: Path) -> None:
    path = tmp_path / "past.lmdb"
    imported(home, path)
    assert (True, 4, 4) == looked(home, path)
    content = (home / NAME).read_bytes()
    with (home / NAME).open("ab") as file:
        file.write(b"{}\n")
    assert (False, 4, 3) == looked(home, path)
    (home / NAME).unlink()
    assert (False, 3, 3) == looked(home, path), "its session gets a mark"
    (home / NAME).write_bytes(content)
    assert (False, 4, 3) == looked(home, path), "another file"


def test_a_place_that_is_none_is_read_by_a_run(home: Path) -> None:
    assert not is_all_read(options(home), [], b"no place", Progress())
    assert [] == saved_places(home / "nothing.lmdb")
