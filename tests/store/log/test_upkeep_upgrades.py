"""An earlier schema version: every report reads a store as it is, and the first run into it brings it to the present one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from agentsight_rx.errors import StoreError
from agentsight_rx.events import Event
from agentsight_rx.events.loss import Ledger
from agentsight_rx.sinks import store
from agentsight_rx.store.log.reading import read_events, read_exchange
from agentsight_rx.store.log.resuming import resume
from agentsight_rx.store.log.upkeep import UPGRADES
from agentsight_rx.store.rows.kind import ROW_TABLES, key_of, table_of
from agentsight_rx.store.rows.tables import (
    AUDIT,
    CALLS,
    EXCHANGES,
    PREVIEW,
    PROCESSES,
    RUNS,
    SEGMENTS,
    TOOLS,
    Recording,
    Segment,
)
from agentsight_rx.store.state import META, SCHEMA_VERSION, Delete, LmdbStore, Put, Table, by_index
from agentsight_rx.view import CallRow, Fold, Row, RowGone
from agentsight_rx.view.queries import Selection
from agentsight_rx.view.queries.alerts import newest_audits
from agentsight_rx.view.queries.reading import newest_programs, selected
from agentsight_rx.view.snapshot.snapshot import read_snapshot
from tests.reports import read_report
from tests.samples import OUTPUTS
from tests.store.log.test_reading import EVENTS, TEXT, request, stream

LOGGED: list[Event] = [*EVENTS, request(5, b"x" * 5000), stream(5, TEXT[:150])]
LONG: list[Event] = [*LOGGED[:-1], stream(5)]
ROWS: list[Row] = [row for row in OUTPUTS if not hasattr(row, "origin") and not isinstance(row, RowGone)]
TABLES: tuple[Table[Any], ...] = (*ROW_TABLES, EXCHANGES)
PACKED = [table for table in TABLES if table.packed]
# The indexes that version 2 had in another form, or that no query used
OF_VERSION_2: dict[str, dict[str, Callable[[Any], Any]]] = {
    "llm_calls": {"model": lambda row: row.model, "host": lambda row: row.host},
    "tool_calls": {"name": lambda row: (row.tool_name, row.timestamp_ms)},
    "process_nodes": {"pid": lambda row: row.pid, "program": lambda row: row.start_timestamp_ms if row.command else None},
    "http_exchanges": {"host": lambda row: row.host},
    "sessions": {"agent": lambda row: row.agent},
}


def old(path: Path, events: list[Event] = LOGGED) -> list[Row]:
    """A store as version 1 wrote it: whole texts, no indexes, the log in segments."""
    fold = Fold()
    rows = [*ROWS, *(row for event in events for row in fold.add(event))]
    kept = LmdbStore.open(path)
    segments = [Put(SEGMENTS, number, Segment((event,))) for number, event in enumerate(events)]
    plain: dict[str, Table[Any]] = {table.name: Table(table.name, table.type) for table in ROW_TABLES}
    kept.commit([Put(plain[table_of(row).name], key_of(row), row) for row in rows])
    kept.commit([*segments, Put(RUNS, 1, Recording(1, 0, ended=True)), Put(META, "schema_version", 1)])
    kept.close()
    return rows


def as_of_version_2(table: Table[Any]) -> Table[Any]:
    return replace(table, packed=False, indexes={**table.indexes, **OF_VERSION_2.get(table.name, {})})


def old_and_indexed(path: Path) -> None:
    """A store as version 2 wrote it: each row by itself, with entries of indexes."""
    fold, writer = Fold(), store(path).open(Ledger())
    writer.write([*ROWS, *(each for event in LOGGED for each in (event, *fold.add(event)))])
    writer.close()
    kept = LmdbStore.open(path)
    for table in TABLES:
        rows = kept.scan(table)
        kept.commit([Delete(table, key) for key, _ in rows])
        kept.commit([Put(as_of_version_2(table), key, row) for key, row in rows])
    indexes = [(table, name) for table in map(as_of_version_2, TABLES) for name in table.indexes]
    filled = {f"{table.name}/{name}" for table, name in indexes if kept.scan(table.index(name), limit=1)}
    assert filled >= {
        "llm_calls/id",
        "llm_calls/model",
        "tool_calls/name",
        "audit_events/type",
        "audit_events/target",
        "process_nodes/pid",
    }
    kept.commit([Put(META, "schema_version", 2)])
    kept.close()


def said(kept: LmdbStore) -> list[Any]:
    """What all queries say."""
    call = next(row.id for _, row in kept.scan(CALLS) if row.id.startswith("llm-7"))
    return [
        list(read_events(kept)),
        read_report(kept, newest=3),
        list(selected(kept, CALLS, Selection())),
        list(selected(kept, PROCESSES, Selection())),
        read_snapshot(kept, now_ms=0),
        read_exchange(kept, call),
        list(by_index(kept, CALLS, "id", prefix=call)),
        list(by_index(kept, AUDIT, "type", prefix="file", reverse=True, limit=3)),
        list(newest_audits(kept, Selection())),
        list(newest_programs(kept, most=9)),
        [list(by_index(kept, PROCESSES, "pid", prefix=row.pid)) for _, row in kept.scan(PROCESSES)],
        [list(by_index(kept, TOOLS, "session", prefix=row.session_id or "s", reverse=True)) for _, row in kept.scan(TOOLS)],
        resume(kept),
    ]


@pytest.mark.parametrize("written", [old, old_and_indexed])
def test_every_query_reads_it_and_changes_nothing_and_says_the_same_once_it_is_upgraded(
    tmp_path: Path, written: Callable[[Path], object]
) -> None:
    path = tmp_path / "run.lmdb"
    written(path)
    before = path.read_bytes()
    kept = LmdbStore.open(path, readonly=True)
    then = said(kept)
    kept.close()
    assert before == path.read_bytes()
    kept = LmdbStore.open(path, upgrades=UPGRADES)
    assert (kept.get(META, "schema_version"), kept.scan(SEGMENTS)) == (SCHEMA_VERSION, [])
    assert then == said(kept)
    assert [] == [row for table in PACKED for row in kept.scan(as_of_version_2(table))]
    gone = [(as_of_version_2(table), name) for table in PACKED for name in table.indexes]
    gone += [(as_of_version_2(table), name) for table in TABLES for name in OF_VERSION_2.get(table.name, {})]
    assert [] == [entry for table, name in gone for entry in kept.scan(table.index(name))]
    kept.close()


def test_long_texts_become_previews_and_the_log_has_them_whole(tmp_path: Path) -> None:
    path = tmp_path / "run.lmdb"
    longest = max(len(row.text) for row in old(path, LONG) if isinstance(row, CallRow))
    assert longest > 2 * PREVIEW
    kept = LmdbStore.open(path, upgrades=UPGRADES)
    (call,) = (row for _, row in kept.scan(CALLS) if row.id.startswith("llm-7"))
    answer = read_exchange(kept, call.id).stream
    assert answer is not None
    assert (answer.reply.text[:PREVIEW], longest) == (call.text, len(answer.reply.text))
    kept.close()


def test_a_run_into_it_goes_on_from_it(tmp_path: Path) -> None:
    path = tmp_path / "run.lmdb"
    old(path)
    writer = store(path).open(Ledger())
    writer.write([request(6)])
    writer.close()
    kept = LmdbStore.open(path, readonly=True)
    assert [*LOGGED, request(6)] == list(read_events(kept))
    assert [1, 2] == [run.number for _, run in kept.scan(RUNS)]
    kept.close()


def test_without_the_upgrade_it_is_not_written(tmp_path: Path) -> None:
    path = tmp_path / "run.lmdb"
    old(path)
    before = path.read_bytes()
    with pytest.raises(StoreError, match="schema version 1"):
        LmdbStore.open(path)
    assert before == path.read_bytes()
