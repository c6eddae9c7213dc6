"""report alerts: as text and as JSON."""

from __future__ import annotations

from pathlib import Path

import pytest

from agentsight_rx.errors import UsageError
from agentsight_rx.rules.guard.file import built_in_rules
from tests.guarded import leaking, stored

from .asking import text, values


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return stored(tmp_path_factory.mktemp("store") / "run.lmdb", leaking().events, built_in_rules())


def test_two_lines_an_alert_and_what_comes_next(store: Path) -> None:
    first, *lines, last = text(store, "alerts")
    assert first == "2 alerts, 1 note; 1 more is a part of these (--all)"
    left, thread, host, _, note, _ = lines
    assert left.endswith("secret-left  claude read ~/.ssh/id_ed25519, and a part of it left in call 2 to api.anthropic.com")
    assert thread.startswith('      "deploy it" → Bash head -c 9 ~/.ssh/id_ed25519 → ')
    assert " a3  " in host
    assert note.startswith("   a4  ")
    assert last == f"next: agentsight-rx guard explain a3 --db {store}"


def test_all_has_what_is_a_part_of_another(store: Path) -> None:
    assert text(store, "alerts", "--all")[0] == "3 alerts, 1 note"
    assert text(store, "alerts", "--rule", "unsandboxed")[-1] == f"next: agentsight-rx guard explain a4 --db {store}"


def test_json_has_an_alert_a_line(store: Path) -> None:
    assert [value["rule"] for value in values(store, "alerts", "--level", "warn")] == [
        "reads-secret",
        "secret-left",
        "new-host",
    ]
    (value,) = values(store, "alerts", "--rule", "new-host")
    assert (value["host"], value["count"], value["session_id"] is not None) == ("paste.example", 1, True)


def test_without_an_alert_it_says_so(tmp_path: Path) -> None:
    path = stored(tmp_path / "run.lmdb", leaking().events)
    assert text(path, "alerts") == [f"nothing of that kind is in {path}"]


def test_an_unknown_level_is_named(store: Path) -> None:
    with pytest.raises(UsageError, match="--level loud is not known; there are note, warn, stop"):
        text(store, "alerts", "--level", "loud")
