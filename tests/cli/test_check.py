"""check: a recording judged anew, and the exit status of a build."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from agentsight_rx.errors import StoreError, UsageError
from tests.cli.guarding import ran, stay_in
from tests.guarded import leaking, stored


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return stored(tmp_path_factory.mktemp("store") / "run.lmdb", leaking().events)


@pytest.fixture(autouse=True)
def at_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A home without rules, recordings or a workspace."""
    stay_in(tmp_path, monkeypatch)


def test_a_recording_made_without_a_guard_is_checked(tmp_path: Path) -> None:
    path = str(stored(tmp_path / "run.lmdb", leaking().events))
    lines = ran("check", path, status=1)
    assert (
        lines[0]
        == "warn: claude read ~/.ssh/id_ed25519, and a part of it left in call 2 to api.anthropic.com (secret-left, a2)"
    )
    assert lines[-1] == "11 rules, 2 alerts, 1 note; the check fails, because of --fail-on warn"
    assert "11 rules, 2 alerts, 1 note" == ran("check", path, "--fail-on", "stop")[-1]
    assert "11 rules, 2 alerts, 1 note" == ran("check", path, "--fail-on", "never")[-1]
    assert ran("check", path, "--json", status=1) == ran("check", path, "--format", "json", status=1)
    rules = tmp_path / "g.toml"
    rules.write_text('[rule.secret-left]\ndo = "stop"')
    assert [] == ran("check", path, "--rules", str(rules), "--fail-on", "stop", "-o", str(tmp_path / "out.txt"), status=1)
    assert (tmp_path / "out.txt").read_text().startswith("stop: claude read")


@pytest.mark.parametrize(
    ("words", "error", "message"),
    [
        (["--fail-on", "loud"], UsageError, "--fail-on loud is not known; there are note, warn, stop, never"),
        (["--format", "html"], UsageError, "--format html is not known; there are text, json"),
        (["--rules", "none.toml"], UsageError, "none.toml cannot be read"),
    ],
)
def test_a_wrong_flag_of_a_check_is_named(store: Path, words: list[str], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        ran("check", str(store), *words)


def test_a_store_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"none.lmdb does not exist; expected a recording"):
        ran("check", str(tmp_path / "none.lmdb"))


def test_without_a_name_all_stores_are_judged_and_an_alert_of_two_recordings_is_one(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="no recording found in"):
        ran("check")
    home = tmp_path / ".local/share/agentsight-rx"
    home.mkdir(parents=True)
    one = stored(home / "agentsight-20260101-100000.lmdb", leaking().events)
    lines = ran("check", status=1)
    assert ran("check", str(one), status=1) == lines
    (home / "agentsight-20260101-110000.lmdb").write_bytes(one.read_bytes())
    assert lines == ran("check", status=1)
    stored(home / "agentsight-20260101-120000.lmdb", leaking(before=3).events)
    found = json.loads(ran("check", "--json", status=1)[0])
    assert {str(path) for path in home.glob("*.lmdb")} == {*found["stores"]}
    assert 2 * (len(lines) - 1) == len(found["alerts"])
