"""One turn of a context, and the context of an agent: the parts of its requests, its cache, its cost."""

from __future__ import annotations

from typing import Literal, TypeAlias

from msgspec import Struct

from ....events.tokens import Usage
from ....llm.context.held import Held, Rates
from ....llm.context.losses import Cause
from ....llm.context.thread import Thread
from ..calls.costs import PricedCall
from .mentions import Mentions


class LostCache(Struct, frozen=True):
    """
    `tokens` that the request before left in the cache were not read, which costs `usd` more; None: no price is known. `cause`
    is None where the requests were not read.
    """

    tokens: int
    cause: Cause | None = None
    usd: float | None = None


class Cleared(Struct, frozen=True):
    """
    The provider took results of tools, or the thinking of turns, out of the request before the model read it, as the request
    asked: `tokens` more than in the request before. What stands behind had to be read anew, which costs `usd` more.
    """

    results: int
    turns: int
    tokens: int
    usd: float | None = None


class Compaction(Struct, frozen=True):
    """
    `dropped` pieces of the request before are not in this one, and `came` ones stand in their place. `summed_up`: a summary of
    them is known; else the agent has only left them out. `usd` is what writing the summary cost. `by_provider`: it has made
    the summary itself, as the request asked.
    """

    dropped: tuple[Held, ...]
    came: tuple[Held, ...]
    summed_up: bool
    usd: float | None = None
    by_provider: bool = False

    @property
    def tokens(self) -> int:
        """Of the pieces that went, before they did."""
        return sum(each.tokens for each in self.dropped)


class TurnContext(Struct, frozen=True):
    """
    One request. `sums` are its tokens by origin; `usage` is None where the provider counted nothing, and then `total` is an
    estimate; `partly`: of what it added, since earlier requests were counted. `known` is False where the request was not
    captured, or is cut: what it consists of is not known. `window`: tokens that its model takes.
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
    cleared: Cleared | None = None
    added: tuple[Held, ...] = ()
    window: int | None = None
    partly: bool = False

    @property
    def turn(self) -> int:
        return self.call.thread_turn


Evidence: TypeAlias = Literal["name and size", "name", "size"]


class InstructionFile(Struct, frozen=True):
    """
    The agent opened this file before it sent the text. `evidence`: its name is in the request, so many bytes were read as
    the text has, or both. The bytes themselves are not recorded.
    """

    path: str
    time_ms: int
    pid: int
    evidence: Evidence


class AgentContext(Struct):
    """
    The context of one agent of a session: None is the main one. `held` has the pieces of its newest request. The
    `instruction_files` are known once they were asked for, by digest.
    """

    agent_id: str | None
    turns: list[TurnContext]
    thread: Thread
    mentions: Mentions
    instruction_files: dict[bytes, InstructionFile] = {}

    @property
    def window(self) -> int | None:
        """Of the model of the newest request."""
        return self.turns[-1].window

    @property
    def name(self) -> str:
        """Of the agent."""
        return self.turns[0].call.sub_agent or "main"

    @property
    def held(self) -> list[Held]:
        return self.thread.held

    def at(self, turn: int, /) -> AgentContext:
        """The same as it was with the request of that turn. Raises KeyError where there is none up to it."""
        turns = [each for each in self.turns if each.turn <= turn]
        if not turns:
            raise KeyError(f"turn {turn}")
        if len(turns) == len(self.turns):
            return self
        thread = self.thread.until(sum(each.known for each in turns))
        return AgentContext(self.agent_id, turns, thread, self.mentions, instruction_files=self.instruction_files)

    def mentioned(self, file: str, /) -> int:
        """The newest turn whose answer names the file, as far as the context has come; 0: none."""
        return self.mentions.last_named(file, self.turns[-1].turn)

    @property
    def is_priced(self) -> bool:
        """A price is known of every request that was counted."""
        return all(turn.cost is not None for turn in self.turns if turn.usage is not None) and any(
            turn.cost is not None for turn in self.turns
        )
