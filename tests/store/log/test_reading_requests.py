"""Requests of many calls, in the order of the log, with an index and without."""

from __future__ import annotations

from pathlib import Path

from agentsight_rx.events import HttpRequest
from agentsight_rx.store.log.reading import read_requests
from agentsight_rx.store.rows.tables import CALLS
from agentsight_rx.store.state import LmdbStore
from tests.view.page.story import recorded
from tests.view.queries.context_story import begun


def test_each_request_is_whole_and_in_order(tmp_path: Path) -> None:
    agent = begun()
    agent.ask("Done.")
    store = LmdbStore.open(recorded(tmp_path / "run.lmdb", agent.events), readonly=True)
    try:
        calls = [row for _, row in store.scan(CALLS)]
        found = list(read_requests(store, [row.id for row in reversed(calls)]))
        some = list(read_requests(store, [calls[2].id, "unknown"]))
    finally:
        store.close()
    assert [id for id, _ in found] == [row.id for row in calls]
    bodies = [event.body for event in agent.events if isinstance(event, HttpRequest)]
    assert [request.body for _, request in found] == bodies
    assert [id for id, _ in some] == [calls[2].id]
