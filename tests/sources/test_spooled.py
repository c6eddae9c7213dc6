from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from agentsight_rx.cli import app
from agentsight_rx.events import Event, Loss, Origin, ProcessExec, ProcessExit, ProcessFork, Tick
from agentsight_rx.events.envelope import encode_line
from agentsight_rx.events.loss import Reason
from agentsight_rx.sources import spooled
from agentsight_rx.store.rows.kind import ROW_TABLES
from agentsight_rx.store.rows.tables import PROCESSES
from agentsight_rx.store.spool import Header, Recorded, encode_segment, folders, recordings, segment_name
from agentsight_rx.store.state import LmdbStore
from property_tests.continuing import events_of

EVENTS: list[Event] = [
    ProcessFork(Origin(1, 9, wall_ns=6), 7, 2),
    ProcessExec(Origin(2, 9, wall_ns=7), 7, 2, "/bin/ls", ("ls", "-l"), "/"),
    Tick(Origin(10_000_000_000, 0)),
    ProcessExit(Origin(4, 9, wall_ns=8), 7, 2, 0),
]


def put(folder: Path, sequence: int, events: list[Event], *, run: str = "a", first: int = 1, ended: bool = False) -> Path:
    folder.mkdir(exist_ok=True, parents=True)
    header = Header(host=folder.name, sequence=sequence, first=first, run=run, product="1", python="3")
    path = folder / segment_name(sequence)
    path.write_bytes(encode_segment(header, events, ended=ended))
    return path


def read(recorded: Recorded) -> list[Event]:
    seen: list[Event] = []
    spooled(recorded).subscribe(seen.append)
    return seen


def all_of(root: Path) -> list[list[Event]]:
    return [read(each) for key, folder in folders(root).items() for each in recordings(folder, key)]


def test_events_come_in_order_and_ticks_go_no_further(tmp_path: Path) -> None:
    put(tmp_path / "web1", 1, EVENTS[:2])
    put(tmp_path / "web1", 2, EVENTS[2:], ended=True)
    assert [[EVENTS[0], EVENTS[1], EVENTS[3]]] == all_of(tmp_path)


def test_a_segment_that_is_cut_is_skipped_and_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    put(tmp_path / "web1", 1, EVENTS[:1])
    path = put(tmp_path / "web1", 2, EVENTS[1:2])
    path.write_bytes(path.read_bytes()[:-3])
    put(tmp_path / "web1", 3, EVENTS[3:], ended=True)
    ((first, loss, last),) = all_of(tmp_path)
    assert (EVENTS[0], EVENTS[3]) == (first, last)
    assert isinstance(loss, Loss)
    assert (Reason.MALFORMED, 1, path.stat().st_size) == (loss.reason, loss.count, loss.size)
    assert f"{path} is skipped: it is cut" in capsys.readouterr().err


def test_a_gap_and_a_recording_without_an_end_are_losses(tmp_path: Path) -> None:
    put(tmp_path / "web1", 1, EVENTS[:1])
    put(tmp_path / "web1", 4, EVENTS[1:2])
    put(tmp_path / "web1", 5, EVENTS[3:], run="b", first=5, ended=True)
    first, second = all_of(tmp_path)
    assert [(2, Reason.UNREADABLE), (1, Reason.UNREADABLE)] == [
        (event.count, event.reason) for event in first if isinstance(event, Loss)
    ]
    assert [EVENTS[3]] == second


def replayed(store: Path, *files: Path, options: tuple[str, ...] = ()) -> dict[str, object]:
    done = CliRunner().invoke(app, ["replay", *map(str, files), "--db", str(store), "--quiet", *options])
    assert 0 == done.exit_code, done.output
    kept = LmdbStore.open(store, readonly=True)
    try:
        return {table.name: list(kept.scan(table)) for table in ROW_TABLES}
    finally:
        kept.close()


def test_a_recording_by_way_of_a_spool_gives_equal_rows(tmp_path: Path) -> None:
    lines = tmp_path / "run.jsonl"
    lines.write_bytes(b"".join(encode_line(event) + b"\n" for event in events_of(5)))
    spool = tmp_path / "spool"
    expected = replayed(tmp_path / "a.lmdb", lines, options=("--spool", str(spool), "--spool-host", "web1"))
    assert any(expected.values())
    assert expected == replayed(tmp_path / "b.lmdb", spool / "web1")


def test_of_the_folder_of_all_hosts_the_rows_name_theirs(tmp_path: Path) -> None:
    for host in ("web1", "web2"):
        put(tmp_path / "spool" / host, 1, EVENTS, ended=True)
    replayed(tmp_path / "a.lmdb", tmp_path / "spool")
    kept = LmdbStore.open(tmp_path / "a.lmdb", readonly=True)
    try:
        assert ["process-web1:9-0", "process-web2:9-0"] == [row.id for _, row in kept.scan(PROCESSES)]
    finally:
        kept.close()


def test_folders_and_files_together_are_refused(tmp_path: Path) -> None:
    (tmp_path / "spool").mkdir()
    done = CliRunner().invoke(app, ["replay", str(tmp_path / "spool"), str(tmp_path / "a.jsonl")], standalone_mode=False)
    assert "do not go together" in str(done.exception)
