"""Signals that end a run."""

from __future__ import annotations

import signal
from collections.abc import Generator

import pytest

from agentsight_rx.signals import asking_to_end


@pytest.fixture(autouse=True)
def _handlers() -> Generator[None]:  # pyright: ignore[reportUnusedFunction]
    before = signal.getsignal(signal.SIGHUP)
    yield
    signal.signal(signal.SIGHUP, before)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_each_of_them_asks_for_the_end(number: signal.Signals) -> None:
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    reasons: list[str] = []
    before = signal.getsignal(number)
    with asking_to_end(reasons.append):
        signal.raise_signal(number)
    assert [number.name] == reasons
    assert signal.getsignal(number) == before


def test_a_hang_up_that_the_invoker_ignored_stays_ignored() -> None:
    signal.signal(signal.SIGHUP, signal.SIG_IGN)  # as nohup does
    reasons: list[str] = []
    with asking_to_end(reasons.append):
        signal.raise_signal(signal.SIGHUP)
    assert [] == reasons
