"""The alerts of a store: of a level, a rule, a session; one by its name, and what it rests on."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from agentsight_rx.errors import UsageError
from agentsight_rx.events import BlindSpot
from agentsight_rx.policy.rules.guard.file import built_in_rules
from agentsight_rx.store.state import LmdbStore
from agentsight_rx.view.queries import Selection
from agentsight_rx.view.queries.alerts import alert_named, alerts_said, evidence_of, read_alerts, reportable
from tests.guarded import leaking, stored


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LmdbStore]:
    story = leaking()
    uv = story.agent.starts("uv")
    story.scene.add(BlindSpot(uv.origin(), uv.connection.start_ns, 1, 900, looks_like=("rustls",)))
    kept = LmdbStore.open(stored(tmp_path_factory.mktemp("s") / "run.lmdb", story.events, built_in_rules()), readonly=True)
    yield kept
    kept.close()


def test_alerts_of_a_level_and_of_a_rule(store: LmdbStore) -> None:
    rules = [row.rule for row in read_alerts(store, Selection())]
    assert ["reads-secret", "secret-left", "new-host", "unsandboxed", "unread"] == rules
    assert 4 == len(list(read_alerts(store, Selection(), least="warn")))
    assert ["new-host"] == [row.rule for row in read_alerts(store, Selection(), rule="new-host")]
    assert ["unread"] == [row.rule for row in read_alerts(store, Selection(limit=1))]
    (session,) = {row.session_id for row in read_alerts(store, Selection())}
    assert session is not None
    assert 5 == len(list(read_alerts(store, Selection(sessions=frozenset({session})))))
    assert [] == list(read_alerts(store, Selection(sessions=frozenset({"other"}))))
    newest = max(row.timestamp_ms for row in read_alerts(store, Selection()))
    assert 1 == len(list(read_alerts(store, Selection(since_ms=newest))))


def test_what_a_person_should_see(store: LmdbStore) -> None:
    rows = list(read_alerts(store, Selection()))
    assert ["secret-left", "new-host", "unread"] == [row.rule for row in reportable(rows)]
    assert "3 alerts: secret-left, new-host, unread" == alerts_said(rows)
    assert "" == alerts_said([])


def test_an_alert_by_its_name_or_the_begin_of_its_id(store: LmdbStore) -> None:
    row = alert_named(store, "a2")
    assert row.rule == "secret-left"
    assert row == alert_named(store, "2") == alert_named(store, row.id[:12])
    with pytest.raises(UsageError, match=r"there is no alert a99; the newest are a5, a4"):
        alert_named(store, "a99")


def test_a_store_without_alerts(tmp_path: Path) -> None:
    kept = LmdbStore.open(stored(tmp_path / "run.lmdb", leaking().events), readonly=True)
    try:
        with pytest.raises(UsageError, match="there is no alert a1; the store has none"):
            alert_named(kept, "a1")
    finally:
        kept.close()


def test_what_an_alert_rests_on(store: LmdbStore) -> None:
    texts = {row.rule: [each.text for each in evidence_of(store, row)] for row in read_alerts(store, Selection())}
    assert texts["secret-left"][0].endswith("open /home/ada/.ssh/id_ed25519")
    assert texts["secret-left"][1:] == ["tool Bash: head -c 9 /home/ada/.ssh/id_ed25519", "call 2 of claude-4"]
    assert texts["new-host"] == ["curl 1005  POST paste.example/upload"]
    assert texts["unread"][0].startswith("uv (rustls)")
    gone = replace(alert_named(store, "a1"), evidence=("audit-file-0",))
    assert [(0, "")] == [(each.timestamp_ms, each.text) for each in evidence_of(store, gone)]
