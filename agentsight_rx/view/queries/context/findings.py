"""Contexts of a session -> findings: what grows, what comes again, and which files the agent read for its instructions."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Collection, Iterator
from typing import TYPE_CHECKING, Literal, TypeAlias

from msgspec import Struct

from ....llm.context.held import Held
from ....store.rows.kinds import AuditRow
from ....store.rows.tables import AUDIT
from ....store.state import Store, by_index
from .context import AgentContext, Evidence, InstructionFile
from .segments import BUILT_IN, Segment, carried, server_of

if TYPE_CHECKING:
    from .context import AgentContext


# -- context findings ----------------------------------------------------------------------------------------------
# The context of an agent -> what it need not have carried: files not mentioned again, servers never called, the same twice.


AvoidableKind: TypeAlias = Literal["unmentioned", "uncalled", "lost", "twice"]

_REQUESTS_LEAST = 50  # without a mention
_TWICE_LEAST = 200  # tokens


class Avoidable(Struct, frozen=True):
    """
    One thing of the whole session: its tokens in the newest request, or the lost ones, and its cost so far in US
    dollars, None where no price is known. `what` names the files, servers or tools, `turns` where to look, `origin` is
    that of all its segments, "" where they differ.
    """

    kind: AvoidableKind
    tokens: int
    usd: float | None
    what: tuple[str, ...] = ()
    turns: tuple[int, ...] = ()
    origin: str = ""


def avoidable(agent: AgentContext, called: Collection[str], /) -> list[Avoidable]:
    """`called`: the tools that the session called. The dearest first; they overlap, so they are not to be added up."""
    segments = carried(agent)
    found = [*_unmentioned(agent, segments), *_uncalled(segments, called), *_lost(agent), *_twice(agent, segments)]
    return sorted(found, key=lambda each: (-(each.usd or 0.0), -each.tokens))


def _unmentioned(agent: AgentContext, segments: list[Segment]) -> Iterator[Avoidable]:
    turns = sorted(turn.turn for turn in agent.turns)
    old: list[Segment] = []
    for segment in segments:
        last = max(segment.mentioned, segment.since)
        if segment.file and segment.held and len(turns) - bisect_right(turns, last) >= _REQUESTS_LEAST:
            old.append(segment)
    if old:
        yield Avoidable(
            "unmentioned",
            sum(each.tokens for each in old),
            _sum([each.unnamed_cost for each in old]),
            what=tuple(dict.fromkeys(each.file for each in old)),
            turns=(max(max(each.mentioned, each.since) for each in old),),
            origin=_origin(old),
        )


def _uncalled(segments: list[Segment], called: Collection[str]) -> Iterator[Avoidable]:
    servers = {server_of(name) for name in called}
    unused = [each for each in segments if each.origin == "tools" and each.name != BUILT_IN and each.name not in servers]
    if unused:
        yield Avoidable(
            "uncalled",
            sum(each.tokens for each in unused if each.held),
            _sum([each.cost for each in unused]),
            what=tuple(each.name for each in unused),
            origin="tools",
        )


def _lost(agent: AgentContext) -> Iterator[Avoidable]:
    lost = [(turn.turn, turn.lost) for turn in agent.turns if turn.lost is not None]
    if lost:
        yield Avoidable(
            "lost",
            sum(each.tokens for _, each in lost),
            _sum([each.usd for _, each in lost]),
            what=tuple(dict.fromkeys(each.cause.kind for _, each in lost if each.cause is not None)),
            turns=tuple(turn for turn, _ in lost),
        )


def _twice(agent: AgentContext, segments: list[Segment]) -> Iterator[Avoidable]:
    times = Counter(held.piece.digest.hex() for held in agent.held if held.piece.origin == "result")
    again: dict[str, list[Segment]] = {}
    for segment in segments:
        if times[segment.id] > 1 and segment.held and segment.tokens >= _TWICE_LEAST:
            again.setdefault(segment.id, []).append(segment)
    copies = [copy for some in again.values() for copy in sorted(some, key=lambda each: each.since)[1:]]
    if copies:
        yield Avoidable(
            "twice",
            sum(each.tokens for each in copies),
            _sum([each.cost for each in copies]),
            what=tuple(dict.fromkeys(each.file or each.name for each in copies)),
            turns=tuple(sorted({each.since for each in copies})),
            origin=_origin(copies),
        )


def _origin(segments: list[Segment]) -> str:
    found = {each.origin for each in segments}
    return found.pop() if len(found) == 1 else ""


def _sum(costs: list[float | None]) -> float | None:
    known = [cost for cost in costs if cost is not None]
    return sum(known) if known else None


# ------------------------------------------------------------------------------------------------------------------------


# What agents read by themselves; the last part of the path
NAMES = (
    "CLAUDE.md", "CLAUDE.local.md", "AGENTS.md", "AGENTS.override.md", "GEMINI.md", "QWEN.md", ".cursorrules", ".windsurfrules",
    ".clinerules", ".goosehints", "CONVENTIONS.md", "copilot-instructions.md",
)  # fmt: skip
_BEFORE_MS = 600_000  # of the first request: an agent waits for its prompt
_LINES_MOST = 20_000  # of the audit trail
_AROUND_MOST = 400  # bytes that agents put around the text of a file


def with_instruction_files(store: Store, agents: list[AgentContext], /) -> list[AgentContext]:
    """The same contexts, which then know these files."""
    for agent in agents:
        agent.instruction_files = instruction_files(store, agent)
    return agents


def instruction_files(store: Store, agent: AgentContext, /) -> dict[bytes, InstructionFile]:
    """By the digest of the piece. A piece for which nothing fits has only the name that the agent gave it."""
    pieces = [held for held in agent.thread.made if held.piece.origin == "instructions"]
    if not pieces:
        return {}
    times = {turn.turn: turn.call.start_timestamp_ms for turn in agent.turns}
    pids = {turn.call.pid for turn in agent.turns}
    first, last = min(times.values()), max(times.get(held.since, 0) for held in pieces)
    reads = list(_reads(store, pids, first - _BEFORE_MS, last))
    found = (
        (held, _file_of(agent, held, [row for row in reads if row.timestamp_ms <= times.get(held.since, 0)])) for held in pieces
    )
    return {held.piece.digest: file for held, file in found if file is not None}


def _reads(store: Store, pids: set[int | None], begin_ms: int, end_ms: int) -> Iterator[AuditRow]:
    lines = by_index(
        store, AUDIT, "type", prefix="file", start=("file", begin_ms), stop=("file", end_ms + 1), limit=_LINES_MOST
    )
    for _, row in lines:
        is_read = row.action == "open" or (row.action == "close" and _size(row) > 0)
        if is_read and row.status == "success" and row.pid in pids and _name(row.target or "") in NAMES:
            yield row


def _file_of(agent: AgentContext, held: Held, reads: list[AuditRow]) -> InstructionFile | None:
    named = held.piece.name
    size = agent.mentions.sizes.get(held.piece.digest, 0)
    best: tuple[int, AuditRow, Evidence] | None = None
    for row in reads:  # the newest one of those that fit best
        path = row.target or ""
        by_name = bool(named) and (
            path == named or path.endswith(f"/{named.lstrip('./')}") or path.rpartition("/")[0] == named.rstrip("/")
        )
        by_size = 0 < _size(row) <= size <= _size(row) + _AROUND_MOST
        rank = 2 * by_name + by_size
        evidence: Evidence = "name and size" if by_name and by_size else "name" if by_name else "size"
        if rank and (by_name or not named) and (best is None or rank >= best[0]):
            best = rank, row, evidence
    if best is None:
        return None
    _, row, evidence = best
    return InstructionFile(row.target or "", row.timestamp_ms, row.pid or 0, evidence)


def _size(row: AuditRow) -> int:
    """Bytes that were read; 0 where it does not say it."""
    size = row.details.get("read_bytes")
    return size if isinstance(size, int) else 0


def _name(path: str) -> str:
    return path.rpartition("/")[2]
