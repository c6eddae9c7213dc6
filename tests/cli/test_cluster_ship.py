"""The command `ship`: what it says, and what it ends with."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from agentsight_rx.cli.cluster import ship
from agentsight_rx.errors import SpoolError, UsageError
from agentsight_rx.store.spool import segment_name
from tests.runtime.cluster.test_shipping import files, segment, spool_of


def test_once_ships_what_is_there_and_says_how_much(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    spool, to = spool_of(tmp_path / "spool", 1, 2), tmp_path / "to"
    to.mkdir()
    ship(spool, str(to), once=True)
    assert files(spool) == files(to)
    assert capsys.readouterr().err == "agentsight-rx: 2 segments shipped (0.0 MB)\n"


def test_once_is_an_error_where_the_place_is_away(tmp_path: Path) -> None:
    with pytest.raises(SpoolError, match="is not there: make this folder, or mount it") as error:
        ship(spool_of(tmp_path / "spool", 1), str(tmp_path / "to"), once=True)
    assert error.value.exit_status == 1


def test_a_url_of_no_protocol_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(SpoolError, match="cannot be opened"):
        ship(spool_of(tmp_path / "spool", 1), "nosuch://bucket/spool", once=True)


@pytest.mark.parametrize("text", ["0", "0s"])
def test_zero_removes_at_once(text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    spool, to = spool_of(tmp_path / "spool", 1), tmp_path / "to"
    to.mkdir()
    ship(spool, str(to), once=True, delete_after=text)
    assert files(spool) == {}
    assert list(files(to)) == [f"web1/{segment_name(1)}"]
    assert "1 removed here" in capsys.readouterr().err


def test_a_place_that_is_forgotten_is_not_waited_for(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    spool, old, new = spool_of(tmp_path / "spool", 1), tmp_path / "old", tmp_path / "new"
    for folder in (old, new):
        folder.mkdir()
    ship(spool, str(old), once=True)
    spool_of(spool, 2)
    ship(spool, str(new), once=True, delete_after="0")
    assert f"1 segments are NOT removed here before they are at {old} too" in capsys.readouterr().err
    assert list(files(spool)) == [f"web1/{segment_name(2)}"]
    ship(spool, str(new), once=True, delete_after="0", forgotten=[str(old)])
    assert f"{old} is forgotten" in capsys.readouterr().err
    assert files(spool) == {}


def test_a_time_that_is_none_is_a_usage_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="--delete-after 'soon'"):
        ship(spool_of(tmp_path / "spool", 1), str(tmp_path), once=True, delete_after="soon")


def test_it_follows_until_it_is_asked_to_end(tmp_path: Path) -> None:
    spool, to = spool_of(tmp_path / "spool", 1), tmp_path / "to"
    to.mkdir()
    words = [sys.executable, "-m", "agentsight_rx", "ship", "--spool", str(spool), "--to", str(to)]
    with subprocess.Popen(words, stderr=subprocess.PIPE, text=True, start_new_session=True) as process:
        assert process.stderr is not None
        assert process.stderr.readline() == f"agentsight-rx: shipping {spool} to {to}; stop with kill {process.pid}\n"
        process.send_signal(signal.SIGINT)
        said = process.stderr.read()
        assert process.wait(60) == 0
    assert "Traceback" not in said
    assert said.startswith("agentsight-rx: ")
    assert files(to) in ({}, {f"web1/{segment_name(1)}": segment(1)})
