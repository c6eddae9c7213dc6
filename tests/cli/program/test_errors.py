"""Wrong use is one clear answer and an exit status, without rights and without a traceback."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from agentsight_rx.store.spool import Header, encode_segment
from agentsight_rx.store.state import LmdbStore, Put
from agentsight_rx.store.state.lmdb_store import META
from tests.cli.inside import ended

PROGRAM = [sys.executable, "-m", "agentsight_rx"]


def run(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*PROGRAM, *words], capture_output=True, text=True, timeout=60, check=False)


def test_an_unknown_flag_is_marked() -> None:
    done = run("trace", "--ssl", "--proces")
    assert done.returncode == 2
    error, line, marks = done.stderr.splitlines()
    assert error.startswith("Error: No such option: --proces")
    assert line[marks.index("^") : marks.rindex("^") + 1] == "--proces"


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        (["trace"], 2, "At least one monitoring type must be enabled (--ssl, --process, --stdio, or --system)"),
        (["trace"], 2, "all of them: --ssl, --plain-http, --process, --files, --net, --stdio, --system"),
        (["help", "nonsense"], 2, "nonsense"),
        (["trace", "--stdio"], 2, "stdio capture currently requires --pid"),
        (["trace", "--ssl", "--comm", ", "], 2, "names no process"),
        (["trace", "--ssl", "--pid", "many"], 2, "--pid"),
        (["trace", "--process", "--mode", "2"], 2, "mode 2 shows chosen processes only"),
        (["trace", "--process", "--mode", "7"], 2, "--mode"),
        (["trace", "--process", "--for", "soon"], 2, "--for 'soon': a duration is expected"),
        (["trace", "--process", "--config", "/no/such/file"], 2, "/no/such/file cannot be read"),
        (["trace", "--process", "-p", "1", "--server", "--listen", "0.0.0.0"], 2, "--allow-remote"),
        (["watch", "--pid", "1", "--server", "--listen", "0.0.0.0"], 2, "--allow-remote"),
        (["record"], 2, "nothing to record"),
        (["record", "--pid", "1", "--", "true"], 2, "do not go together"),
        (["replay", "/no/such/file"], 1, "/no/such/file cannot be read"),
        (["report", "--db", "/no/such/store"], 1, "/no/such/store does not exist"),
        (["nonsense"], 2, "nonsense"),
    ],
    ids=str,
)
def test_wrong_use_is_one_line(words: list[str], status: int, said: str, capsys: pytest.CaptureFixture[str]) -> None:
    done = ended(capsys, *words)
    assert done.returncode == status
    (line,) = done.stderr.splitlines()
    assert line.startswith("Error: ")
    assert said in line


@pytest.mark.parametrize("flag", ["--ssl-filter", "--http-filter"])
def test_a_wrong_filter_is_marked_at_its_place(flag: str, capsys: pytest.CaptureFixture[str]) -> None:
    done = ended(capsys, "trace", "--ssl", flag, "(len<10")
    assert done.returncode == 2
    error, line, mark = done.stderr.splitlines()
    assert error.startswith("Error: filter: ")
    assert line == "  (len<10"
    assert mark.strip() == "^"


def test_a_broken_line_is_reported_with_its_number_and_the_rest_is_read(tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"
    good = '{"timestamp":1,"event":"EXIT","comm":"sh","pid":%d,"ppid":1,"exit_code":0}'
    path.write_text("\n".join([good % 1, "{not json", good % 2]) + "\n")
    done = run("replay", str(path))
    assert done.returncode == 0
    assert len(done.stdout.splitlines()) == 3  # two exits and the loss
    assert f"{path} line 2" in done.stderr
    assert "1 thing is missing:" in done.stderr
    assert "1 lost at replay (malformed)" in done.stderr


@pytest.mark.parametrize("command", ["replay", "report"])
def test_a_store_of_another_version_is_refused_and_stays_as_it_is(
    command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, lines = tmp_path / "run.lmdb", tmp_path / "empty.jsonl"
    store = LmdbStore.open(path)
    store.commit([Put(META, "schema_version", 99)])
    store.close()
    lines.write_text("")
    before = path.read_bytes()
    done = ended(capsys, command, *([str(lines)] if command == "replay" else []), "--db", str(path))
    assert done.returncode == 1
    assert "schema version 99" in done.stderr
    assert path.read_bytes() == before


@pytest.mark.parametrize("name", ["0000000001.seg", ".open", "renamed"])
def test_a_segment_alone_is_refused_with_what_it_is(tmp_path: Path, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    header = Header(host="web1", sequence=1, first=1, run="r", product="1.0", python="3.13")
    (tmp_path / name).write_bytes(encode_segment(header, []))
    done = ended(capsys, "replay", str(tmp_path / name))
    assert (done.returncode, done.stdout) == (2, "")
    assert (
        done.stderr
        == f"Error: {tmp_path / name} is a segment of a spool, a part of a recording: give the folder that it is in\n"
    )


def test_segments_that_cannot_be_read_are_named(tmp_path: Path) -> None:
    folder = tmp_path / "spool" / "web1"
    folder.mkdir(parents=True)
    header = Header(host="web1", sequence=1, first=1, run="r", product="1.0", python="3.13")
    (folder / "0000000001.seg").write_bytes(encode_segment(header, []))
    (folder / "0000000002.seg").write_bytes(b"no frame")
    done = run("cluster", "run", "--spool", str(folder.parent), "--out", str(tmp_path / "out"), "--workers", "0")
    assert done.returncode == 0
    assert "agentsight-rx: SKIPPED web1/0000000002.seg: its bytes are wrong" in done.stderr


def test_graphs_are_printed_without_rights() -> None:
    done = run("trace", "--ssl", "--process", "--pid", "1", "--explain")
    assert done.returncode == 0
    assert "parse_http" in done.stdout


_VERSION = "from agentsight_rx.cli import main; import sys; sys.argv[1:] = ['--version']; main()"


def test_a_terminal_that_went_away_changes_no_exit_status() -> None:
    master, slave = pty.openpty()
    os.close(master)
    try:
        assert subprocess.run([sys.executable, "-c", _VERSION], stdout=slave, stderr=slave, check=False).returncode == 0
    finally:
        os.close(slave)


def test_output_to_a_full_disk_is_an_error_that_says_so() -> None:
    with Path("/dev/full").open("wb") as full:
        ran = subprocess.run([sys.executable, "-c", _VERSION], stdout=full, stderr=subprocess.PIPE, check=False)
    assert (ran.returncode, ran.stderr) == (1, b"Error: cannot write to the standard output: No space left on device\n")
