"""The steps of a start."""

from __future__ import annotations

import threading

import pytest

from agentsight_rx.core.start import Steps


def test_steps_stand_in_the_order_in_which_they_began() -> None:
    steps = Steps()
    with steps.step("outer"), steps.step("inner"):
        pass
    first, outer, inner = steps.so_far()
    assert (first.begin_ms, first.name) == (0, "Python, and the command line")
    assert [outer.name, inner.name] == ["outer", "inner"]
    assert first.took_ms <= outer.begin_ms <= inner.begin_ms
    assert inner.begin_ms + inner.took_ms <= outer.begin_ms + outer.took_ms


def test_a_step_that_fails_is_noted_and_its_error_goes_on() -> None:
    steps = Steps()
    with pytest.raises(ValueError, match="wrong"), steps.step("it"):
        raise ValueError("wrong")
    assert [each.name for each in steps.so_far()[1:]] == ["it"]


def test_steps_of_other_threads_are_beside_and_each_has_the_time_of_its_own_thread() -> None:
    steps = Steps()

    def work() -> None:
        with steps.step("work"):
            sum(range(100_000))

    with steps.step("waits"):
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
    found = {each.name: each for each in steps.so_far()}
    assert (found["waits"].beside, found["work"].beside) == (False, True)
    assert found["work"].processor_ms > 0


def test_their_number_has_a_limit() -> None:
    steps = Steps()
    for _ in range(1000):
        with steps.step("again"):
            pass
    assert len(steps.so_far()) == 101
