"""A thread that opens something runs first, and is as before when it has."""

from __future__ import annotations

import os
from collections.abc import Callable
from threading import Thread

import pytest

from agentsight_rx.core.reading import hurried


def in_a_thread(ask: Callable[[], None]) -> None:
    """A policy stays with its thread, so that no other test is hurried."""
    thread = Thread(target=ask)
    thread.start()
    thread.join()


def policy() -> int:
    return os.sched_getscheduler(0) & ~os.SCHED_RESET_ON_FORK


@pytest.mark.needs("root")
def test_it_is_hurried_and_then_as_before_and_what_it_starts_is_not() -> None:
    seen: list[int] = []

    def ask() -> None:
        seen.append(policy())
        with hurried():
            seen.append(policy())
            in_a_thread(lambda: seen.append(policy()))
        seen.append(policy())

    in_a_thread(ask)
    assert seen == [os.SCHED_OTHER, os.SCHED_RR, os.SCHED_OTHER, os.SCHED_OTHER]


def test_where_it_may_not_nothing_is_changed(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(pid: int, policy: int, param: os.sched_param) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "sched_setscheduler", refuse)
    before = policy()
    with hurried():
        assert before == policy()
    assert before == policy()


@pytest.mark.needs("root")
def test_an_error_gives_the_policy_back() -> None:
    seen: list[int] = []

    def ask() -> None:
        try:
            with hurried():
                raise ValueError
        except ValueError:
            seen.append(policy())

    in_a_thread(ask)
    assert seen == [os.SCHED_OTHER]
