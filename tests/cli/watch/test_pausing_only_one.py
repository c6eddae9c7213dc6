"""One recorder a machine."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from agentsight_rx.cli.watch.pausing import lock_of_machine, only_recorder
from agentsight_rx.errors import CaptureError, UnwritableError


def test_a_second_recorder_names_the_first_and_its_start(tmp_path: Path) -> None:
    lock = tmp_path / "lock"
    since = r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d"
    said = rf"^process {os.getpid()} records .* since {since}: end it"
    with only_recorder(lock), pytest.raises(CaptureError, match=said), only_recorder(lock):
        pass
    with only_recorder(lock):
        assert re.fullmatch(rf"{os.getpid()} {since}\n", lock.read_text())


def test_one_that_is_killed_leaves_no_lock(tmp_path: Path) -> None:
    code = f"""
from pathlib import Path
from agentsight_rx.cli.watch.pausing import only_recorder
with only_recorder(Path({str(tmp_path / "lock")!r})):
    print("locked", flush=True)
    input()
"""
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        assert b"locked\n" == other.stdout.readline()
        with pytest.raises(CaptureError, match=f"process {other.pid} records"), only_recorder(tmp_path / "lock"):
            pass
        other.kill()
        other.wait()
    with only_recorder(tmp_path / "lock"):
        pass


def test_a_lock_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    said = "which keeps a second recorder away, cannot be made: No such file"
    with pytest.raises(UnwritableError, match=said), only_recorder(tmp_path / "none" / "lock"):
        pass


@pytest.mark.parametrize(
    ("uid", "given", "place"),
    [
        (0, {}, "/run"),
        (1000, {}, "/tmp"),
        (1000, {"XDG_RUNTIME_DIR": "/run/user/1000"}, "/run/user/1000"),
        (0, {"RUNTIME_DIRECTORY": "/run/own:/run/other"}, "/run/own"),
    ],
)
def test_where_it_is(uid: int, given: dict[str, str], place: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("RUNTIME_DIRECTORY", "XDG_RUNTIME_DIR"):
        monkeypatch.delenv(name, raising=False)
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(os, "geteuid", lambda: uid)
    assert Path(place, "agentsight-rx-watch.lock") == lock_of_machine()
