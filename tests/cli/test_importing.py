"""The imports of a command are a step of its start, and nothing of them is searched for garbage."""

from __future__ import annotations

import gc

from agentsight_rx.cli.importing import importing
from agentsight_rx.timing import so_far


def test_what_is_imported_is_frozen_and_the_search_goes_on_behind_it() -> None:
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
    assert "a module of this test" in [step.name for step in so_far()]
