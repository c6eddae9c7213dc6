from __future__ import annotations

from typing import Any

import pytest
from msgspec import Struct

from agentsight_rx.errors import SpoolError
from agentsight_rx.runtime.cluster import Plan, run_on_dask
from agentsight_rx.runtime.cluster import driver as module


class Dask(Struct):
    """In the place of the module: its workers cannot be started, or no scheduler answers."""

    starts: int = 0

    def LocalCluster(self, **_: object) -> Any:
        self.starts += 1
        raise RuntimeError("Nanny failed to start.")

    def Client(self, *_: object, **__: object) -> Any:
        raise OSError("Timed out")


@pytest.fixture
def dask(monkeypatch: pytest.MonkeyPatch) -> Dask:
    made = Dask()
    monkeypatch.setattr(module, "_dask", lambda: made)
    return made


def test_workers_that_cannot_be_started_are_tried_again_and_then_said(dask: Dask) -> None:
    with pytest.raises(SpoolError, match=r"2 workers could not be started \(Nanny failed to start\.\)"):
        run_on_dask(Plan({}), lambda _: None)
    assert 3 == dask.starts


def test_a_scheduler_that_does_not_answer_is_said(dask: Dask) -> None:
    with pytest.raises(SpoolError, match="tcp://nowhere:1 does not answer"):
        run_on_dask(Plan({}), lambda _: None, scheduler="tcp://nowhere:1")
    assert 0 == dask.starts
