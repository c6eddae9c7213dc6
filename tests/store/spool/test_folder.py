from __future__ import annotations

from pathlib import Path

import pytest

from agentsight_rx.errors import SpoolError
from agentsight_rx.store.spool import Header, Recorded, encode_segment, folders, recordings, segment_name


def put(folder: Path, sequence: int, run: str) -> None:
    folder.mkdir(exist_ok=True)
    header = Header(host=folder.name, sequence=sequence, first=sequence, run=run, product="1", python="3")
    (folder / segment_name(sequence)).write_bytes(encode_segment(header, []))


def test_hosts_are_the_folders_with_segments(tmp_path: Path) -> None:
    for name in ("b", "a", "a+1of2"):
        put(tmp_path / name, 1, "x")
    (tmp_path / "empty").mkdir()
    (tmp_path / ".hidden").mkdir()
    (tmp_path / "file").write_bytes(b"")
    assert ["a", "a+1of2", "b"] == list(folders(tmp_path))


def test_the_folder_of_one_host_is_that_host(tmp_path: Path) -> None:
    put(tmp_path / "web1", 1, "x")
    assert {"web1": tmp_path / "web1"} == folders(tmp_path / "web1")


def test_a_folder_without_segments_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SpoolError, match="holds no segments"):
        folders(tmp_path)
    with pytest.raises(SpoolError, match="cannot be read"):
        folders(tmp_path / "missing")


def numbers(found: Recorded) -> list[int]:
    return [int(Path(path).stem) for path in found.paths]


def test_segments_of_one_recording_stand_together(tmp_path: Path) -> None:
    host = tmp_path / "web1"
    for sequence, run in ((1, "x"), (2, "x"), (3, "y"), (5, "z")):
        put(host, sequence, run)
    (host / "notes.txt").write_text("other files are no segments")
    found = list(recordings(host, "web1"))
    assert [[1, 2], [3], [5]] == list(map(numbers, found))
    assert [("y", 0), ("z", 2), ("", 3)] == [(each.next.run if each.next else "", each.before) for each in found]


def test_a_broken_segment_belongs_to_the_recording_around_it(tmp_path: Path) -> None:
    host = tmp_path / "web1"
    put(host, 1, "x")
    (host / segment_name(2)).write_bytes(b"broken")
    put(host, 3, "x")
    put(host, 4, "y")
    assert [[1, 2, 3], [4]] == list(map(numbers, recordings(host, "web1")))
