"""
Store, session -> the context of its agents, turn by turn: the parts of each request, its cache, its cost.

Nothing of it is stored. A request is stored by the pieces that it shares with others, so reading one takes the time of its new
part.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from decimal import Decimal

from msgspec import Struct
from msgspec.structs import replace

from ...context import Anatomy, anatomy
from ...context.held import Held, Rates, Sent, Step
from ...context.losses import Asked, Cause, cause_of
from ...context.thread import Thread
from ...events import HttpRequest
from ...prices import Cost, Prices
from ...state import Store
from ...tokens import Usage
from ..log.requests import read_requests
from ..rows.kinds import CallRow
from .calls import read_calls
from .context_falls import compactions
from .costs import PricedCall, cost_of_call, seller_of
from .mentions import Mentions
from .selection import Selection

__all__ = ["AgentContext", "Compaction", "LostCache", "TurnContext", "read_contexts"]

_LOST_LEAST = 1024  # tokens: the least that providers keep in a cache
_FALLS = 0.5  # of the conversation, from which on it counts as dropped
_FALLS_LEAST = 2000  # tokens


class LostCache(Struct, frozen=True):
    """`tokens` that the request before left in the cache were not read, which costs `usd` more; None: no price is known."""

    tokens: int
    cause: Cause
    usd: float | None = None


class Compaction(Struct, frozen=True):
    """
    `dropped` pieces of the request before are not in this one, and `came` ones stand in their place. `summed_up`: a summary of
    them is known; else the agent has only left them out. `usd` is what writing the summary cost.
    """

    dropped: tuple[Held, ...]
    came: tuple[Held, ...]
    summed_up: bool
    usd: float | None = None

    @property
    def tokens(self) -> int:
        """Of the pieces that went, before they did."""
        return sum(each.tokens for each in self.dropped)


class TurnContext(Struct, frozen=True):
    """
    One request. `sums` are its tokens by origin; `usage` is None where the provider counted nothing, and then `total` is an
    estimate. `known` is False where the request was not captured, or is cut: what it consists of is not known.
    """

    call: PricedCall
    sums: dict[str, int]
    total: int
    usage: Usage | None
    known: bool = True
    cost: float | None = None  # US dollars of the input
    rates: Rates | None = None
    lost: LostCache | None = None
    compaction: Compaction | None = None
    added: tuple[Held, ...] = ()

    @property
    def turn(self) -> int:
        return self.call.turn


class AgentContext(Struct):
    """The context of one agent of a session: None is the main one. `held` has the pieces of its newest request."""

    agent_id: str | None
    turns: list[TurnContext]
    thread: Thread
    mentions: Mentions
    window: int | None = None  # tokens that the model takes

    @property
    def held(self) -> list[Held]:
        return self.thread.held

    @property
    def is_priced(self) -> bool:
        """A price is known of every request that was counted."""
        return all(turn.cost is not None for turn in self.turns if turn.usage is not None) and any(
            turn.cost is not None for turn in self.turns
        )


def read_contexts(store: Store, session: str, prices: Prices, /, *, until_turn: int | None = None) -> list[AgentContext]:
    """The agents of a session, the main one first; with `until_turn` as it was then."""
    selection = Selection(sessions=frozenset({session}))
    calls = [call for call in read_calls(store, selection, prices) if until_turn is None or call.turn <= until_turn]
    compacted = compactions(calls)
    main = [call for call in calls if not call.aside or call.aside == "retry"]
    readers: dict[str | None, _Reader] = {}
    requests = _in_turn(store, main)
    for call, request in requests:
        reader = readers.get(call.agent_id)
        if reader is None:
            reader = readers[call.agent_id] = _Reader(call.agent_id)
        reader.add(call, request, prices, is_compacted=call.id in compacted)
    summaries = [call for call in calls if call.aside == "summary"]
    found = [reader.context(prices, summaries) for reader in readers.values()]
    return sorted(found, key=lambda each: (each.agent_id is not None, each.turns[0].turn))


def _in_turn(store: Store, calls: Sequence[PricedCall]) -> Iterator[tuple[PricedCall, HttpRequest | None]]:
    """Each call with its request, in the order of the log; None where that is not in it."""
    by_id = {call.id: call for call in calls}
    waiting = iter(calls)
    passed = set[str]()
    for id, request in read_requests(store, [call.id for call in calls]):
        call = by_id[id]
        if id in passed:
            continue
        for other in waiting:  # calls before it of which no request is there
            if other.id == id:
                break
            if other.id not in passed and other.start_timestamp_ms <= call.start_timestamp_ms:
                passed.add(other.id)
                yield other, None
        passed.add(id)
        yield call, request
    yield from ((call, None) for call in calls if call.id not in passed)


class _Reader:
    def __init__(self, agent_id: str | None) -> None:
        self._agent_id = agent_id
        self._thread = Thread()
        self._mentions = Mentions()
        self._turns: list[TurnContext] = []
        self._before: tuple[PricedCall, Anatomy] | None = None
        self._rates: Rates | None = None

    def add(self, call: PricedCall, request: HttpRequest | None, prices: Prices, *, is_compacted: bool) -> None:
        usage = call.usage if call.asked_tokens else None
        cost = cost_of_call(call, prices)
        paid = None if cost is None else float(cost.input + cost.cache_read + cost.cache_write)
        if request is None:
            self._turns.append(TurnContext(call, {}, call.asked_tokens, usage, known=False, cost=paid))
            return
        found = anatomy(request.body, self._before[1] if self._before else None)
        rates = None if cost is None else _rates(call.usage, cost)
        lost = self._lost(call, found, usage)
        sent = Sent(
            call.turn,
            usage,
            rates,
            dialect=call.call_kind or "",
            goes_on=call.previous_response_id is not None,
            again=_again(call),
        )
        named: list[Held] = []
        answered = self._turns[-1].turn if self._turns else 0

        def learn(added: Sequence[Held], kept: int) -> None:
            news = {id(held.piece): held for held in added}
            texts = ((news[id(piece)], text) for piece, text in found.texts(kept) if id(piece) in news)
            named.extend(self._mentions.add(texts, answered))

        step = self._thread.add(found, sent, learn)
        for held in named:
            self._thread.named(held)
        fall = self._fall(step, is_compacted=is_compacted)
        if lost is not None and fall is None:
            lost = LostCache(lost.tokens, lost.cause, self._more(lost.tokens, rates))
        self._turns.append(
            TurnContext(
                call,
                step.sums,
                step.total,
                usage,
                cost=paid,
                rates=rates,
                lost=None if fall else lost,
                compaction=fall,
                added=step.added,
            )
        )
        self._before, self._rates = (call, found), rates or self._rates

    def _lost(self, call: PricedCall, found: Anatomy, usage: Usage | None) -> LostCache | None:
        if self._before is None or usage is None:
            return None
        before, old = self._before
        lost = before.cached_tokens - usage.cache_read
        if lost < _LOST_LEAST:
            return None
        cause = cause_of(
            _asked(before, old),
            _asked(call, found),
            cached=before.cached_tokens,
            sizes=[each.tokens for each in self._thread.held],
            dialect=call.call_kind or "",
        )
        return LostCache(lost, cause)

    def _more(self, tokens: int, rates: Rates | None) -> float | None:
        """What tokens cost more that were not read from the cache."""
        read = max(rates.read if rates else 0.0, self._rates.read if self._rates else 0.0)
        instead = max(rates.write, rates.input) if rates else 0.0
        return tokens * (instead - read) if read and instead else None

    def _fall(self, step: Step, *, is_compacted: bool) -> Compaction | None:
        """Did the request drop most of the conversation before it?"""
        dropped = [each for each in step.dropped if each.piece.origin not in ("tools", "system")]
        tokens = sum(each.tokens for each in dropped)
        before = sum(self._turns[-1].sums.values()) if self._turns else 0
        summed_up = is_compacted or any(each.piece.origin == "summary" for each in step.added)
        if not dropped or tokens < _FALLS_LEAST or tokens < _FALLS * before or not (summed_up or step.total < before):
            return None
        summaries = tuple(each for each in step.added if each.piece.origin == "summary")
        return Compaction(tuple(dropped), summaries or step.added, summed_up)

    def context(self, prices: Prices, summaries: Sequence[PricedCall]) -> AgentContext:
        self._thread.settle()
        last = self._turns[-1].call
        for at, turn in enumerate(self._turns):
            if turn.compaction is not None and at:
                paid = [
                    call.cost_usd
                    for call in summaries
                    if self._turns[at - 1].call.start_timestamp_ms <= call.start_timestamp_ms <= turn.call.start_timestamp_ms
                ]
                fall = turn.compaction
                cost = sum(each for each in paid if each is not None) if paid else None
                self._turns[at] = replace(turn, compaction=replace(fall, usd=cost))
        return AgentContext(
            self._agent_id,
            self._turns,
            self._thread,
            self._mentions,
            window=prices.window_of(seller_of(last), last.model),
        )


def _rates(usage: Usage, cost: Cost) -> Rates:
    """US dollars of a token, of what the call cost."""

    def of(usd: Decimal, tokens: int) -> float:
        return float(usd) / tokens if tokens else 0.0

    return Rates(of(cost.cache_read, usage.cache_read), of(cost.cache_write, usage.cache_creation), of(cost.input, usage.input))


def _again(call: CallRow) -> int | None:
    """The tokens that its answer has in later requests; None where that is not known."""
    if not call.complete or not call.output_tokens or (call.thinking and not call.reasoning_tokens):
        return None
    return call.output_tokens - call.reasoning_tokens


def _asked(call: CallRow, request: Anatomy) -> Asked:
    return Asked(
        request.read(), request.body, model=call.model or "", parameters=request.parameters(), time_ms=call.start_timestamp_ms
    )
