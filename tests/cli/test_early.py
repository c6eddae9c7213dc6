"""A command that is forked before the flags are looked at."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Generator

import pytest

from agentsight_rx.cli import early
from agentsight_rx.cli.launch import Launch
from agentsight_rx.sources.kernel.ahead import AHEAD


class Held:
    """Stands for a Launch, which makes this process a reaper."""

    def __init__(self, command: tuple[str, ...]) -> None:
        self.command = command


@pytest.fixture(autouse=True)
def kinds(monkeypatch: pytest.MonkeyPatch) -> Generator[list[str]]:
    """The kinds of starts that were begun."""
    begun: list[str] = []

    def fork(command: tuple[str, ...], **_: object) -> Held:
        return Held(tuple(command))

    monkeypatch.setattr(Launch, "fork", fork)
    monkeypatch.setattr(early, "adopt_orphans", lambda: None)
    monkeypatch.setattr(AHEAD, "begin", begun.append)
    yield begun
    early.held.clear()


def test_the_command_behind_the_flags_is_forked_once() -> None:
    early.begin(["--db", "x", "--", "sh", "-c", "--"])
    (held,) = early.held.values()
    assert early.launched(["sh", "-c", "--"]) is held
    assert early.launched(["sh", "-c", "--"]) is not held


def test_another_command_is_forked_when_it_is_known() -> None:
    early.begin(["--comm", "--", "x", "--", "sh"])
    found: object = early.launched(["sh"])
    assert isinstance(found, Held)
    assert found.command == ("sh",)


def test_starts_with_the_same_flags_load_the_same(kinds: list[str]) -> None:
    early.begin(["--no-net", "--db", "a", "--", "x"])
    early.begin(["--db=b", "--no-net", "--", "y"])
    early.begin(["--", "y"])
    assert kinds == ["record --db --no-net", "record --db --no-net", "record"]


def test_nothing_happens_without_the_end_of_the_flags(kinds: list[str]) -> None:
    early.begin(["--db", "a", "sh"])
    assert (kinds, early.held) == ([], {})


@pytest.mark.parametrize("arguments", [["--nonsense", "--", "touch"], ["--help", "--", "touch"], ["--explain", "--", "touch"]])
def test_a_command_never_runs_where_its_flags_end_it(arguments: list[str], tmp_path: os.PathLike[str]) -> None:
    made = os.path.join(tmp_path, "made")
    done = subprocess.run([sys.executable, "-m", "agentsight_rx", "record", *arguments, made], capture_output=True, text=True)
    assert done.returncode == (2 if arguments[0] == "--nonsense" else 0)
    assert "125" not in done.stderr
    assert not os.path.exists(made)


def test_a_command_that_cannot_be_forked_is_said_as_before() -> None:
    done = subprocess.run([sys.executable, "-m", "agentsight_rx", "record", "--", ""], capture_output=True, text=True)
    assert done.returncode != 0
    assert "no command to run" in done.stderr or "nothing to record" in done.stderr or "cannot capture" in done.stderr
