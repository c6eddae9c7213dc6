"""A control group of a test, or a skip with its reason where none can be made."""

from __future__ import annotations

import os
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import pytest

from agentsight_rx.sources.target import mounts_of_cgroup2
from tests.live.capture import until

__all__ = ["control_group", "new_group"]


def new_group(name: str) -> Path:
    """Its directory, for the test to remove."""
    mounts = [*mounts_of_cgroup2().values()]
    if not mounts:
        pytest.skip("nothing of type cgroup2 is mounted")
    group = Path(mounts[0], f"agentsight-rx-{name}-{os.getpid()}")
    try:
        group.mkdir()
    except OSError as error:
        pytest.skip(f"no control group can be made: {error}")
    return group


@contextmanager
def control_group(name: str) -> Generator[Path]:
    """One that is removed at the end, once it is empty."""
    group = new_group(name)
    try:
        yield group
    finally:
        until(lambda: not (group / "cgroup.procs").read_text())
        group.rmdir()
