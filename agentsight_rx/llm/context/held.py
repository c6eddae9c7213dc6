"""One request as it is counted and paid, a piece of a context as it is carried, and what a request changed."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from ...events.tokens import Usage
from .pieces import Piece

__all__ = ["Given", "Held", "Rates", "Sent", "Step"]


class Rates(Struct, frozen=True):
    """US dollars of one token of a request: read from the cache, written to it, and neither."""

    read: float = 0.0
    write: float = 0.0
    input: float = 0.0


class Sent(Struct, frozen=True):
    """
    One request: its number, what the provider counted, what a token costs there, and who reads it. `goes_on`: from an answer
    that the provider has kept with all before it. `again`: the tokens that the answer has when it is sent again; None: not
    known, since the model thought.
    """

    turn: int
    usage: Usage | None = None
    rates: Rates | None = None
    dialect: str = ""
    goes_on: bool = False
    again: int | None = None


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
