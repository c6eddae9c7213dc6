"""
What the Context tab asks for: the sums of each turn by origin, and one turn with its segments, their costs and its notes.

`session/ID/context?of=SUBAGENT` is a ContextOverTime, `session/ID/context/TURN?of=SUBAGENT&row=SEGMENT&opened=1` a ContextTurn.
Token counts are whole numbers that add up; `approx` says that a number is a share of a counted sum, or without counts an
estimate.
"""

from __future__ import annotations

from typing import Literal, TypeAlias

from msgspec import Struct

from ...queries.sessions.verdict import Clause
from ..words import Gap

# The nine origins, from the bottom of the chart to its top; an origin in an answer is a place in here
ORIGINS = ("system", "tools", "instructions", "prompts", "files", "commands", "results", "answers", "reasoning")
NOT_COUNTED, PARTS_UNKNOWN, CLEARED = 64, 128, 256  # flags of a turn beside those of Strip

RunLength: TypeAlias = tuple[int, ...]  # value, how many turns have it, the next value, …


class ContextThread(Struct, frozen=True):
    """Whose context: "" is the main agent."""

    id: str
    name: str
    turns: int


class ContextFinding(Struct, frozen=True, omit_defaults=True):
    """
    One thing worth a look in the whole session: a claim, its price (None: not known) or its tokens, the evidence, what to do.
    `command` can be typed; `turns` and `origin` (-1: none) lead to the evidence.
    """

    title: str
    text: str
    do: str
    usd: float | None = None
    tokens: int = 0
    approx: bool = False
    command: str = ""
    turns: tuple[int, ...] = ()
    origin: int = -1
    diff: str = ""


class ContextOverTime(Struct, frozen=True, omit_defaults=True):
    """
    One agent's turns in columns, each column by lengths of runs, so that 500 turns are 20 kB. `sums` has a column for each
    origin. `flags`: those of Strip, 64 the answer has no counts, 128 the request was not captured, so its parts are unknown,
    256 the provider cleared parts of it.
    """

    n: tuple[int, ...]  # numbers of the turns
    sums: tuple[RunLength, ...]
    read: RunLength
    written: RunLength
    flags: RunLength
    prompts: tuple[int, ...] = ()  # turns with a prompt that a person typed
    window: int = 0
    fullest: int = 0  # turn
    threads: tuple[ContextThread, ...] = ()
    counted: bool = True  # False: no answer has counts, and every size is an estimate
    calls: int = 0
    model: str = ""
    findings: tuple[ContextFinding, ...] = ()  # dearest first
    file: bool = False  # only the agent's own file tells of it: system prompt and tools are one part, as `system`


class ContextBlock(Struct, frozen=True, omit_defaults=True):
    """
    A piece of the request, in its order. With an `id` it is one segment; without, a run of `count` small ones from turn `since`
    to turn `until`. `fixed`: it is sent with every request, so no turn is named. `again`: put back in that turn.
    """

    tokens: int
    origins: tuple[int, ...]
    id: str = ""
    what: str = ""
    since: int = 0
    until: int = 0
    count: int = 1
    approx: bool = False
    fixed: bool = False
    code: bool = False  # `what` is a path or a command
    again: int = 0
    first_change: bool = False  # since the request before, where the cache was lost


class ContextRow(Struct, frozen=True, omit_defaults=True):
    """
    One segment with its cost so far. `lives`: the turns that carried it, as first, last, first, last, …: cut where it was paid
    in full again. Dollars are None without a price. `target` is its place on another tab, `dropped` its last turn where it was.
    """

    id: str
    what: str
    whose: str
    origin: int
    tokens: int
    since: int
    requests: int
    lives: tuple[int, ...] = ()
    approx: bool = False
    code: bool = False
    cached_usd: float | None = None
    full_usd: float | None = None
    mentioned: int = 0  # the last turn with its name
    again: int = 0
    dropped: int = 0
    never: bool = False  # of tools: never called
    target: Clause | None = None


class ContextSum(Struct, frozen=True, omit_defaults=True):
    """Some segments together: `count` of them, such as what a compaction dropped of one origin."""

    what: str
    tokens: int
    count: int = 1
    approx: bool = False
    code: bool = False
    cached_usd: float | None = None
    full_usd: float | None = None
    carried: int = 0  # tokens x requests


class ContextNote(Struct, frozen=True, omit_defaults=True):
    """
    Why the cache was lost, what a compaction dropped and what came, or what the provider cleared: sentences, the first one in
    bold, and two lists.
    """

    kind: Literal["lost", "compacted", "cleared"]
    said: tuple[Clause, ...]
    more: tuple[Clause, ...] = ()
    dropped: tuple[ContextSum, ...] = ()
    came: tuple[ContextSum, ...] = ()
    diff: str = ""


class ContextServer(Struct, frozen=True, omit_defaults=True):
    """An MCP server, or "" for the built-in tools: `never` of its tools were never called. `command` leaves it out."""

    name: str
    tools: int
    calls: int
    never: int
    tokens: int
    requests: int
    usd: float | None = None
    approx: bool = False
    command: str = ""


class ContextTurn(Struct, frozen=True, omit_defaults=True):
    """
    One request. `sentence` says what matters most. `rows` are the 12 dearest segments (of the asked origin), `rest` the smaller
    ones together, `total` all. `chosen` is the segment of `row=`, if the request has it.
    """

    turn: int
    call: str
    at_ms: int
    tokens: int
    segments: int
    sentence: tuple[Clause, ...]
    blocks: tuple[ContextBlock, ...] = ()
    rows: tuple[ContextRow, ...] = ()
    rest: ContextSum | None = None
    total: ContextSum | None = None
    servers: tuple[ContextServer, ...] = ()
    notes: tuple[ContextNote, ...] = ()
    chosen: ContextRow | None = None
    counted: bool = True
    read: int = 0
    written: int = 0
    uncached: int = 0
    usd: float | None = None
    prices: str = ""  # `from cache $0.50, written $6.25, uncached $5.00 a million`
    dropped_usd: float | None = None  # what segments had cost that compaction dropped
    gap: Gap | None = None  # the request was not captured, or not whole


def pairs_of(runs: RunLength, /) -> list[tuple[int, int]]:
    """Its values, each with how many turns have it."""
    return list(zip(runs[::2], runs[1::2], strict=True))


def run_length(values: tuple[int, ...], /) -> RunLength:
    """A column by lengths of runs."""
    found: list[int] = []
    for value in values:
        if found and found[-2] == value:
            found[-1] += 1
        else:
            found += [value, 1]
    return tuple(found)
