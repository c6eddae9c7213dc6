"""One request as it is counted and paid, a piece of a context as it is carried, and what a request changed."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from ...events.tokens import Usage
from .pieces import MEDIA, Piece
from .places import image_tokens


class Rates(Struct, frozen=True):
    """US dollars of one token of a request: read from the cache, written to it, and neither."""

    read: float = 0.0
    write: float = 0.0
    input: float = 0.0


class Sent(Struct, frozen=True):
    """
    One request: its number, what the provider counted, what a token costs there, and who reads it. `goes_on`: from an answer
    that the provider has kept with all before it. `again`: the tokens that the answer has when it is sent again; None: not
    known, since the model thought. Not `whole`: it may have had more than is known of it.
    """

    turn: int
    usage: Usage | None = None
    rates: Rates | None = None
    dialect: str = ""
    goes_on: bool = False
    again: int | None = None
    whole: bool = True


class Held(Struct):
    """
    A piece of the context: `since` the turn that sent it first, `last` the newest one that did. The newest request
    with it had so many `tokens`, exact or a share. `cost` is in US dollars, of all `requests` whose price is known.
    `named_cost` is the part of it up to the request that sent the newest answer with its name, `cached_cost` the part for
    tokens from the cache. `kind` is its origin, or for results of tools a finer one. `number`: the pieces of a thread count
    from 0 as they come. A dropped piece that was put back in turn `again` had `left` after that turn.
    """

    piece: Piece
    since: int
    last: int = 0
    tokens: int = 0
    exact: bool = False
    requests: int = 0
    carried: int = 0  # tokens x requests
    cost: float = 0.0
    named_cost: float = 0.0
    cached_cost: float = 0.0
    kind: str = ""
    guess: int = 0  # its tokens in an earlier request
    settled: int = 0  # requests that are in the three before
    based: float = 0.0
    based_read: float = 0.0
    gone: bool = False  # dropped: it costs nothing any more
    number: int = 0
    left: int = 0
    again: int = 0


class Step(Struct, frozen=True):
    """
    What one request changed: the first `kept` of `before` pieces are as they were, with `kept_tokens` then; those behind them
    are `dropped`, `added`, or moved. `sums` are the tokens by origin, `total` all of them. `usage` is None where they are
    estimated.
    """

    turn: int
    kept: int
    dropped: tuple[Held, ...]
    added: tuple[Held, ...]
    sums: dict[str, int]
    total: int
    usage: Usage | None
    before: int = 0
    kept_tokens: int = 0


class Given(Struct):
    """
    What a request gave, without its body: `same` of its elements are as before, `news` are behind them, and `front` of all are
    in front of the conversation. `kinds` of the added pieces, and the numbers of the `named` and the `cleared` pieces.
    """

    sent: Sent
    front: int
    same: int
    news: Sequence[tuple[Piece, ...]]
    kinds: Sequence[str] = ()
    named: list[int] = []
    cleared: frozenset[int] = frozenset()


# -- costs ---------------------------------------------------------------------------------------------------------
# What a context cost so far -> for each of its pieces, in requests, tokens x requests and US dollars.


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


# -- shares --------------------------------------------------------------------------------------------------------
# So many tokens, some pieces -> whole numbers of tokens for each, in the ratio of their weights; and how large a piece is.


BYTES = 4  # of a token, where nothing was counted


def shared(tokens: int, weights: Sequence[int], /) -> list[int]:
    """Whole numbers in the ratio of the weights whose sum is `tokens`: the largest remainders are rounded up."""
    weighing = sum(weights)
    if not weighing:
        weights, weighing = [1] * len(weights), len(weights)
    if not weighing:
        return []
    parts = [divmod(tokens * weight, weighing) for weight in weights]
    left = tokens - sum(whole for whole, _ in parts)
    largest = sorted(range(len(parts)), key=lambda at: (-parts[at][1], at))[:left]
    up = frozenset(largest)
    return [whole + (at in up) for at, (whole, _) in enumerate(parts)]


def size_of(piece: Piece, dialect: str, /) -> int:
    """Bytes; of an image as many as text of its tokens has."""
    if piece.origin != MEDIA:
        return piece.size
    return 0 if piece.pixels is None else BYTES * (image_tokens(piece.pixels, dialect) or 0)
