"""What an operator costs: counts and ratios that hold on any machine."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from agentsight_rx import op
from agentsight_rx.core.errors import UsageError
from agentsight_rx.testing import bench

RUN = Path(__file__).parents[3] / "examples" / "run.jsonl"


def test_it_says_what_went_in_and_came_out() -> None:
    measured = bench(op.keep(lambda number: number % 2), range(1000), plain=bool, rounds=1)
    assert (measured.operator, measured.events, measured.made) == ("keep", 1000, 500)
    assert measured.plain_ns is not None
    assert measured.ns > 0
    assert str(measured).startswith("keep: ")
    assert "of a plain loop" in str(measured)
    assert "plain loop" not in str(bench(op.change(str), range(10), rounds=1))


def test_a_bug_is_raised_and_too_few_events_are_said() -> None:
    with pytest.raises(ZeroDivisionError):
        bench(op.change(lambda number: 1 // number), range(10))
    with pytest.raises(UsageError, match="bench of 3 events"):
        bench(op.change(str), range(3))


def ran(*words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "agentsight_rx", "bench", *words]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_the_command_measures_it_over_a_recording() -> None:
    done = ran("--operator", "agentsight_rx.operators:normalize", str(RUN))
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("normalize: ")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--operator", "agentsight_rx.operators"], "expected MODULE:NAME"),
        (["--operator", "agentsight_rx.operators:normalize"], "one or more recordings"),
        (["--operator", "nowhere:x", str(RUN)], "No module named 'nowhere'"),
        (["--operator", "agentsight_rx.operators:nothing", str(RUN)], "nothing"),
        (["--operator", "os:getpid", str(RUN)], "an Operator was expected"),
    ],
)
def test_a_wrong_name_is_an_error_of_one_sentence(words: list[str], said: str) -> None:
    done = ran(*words)
    assert done.returncode == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr
