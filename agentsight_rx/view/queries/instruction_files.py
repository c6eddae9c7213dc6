"""Parts of a context that are instructions -> the files that the kernel saw the agent read before it sent them."""

from __future__ import annotations

from collections.abc import Iterator

from ...llm.context.held import Held
from ...store.rows.kinds import AuditRow
from ...store.rows.tables import AUDIT
from ...store.state import Store, by_index
from .context import AgentContext, Evidence, InstructionFile

__all__ = ["NAMES", "instruction_files", "with_instruction_files"]

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
