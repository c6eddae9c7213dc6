"""What is printed on a terminal, and what elsewhere."""

from __future__ import annotations

import fcntl
import os
import pty
import struct
import subprocess
import termios
from pathlib import Path

import pytest

from tests.cli.program.test_errors import PROGRAM, run

LINE = '{"timestamp":1,"event":"EXIT","comm":"sh","pid":7,"ppid":1,"exit_code":3}\n'


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    path = tmp_path / "run.jsonl"
    path.write_text(LINE)
    return path


def on_a_terminal(*words: str, columns: int = 80, env: dict[str, str] | None = None) -> str:
    """What the program writes to its standard output, a terminal."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    given = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "NO_COLOR")} | {"TERM": "xterm"}
    with subprocess.Popen([*PROGRAM, *words], stdout=slave, stderr=subprocess.PIPE, env=given | (env or {})) as program:
        os.close(slave)
        out = b""
        while True:
            try:
                data = os.read(master, 65_536)
            except OSError:  # EIO: the program has ended
                break
            if not data:
                break
            out += data
        os.close(master)
        program.communicate()
    assert program.returncode == 0
    return out.decode().replace("\r\n", "\n")


def test_a_terminal_gets_lines_to_read(recording: Path) -> None:
    (line,) = on_a_terminal("replay", str(recording)).splitlines()
    assert line.split(maxsplit=1)[0] == "sh" or line[14:].startswith("sh 7 ")
    assert "\x1b[31m■  exit 3\x1b[0m" in line


@pytest.mark.parametrize("env", [{"NO_COLOR": "1"}, {"TERM": "dumb"}, {"TERM": ""}], ids=str)
def test_colour_can_be_refused(recording: Path, env: dict[str, str]) -> None:
    text = on_a_terminal("replay", str(recording), env=env)
    assert "■  exit 3" in text
    assert "\x1b" not in text


def test_json_can_be_asked_for(recording: Path) -> None:
    assert on_a_terminal("replay", "--json", str(recording)).startswith('{"timestamp":')


def test_elsewhere_it_is_json(recording: Path) -> None:
    assert run("replay", str(recording)).stdout.startswith('{"timestamp":')


@pytest.mark.parametrize("columns", [50, 80, 132])
def test_a_line_is_as_wide_as_the_terminal(tmp_path: Path, columns: int) -> None:
    path = tmp_path / "run.jsonl"
    command = '{"timestamp":1,"event":"EXEC","comm":"sh","pid":7,"ppid":1,"filename":"/bin/sh","full_command":"sh %s"}\n'
    path.write_text(command % ("x" * 300))
    (line,) = on_a_terminal("replay", str(path), columns=columns).splitlines()
    assert len(line) == columns
    assert line.endswith("…")
