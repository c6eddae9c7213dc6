"""The process of an import: lines that say how far it is, the store of its owner, and errors as its last line."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec
import pytest

from agentsight_rx.runtime.importing import HowFar, main
from agentsight_rx.store.rows.tables import SESSIONS
from agentsight_rx.store.state import LmdbStore
from tests.cli.test_past import home

__all__ = ["home"]


def ran(path: Path, capfdbinary: pytest.CaptureFixture[bytes]) -> tuple[int, HowFar]:
    status = main([str(path), str(os.getuid()), str(os.getgid())])
    return status, msgspec.json.decode(capfdbinary.readouterr().out.splitlines()[-1], type=HowFar)


def test_all_files_are_read_and_the_last_line_says_so(home: Path, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    status, last = ran(home / "past.lmdb", capfdbinary)
    assert (0, True, "") == (status, last.caught_up, last.error)
    assert last.files == last.read_files == 4
    assert last.size == last.read > 0
    store = LmdbStore.open(home / "past.lmdb", readonly=True)
    assert 3 == len(store.scan(SESSIONS))
    store.close()


def test_an_error_is_the_last_line(home: Path, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    (home / "past.lmdb").write_text("this is no store")
    status, last = ran(home / "past.lmdb", capfdbinary)
    assert 1 == status
    assert "past.lmdb" in last.error
