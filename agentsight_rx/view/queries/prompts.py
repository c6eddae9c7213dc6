"""Store, selection -> the users' prompts, and the final answers."""

from __future__ import annotations

from collections.abc import Iterator

from ...events.tokens import Counts, counts_of
from ...llm.prices import Prices
from ...store.state import Store
from .calls import read_calls
from .costs import PricedCall
from .selection import Selection

__all__ = ["PromptLine", "read_prompts"]


class PromptLine(Counts, frozen=True, omit_defaults=False):
    """
    One prompt, in the first call that sent it, with the tokens and the cost of that call. `prompt` and `answer` are as much as
    rows keep; `report call ID` has all of both.
    """

    timestamp_ms: int
    call_id: str
    turn: int
    session_id: str | None
    agent: str | None
    comm: str | None
    pid: int | None
    provider: str | None
    model: str | None
    cost_usd: float | None
    status: str
    prompt: str
    answer: str


def read_prompts(store: Store, selection: Selection, prices: Prices, /) -> Iterator[PromptLine]:
    """
    What people typed, oldest first. A request has no prompt that sends only tool results or earlier messages, or that an agent
    makes for itself.
    """
    calls = read_calls(store, selection, prices, where=lambda row: row.is_prompted)
    return map(_line, calls)


def _line(call: PricedCall) -> PromptLine:
    return PromptLine(
        call.start_timestamp_ms,
        call.id,
        turn=call.turn,
        session_id=call.session_id,
        agent=call.agent,
        comm=call.comm,
        pid=call.pid,
        provider=call.provider,
        model=call.model,
        **counts_of(call.usage),
        cost_usd=call.cost_usd,
        status=call.status,
        prompt=call.prompt,
        answer=call.text,
    )
