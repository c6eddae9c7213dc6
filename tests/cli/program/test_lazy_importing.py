"""The imports of a command are a step of its start, and nothing of them is searched for garbage."""

from __future__ import annotations

import gc
import sys
from contextlib import AbstractContextManager, nullcontext

import pytest

from agentsight_rx.cli.program.lazy import importing


def test_what_is_imported_is_frozen_and_the_search_goes_on_behind_it(monkeypatch: pytest.MonkeyPatch) -> None:
    steps: list[str] = []

    def step(name: str) -> AbstractContextManager[None]:
        steps.append(name)
        return nullcontext()

    monkeypatch.setitem(vars(sys.modules["agentsight_rx.cli.program.lazy"]), "step", step)
    before = gc.get_freeze_count()
    try:
        with importing("a module of this test"):
            assert not gc.isenabled()
            made: list[list[int]] = [[]]
        assert gc.isenabled()
        assert gc.get_freeze_count() > before
        assert made == [[]]
    finally:
        gc.unfreeze()
    assert steps == ["a module of this test"]
