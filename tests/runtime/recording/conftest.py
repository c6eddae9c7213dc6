"""A recording of what agents did to files and hosts, opened."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from agentsight_rx import Recording, open_recording
from tests.cli.report.effects import effects


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return effects(tmp_path_factory.mktemp("store") / "run.lmdb")


@pytest.fixture
def recording(path: Path) -> Iterator[Recording]:
    with open_recording(path) as opened:
        yield opened
