"""Provider, model and tokens of a call -> its cost in US dollars; None where no price is known."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from decimal import Decimal
from typing import TYPE_CHECKING

from ...core.bounded import Recent
from ...events import Usage
from .own import Cost, OwnPrice

if TYPE_CHECKING:
    from .published import Published


_MODELS_MOST = 1024  # of a store: those without a price are looked up in all lists, which takes milliseconds
_MILLION = Decimal(1_000_000)


class Prices:
    """
    The user's own prices first, then the published ones, which are loaded when the first cost is asked for (0.1 to 0.4 s).

    `today` is needed to date the published prices, which contain announced ones too.
    """

    def __init__(self, own: Sequence[OwnPrice] = (), *, today: datetime.date | None = None) -> None:
        self._own = tuple(own)
        self._today = today
        self._found: Recent[tuple[str | None, str], OwnPrice | Published | None] = Recent(_MODELS_MOST)
        self._windows: Recent[tuple[str | None, str], int] = Recent(_MODELS_MOST)

    def cost_of(self, provider: str | None, model: str | None, usage: Usage, /, *, time_ms: int) -> Cost | None:
        """
        `provider` is a label of `llm.provider_label`: a name such as `openai`, or the host. Of an unknown one, such as a proxy,
        the model alone decides: the price is its maker's price. `time_ms`: when the call was made, since prices change.
        """
        if not model:
            return None
        key = (provider, model)
        price = self._found.use(key)
        if price is None and key not in self._found:
            price = self._price(provider, model)
            self._found.put(key, price)
        if price is None:
            return None
        if isinstance(price, OwnPrice):
            return _own_cost(price, usage)
        return price.cost(usage, time_ms=time_ms, today=self._today)

    def window_of(self, provider: str | None, model: str | None, /) -> int | None:
        """Tokens that a request to the model may have, as the published list says; None where it says nothing."""
        if not model:
            return None
        key = (provider, model)
        if key not in self._windows:
            from .published import published  # loads 2 MB of prices

            found = published(provider, model)
            self._windows.put(key, (found and found.model.context_window) or 0)
        return self._windows.use(key) or None

    def _price(self, provider: str | None, model: str) -> OwnPrice | Published | None:
        own = next((each for each in self._own if each.fits(model)), None)
        if own is not None:
            return own
        from .published import published  # loads 2 MB of prices

        return published(provider, model)


def _own_cost(price: OwnPrice, usage: Usage) -> Cost:
    for_an_hour = min(usage.cache_creation_1h, usage.cache_creation)
    brief = usage.cache_creation - for_an_hour
    parts = {
        "input": price.input * usage.input / _MILLION,
        "output": price.output * usage.output / _MILLION,
        "cache_read": price.cache_read * usage.cache_read / _MILLION,
        "cache_write": (price.cache_write * brief + price.cache_write_1h * for_an_hour) / _MILLION,
    }
    return Cost(usd=sum(parts.values(), Decimal(0)), **parts, by=price.by, as_of=price.as_of)
