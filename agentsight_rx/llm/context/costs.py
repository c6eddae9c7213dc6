"""What a context cost so far -> for each of its pieces, in requests, tokens x requests and US dollars."""

from __future__ import annotations

from collections.abc import Sequence

from .held import Held, Sent

__all__ = ["Costs"]


class Costs:
    """
    Every piece is sent once more with each request, and most of them cost the same for a token: that is one sum for all. A
    piece keeps its difference from the sum, and takes the sum over when it is settled.
    """

    def __init__(self) -> None:
        self.unplaced = 0.0  # US dollars of the input of requests of which no piece is known
        self._requests = 0
        self._base = self._base_read = 0.0  # what a token cost so far, most of the times; and where it came from the cache

    def begin(self, held: Held, /) -> None:
        """From now on it is sent."""
        held.settled, held.based, held.based_read = self._requests, self._base, self._base_read

    def settle(self, held: Held, /) -> None:
        """Bring `requests`, `carried` and `cost` up to the newest request: before tokens change, and before these are read."""
        requests = 0 if held.gone else self._requests - held.settled
        if requests:
            held.requests += requests
            held.carried += requests * held.tokens
            held.cost += held.tokens * (self._base - held.based)
            held.cached_cost += held.tokens * (self._base_read - held.based_read)
        self.begin(held)

    def pay(self, pieces: Sequence[Held], sent: Sent, /) -> None:
        """All of them were sent once more."""
        usage, rates = sent.usage, sent.rates
        self._requests += 1
        if usage is None or rates is None or not usage.asked:
            return
        if not pieces:
            self.unplaced += usage.cache_read * rates.read + usage.cache_creation * rates.write + usage.input * rates.input
            return
        ends = (0, usage.cache_read, usage.cached, usage.asked)
        sizes = [ends[at + 1] - ends[at] for at in range(3)]
        most = sizes.index(max(sizes))
        prices = (rates.read, rates.write, rates.input)
        self._base += prices[most]
        self._base_read += prices[most] if most == 0 else 0.0
        at, number = 0, 0
        while number < len(pieces) and at < ends[most]:
            at = _correct(pieces[number], at, ends, prices, most)
            number += 1
        last, at = len(pieces), usage.asked
        while last > number and at > ends[most + 1]:
            last -= 1
            at -= pieces[last].tokens
            _correct(pieces[last], at, ends, prices, most)


def _correct(held: Held, at: int, ends: Sequence[int], prices: Sequence[float], most: int) -> int:
    """A piece that begins at `at` has another price than most tokens; returns where it ends."""
    end = at + held.tokens
    for region, price in enumerate(prices):
        inside = min(end, ends[region + 1]) - max(at, ends[region])
        if inside > 0:
            held.cost += inside * (price - prices[most])
            held.cached_cost += inside * ((price if region == 0 else 0.0) - (prices[most] if most == 0 else 0.0))
    return end
