"""The requests of one agent of a session, in order -> the turns of its context: what each added, lost, dropped and cost."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from decimal import Decimal

from msgspec.structs import replace

from ....events import HttpRequest
from ....events.tokens import Usage
from ....llm.context import Anatomy, anatomy
from ....llm.context.held import Held, Rates, Sent, Step
from ....llm.context.losses import LONGEST_MS, Asked, Cause, cause_of, change_in
from ....llm.context.pieces import COMPACTION
from ....llm.context.thread import Thread
from ....llm.prices import Cost, Prices
from ....store.rows.kinds import SAID, CallRow, ToolRow
from ..calls.costs import cost_of_call, seller_of, with_cost
from .context import AgentContext, Cleared, Compaction, LostCache, TurnContext
from .edits import Edits, kept_tools, may_be_edited
from .falls import lost_tokens, unread_tokens
from .mentions import Mentions

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
        self._edits = Edits()  # of the request before

    def copy(self) -> Reader:
        """For calls that have not ended, whose rows change."""
        found = Reader(self._agent_id)
        found._thread = self._thread.until(len(self._turns))
        found._mentions = self._mentions  # the same pieces again change nothing in it
        found._turns = [*self._turns]
        found._before, found._follows = self._before, self._follows
        found._counted, found._rates, found._edits = self._counted, self._rates, self._edits
        return found

    @property
    def pieces(self) -> int:
        """How many it has seen."""
        return len(self._thread.made)

    def add(
        self,
        row: CallRow,
        request: HttpRequest | Anatomy | None,
        prices: Prices | None,
        *,
        is_compacted: bool = False,
        edits: Callable[[], Edits] = Edits,
        asked: Callable[[], Iterable[ToolRow]] = tuple,
    ) -> TurnContext:
        """
        The next call. `is_compacted`: a summary was asked for before it. `edits` reads what its answer says of them, `asked`
        the tools of the answer that it goes on from. Without prices nothing has a cost. An `Anatomy` is what an agent's own
        file has of the request.
        """
        cost = cost_of_call(row, prices) if prices is not None else None
        paid = None if cost is None else float(cost.input + cost.cache_read + cost.cache_write)
        usage = row.usage if row.asked_tokens else None
        window = prices.window_of(seller_of(row), row.response_model or row.model) if prices is not None else None
        turn = TurnContext(with_cost(row, cost), {}, row.asked_tokens, usage, cost=paid, window=window)
        if usage is None and self._counted is not None:
            turn = replace(turn, partly=True)
        if row.previous_response_id is not None:
            self._mentions.know(asked(), self._turns[-1].turn if self._turns else 0)
        lost = LostCache(lost_tokens(self._counted, row))
        found = self._anatomy(request)
        if found is None:
            turn, self._follows = replace(turn, known=False), False
        else:
            turn = replace(turn, rates=None if cost is None else _rates(row.usage, cost))
            turn = self._read(turn, found, lost, self._edits_of(row, found, edits), is_compacted=is_compacted)
            self._before, self._follows, self._rates = (row, found), True, turn.rates or self._rates
        self._counted = row if row.total_tokens else self._counted
        self._turns.append(turn)
        return turn

    def _anatomy(self, request: HttpRequest | Anatomy | None) -> Anatomy | None:
        if request is None or isinstance(request, Anatomy):
            return request
        return anatomy(request.body, self._before[1] if self._before else None) if request.complete else None

    def _edits_of(self, call: CallRow, found: Anatomy, edits: Callable[[], Edits]) -> Edits:
        """The edits of the request before go on until an answer may say more."""
        parameters = found.parameters()
        if "context_management" not in parameters:
            return Edits()
        return edits() if may_be_edited(parameters, self._counted, call) else replace(self._edits, usage=None)

    def _read(self, turn: TurnContext, found: Anatomy, lost: LostCache, edits: Edits, *, is_compacted: bool) -> TurnContext:
        rates = turn.rates
        step = self._step(turn, found, edits)
        fall = self._fall(step, is_compacted=is_compacted)
        cleared = self._cleared(edits, unread_tokens(self._counted, turn.call), rates)
        self._edits = edits
        if lost.tokens and fall is None and cleared is None:
            lost = self._explained(lost, turn.call, found, step, rates)
        else:
            lost = LostCache(0)
        return replace(
            turn,
            sums=step.sums,
            total=step.total,
            usage=step.usage,
            lost=lost if lost.tokens else None,
            compaction=fall,
            cleared=cleared,
            added=step.added,
        )

    def _step(self, turn: TurnContext, found: Anatomy, edits: Edits) -> Step:
        call, usage = turn.call, edits.usage or turn.usage
        sent = Sent(
            call.thread_turn,
            usage,
            turn.rates,
            dialect=call.call_kind or "",
            goes_on=call.previous_response_id is not None,
            again=_again(call),
            whole=call.view_source != SAID,
        )
        named: list[int] = []
        answered = self._turns[-1].turn if self._turns else 0

        def learn(added: Sequence[Held], kept: int) -> None:
            news = {id(held.piece): held for held in added}
            texts = ((news[id(piece)], text) for piece, text in found.texts(kept) if id(piece) in news)
            named.extend(self._mentions.add(texts, answered))
            self._thread.cleared = self._taken_out(edits, found)

        step = self._thread.add(found, sent, learn)
        for number in named:
            self._thread.named(number)
        if edits.usage is not None and turn.rates is not None and turn.usage is not None:
            self._thread.costs.unplaced += _input_usd(turn.usage, turn.rates) - _input_usd(edits.usage, turn.rates)
        return step

    def _taken_out(self, edits: Edits, found: Anatomy) -> frozenset[int]:
        """The numbers of the pieces that the provider has cleared: the oldest ones, but not of tools that are to be kept."""
        if not (edits.results or edits.turns):
            return frozenset()
        kept = kept_tools(found.parameters())
        results: dict[str, list[int]] = {}
        thoughts: dict[int, list[int]] = {}
        for held in self._thread.held:
            maker = self._mentions.maker_of(held)
            if held.piece.origin == "result" and (maker is None or maker.tool not in kept):
                results.setdefault(held.piece.ref, []).append(held.number)
            elif held.piece.origin == "reasoning":
                thoughts.setdefault(held.since, []).append(held.number)
        taken = [*list(results.values())[: edits.results], *list(thoughts.values())[: edits.turns]]
        return frozenset(number for numbers in taken for number in numbers)

    def _cleared(self, edits: Edits, unread: int, rates: Rates | None) -> Cleared | None:
        """The parts that were taken out for the first time; so many tokens behind them were read anew."""
        before = self._edits
        if edits.tokens <= before.tokens:
            return None
        return Cleared(
            max(0, edits.results - before.results),
            max(0, edits.turns - before.turns),
            edits.tokens - before.tokens,
            self._more(unread, rates),
        )

    def _explained(self, lost: LostCache, call: CallRow, found: Anatomy, step: Step, rates: Rates | None) -> LostCache:
        cause = Cause("unknown")
        if call.view_source == SAID:
            cause = _cause_in_file(self._counted, call)
        elif self._before is not None and self._follows and self._counted is not None:
            before, old = self._before
            change = change_in(step, self._counted.cached_tokens)
            cause = cause_of(_asked(before, old), _asked(call, found), change=change, dialect=call.call_kind or "")
        return LostCache(lost.tokens, cause, self._more(lost.tokens, rates))

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
        by_provider = any(each.piece.name == COMPACTION for each in summaries)
        return Compaction(tuple(dropped), summaries or step.added, summed_up, by_provider=by_provider)

    def context(self, prices: Prices, summaries: Sequence[CallRow]) -> AgentContext:
        """As far as it was read. `summaries`: the calls of the session that asked for one."""
        self._thread.settle()
        for at, turn in enumerate(self._turns):
            if turn.compaction is not None and at:
                begin, end = self._turns[at - 1].call.start_timestamp_ms, turn.call.start_timestamp_ms
                costs = [cost_of_call(call, prices) for call in summaries if begin <= call.start_timestamp_ms <= end]
                usd = sum(float(each.usd) for each in costs if each is not None) if costs else None
                self._turns[at] = replace(turn, compaction=replace(turn.compaction, usd=usd))
        return AgentContext(self._agent_id, [*self._turns], self._thread, self._mentions)


def _rates(usage: Usage, cost: Cost) -> Rates:
    """US dollars of a token, of what the call cost."""

    def of(usd: Decimal, tokens: int) -> float:
        return float(usd) / tokens if tokens else 0.0

    return Rates(of(cost.cache_read, usage.cache_read), of(cost.cache_write, usage.cache_creation), of(cost.input, usage.input))


def _input_usd(usage: Usage, rates: Rates) -> float:
    return usage.cache_read * rates.read + usage.cache_creation * rates.write + usage.input * rates.input


def _cause_in_file(before: CallRow | None, call: CallRow) -> Cause:
    """The reasons that models and times show; the request itself is not in the file."""
    if before is not None and before.model and call.model and before.model != call.model:
        return Cause("model", what=(before.model, call.model))
    idle_ms = call.start_timestamp_ms - before.start_timestamp_ms if before is not None else 0
    if call.provider == "anthropic" and idle_ms > LONGEST_MS:
        return Cause("idle", idle_ms=idle_ms, life_ms=LONGEST_MS)
    return Cause("unwritten")


def _again(call: CallRow) -> int | None:
    """The tokens that its answer has in later requests; None where that is not known."""
    if not call.complete or not call.output_tokens or (call.thinking and not call.reasoning_tokens):
        return None
    return call.output_tokens - call.reasoning_tokens


def _asked(call: CallRow, request: Anatomy) -> Asked:
    return Asked(
        request.read(),
        request.body,
        model=call.model or "",
        parameters=request.parameters(),
        time_ms=call.start_timestamp_ms,
        read=call.cache_read_tokens,
    )
