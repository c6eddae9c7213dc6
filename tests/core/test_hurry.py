"""A thread that opens something runs first, and is as before when it has."""

from __future__ import annotations

import os
from collections.abc import Callable
from threading import Thread

import pytest

from agentsight_rx.core.hurry import hurried


def in_a_thread(ask: Callable[[], None]) -> None:
    """A priority stays with its thread, so that no other test is hurried."""
    thread = Thread(target=ask)
    thread.start()
    thread.join()


def priority() -> int:
    return os.getpriority(os.PRIO_PROCESS, 0)


@pytest.mark.needs("root")
def test_it_is_hurried_and_then_as_before() -> None:
    seen: list[int] = []

    def ask() -> None:
        seen.append(priority())
        with hurried():
            seen.append(priority())
        seen.append(priority())

    in_a_thread(ask)
    assert seen[0] == seen[2]
    assert seen[1] == min(seen[0], -15)


def test_where_it_may_not_nothing_is_changed(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(which: int, who: int, priority: int) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "setpriority", refuse)
    before = priority()
    with hurried():
        assert before == priority()
    assert before == priority()


@pytest.mark.needs("root")
def test_an_error_gives_the_priority_back() -> None:
    seen: list[int] = []

    def ask() -> None:
        seen.append(priority())
        try:
            with hurried():
                raise ValueError
        except ValueError:
            seen.append(priority())

    in_a_thread(ask)
    assert seen[0] == seen[1]
