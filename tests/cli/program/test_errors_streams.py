"""Standard streams that are closed, full or of another encoding: sentences and exit statuses, in every command."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.cli.report.story import recorded, small_story

PROGRAM = f"{sys.executable} -m agentsight_rx"
LINE = '{"timestamp":1,"event":"EXIT","comm":"fähre · 渡し","pid":1,"ppid":1,"exit_code":0}\n'
ASCII = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}  # Python takes C for UTF-8, but for these two
# of each the begin of what it prints
COMMANDS = {
    "--version": "agentsight-rx ",
    "--help": "",
    "report --db {0}/ü.lmdb --text": "",
    "report calls --db {0}/ü.lmdb --json": '{"id":',
    "report export --db {0}/ü.lmdb": "{\n",
    "replay {0}/ü.jsonl": '{"timestamp":',
    "trace --process -p 1 --explain": "",
    "top --db {0}/ü.lmdb --once": "",
    "filter response.status_code=404 {0}/ü.jsonl": "",
}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("streams")
    recorded(folder / "ü.lmdb", small_story())
    (folder / "ü.jsonl").write_text(LINE, encoding="utf-8")
    return folder


def shell(line: str, place: Path, env: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[bytes]:
    script = f"{PROGRAM} {line.format(place)}"
    return subprocess.run(["/bin/sh", "-c", script], capture_output=True, check=False, env={**os.environ, **(env or {})})


@pytest.mark.parametrize("command", COMMANDS)
def test_no_stream_makes_a_traceback(place: Path, command: str) -> None:
    closed = shell(f"{command} >&-", place)
    assert (closed.returncode, b"Traceback" in closed.stderr) == (0, False), closed.stderr
    assert shell(f"{command} >&- 2>&- <&-", place).returncode == 0
    full = shell(f"{command} >/dev/full", place)
    assert (full.returncode, b"Traceback" in full.stderr) == (1, False), full.stderr
    assert b"No space left" in full.stderr or b"no space left" in full.stderr
    ascii_only = shell(command, place, ASCII)
    assert (ascii_only.returncode, b"Traceback" in ascii_only.stderr) == (0, False), ascii_only.stderr
    assert ascii_only.stdout.decode().startswith(COMMANDS[command])


@pytest.mark.parametrize("redirected", ["2>&-", ">&- 2>&-", "2>/dev/full", ">/dev/full 2>/dev/full"])
def test_an_error_that_cannot_be_said_keeps_its_status(tmp_path: Path, redirected: str) -> None:
    assert shell(f"replay /no/such/file {redirected}", tmp_path).returncode == 1
    assert shell(f"nonsense {redirected}", tmp_path).returncode == 2


def test_a_sign_that_the_encoding_lacks_is_replaced(place: Path) -> None:
    done = shell("report --db {0}/ü.lmdb --text", place, {"PYTHONIOENCODING": "ascii"})
    assert (done.returncode, done.stderr, done.stdout.isascii()) == (0, b"", True)
    assert b" - " in done.stdout


def test_a_closed_stream_stays_closed_for_programs_and_no_file_gets_its_number(tmp_path: Path) -> None:
    code = (
        "import os, sys; from agentsight_rx.cli.program.errors import mend_streams; mend_streams();"
        "file = os.open('file', os.O_CREAT | os.O_WRONLY); print('a message'); sys.stdout.flush();"
        "sys.exit(10 * (os.system('echo x 2>/dev/null') != 0) + (file > 2 and os.get_inheritable(0)))"
    )
    done = subprocess.run(["/bin/sh", "-c", f'{sys.executable} -c "$0" >&-', code], cwd=tmp_path, check=False)
    assert done.returncode == 11
    assert (tmp_path / "file").read_bytes() == b""


def test_a_file_that_cannot_be_made_is_a_sentence(tmp_path: Path) -> None:
    done = shell("trace --process -p 1 --save-config {0}/none/x.toml", tmp_path)
    assert done.returncode == 1
    assert done.stderr.decode() == f"Error: {tmp_path}/none/x.toml cannot be used: No such file or directory\n"
