"""doctor --timing and record --timing."""

from __future__ import annotations

import subprocess
from pathlib import Path

import msgspec
import pytest

from agentsight_rx.cli.program.start_timing import STARTED, Held, Start, lines_of, measured, write_steps
from agentsight_rx.core.start import Step
from agentsight_rx.errors import CaptureError, SinkError
from tests.cli.program.test_errors import run

STEPS = [
    Step("Python, and the command line", 0.0, took_ms=60.4, processor_ms=55.0),
    Step("tls, opened", 250.0, took_ms=40.0, processor_ms=20.0, beside=True),
    Step(STARTED, 300.0, took_ms=5.0, processor_ms=1.0),
]


def test_the_table_tells_what_is_beside_the_main_thread_and_when_the_command_began() -> None:
    assert list(lines_of(Start(STEPS, Held(41, 70, 74, 12)))) == [
        "     ms    took     cpu  before the command",
        "      0      60      55  Python, and the command line",
        "    250      40      20  → tls, opened",
        "    300       5       1  the command, started",
        "the command began 305 ms after record",
        "in the kernel: 41 programs at 74 places, 70 maps; 12 threads here",
    ]


def test_without_a_start_there_is_no_sum() -> None:
    assert len(list(lines_of(Start(STEPS[:1], Held())))) == 3


def test_steps_are_written_as_lines_of_json_that_only_their_owner_reads(tmp_path: Path) -> None:
    write_steps(tmp_path / "steps", Held())
    first, *_, last = map(msgspec.json.decode, (tmp_path / "steps").read_bytes().splitlines())
    assert (first["name"], first["begin_ms"], first["beside"]) == ("Python, and the command line", 0.0, False)
    assert last == Held()._asdict()
    assert (tmp_path / "steps").stat().st_mode & 0o777 == 0o600
    with pytest.raises(SinkError, match="cannot be written"):
        write_steps(tmp_path / "nowhere" / "steps")


def test_a_record_that_does_not_start_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def failed(command: list[str], **_: object) -> subprocess.CompletedProcess[str]:
        return subprocess.CompletedProcess(command, 1, "", "cannot capture: no rights")

    monkeypatch.setattr(subprocess, "run", failed)
    with pytest.raises(CaptureError, match="no rights"):
        measured()


def test_the_steps_of_a_record_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    def wrote(command: list[str], **_: object) -> subprocess.CompletedProcess[str]:
        path = Path(command[command.index("--timing") + 1])
        steps = (*(step._asdict() for step in STEPS), Held(3, 4, 5, 6)._asdict())
        path.write_bytes(b"".join(msgspec.json.encode(each) + b"\n" for each in steps))
        return subprocess.CompletedProcess(command, 0, "", "")

    monkeypatch.setattr(subprocess, "run", wrote)
    assert measured() == Start(STEPS, Held(3, 4, 5, 6))


def test_the_flags_say_what_they_are_for(tmp_path: Path) -> None:
    done = run("record", "--timing", str(tmp_path / "steps"), "--pid", "1")
    assert (done.returncode, "--timing is about a command" in done.stderr) == (2, True)
    done = run("doctor", "--timing", "--probe", "cat")
    assert (done.returncode, "do not go together" in done.stderr) == (2, True)
