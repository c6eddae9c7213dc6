"""watch pause, watch resume: what they write beside the store, and what the recorder makes of it."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from agentsight_rx.cli.watch import pausing
from agentsight_rx.cli.watch.pausing import Pause
from agentsight_rx.errors import UnwritableError, UsageError
from agentsight_rx.store.state import LmdbStore
from tests.cli.guarding import ran, stay_in


@pytest.fixture(autouse=True)
def at_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stay_in(tmp_path, monkeypatch)


def test_a_pause_holds_until_its_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    now_ns = [1_000_000 * 1_000_000_000]
    monkeypatch.setattr(time, "time_ns", lambda: now_ns[0])
    store = tmp_path / "run.lmdb"
    pause = Pause(store)
    assert not pause.holds()
    pausing.pause(duration="1h", db=store)
    assert "; no recorder writes" in capsys.readouterr().err
    assert (1_000_000 + 3600) * 1000 == pause.until_ms()
    assert 0o600 == pause.path.stat().st_mode & 0o777
    now_ns[0] += 3599 * 1_000_000_000
    assert pause.holds()
    now_ns[0] += 1_000_000_000
    assert not pause.holds()
    assert not pause.path.exists(), "one that is over is removed"


def test_a_pause_without_an_end_holds_until_resume(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with_recorder = LmdbStore.open(tmp_path / "run.lmdb")
    pausing.pause(db=tmp_path / "run.lmdb")
    assert "nothing is recorded until `watch resume`\n" in capsys.readouterr().err
    assert Pause(tmp_path / "run.lmdb").holds()
    pausing.resume(db=tmp_path / "run.lmdb")
    assert "agents are recorded again\n" in capsys.readouterr().err
    pausing.resume(db=tmp_path / "run.lmdb")
    assert "it was not paused\n" in capsys.readouterr().err
    with_recorder.close()


def test_it_is_of_the_machines_store_unless_another_one_is_given(tmp_path: Path) -> None:
    ran("watch", "pause", "2m")
    path = tmp_path / ".local/share/agentsight-rx/agentsight-machine.lmdb-paused"
    assert path.exists()
    ran("watch", "resume")
    assert not path.exists()


def test_the_day_is_named_where_it_is_another_one() -> None:
    now_ms = time.time_ns() // 1_000_000
    assert 5 == len(pausing.until_said(now_ms).removeprefix("until "))
    assert 16 == len(pausing.until_said(now_ms + 200_000_000).removeprefix("until "))


@pytest.mark.parametrize("content", [b"", b"soon\n", b"9" * 40])
def test_a_file_that_is_not_understood_is_a_pause(tmp_path: Path, content: bytes) -> None:
    pause = Pause(tmp_path / "run.lmdb")
    pause.path.write_bytes(content)
    assert pause.holds()


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    pause = Pause(tmp_path / "run.lmdb")
    pause.path.symlink_to("/dev/zero")
    assert not pause.holds()


def test_where_it_cannot_be_written_that_is_said(tmp_path: Path) -> None:
    pause = Pause(tmp_path / "none" / "run.lmdb")
    with pytest.raises(UnwritableError, match=r"run\.lmdb-paused cannot be written: No such file"):
        pause.begin(1)
    pause = Pause(tmp_path / "run.lmdb")
    pause.path.mkdir()
    with pytest.raises(UnwritableError, match=r"run\.lmdb-paused cannot be removed: Is a directory"):
        pause.end()
    assert pause.holds(), "a person made it"


def test_a_time_that_is_none_is_refused() -> None:
    with pytest.raises(UsageError, match="TIME 'soon': a duration is expected"):
        ran("watch", "pause", "soon")
