"""The context of an agent -> its segments: tools by server, files, results, prompts, answers; and what each of them costs."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from msgspec import Struct

from ....llm.context.held import Held
from ....llm.context.thread import KEPT, UNWRITTEN
from .context import InstructionFile
from .mentions import Maker

if TYPE_CHECKING:
    from .context import AgentContext


BUILT_IN = "built-in tools"
_SERVER = re.compile(r"(?:mcp__)?([A-Za-z0-9_.-]+?)__.+")


class Segment(Struct, frozen=True, kw_only=True):
    """
    A part of a context, or the tools of one server. `origin` as of a Piece; `tool` and `file` are of a result. It was first
    sent in turn `since`, and last in turn `last`, in `requests` requests. `tokens` are exact where `exact`, else a share of a
    counted sum, or an estimate where the provider counts nothing. `cost` is what it cost in US dollars so far, None where no
    price is known; `carried` is tokens x requests. `mentioned` is the newest turn whose answer names the file.
    """

    id: str
    origin: str
    name: str
    since: int
    last: int
    requests: int
    tokens: int
    exact: bool
    carried: int
    cost: float | None = None
    cached_cost: float | None = None  # of it, for tokens from the cache
    unnamed_cost: float | None = None  # of it, what was paid since its file was mentioned last
    tool: str = ""
    file: str = ""
    read: InstructionFile | None = None  # of instructions: the file that the agent was seen to read
    mentioned: int = 0
    left: int = 0  # the turn behind which it was dropped, before it was put back in turn `again`
    again: int = 0
    preview: str = ""
    count: int = 1
    held: bool = True  # in the newest request

    def was_in(self, turn: int, /) -> bool:
        """The request of that turn had it."""
        return self.since <= turn <= self.last and not self.left < turn < self.again


def server_of(tool: str, /) -> str:
    """The MCP server of a tool, as `mcp__SERVER__TOOL` or `SERVER__TOOL` names it; "" for one of the agent's own."""
    found = _SERVER.fullmatch(tool)
    return found[1] if found else ""


def segments_of(agent: AgentContext, /) -> list[Segment]:
    """What the newest request consists of, in the order in which the model reads it."""
    priced = agent.is_priced
    return [_segment(agent, held, held_now=True, priced=priced) for held in agent.held]


def carried(agent: AgentContext, /) -> list[Segment]:
    """All that was ever sent, tools by their server, what cost most first."""
    of_servers: dict[str, list[Segment]] = {}
    others: list[Segment] = []
    for segment in each_segment(agent):
        if segment.origin == "tools":
            of_servers.setdefault(server_of(segment.name) or BUILT_IN, []).append(segment)
        else:
            others.append(segment)
    turns = [turn.turn for turn in agent.turns if turn.known]
    found = [*others, *(_together(name, some, turns) for name, some in of_servers.items())]
    return sorted(found, key=lambda each: (-(each.cost or 0.0), -each.carried, each.id))


def each_segment(agent: AgentContext, /) -> Iterator[Segment]:
    """All segments that were ever sent: first the segments of the newest request, then the dropped ones."""
    yield from segments_of(agent)
    priced = agent.is_priced
    yield from (_segment(agent, held, held_now=False, priced=priced) for held in agent.thread.gone)


def _together(name: str, each: Sequence[Segment], turns: Sequence[int]) -> Segment:
    """`turns`: the numbers of the known requests."""
    costs = [one.cost for one in each if one.cost is not None]
    now = [one for one in each if one.held] or each
    return Segment(
        id=f"server:{name}",
        origin="tools",
        name=name,
        since=min(one.since for one in each),
        last=max(one.last for one in each),
        requests=_requests(each, turns),
        tokens=sum(one.tokens for one in now),
        exact=all(one.exact for one in now),
        carried=sum(one.carried for one in each),
        cost=sum(costs) if costs else None,
        cached_cost=sum(one.cached_cost or 0.0 for one in each) if costs else None,
        count=len(now),
        held=any(one.held for one in each),
    )


def _requests(some: Sequence[Segment], turns: Sequence[int]) -> int:
    """How many requests had any of them."""
    most = max(one.requests for one in some)
    lives = {(one.since, one.last, one.left, one.again): one for one in some}
    if len(lives) == 1 or most == len(turns):
        return most
    return max(most, sum(any(one.was_in(turn) for one in lives.values()) for turn in turns))


def _segment(agent: AgentContext, held: Held, *, held_now: bool, priced: bool) -> Segment:
    piece = held.piece
    maker = agent.mentions.maker_of(held) if piece.origin in ("result", "media") else None
    file = maker.file if maker else ""
    read = agent.instruction_files.get(piece.digest) if piece.origin == "instructions" else None
    return Segment(
        id=piece.digest.hex(),
        origin=held.kind,
        name=read.path if read is not None else _name(held, maker),
        since=held.since,
        last=held.last,
        requests=held.requests,
        tokens=held.tokens,
        exact=held.exact,
        carried=held.carried,
        cost=held.cost if priced else None,
        cached_cost=held.cached_cost if priced else None,
        unnamed_cost=held.cost - held.named_cost if priced else None,
        tool=maker.tool if maker else "",
        file=file,
        read=read,
        mentioned=agent.mentioned(file) if file else 0,
        left=held.left,
        again=held.again,
        preview=agent.mentions.previews.get(piece.digest, ""),
        held=held_now,
    )


def _name(held: Held, maker: Maker | None) -> str:
    piece = held.piece
    match piece.origin:
        case "tools":
            return piece.name
        case "instructions":
            return piece.name or "instructions"
        case "result" | "media" if maker is not None:
            return f"{maker.file or maker.asked or f'turn {held.since}'}, from {maker.tool}"
        case "answer" if piece.name:
            return f"call of {piece.name}, turn {max(1, held.since - 1)}"
        case "answer" | "reasoning":
            return f"{piece.origin}, turn {max(1, held.since - 1)}"
        case "system":
            return "system prompt"
        case _ if piece.origin == KEPT:
            return "earlier turns, kept by the provider"
        case _ if piece.origin == UNWRITTEN:
            return "not in the file, such as system prompt and tools"
        case _:
            return f"{piece.origin}, turn {held.since}"
