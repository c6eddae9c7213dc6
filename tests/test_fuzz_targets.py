"""Every fuzz target runs on its seeds without atheris; hostile input costs what its length says; what failed is told."""

from __future__ import annotations

import ast
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from property_tests.fuzz import runner
from property_tests.fuzz.choices import Input, spelled
from property_tests.fuzz.hostile import HOSTILE, SMALL, calls
from property_tests.fuzz.seeds import SEEDS
from property_tests.fuzz.targets import TARGETS

GROWTH_MOST = 6  # of the calls, where the input is four times as long


def test_every_target_has_seeds() -> None:
    assert set(SEEDS) == set(TARGETS)
    assert all(SEEDS.values())
    assert set(HOSTILE) <= set(TARGETS)


@pytest.mark.parametrize("name", TARGETS)
def test_the_seeds_of_a_target_and_their_beginnings_break_nothing(name: str) -> None:
    for seed in SEEDS[name]:
        TARGETS[name](seed)
        TARGETS[name](seed[: len(seed) // 2])
    TARGETS[name](b"")


@pytest.mark.parametrize(("name", "place"), [(name, place) for name, made in HOSTILE.items() for place in range(len(made))])
def test_hostile_input_costs_what_its_length_says(name: str, place: int) -> None:
    sized, target = HOSTILE[name][place], TARGETS[name]
    target(sized(SMALL))  # what is done once only, such as compiling a pattern
    small, large = calls(target, sized(SMALL)), calls(target, sized(4 * SMALL))
    assert large <= GROWTH_MOST * small


def test_choices_stand_behind_the_payload_and_are_zero_where_there_are_none() -> None:
    given = Input(spelled(b"payload", 3, 9))
    assert (given.payload, given.byte(), given.byte(), given.byte()) == (b"payload", 3, 9, 0)
    assert [Input(data).payload for data in (b"", b"\0", b"a\0", b"ab\1")] == [b"", b"", b"a", b"a"]


@pytest.mark.parametrize("choices", [(), (0,), (1, 0), (1, 1), (2, 3, 0), (3, 0, 0, 1), (7, 1, 2, 3, 4, 5, 6, 7)])
@pytest.mark.parametrize("size", [0, 1, 7, 2000])
def test_pieces_are_the_whole(choices: tuple[int, ...], size: int) -> None:
    whole = bytes(range(256)) * 8
    assert b"".join(Input(spelled(b"", *choices)).pieces(whole[:size])) == whole[:size]


def test_steps_with_holes_are_as_long_as_the_whole() -> None:
    steps = Input(spelled(b"", 2, 3, 1, 0b101)).steps(b"abcdefgh")
    assert steps == [3, b"d", 3, b"h"]


def broken(data: bytes) -> None:
    if b"no" in data:
        raise ArithmeticError(data)


def test_a_failing_input_is_made_shorter(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(TARGETS, "broken", broken)
    assert runner.shrunk("broken", b"x" * 70 + b"no" + b"y" * 33) == b"no"
    assert runner.shrunk("broken", b"nothing" * 3 + b"no") == b"no"
    assert runner.shrunk("broken", b"all is well") == b"all is well"


def test_what_failed_is_told_with_the_command_that_shows_it_again() -> None:
    found = runner.Found("http1", 5, 6, 7, b"\xff'\"\n", "AssertionError: lost")
    *_, command = found.report_text().splitlines()
    *_, name, option, text = shlex.split(command)
    assert (name, option, ast.literal_eval(text)) == ("http1", "--input", b"\xff'\"\n")
    assert found.line().endswith("FAILED")
    assert not runner.Found("http1", 5).failed


WITHOUT_ATHERIS = """
import runpy, sys
sys.modules["atheris"] = None
runpy.run_module("property_tests.fuzz", run_name="__main__")
"""


def run(*words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", WITHOUT_ATHERIS, *words]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=Path(__file__).parents[1])


def test_one_input_runs_without_atheris() -> None:
    ended = run("sse", "--input", r"b'data: a\n\n\0'")
    assert (ended.returncode, ended.stdout) == (0, "sse: every invariant holds for these 10 bytes\n")


def test_an_unknown_target_is_named() -> None:
    ended = run("nothing", "--input", "b''")
    assert ended.returncode == 2
    assert "--input needs one target of http1, " in ended.stderr


def test_without_atheris_it_says_what_to_install() -> None:
    ended = run("sse")
    assert ended.returncode == 2
    assert "atheris is not installed" in ended.stderr
    assert "./test.sh --fuzz" in ended.stderr
