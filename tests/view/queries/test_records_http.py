"""HTTP exchanges with the turns whose calls they are."""

from __future__ import annotations

from msgspec.structs import replace

from agentsight_rx.view.queries.records import exchanges_of
from tests.view.queries.rows import causes, http


def test_an_exchange_of_a_call_has_its_turn() -> None:
    rows = [http(1, "a", "/", call="llm-1"), http(2, "a", "/")]
    assert [(each.id, each.turn, each.duration_ms) for each in exchanges_of(rows, causes())] == [
        ("http-1", 3, 7),
        ("http-2", 0, 7),
    ]


def test_without_an_end_there_is_no_duration() -> None:
    (exchange,) = exchanges_of([replace(http(1, "a", "/"), end_timestamp_ms=None)], causes())
    assert exchange.duration_ms is None


def test_the_end_of_a_server_is_no_exchange_of_its_own_but_one_that_is_passed_on_is() -> None:
    server = replace(http(2, "a", "/"), server=True, twin="http-1")
    passed_on = replace(http(3, "b", "/", call="llm-9"), peer="10.0.0.3:443")
    served = replace(http(4, "a", "/", call="llm-9"), server=True)
    found = exchanges_of([http(1, "a", "/"), server, passed_on, served], causes())
    assert [each.id for each in found] == ["http-1", "http-3"]
