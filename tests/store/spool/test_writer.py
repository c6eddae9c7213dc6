from __future__ import annotations

import os
import stat
from collections.abc import Sequence
from pathlib import Path
from unittest import mock

import pytest
from msgspec import Struct

from agentsight_rx.errors import SpoolError, UsageError
from agentsight_rx.events import Event, Origin, ProcessExec, ProcessFork, Tick
from agentsight_rx.store.spool import Segment, SpoolOptions, SpoolWriter, host_of_machine, read_segment


class Clock(Struct):
    now_s: float = 0.0

    def __call__(self) -> float:
        return self.now_s


def fork(time_ns: int, pid: int = 5, ppid: int = 0) -> Event:
    return ProcessFork(Origin(time_ns, pid, wall_ns=1), ppid, 2)


def writer(
    folder: Path, *, size: int = 64 << 20, parts: int = 1, clock: Clock | None = None, run: str | None = None
) -> SpoolWriter:
    return SpoolWriter(SpoolOptions(str(folder), "web1", parts, size=size), clock=clock or Clock(), run=run)


def segments(folder: Path, key: str = "web1") -> list[Segment]:
    return [read_segment(path.read_bytes()) for path in sorted((folder / key).glob("*.seg"))]


def times(found: Sequence[Segment]) -> list[int]:
    return [event.origin.time_ns for each in found for batch in each.batches() for event in batch]


def test_segments_are_cut_by_size_and_numbered(tmp_path: Path) -> None:
    spool = writer(tmp_path, size=200)
    for number in range(20):
        spool.write([fork(number)])
    spool.close()
    found = segments(tmp_path)
    assert len(found) > 2
    assert list(range(20)) == times(found)
    assert [number + 1 for number in range(len(found))] == [each.header.sequence for each in found]
    assert {1} == {each.header.first for each in found}
    assert [False] * (len(found) - 1) + [True] == [each.footer.ended for each in found]


def test_a_segment_is_closed_once_it_is_old_enough(tmp_path: Path) -> None:
    clock = Clock()
    spool = writer(tmp_path, clock=clock)
    spool.write([fork(1)])
    clock.now_s = 59.9
    spool.flush()
    assert [] == segments(tmp_path)
    clock.now_s = 60.0
    spool.flush()
    assert [1] == times(segments(tmp_path))
    spool.close()


def test_the_end_is_written_also_where_nothing_came_since_the_last_segment(tmp_path: Path) -> None:
    clock = Clock()
    spool = writer(tmp_path, clock=clock)
    spool.write([fork(1)])
    clock.now_s = 60.0
    spool.flush()
    spool.close()
    assert [(1, False), (0, True)] == [(each.footer.events, each.footer.ended) for each in segments(tmp_path)]


def test_a_recording_without_events_leaves_no_segment(tmp_path: Path) -> None:
    writer(tmp_path).close()
    assert [] == segments(tmp_path)


def test_numbers_go_on_also_where_earlier_segments_were_removed(tmp_path: Path) -> None:
    for _ in range(2):
        spool = writer(tmp_path)
        spool.write([fork(1)])
        spool.close()
        for path in (tmp_path / "web1").glob("*.seg"):
            path.unlink()
    spool = writer(tmp_path)
    spool.write([fork(1)])
    spool.close()
    assert [(3, 3)] == [(each.header.sequence, each.header.first) for each in segments(tmp_path)]


def test_files_and_folders_are_private(tmp_path: Path) -> None:
    spool = writer(tmp_path / "spool")
    spool.write([fork(1)])
    spool.close()
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "spool").rglob("*")}
    assert {"web1": 0o700, "0000000001.seg": 0o600, ".sequence": 0o600} == modes
    assert 0o700 == stat.S_IMODE((tmp_path / "spool").stat().st_mode)


def test_a_second_recorder_in_the_same_folder_is_refused(tmp_path: Path) -> None:
    spool = writer(tmp_path)
    with pytest.raises(SpoolError, match="written by another recorder"):
        writer(tmp_path)
    spool.close()
    writer(tmp_path).close()


def killed(spool: SpoolWriter) -> None:
    """The end of its process: what it has not flushed is gone, and its locks are."""
    for part in spool._writers:  # pyright: ignore[reportPrivateUsage]
        os.close(part._counter)  # pyright: ignore[reportPrivateUsage]
        assert part._file is not None  # pyright: ignore[reportPrivateUsage]
        part._file.close()  # pyright: ignore[reportPrivateUsage]


def test_what_a_killed_recorder_left_open_the_next_one_closes(tmp_path: Path) -> None:
    spool = writer(tmp_path, run="first")
    spool.write([fork(1), fork(2)])
    spool.flush()
    killed(spool)
    after = writer(tmp_path, run="second")
    after.write([fork(3)])
    after.close()
    found = segments(tmp_path)
    assert [("first", 1, True), ("second", 2, False)] == [
        (each.header.run, each.header.sequence, each.footer.cut) for each in found
    ]
    assert [1, 2, 3] == times(found)


def test_an_open_segment_that_cannot_be_read_is_removed_and_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    writer(tmp_path).close()
    (tmp_path / "web1" / ".open").write_bytes(b"nothing")
    writer(tmp_path).close()
    assert "cannot be read and is removed" in capsys.readouterr().err
    assert not (tmp_path / "web1" / ".open").exists()


def test_a_write_that_fails_costs_what_is_in_the_open_segment_and_the_next_one_goes_on(tmp_path: Path) -> None:
    spool = writer(tmp_path)
    spool.write([fork(1), fork(2)])
    with mock.patch("os.fsync", side_effect=OSError(28, "No space left on device")), pytest.raises(OSError, match="space"):
        spool.close()
    assert 2 == spool.lost()
    assert 0 == spool.lost()
    assert [] == list((tmp_path / "web1").glob("*.seg"))
    again = writer(tmp_path)
    again.write([fork(3)])
    again.close()
    assert [3] == times(segments(tmp_path))


def test_a_family_of_processes_is_in_one_part_and_ticks_in_all(tmp_path: Path) -> None:
    spool = writer(tmp_path, parts=2)
    spool.write(
        [
            fork(1, pid=10),
            fork(2, pid=11, ppid=1),
            fork(3, pid=21, ppid=10),
            Tick(Origin(4, 0)),
            ProcessExec(Origin(5, 33, wall_ns=1), 21, 2, "/bin/a", ("a",), "/"),
            fork(6, pid=44, ppid=11),
        ]
    )
    spool.close()
    assert [1, 3, 4, 5] == times(segments(tmp_path, "web1+0of2"))
    assert [2, 4, 6] == times(segments(tmp_path, "web1+1of2"))
    assert [(0, 2), (1, 2)] == [
        (each.header.part, each.header.parts) for key in ("web1+0of2", "web1+1of2") for each in segments(tmp_path, key)
    ]


@pytest.mark.parametrize(
    ("host", "parts"), [("", 1), ("a/b", 1), ("..", 1), ("a+1of2", 1), ("x" * 65, 1), ("a", 0), ("a", 999)]
)
def test_a_name_or_number_that_makes_no_folder_is_refused(tmp_path: Path, host: str, parts: int) -> None:
    with pytest.raises(UsageError, match=r"^SpoolOptions\((host|parts)=.+\): expected"):
        SpoolOptions(str(tmp_path), host, parts)


def test_the_name_of_this_machine_can_be_used(tmp_path: Path) -> None:
    SpoolWriter(SpoolOptions(str(tmp_path), host_of_machine())).close()
