"""Commits into a store by a process that is killed: `python -m property_tests.killed_writer MODULE PATH SEED`."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path

from agentsight_rx.store.state import LmdbStore, Write

__all__ = ["write_and_be_killed"]

_ROOT = Path(__file__).parents[1]


def write_and_be_killed(path: str, batches: Callable[[int], Sequence[Sequence[Write]]], seed: int, said: int) -> None:
    """Commit `batches(seed)`, a function of a module, to the store at `path`, until at least `said` of them are committed."""
    command = [sys.executable, "-m", __name__, batches.__module__, path, str(seed)]
    environment = {**os.environ, "PYTHONPATH": str(_ROOT)}
    with subprocess.Popen(command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout is not None
        assert ["committed\n"] * said == [writer.stdout.readline() for _ in range(said)]
        writer.kill()


def _main(module: str, path: str, seed: str) -> None:
    store = LmdbStore.open(path)
    for batch in import_module(module).batches(int(seed)):
        store.commit(batch)
        print("committed", flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    _main(*sys.argv[1:])
