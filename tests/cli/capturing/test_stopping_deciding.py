"""Where what a person has seen is kept, and whose rules allow an alert: those of the invoking user."""

from __future__ import annotations

from pathlib import Path

import pytest
from msgspec.structs import replace

from agentsight_rx.cli.capturing.stopping import deciding
from agentsight_rx.view import AlertRow
from agentsight_rx.view.queries.decided import state_of
from tests.cli.guarding import stay_in

ROW = AlertRow("alert-1", 1, "new-host", "warn", "curl spoke to a", "a", number=1, host="paste.example")


def test_the_files_of_the_user_decide(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stay_in(tmp_path, monkeypatch)
    known = deciding()
    assert ("new", "") == (state_of(ROW, known.now()), known.now().refusal)
    known.mark([ROW], seen=True)
    assert (tmp_path / ".local" / "share" / "agentsight-rx" / "seen.jsonl").exists()
    assert "seen" == state_of(ROW, deciding().now())
    own = tmp_path / ".config" / "agentsight-rx" / "guard.toml"
    own.parent.mkdir(parents=True)
    own.write_text('[rule.new-host]\nallow.append = [{ host = "other.example" }]')
    assert str(own) == deciding().now().place
    assert "allowed" == state_of(replace(ROW, host="other.example"), deciding().now())


def test_without_a_home_nothing_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stay_in(tmp_path, monkeypatch)
    monkeypatch.setenv("HOME", "")

    def unknown(_: int) -> None:
        raise KeyError

    monkeypatch.setattr("pwd.getpwuid", unknown)
    assert "this page stores nothing" == deciding().now().refusal
