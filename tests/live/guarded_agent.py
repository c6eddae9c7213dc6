"""An agent that runs lines of a shell under `record --guard`, in a folder that is no temporary one -> the alerts."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Generator, Mapping, Sequence
from pathlib import Path
from tempfile import mkdtemp

import pytest

from agentsight_rx.store.state import LmdbStore
from agentsight_rx.view import AlertRow
from agentsight_rx.view.queries import Selection
from agentsight_rx.view.queries.alerts import read_alerts
from tests.live.capture import PATIENCE_S, PROGRAM

__all__ = ["PYTHON", "alerts_of", "place", "recorded_alerts"]

PYTHON = "/usr/bin/python3"


@pytest.fixture
def place() -> Generator[Path]:
    """A folder that is no temporary one: with the workspace of an agent in it, and folders beside it."""
    made = Path(mkdtemp(prefix="guarded-", dir="/opt"))
    (made / "work").mkdir()
    yield made
    shutil.rmtree(made)
    for beside in Path("/opt").glob(f"{made.name}-*"):
        shutil.rmtree(beside)


def alerts_of(place: Path, lines: Sequence[str], *flags: str, home: Path | None = None) -> list[AlertRow]:
    """What `record --guard` reports of an agent that runs these lines of a shell, each in a shell of its own."""
    agent = place / "claude"
    agent.write_text("\n".join(["#!/bin/bash", f"cd {place}/work", *(f"({line})" for line in lines), "true", ""]))
    agent.chmod(0o755)
    store = place / "run.lmdb"
    sources = ("--no-ssl", "--no-stdio", "--no-system", "--no-server", *flags)
    command = [*PROGRAM, "record", "--guard", "--db", str(store), *sources, "--", str(agent)]
    env = {**os.environ, "XDG_CONFIG_HOME": str(place)}
    if home is not None:  # compiled programs stay where they are
        env |= {"HOME": str(home), "XDG_CACHE_HOME": os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")}
    return recorded_alerts(command, store, env=env, cwd=place / "work")


def recorded_alerts(command: Sequence[str], store: Path, *, env: Mapping[str, str], cwd: Path) -> list[AlertRow]:
    """Those of a recording that `command` makes into the store, of which nothing may be missing."""
    done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_S, check=False, env=env, cwd=cwd)
    assert "nothing is missing" in done.stderr, done.stderr
    kept = LmdbStore.open(store, readonly=True)
    try:
        return list(read_alerts(kept, Selection()))
    finally:
        kept.close()
