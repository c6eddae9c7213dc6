"""The requests of one agent of a session, in order -> the turns of its context: what each added, lost, dropped and cost."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from msgspec.structs import replace

from ...context import Anatomy, anatomy
from ...context.held import Held, Rates, Sent, Step
from ...context.losses import Asked, Cause, cause_of, change_in
from ...context.thread import Thread
from ...events import HttpRequest
from ...prices import Cost, Prices
from ...tokens import Usage
from ..rows.kinds import CallRow
from .context import AgentContext, Compaction, LostCache, TurnContext
from .context_falls import lost_tokens
from .costs import cost_of_call, seller_of, with_cost
from .mentions import Mentions

__all__ = ["Reader"]

_FALLS = 0.5  # of the conversation, from which on it counts as dropped
_FALLS_LEAST = 2000  # tokens


class Reader:
    """Takes the requests one by one; a copy goes on by itself."""

    def __init__(self, agent_id: str | None) -> None:
        self._agent_id = agent_id
        self._thread = Thread()
        self._mentions = Mentions()
        self._turns: list[TurnContext] = []
        self._before: tuple[CallRow, Anatomy] | None = None  # the newest request that is known
        self._follows = False  # on that request
        self._counted: CallRow | None = None  # the newest call with counts
        self._rates: Rates | None = None

    def copy(self) -> Reader:
        """For calls that have not ended, whose rows change."""
        found = Reader(self._agent_id)
        found._thread = self._thread.until(len(self._turns))
        found._mentions = self._mentions  # the same pieces again change nothing in it
        found._turns = [*self._turns]
        found._before, found._follows = self._before, self._follows
        found._counted, found._rates = self._counted, self._rates
        return found

    @property
    def pieces(self) -> int:
        """How many it has seen."""
        return len(self._thread.made)

    def add(self, row: CallRow, request: HttpRequest | None, prices: Prices | None, *, is_compacted: bool) -> TurnContext:
        """The next call. `is_compacted`: a summary was asked for before it. Without prices nothing has a cost."""
        turn = self._turn(row, request, prices, is_compacted=is_compacted)
        self._turns.append(turn)
        return turn

    def _turn(self, row: CallRow, request: HttpRequest | None, prices: Prices | None, *, is_compacted: bool) -> TurnContext:
        cost = cost_of_call(row, prices) if prices is not None else None
        call = with_cost(row, cost)
        usage = row.usage if row.asked_tokens else None
        paid = None if cost is None else float(cost.input + cost.cache_read + cost.cache_write)
        lost, cached = lost_tokens(self._counted, row), self._counted.cached_tokens if self._counted else 0
        self._counted = row if row.total_tokens else self._counted
        if request is None:
            self._follows = False
            return TurnContext(call, {}, row.asked_tokens, usage, known=False, cost=paid)
        found = anatomy(request.body, self._before[1] if self._before else None)
        rates = None if cost is None else _rates(row.usage, cost)
        step = self._step(row, found, usage, rates)
        fall = self._fall(step, is_compacted=is_compacted)
        turn = TurnContext(
            call,
            step.sums,
            step.total,
            usage,
            cost=paid,
            rates=rates,
            lost=self._lost(row, found, step, (lost, cached), rates) if lost and fall is None else None,
            compaction=fall,
            added=step.added,
        )
        self._before, self._follows, self._rates = (row, found), True, rates or self._rates
        return turn

    def _step(self, call: CallRow, found: Anatomy, usage: Usage | None, rates: Rates | None) -> Step:
        sent = Sent(
            call.turn,
            usage,
            rates,
            dialect=call.call_kind or "",
            goes_on=call.previous_response_id is not None,
            again=_again(call),
        )
        named: list[int] = []
        answered = self._turns[-1].turn if self._turns else 0

        def learn(added: Sequence[Held], kept: int) -> None:
            news = {id(held.piece): held for held in added}
            texts = ((news[id(piece)], text) for piece, text in found.texts(kept) if id(piece) in news)
            named.extend(self._mentions.add(texts, answered))

        step = self._thread.add(found, sent, learn)
        for number in named:
            self._thread.named(number)
        return step

    def _lost(self, call: CallRow, found: Anatomy, step: Step, lost: tuple[int, int], rates: Rates | None) -> LostCache:
        tokens, cached = lost
        cause = Cause("unknown")
        if self._before is not None and self._follows:
            before, old = self._before
            change = change_in(step, cached)
            cause = cause_of(_asked(before, old), _asked(call, found), change=change, dialect=call.call_kind or "")
        return LostCache(tokens, cause, self._more(tokens, rates))

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

    def context(self, prices: Prices, summaries: Sequence[CallRow]) -> AgentContext:
        """As far as it was read. `summaries`: the calls of the session that asked for one."""
        self._thread.settle()
        last = self._turns[-1].call
        for at, turn in enumerate(self._turns):
            if turn.compaction is not None and at:
                begin, end = self._turns[at - 1].call.start_timestamp_ms, turn.call.start_timestamp_ms
                costs = [cost_of_call(call, prices) for call in summaries if begin <= call.start_timestamp_ms <= end]
                usd = sum(float(each.usd) for each in costs if each is not None) if costs else None
                self._turns[at] = replace(turn, compaction=replace(turn.compaction, usd=usd))
        return AgentContext(
            self._agent_id,
            [*self._turns],
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
