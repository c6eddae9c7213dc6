"""The recordings of examples/run.jsonl, each made once."""

from __future__ import annotations

from pathlib import Path

import pytest

from .recordings import INJECTED, LONG, replayed


@pytest.fixture(scope="session")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return replayed(tmp_path_factory.mktemp("mcp") / "run.lmdb")


@pytest.fixture(scope="session")
def injected(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Its first prompt and the result of a tool are instructions."""
    return replayed(tmp_path_factory.mktemp("mcp") / "injected.lmdb", prompt=INJECTED, result=INJECTED)


@pytest.fixture(scope="session")
def long(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The result of a tool has 66,000 characters."""
    return replayed(tmp_path_factory.mktemp("mcp") / "long.lmdb", result=LONG)
