"""The shared test of operators, as a user calls it: it passes a sound operator, and shows what is wrong with another one."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from typing import Any

import pytest
from hypothesis import strategies as st
from msgspec import Struct

from agentsight_rx import Bounded, Checkpointed, Machine, Operator, op
from agentsight_rx.errors import UsageError
from agentsight_rx.testing import Law, check_operator


class Word(Struct, frozen=True):
    time_ns: int
    text: str


class Pairs(Bounded[Word, Word], Checkpointed[list[Word]]):
    """Emits words in twos; an odd one goes out at the end."""

    def __init__(self) -> None:
        self.state: list[Word] = []

    def feed(self, event: Word, /) -> Iterable[Word]:
        self.state.append(event)
        return self.finish() if len(self.state) == 2 else ()

    def finish(self) -> Iterable[Word]:
        out, self.state = self.state, []
        return out

    def held(self) -> int:
        return sum(map(size, self.state))


class Swallows(Pairs):
    def finish(self) -> Iterable[Word]:
        return [event for event in super().finish() if event.text != "c"]


class Forgets(Machine[Word, Word]):
    """Keeps the last word where no snapshot finds it."""

    def __init__(self) -> None:
        self._last: Word | None = None

    def feed(self, event: Word, /) -> Iterable[Word]:
        before, self._last = self._last, event
        return [before] if before else ()


class Second(Machine[Word, Word], Checkpointed[int]):
    """Emits every second word."""

    def __init__(self) -> None:
        self.state = 0

    def feed(self, event: Word, /) -> Iterable[Word]:
        self.state += 1
        return () if self.state % 2 else [event]


def size(word: Word) -> int:
    return len(word.text)


def time_of(word: Word) -> int:
    return word.time_ns


WORDS = [Word(10**12 + number * 30_000_000, text) for number, text in enumerate("abcde")]
LAW = Law("bytes", size, size)


def of(machine: Callable[[], Machine[Word, Word]]) -> Callable[[], Operator[Word, Word]]:
    return lambda: op.each(machine, name="pairs")


@pytest.mark.parametrize("events", [WORDS, tuple(WORDS), st.just(WORDS), []])
def test_a_sound_operator_passes(events: Any) -> None:
    check_operator(of(Pairs), events, law=LAW, time_of=time_of)


def test_input_that_vanishes_is_shown() -> None:
    with pytest.raises(AssertionError, match="bytes: in - out == lost"):
        check_operator(of(Swallows), WORDS, law=LAW, time_of=time_of)


def test_a_state_that_no_snapshot_has_is_shown() -> None:
    with pytest.raises(TypeError, match="Forgets has a state and is not Checkpointed"):
        check_operator(of(Forgets), WORDS, time_of=time_of)


def test_state_that_subscriptions_share_is_shown() -> None:
    shared = Pairs()
    with pytest.raises(AssertionError):
        check_operator(of(lambda: shared), WORDS, law=LAW, time_of=time_of)


def test_a_key_that_knows_of_another_is_shown() -> None:
    with pytest.raises(AssertionError, match="a key depends on the events of another one"):
        check_operator(of(Second), WORDS, time_of=time_of, key=lambda word: word.text)


def test_what_is_no_operator_is_named() -> None:
    with pytest.raises(UsageError, match=r"returns an Operator, as op\.each does; it returned 3"):
        check_operator(lambda: 3, WORDS)  # type: ignore[arg-type, return-value]  # pyright: ignore[reportArgumentType]


def test_without_hypothesis_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "hypothesis", None)
    with pytest.raises(UsageError, match=r"agentsight-rx\[testing\]"):
        check_operator(of(Pairs), WORDS, law=LAW, time_of=time_of)
