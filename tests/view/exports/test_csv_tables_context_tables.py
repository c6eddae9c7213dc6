"""Contexts as CSV: the columns of a request add up to its tokens, and the groups to all that was sent."""

from __future__ import annotations

import csv
import io

import pytest

from agentsight_rx.store.rows.tables import CALLS, EXCHANGES
from agentsight_rx.store.state import Delete, MemoryStore
from agentsight_rx.view.exports.csv_tables import CsvTable, csv_lines
from agentsight_rx.view.queries import Selection
from agentsight_rx.view.queries.context.words import ORIGINS
from tests.view.page.story import stored
from tests.view.queries.context_story import PRICES, SESSION, begun, words


def lived() -> MemoryStore:
    agent = begun()
    agent.add_tool("mcp__ledger__close")
    agent.turn("Tool2", {"command": "ls"}, words(30, 3), "On.")
    agent.ask("Done.")
    return stored(agent.events)


def read(store: MemoryStore, table: CsvTable, selection: Selection | None = None) -> list[dict[str, str]]:
    content = b"".join(csv_lines(store, selection or Selection(), PRICES, table=table)).decode()
    return list(csv.DictReader(io.StringIO(content, newline=""), strict=True))


def test_a_request_has_its_tokens_by_origin() -> None:
    rows = read(lived(), "context")
    assert [row["turn"] for row in rows] == ["1", "2", "3", "4", "5"]
    for row in rows:
        assert sum(int(row[f"{origin}_tokens"]) for origin in ORIGINS) == int(row["tokens"])
        assert (row["counted"], row["captured"], row["session_id"]) == ("true", "true", SESSION)
    assert [row["cache_lost_why"] for row in rows if row["cache_lost_why"]] == [
        "the tool list changed, mcp__ledger__close was added"
    ]
    assert float(rows[3]["cache_lost_usd"]) > 0
    assert rows[0]["start"] == "2026-11-26T18:00:00.000Z"


def test_a_selection_is_a_part_of_the_requests() -> None:
    store = lived()
    rows = read(store, "context")
    assert read(store, "context", Selection(limit=2)) == rows[-2:]
    begin = next(row for row in rows if row["turn"] == "3")["start"]
    assert [row["turn"] for row in read(store, "context", Selection(until_ms=_ms(begin)))] == ["1", "2"]
    assert read(store, "context", Selection(sessions=frozenset({"none"}))) == []


def _ms(text: str) -> int:
    return 1_795_716_000_000 + 1000 * (60 * int(text[14:16]) + int(text[17:19]))


def test_the_groups_of_each_kind_have_their_cost() -> None:
    store = lived()
    rows = read(store, "parts")
    assert list(dict.fromkeys(row["by"] for row in rows)) == ["origin", "tool", "file", "mcp-server"]
    total = sum(int(row["tokens"]) for row in read(store, "context"))
    assert sum(int(row["carried_tokens"]) for row in rows if row["by"] == "origin") == total
    cost = sum(float(row["cost_usd"]) for row in read(store, "context"))
    assert sum(float(row["cost_usd"]) for row in rows if row["by"] == "origin") == pytest.approx(cost)
    assert {row["group"] for row in rows if row["by"] == "mcp-server"} == {"built-in tools", "ledger", "weather"}
    assert read(store, "parts", Selection(limit=1)) == rows


def test_what_was_not_captured_is_empty() -> None:

    store = lived()
    second = next(row.id for _, row in store.scan(CALLS) if row.turn == 2)
    store.commit([Delete(EXCHANGES, (second, "request"))])
    row = read(store, "context")[1]
    assert (row["captured"], row["tools_tokens"]) == ("false", "")
    assert int(row["tokens"]) > 0
