"""What one call costs, in parts."""

from __future__ import annotations

import datetime
from decimal import Decimal

from msgspec import Struct

__all__ = ["Cost"]


class Cost(Struct, frozen=True, kw_only=True):
    """
    US dollars of one call. `usd` is all of it: the four parts, and what a few providers charge for each request besides.

    `by` names whose price it is, and `as_of` the date of the prices, where it is known. Prices of a subscription, of a contract
    and of batches are not known: this is what the tokens cost at list price.
    """

    usd: Decimal
    input: Decimal
    output: Decimal
    cache_read: Decimal
    cache_write: Decimal
    by: str
    as_of: datetime.date | None = None
