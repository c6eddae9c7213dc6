"""A run that goes on in a store gives what one uninterrupted run gives, wherever it was cut off, also by kill -9."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from functools import cache
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agentsight_rx.store.log.reading import read_events
from agentsight_rx.store.state import LmdbStore
from property_tests.continuing import Continued, contents, events_of
from property_tests.quick import fewer

TURNS = 5
KILLS = fewer(50)
ROOT = Path(__file__).parents[1]


@cache
def uninterrupted(turns: int) -> dict[str, Any]:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "run.lmdb"
        Continued(path, events_of(turns)).end()
        return contents(path)


# Of each run: the items of each batch, and whether it is flushed
batches = st.lists(st.tuples(st.integers(1, 40), st.booleans()), max_size=6)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(batches, st.booleans()), max_size=4))
def test_cut_off_or_ended_anywhere_and_continued_gives_the_same_store(
    runs: list[tuple[list[tuple[int, bool]], bool]],
) -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "run.lmdb"
        for run, ended in runs:
            continued = Continued(path, events_of(TURNS))
            for items, flushed in run:
                continued.send(items)
                if flushed:
                    continued.flush()
            (continued.stop if ended else continued.cut_off)()
        Continued(path, events_of(TURNS)).end()
        assert uninterrupted(TURNS) == contents(path)


@pytest.mark.slow
def test_killed_at_random_moments_no_committed_row_is_lost_and_the_end_is_the_same(tmp_path: Path) -> None:
    turns, dice, path = 60, Random(1), tmp_path / "run.lmdb"
    events = events_of(turns)
    code = "from property_tests.continuing import kill_rounds; kill_rounds()"
    command = [sys.executable, "-c", code, str(path), str(turns)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    have, killed = 0, 0
    with subprocess.Popen(command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        for _ in range(KILLS):
            process.stdin.write("go\n")
            process.stdin.flush()
            child = int(process.stdout.readline())
            committed = [process.stdout.readline() for _ in range(dice.randrange(4))]
            for _ in range(dice.randrange(20_000)):  # a moment that no line of the child is at
                pass
            os.kill(child, signal.SIGKILL)
            for line in process.stdout:
                if line.startswith("ended"):
                    killed += line == "ended -9\n"
                    break
            if path.exists() and path.stat().st_size:
                store = LmdbStore.open(path, readonly=True)
                log = list(read_events(store))
                store.close()
                assert events[: len(log)] == log
                assert len(log) >= have + (1 if len(committed) > 2 else 0)
                have = len(log)
        process.stdin.close()
    assert killed == KILLS
    assert 0 < have < len(events)
    Continued(path, events).end()
    assert uninterrupted(turns) == contents(path)
