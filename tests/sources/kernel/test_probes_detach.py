"""What is attached is given away to a child that ends behind us, and to no other child."""

from __future__ import annotations

import os
import select
import subprocess
from threading import Thread
from typing import Any

import pytest

from agentsight_rx.sources.kernel import probes as detach

_PATIENCE_S = 60.0
_MOMENT_S = 0.5  # the other thread would take 3 ms


def _ends(reader: int) -> bool:
    """Whether the last copy of the other end is closed, in the end."""
    return bool(select.select([reader], [], [], _PATIENCE_S)[0]) and os.read(reader, 1) == b""


def _is_open(descriptor: int) -> bool:
    try:
        os.fstat(descriptor)
    except OSError:
        return False
    return True


def test_what_is_left_is_closed_here_and_then_in_the_child() -> None:
    reader, given = os.pipe()
    detach.leave([given])
    assert not _is_open(given)
    assert _ends(reader)
    os.close(reader)


def test_nothing_is_given_away_while_another_child_has_copies_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """A child that is being started has copies of all descriptors: it must not have the last ones of another thread's."""
    pipes = [os.pipe(), os.pipe()]
    (_, one), (_, two) = pipes
    start = subprocess.Popen
    other = Thread(target=detach.leave, args=([two],))
    kept: list[bool] = []

    def starting(*words: Any, **options: Any) -> Any:
        if not kept:
            kept.append(False)
            other.start()
            other.join(_MOMENT_S)
            kept[0] = other.is_alive() and _is_open(two)
        return start(*words, **options)

    monkeypatch.setattr(subprocess, "Popen", starting)
    detach.leave([one])
    other.join(_PATIENCE_S)
    assert kept == [True]
    assert not _is_open(one)
    assert not _is_open(two)
    for reader, _ in pipes:
        assert _ends(reader)
        os.close(reader)
