"""bytes -> session files of agents and files of prices: never another exception, the same over any cut, all of it countable."""

from __future__ import annotations

import msgspec

from agentsight_rx.errors import UsageError
from agentsight_rx.events import Usage
from agentsight_rx.llm.prices import Prices, own_prices
from agentsight_rx.view.transcripts import Transcript
from property_tests.fuzz.choices import Input
from tests.view.transcripts.reading import KINDS, read

__all__ = ["prices", "transcripts"]


def transcripts(data: bytes) -> None:
    given = Input(data)
    parser = given.pick([parser for parser, _ in KINDS])
    whole = read(parser, given.payload)
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(whole), type=Transcript, strict=True) == whole
    assert all(usage.total >= 0 for usage in (*whole.totals.values(), *(call.usage for call in whole.calls)))
    assert whole == read(parser, given.pieces(given.payload))


def prices(data: bytes) -> None:
    text = Input(data).payload.decode("utf-8", "surrogateescape")
    try:
        found = own_prices(text, name="mine")
    except UsageError:
        return
    for price in found:
        cost = Prices([price]).cost_of(None, price.pattern, Usage(3, 5, 7, 9), time_ms=0)
        assert cost is None or cost.usd >= 0
