"""Store, selection -> the calls of models with their costs."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from ...llm.prices import Prices
from ...store.rows.kinds import CallRow
from ...store.rows.tables import CALLS
from ...store.state import Store
from .costs import PricedCall, priced
from .reading import selected
from .selection import Selection

__all__ = ["read_calls"]


def read_calls(
    store: Store, selection: Selection, prices: Prices, /, *, where: Callable[[CallRow], bool] | None = None
) -> Iterator[PricedCall]:
    """The calls that clients made, oldest first. What a server in the watched tree received is the same call again."""

    def is_asked(row: CallRow) -> bool:
        return row.twin is None and (where is None or where(row))

    return (priced(call, prices) for call in selected(store, CALLS, selection, where=is_asked))
