"""What is over the limits goes, oldest first, with everything that belongs to it; the rest stays readable."""

from __future__ import annotations

from collections.abc import Iterable
from random import Random
from typing import Any

import pytest
from msgspec.structs import replace

from agentsight_rx.events import Event, HttpRequest
from agentsight_rx.store.log.parts import EVENTS_MOST, LogWriter
from agentsight_rx.store.log.reading import read_events
from agentsight_rx.store.log.upkeep import Retention, retain
from agentsight_rx.store.rows.kind import put
from agentsight_rx.store.rows.tables import AUDIT, CALLS, EXCHANGES, HEADS, NETWORK, PROCESSES, REMOVED, TOKENS, TOOLS
from agentsight_rx.store.state import PACKS, MemoryStore, Table, by_index
from agentsight_rx.view import AuditRow, CallRow, NetworkRow, ProcessRow, TokenRow, ToolRow
from tests.store.log.test_reading import request

START_MS = 1_800_000_000_000
HOUR_MS = 3_600_000


def at(number: int, hour: int, body: bytes = b"") -> HttpRequest:
    origin = replace(request(number).origin, wall_ns=(START_MS + hour * HOUR_MS) * 1_000_000)
    return HttpRequest(origin, number, "POST", "/", "HTTP/1.1", (), body)


def bodies(store: MemoryStore) -> list[bytes]:
    return [event.body for event in read_events(store) if isinstance(event, HttpRequest)]


def noise(seed: int, size: int = 2000) -> bytes:
    return Random(seed).randbytes(size // 2).hex().encode()


def written(hours: Iterable[int], *, size: int = 2000) -> tuple[MemoryStore, LogWriter]:
    """A full segment for each hour; all of them share one content, and each has one of its own."""
    store = MemoryStore()
    log = LogWriter(store)
    number = 0
    for hour in hours:
        events: list[Event] = [at(number, hour, noise(0)), at(number + 1, hour, noise(hour + 1, size))]
        events += [at(number + 2 + each, hour) for each in range(EVENTS_MOST - 2)]
        number += len(events)
        store.commit(log.append(events))
        log.keep()
    return store, log


def test_segments_that_are_too_old_go_with_their_messages_and_contents() -> None:
    store, log = written(range(10), size=600_000)
    packs = len(store.scan(PACKS))
    assert retain(store, Retention(keep_ms=3 * HOUR_MS), log, now_ms=START_MS + 9 * HOUR_MS)
    assert [noise(0), noise(7, 600_000)] == bodies(store)[:2]
    assert [6, 7, 8, 9] == [key[0] for key, _ in store.scan(HEADS)]
    assert len(store.scan(EXCHANGES)) == 4 * EVENTS_MOST
    assert len(store.scan(PACKS)) < packs - 1
    removed = store.get(REMOVED, 0)
    assert removed is not None
    assert (START_MS + 6 * HOUR_MS, 6 * EVENTS_MOST) == (removed.before_ms, removed.events)


def test_a_content_that_is_still_named_stays_and_one_that_is_gone_is_written_again() -> None:
    store, log = written(range(5), size=300_000)
    retain(store, Retention(keep_ms=0), log, now_ms=START_MS + 4 * HOUR_MS)
    store.commit(log.append([at(9000, 5, noise(0)), at(9001, 5, noise(1, 300_000))]))
    assert [noise(0), noise(1, 300_000)] == bodies(store)[-2:]


def test_rows_that_were_over_go_and_what_still_runs_stays() -> None:
    store, log = written([0])
    rows = [
        row
        for time_ms, name in ((START_MS, "old"), (START_MS + HOUR_MS, "new"))
        for row in (
            CallRow(f"llm-{name}", time_ms, model="m"),
            TokenRow(f"token-{name}", f"llm-{name}", time_ms),
            ToolRow(f"tool-{name}", time_ms, f"llm-{name}", "1", "Bash"),
            ProcessRow(f"process-{name}", 1, start_timestamp_ms=time_ms, end_timestamp_ms=time_ms + 1),
            AuditRow(f"audit-{name}", time_ms, "file", pid=1, target="/x"),
            NetworkRow(f"net-{name}", 1, "host", last_timestamp_ms=time_ms),
        )
    ]
    running = ProcessRow("process-running", 2, start_timestamp_ms=START_MS)
    store.commit([*map(put, rows), put(running)])
    used = store.used()
    retain(store, Retention(keep_ms=HOUR_MS), log, now_ms=START_MS + 2 * HOUR_MS)
    tables: list[Table[Any]] = [CALLS, TOKENS, TOOLS, AUDIT, NETWORK]
    assert ["new"] * 5 == [row.id.rpartition("-")[2] for table in tables for _, row in store.scan(table)]
    assert {"process-new", "process-running"} == {row.id for _, row in store.scan(PROCESSES)}
    assert [1, 1] == [len(list(by_index(store, table, "time"))) for table in tables[1:3]]
    assert [1, 0] == [len(list(by_index(store, CALLS, "id", prefix=f"llm-{name}"))) for name in ("new", "old")]
    assert store.used() < used


def test_a_store_stays_below_its_size_and_keeps_the_newest() -> None:
    store, log = written(range(30), size=240_000)
    most = store.used() // 2
    assert retain(store, Retention(most_bytes=most), log, now_ms=0)
    assert most * 0.4 < store.used() <= most * 0.7
    hours = [key[0] for key, _ in store.scan(HEADS)]
    assert list(range(30))[-len(hours) :] == hours
    removed = store.get(REMOVED, 0)
    assert removed is not None
    assert removed.events == (30 - len(hours)) * EVENTS_MOST
    assert not retain(store, Retention(most_bytes=most), log, now_ms=0)


def test_the_open_segment_stays_whatever_the_limits_are() -> None:
    store, log = written([0], size=500_000)
    retain(store, Retention(keep_ms=0, most_bytes=1), log, now_ms=START_MS + 99 * HOUR_MS)
    assert [noise(0), noise(1, 500_000)] == bodies(store)[:2]


@pytest.mark.parametrize("retention", [Retention(), Retention(keep_ms=HOUR_MS), Retention(most_bytes=1 << 40)])
def test_what_is_within_the_limits_is_not_touched(retention: Retention) -> None:
    store, log = written([0, 0])
    before = store.scan(HEADS)
    retain(store, retention, log, now_ms=START_MS + HOUR_MS)
    assert (before, None) == (store.scan(HEADS), store.get(REMOVED, 0))


def test_a_message_that_a_later_revision_replaced_is_still_found() -> None:
    store, log = written([0])
    later = at(0, 50, noise(77))
    store.commit(log.append([later]))
    log.keep()
    retain(store, Retention(keep_ms=HOUR_MS), log, now_ms=START_MS + 50 * HOUR_MS)
    assert [later] == list(read_events(store))
    assert len(store.scan(EXCHANGES)) == 1


def test_segments_of_an_import_which_begins_with_the_newest_go_by_their_time() -> None:
    store, log = written(reversed(range(10)), size=600_000)
    assert retain(store, Retention(keep_ms=3 * HOUR_MS), log, now_ms=START_MS + 9 * HOUR_MS)
    assert [noise(0), noise(10, 600_000)] == bodies(store)[:2]
    assert [0, 1, 2, 3, 9] == [key[0] for key, _ in store.scan(HEADS)], "the open one stays"
    limit = store.used() * 3 // 4
    assert retain(store, Retention(most_bytes=limit), log, now_ms=START_MS)
    left = [key[0] for key, _ in store.scan(HEADS)]
    assert (0, 9) == (left[0], left[-1]), "the newest stays"
    assert 3 not in left
