"""A small program of our own, captured for real."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from agentsight_rx.cli.doctor import Outcome, can_record, trial, try_sources
from agentsight_rx.errors import Unavailable
from agentsight_rx.sources.kernel.compiler import REMEDY
from agentsight_rx.sources.tls.source import TlsReader
from agentsight_rx.store.reasons import SOURCES

pytestmark = pytest.mark.live


def test_every_source_sees_what_the_program_does() -> None:
    assert try_sources() == [Outcome(name, opened=True, seen=True) for name in SOURCES]


def test_a_source_that_cannot_be_opened_is_named_and_the_others_see(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(TlsReader, "open", _refused)
    found = {each.source: each for each in try_sources()}
    assert found.pop("tls") == Outcome("tls", opened=False, seen=False, why="the kernel takes no probe: a reason")
    assert all(each.seen for each in found.values())
    assert can_record(list(found.values()))


def test_what_is_seen_is_told_from_what_is_open(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a program that does nothing only its processor time is seen."""
    idle = tmp_path / "idle.py"
    idle.write_text("import sys\nsys.stdin.readline()\n")
    monkeypatch.setattr(trial, "_PROGRAM", idle)
    monkeypatch.setattr(trial, "_SEEN_S", 1.0)  # else it waits ten seconds for what never comes
    found = try_sources()
    assert all(each.opened for each in found)
    assert {each.source for each in found if each.seen} <= {"system"}


# In a mount namespace, so that nothing else on the machine misses the library
_WITHOUT_BCC = """
for library in /usr/lib/*/libbcc.so.0; do mount --bind /dev/null "$(readlink -f "$library")"; done
exec "$@"
"""


def test_doctor_names_the_package_of_a_missing_compiler(tmp_path: Path) -> None:
    alone = ["unshare", "--mount", "--propagation", "private", "bash", "-c", _WITHOUT_BCC, "bash"]
    environment = os.environ | {"XDG_CACHE_HOME": str(tmp_path), "COLUMNS": "500"}
    command = [*alone, sys.executable, "-m", "agentsight_rx", "doctor"]
    run = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert (run.returncode, run.stderr) == (0, "")
    assert f"what to do: {REMEDY}" in run.stdout
    assert len(SOURCES) - 1 <= run.stdout.count("NOT captured: BCC does not start")
    assert "`agentsight-rx record` starts here, by breakpoints." in run.stdout


def _refused(_: TlsReader) -> None:
    raise Unavailable("the kernel takes no probe: a reason")
