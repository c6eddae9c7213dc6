from __future__ import annotations

from msgspec.structs import replace

from agentsight_rx.llm.prices import Prices
from agentsight_rx.store.rows.kind import put
from agentsight_rx.store.rows.tables import RUNS, Recording
from agentsight_rx.store.state import MemoryStore, Put
from agentsight_rx.view import HttpRow, ProcessRow, Row, TlsUseRow
from agentsight_rx.view.page import Picture, answer
from agentsight_rx.view.page.counts import Read, reads_of

AGENT = ProcessRow("process-7-1", 7, start_timestamp_ms=1, comm="claude", command="claude", argv=("claude",), agent="claude")
USE = TlsUseRow(
    *("use-1", 1000, 7, "claude", "process-7-1"),
    path="/usr/bin/claude",
    stack="BoringSSL",
    method="code",
    proven=True,
    connections=3,
    size=900,
)
ASKED = HttpRow("http-1", 2000, 8, "python3", "POST", host="localhost:11434", scheme="http", process_id="process-8-1")


def picture(*rows: Row, live: bool = True, closing: bool = False) -> Picture:
    store = MemoryStore()
    store.commit([Put(RUNS, 1, Recording(1, 0)), *map(put, rows)])
    return Picture(store, Prices(), being_written=live, closing=closing)


def reads(*rows: Row, live: bool = True) -> list[Read]:
    return list(reads_of(picture(*rows, live=live)))


def test_an_agent_that_runs_is_named_before_it_sends_anything() -> None:
    (read,) = reads(AGENT)
    assert ("trying", "claude (7): no traffic yet", 7) == (read.state, read.title, read.pid)
    assert [] == reads(AGENT, live=False)
    assert [] == reads(replace(AGENT, status="success"))
    assert [] == reads(replace(AGENT, agent=None))


def test_once_its_tls_is_read_that_is_said_instead() -> None:
    (read,) = reads(AGENT, USE)
    assert ("proven", "reading TLS of claude (7): proven", "3 connections") == (read.state, read.title, read.side)


def test_http_without_tls_is_read_too() -> None:
    (read,) = reads(ASKED, replace(ASKED, id="http-2", host="other"))
    assert ("reading HTTP of python3 (8): proven", "2 requests") == (read.title, read.side)
    assert "other, localhost:11434" in read.text
    assert [] == reads(replace(ASKED, scheme="https"))


def test_a_run_whose_store_is_still_to_be_closed_misses_no_end() -> None:
    ended = answer(picture(live=False, closing=True), "r", "health", {})
    killed = answer(picture(live=False), "r", "health", {})
    assert [0, 1] == [page.whole.missing for page in (ended, killed)]  # type: ignore[attr-defined]  # pyright: ignore
