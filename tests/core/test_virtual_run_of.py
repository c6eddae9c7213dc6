"""A subscription finds the engine of its run."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from reactivex.scheduler import CurrentThreadScheduler, ImmediateScheduler
from reactivex.testing import TestScheduler

from agentsight_rx.core.engine import Engine
from agentsight_rx.core.virtual import engine_of


def test_a_subscription_belongs_to_the_engine_that_it_was_given() -> None:
    engine = Engine()
    assert engine_of(engine) is engine


@pytest.mark.parametrize("scheduler", [None, ImmediateScheduler(), CurrentThreadScheduler()])
def test_else_to_the_run_of_this_thread(scheduler: Any) -> None:
    with Engine() as engine:
        assert engine_of(scheduler) is engine


def test_a_run_inside_a_run_gives_way_to_the_outer_one_again() -> None:
    with Engine() as outer:
        with Engine() as inner, inner:
            assert engine_of(None) is inner
        assert engine_of(None) is outer


def test_another_thread_has_another_run() -> None:
    found: list[Engine] = []
    with Engine() as engine:
        thread = threading.Thread(target=lambda: found.append(engine_of(None)))
        thread.start()
        thread.join()
    assert found[0] is not engine


def test_a_scheduler_has_one_engine_as_long_as_it_lives() -> None:
    one, other = TestScheduler(), TestScheduler()
    assert engine_of(one) is engine_of(one)
    assert engine_of(one) is not engine_of(other)
