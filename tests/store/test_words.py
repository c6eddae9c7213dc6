"""Words that every view has for numbers and errors."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agentsight_rx.events import Origin, ProcessExit
from agentsight_rx.store.words import (
    amount,
    cut,
    data_size,
    end_said,
    error_said,
    exit_failed,
    known_money,
    lasted_ms,
    money,
    percent,
    plural,
    signal_name,
    times_said,
    took,
)

PAGE = Path(__file__).parents[2] / "frontend" / "src" / "words.ts"
WORDS: dict[str, Callable[[Any], str]] = {"amount": amount, "size": data_size, "took": took, "money": money, "percent": percent}


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("http_529", "HTTP 529"),
        ("http_404", "HTTP 404"),
        ("overloaded_error", "overloaded_error"),
        ("closed", "closed"),
        ("", ""),
    ],
)
def test_a_status_of_http_is_said_as_one(kind: str, said: str) -> None:
    assert said == error_said(kind)


def test_numbers_have_their_words() -> None:
    assert ["1 call", "2 calls", "1,204 retries"] == [plural(1, "call"), plural(2, "call"), plural(1204, "retry", "retries")]
    assert ["twice", "three times", "1,000 times"] == [times_said(2), times_said(3), times_said(1000)]


def test_an_unknown_price_is_said_or_left_empty() -> None:
    assert [("unknown", ""), ("$0.131", "$0.131")] == [(money(usd), known_money(usd)) for usd in (None, 0.131)]


def test_the_end_of_a_process_is_its_signal_or_its_code() -> None:
    assert ["exit 0", "exit 3", "signal 9", ""] == [end_said(0, None), end_said(3, 0), end_said(None, 9), end_said(None, None)]
    assert ["SIGKILL", "signal 77"] == [signal_name(9), signal_name(77)]


@pytest.mark.parametrize(
    ("comm", "exit_code", "signal", "failed"),
    [("make", 0, 0, False), ("make", 2, 0, True), ("grep", 1, 0, False), ("grep", 2, 0, True), ("grep", None, 9, True)],
)
def test_an_exit_code_that_is_an_answer_is_no_failure(comm: str, exit_code: int | None, signal: int, *, failed: bool) -> None:
    event = ProcessExit(Origin(1, 7, comm=comm), ppid=1, start_ns=1, exit_code=exit_code, signal=signal)
    assert failed == exit_failed(event)


def test_without_an_end_there_is_no_duration() -> None:
    assert [None, 40, 0] == [lasted_ms(2, end_ms) for end_ms in (None, 42, 1)]


def test_a_long_text_ends_in_a_mark() -> None:
    assert ["short", "a lon…"] == [cut("short", 6), cut("a long text", 6)]


def of_the_page(given: list[tuple[str, float]]) -> list[str]:
    """What the functions of the page make of these; without its types the file is a program of node."""
    source = PAGE.read_text()
    functions = [re.search(rf"export function {name}\b.*?\n}}\n", source, re.DOTALL) for name in WORDS]
    plain = "".join(re.sub(r"\((\w+): [^)]*\): string", r"(\1)", each[0].removeprefix("export ")) for each in functions if each)
    said = f"{json.dumps(given)}.map(([name, number]) => ({{{', '.join(WORDS)}}})[name](number))"
    program = f"{plain} console.log(JSON.stringify({said}))"
    done = subprocess.run(["node", "-e", program], capture_output=True, text=True, check=True)
    return list(json.loads(done.stdout))


@pytest.mark.needs("node")
@given(
    st.lists(
        st.tuples(st.sampled_from(["amount", "size", "took"]), st.integers(0, 10**12) | st.integers(0, 10**6))
        | st.tuples(st.sampled_from(["amount", "size", "took"]), st.integers(0, 2_000_000).map(lambda number: number * 50))
        | st.tuples(st.just("money"), st.integers(0, 10**9).map(lambda number: number / 100_000))
        | st.tuples(st.just("percent"), st.integers(0, 4_000_000).map(lambda number: number // 2000 / (number % 2000 + 1))),
        min_size=100,
        max_size=200,
    )
)
@settings(max_examples=8)
def test_the_page_says_the_same_of_a_number(numbers: list[tuple[str, float]]) -> None:
    assert [WORDS[name](number) for name, number in numbers] == of_the_page(numbers)
