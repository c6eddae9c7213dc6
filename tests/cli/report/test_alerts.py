"""report alerts: as text and as JSON."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from contextlib import closing
from pathlib import Path

import pytest

from agentsight_rx.cli.capturing.stopping import deciding
from agentsight_rx.errors import UsageError
from agentsight_rx.events import HostsKnown, Origin
from agentsight_rx.graphs import TraceOptions, trace
from agentsight_rx.policy.rules.guard.file import built_in_rules
from agentsight_rx.sources import ProcessOptions
from agentsight_rx.store.rows.kind import put
from agentsight_rx.store.state import LmdbStore
from agentsight_rx.view import AlertRow
from agentsight_rx.view.queries import Selection
from agentsight_rx.view.queries.alerts import read_alerts
from tests.cli.guarding import stay_in
from tests.cli.report.asking import text, values
from tests.guarded import leaking, stored


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


def test_without_a_guard_it_says_so_and_what_the_rules_would_find(tmp_path: Path) -> None:
    path = stored(tmp_path / "run.lmdb", leaking().events)
    first, second = text(path, "alerts")
    assert first == f"no rule was applied: {path} was recorded without a guard"
    assert second.startswith("the rules of now find 2 alerts and 1 note: ")
    assert second.endswith(f"guard test {path}")
    assert values(path, "alerts") == []


def test_a_guard_without_an_alert_was_one(tmp_path: Path) -> None:
    """A graph with a guard says which hosts are known, also where it is none."""
    known = HostsKnown(Origin(1, 0, comm="guard"), ())
    path = stored(tmp_path / "run.lmdb", [known, *leaking().events])
    assert text(path, "alerts") == [f"nothing of that kind is in {path}"]
    graph = trace(TraceOptions(process=ProcessOptions(), guard=built_in_rules()))
    assert "know_hosts" in str(graph.node())
    assert "know_hosts" not in str(trace(TraceOptions(process=ProcessOptions())).node())


def test_what_was_decided_is_as_on_the_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stay_in(tmp_path, monkeypatch)
    path = stored(tmp_path / "run.lmdb", leaking().events, built_in_rules())
    with closing(LmdbStore.open(path, readonly=True)) as store:
        rows = {row.rule: row for row in read_alerts(store, Selection())}
    deciding().mark([rows["secret-left"]], seen=True)
    lines = text(path, "alerts")
    assert lines[0] == "2 alerts, 1 note: 1 seen; 1 more is a part of these (--all)"
    assert [" seen a2 ", " ⚑    a3 "] == [line[:9].replace("*", "⚑") for line in lines[1:4:2]]
    assert lines[-1] == f"next: agentsight-rx guard explain a3 --db {path}"
    own = tmp_path / ".config" / "agentsight-rx" / "guard.toml"
    own.parent.mkdir(parents=True)
    own.write_text('[rule.new-host]\nallow.append = [{ host = "paste.example" }]')
    assert text(path, "alerts")[0] == "2 alerts, 1 note: 1 seen, 1 allowed; 1 more is a part of these (--all)"
    own.write_text("[rule.new-host]\nd = 1")
    assert f"so no alert counts as allowed: {own}" in " ".join(text(path, "alerts")[1:4])


def test_a_stopped_agent_has_its_own_flag(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stay_in(tmp_path, monkeypatch)
    with subprocess.Popen(["sleep", "600"]) as agent:
        agent.send_signal(signal.SIGSTOP)
        os.waitid(os.P_PID, agent.pid, os.WSTOPPED)
        row = AlertRow(
            "alert-1", time.time_ns() // 1_000_000, "loop", "stop", "claude ran make", "x", number=1, agent_pid=agent.pid
        )
        with closing(LmdbStore.open(tmp_path / "run.lmdb")) as store:
            store.commit([put(row)])
        lines = text(tmp_path / "run.lmdb", "alerts")
        agent.kill()
    assert lines[0] == "1 alert: 1 stopped"
    assert lines[1][:6] in (" ⚑‖ a1", " *= a1")


def test_an_unknown_level_is_named(store: Path) -> None:
    with pytest.raises(UsageError, match="--level loud is not known; there are note, warn, stop"):
        text(store, "alerts", "--level", "loud")
