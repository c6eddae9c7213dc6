"""A command of the guard -> its lines, in a home that has nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from agentsight_rx.cli import app

__all__ = ["ran", "stay_in"]


def stay_in(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """This folder is the home and the workspace until the test ends."""
    monkeypatch.setenv("HOME", str(home))
    for name in ("XDG_CONFIG_HOME", "XDG_DATA_HOME", "SUDO_UID", "AGENTSIGHT_DB_PATH"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(home)


def ran(*words: str, status: int = 0) -> list[str]:
    """The lines on standard output; the command ends with this status."""
    done = CliRunner().invoke(app, [*words], prog_name="agentsight-rx", catch_exceptions=False, standalone_mode=False)
    assert status == (done.return_value or 0)
    return done.stdout.splitlines()
