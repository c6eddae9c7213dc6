"""Rows of processes, exchanges, files and connections, one by one, with what the audit trail has in its details."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from agentsight_rx.store.state import LmdbStore
from agentsight_rx.view.queries import Selection
from agentsight_rx.view.queries.records import read_connections, read_files, read_http, read_processes
from tests.cli.report.effects import HOSTILE, effects


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LmdbStore]:
    opened = LmdbStore.open(effects(tmp_path_factory.mktemp("store") / "run.lmdb"), readonly=True)
    yield opened
    opened.close()


def test_a_file_has_its_action_error_bytes_and_tool(store: LmdbStore) -> None:
    rows = {(row.action, Path(row.path).name): row for row in read_files(store, Selection())}
    assert "EACCES" == rows["open", ".env"].error
    assert (2048, None) == (rows["close", "invoice.py"].written_bytes, rows["close", "invoice.py"].error)
    assert "/home/ada/code/parcel/a.py" == rows["rename", "a.tmp"].target
    assert "tool-llm-12345-1-7-1-t1" == next(iter(read_files(store, Selection()))).tool_id
    assert HOSTILE in [row.path for row in read_files(store, Selection())]


def test_a_connection_has_its_peer_error_and_bytes(store: LmdbStore) -> None:
    rows = [
        (row.action, row.peer, row.error, row.sent_bytes, row.received_bytes) for row in read_connections(store, Selection())
    ]
    assert [
        ("connect", "160.79.104.10:443", None, 0, 0),
        ("connect", "10.0.0.1:1", "ECONNREFUSED", 0, 0),
        ("carried", "160.79.104.10:443", None, 9000, 120_400),
        ("connect", "127.0.0.1:5432", None, 0, 0),
    ] == rows


def test_the_rows_of_a_session_are_the_rows_of_its_processes(store: LmdbStore) -> None:
    for read in (read_files, read_connections, read_processes, read_http):
        rows = list(read(store, Selection()))
        assert rows == list(read(store, Selection(sessions=frozenset({"5e5510"}))))
        assert [] == list(read(store, Selection(sessions=frozenset({"other"}))))


def test_exchanges_are_chosen_by_a_rule(store: LmdbStore) -> None:
    assert 4 == len(list(read_http(store, Selection(), rule="exchange.response.status_code=200")))
    assert [] == list(read_http(store, Selection(), rule="response.status_code=404"))
