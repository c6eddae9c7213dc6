"""HTTP exchanges with the turns whose calls they are."""

from __future__ import annotations

from msgspec.structs import replace

from agentsight_rx.view.queries.http import exchanges_of

from .rows import causes, http


def test_an_exchange_of_a_call_has_its_turn() -> None:
    rows = [http(1, "a", "/", call="llm-1"), http(2, "a", "/")]
    assert [(each.id, each.turn, each.duration_ms) for each in exchanges_of(rows, causes())] == [
        ("http-1", 3, 7),
        ("http-2", 0, 7),
    ]


def test_without_an_end_there_is_no_duration() -> None:
    (exchange,) = exchanges_of([replace(http(1, "a", "/"), end_timestamp_ms=None)], causes())
    assert exchange.duration_ms is None
