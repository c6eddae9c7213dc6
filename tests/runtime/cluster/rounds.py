"""A spool and kills -> runs on Dask that are killed on the way, with a scheduler of their own or without."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from random import Random

from tests.runtime.cluster.hosts import given
from tests.runtime.cluster.killing import RECORD, Kill, plan, started_by_us

__all__ = ["PLACES", "external", "random_kills", "run_once"]

ROOT = Path(__file__).parents[3]
PLACES = ("events", "part", "output", "state")
_PATIENCE_S = 300.0


def random_kills(random: Random, spool: Path, whom: str, count: int) -> list[Kill]:
    """Kills in different segments, at random places inside them."""
    segments = sorted(path for path in spool.rglob("*.seg"))
    kills: list[Kill] = []
    for path in random.sample(segments, count):
        where = random.choice(PLACES)
        behind = random.randint(1, 30) if where == "events" else 0
        kills.append(Kill(path.parent.name, int(path.stem), where, behind, whom))
    return kills


def run_once(spool: Path, out: Path, record: Path, kills: Sequence[Kill], *options: str) -> tuple[int, str]:
    """One run: its exit status and its messages."""
    given(out)
    plan(record, kills)
    command = [
        sys.executable,
        "-m",
        "tests.runtime.cluster.killed_run",
        str(record),
        "run",
        "--spool",
        str(spool),
        "--out",
        str(out),
    ]
    done = subprocess.run(
        [*command, *options], env=_environment(record), cwd=ROOT, capture_output=True, text=True, timeout=_PATIENCE_S
    )
    return done.returncode, done.stderr


def _environment(record: Path) -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT), RECORD: str(record)}


@contextmanager
def external(directory: Path, record: Path, workers: int = 2) -> Generator[str]:
    """The address of a scheduler of its own, with so many workers, each with a parent that starts it again."""
    record.mkdir(exist_ok=True)
    file = directory / "scheduler.json"
    file.unlink(missing_ok=True)
    quiet = ("--no-dashboard", "--host", "127.0.0.1")
    running = [_start(record, "dask_scheduler", *quiet, "--port", "0", "--scheduler-file", str(file))]
    try:
        started_by_us(record, scheduler=running[0].pid)
        address = _address(file)
        for number in range(workers):
            place = directory / f"worker-{number}"
            one = _start(record, "dask_worker", address, *quiet, "--nthreads", "1", "--local-directory", str(place))
            running.append(one)
            started_by_us(record, **{f"worker-{number}": one.pid})
        yield address
    finally:
        for process in reversed(running):
            process.terminate()
        for process in running:
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _start(record: Path, module: str, *options: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", f"distributed.cli.{module}", *options],
        env=_environment(record),
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def _address(file: Path) -> str:
    until = time.monotonic() + _PATIENCE_S
    while time.monotonic() < until:
        try:
            return str(json.loads(file.read_text())["address"])
        except (OSError, ValueError):
            time.sleep(0.05)
    raise TimeoutError("the scheduler has not started")
