"""Whether a recorder watches this machine is seen from its lock, also by a user who may not read it."""

from __future__ import annotations

from pathlib import Path

import pytest

from agentsight_rx.cli.places.stores import machine_store
from agentsight_rx.cli.watch.pausing import Pause, lock_of_machine, only_recorder, watched_now
from agentsight_rx.store.state import LmdbStore


@pytest.fixture(autouse=True)
def _own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    (tmp_path / "own").mkdir()
    monkeypatch.setenv("RUNTIME_DIRECTORY", str(tmp_path / "own"))


def test_a_lock_that_a_process_holds_is_a_recorder(tmp_path: Path) -> None:
    assert not watched_now(tmp_path).is_held
    name = lock_of_machine().name
    for place in (lock_of_machine(), tmp_path / name, tmp_path / "agentsight-rx" / name):
        place.parent.mkdir(exist_ok=True)
        with only_recorder(place):
            assert watched_now(tmp_path).is_held
        assert not watched_now(tmp_path).is_held, "the file stays, and says nothing"


def test_the_store_says_whether_it_is_written_and_paused(tmp_path: Path) -> None:
    assert watched_now(tmp_path).store is None
    path = machine_store()
    store = LmdbStore.open(path)
    Pause(path).begin(77)
    found = watched_now(tmp_path)
    assert (path, True, path.stat().st_size) == (found.store, found.is_written, found.bytes)
    assert (Pause(path).since_ms(), 77) == (found.paused_ms, found.paused_until_ms)
    assert Pause(path).since_ms() > 0
    store.close()
    Pause(path).end()
    found = watched_now(tmp_path)
    assert (False, None, 0) == (found.is_written, found.paused_ms, Pause(path).since_ms())
