"""What the audit trail says of the rules of a guard that changed while a capture ran, and what health makes of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from agentsight_rx.events import Origin, RulesLoaded
from agentsight_rx.policy.rules.guard.file import built_in_rules
from agentsight_rx.store.rows.tally import Tally
from agentsight_rx.store.state import LmdbStore
from agentsight_rx.view import Fold
from agentsight_rx.view.queries.alerts import newest_audits, rules_error
from agentsight_rx.view.queries.selection import Selection
from agentsight_rx.view.queries.sessions.health import read_health
from tests.guarded import leaking, stored

WRONG = RulesLoaded(Origin(1 << 50, 0, wall_ns=1 << 60), "guard.toml", error="guard.toml:3: it is wrong")
MENDED = RulesLoaded(Origin(1 << 51, 0, wall_ns=1 << 61), "guard.toml", built_in_rules().text, "ab" * 32)


@pytest.mark.parametrize(("changes", "error"), [([], ""), ([WRONG], WRONG.error), ([WRONG, MENDED], "")])
def test_the_newest_change_of_the_rules_is_wrong_or_not(tmp_path: Path, changes: list[RulesLoaded], error: str) -> None:
    events = [*leaking().events, *changes]
    store = LmdbStore.open(stored(tmp_path / "run.lmdb", events), readonly=True)
    try:
        assert (error, error) == (rules_error(store), read_health(store).rules_error)
        assert len(changes) == len(list(newest_audits(store, Selection(), "guard")))
        missing = read_health(store).missing
    finally:
        store.close()
    plain = LmdbStore.open(stored(tmp_path / "plain.lmdb", leaking().events), readonly=True)
    try:
        assert read_health(plain).missing + bool(error) == missing
    finally:
        plain.close()
    tally, fold = Tally(), Fold()
    tally.add([row for event in events for row in fold.add(event)])
    assert error == tally.rules_error
