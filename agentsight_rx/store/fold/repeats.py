"""Requests and tool calls -> whether they are equal to earlier ones: repeats, retries, loops."""

from __future__ import annotations

from hashlib import blake2b

from msgspec import Struct
from msgspec.structs import replace

from ...core.bounded import Recent
from ..rows.kinds import CallRow, ToolRow
from ..rows.tool_words import executed

__all__ = ["Repeats", "RepeatsState", "ToolRepeats", "ToolRepeatsState"]

_MOST = 4096  # requests, and tool calls, that a later one is compared with


class _Before(Struct, array_like=True, frozen=True):
    first: str  # id of the first one
    count: int
    failed: bool = False


class RepeatsState(Struct, array_like=True):
    """What `Repeats.snapshot` keeps."""

    asked: tuple[list[bytes], list[_Before]]


class Repeats:
    """The requests so far, by digest. A client that retries sends the same bytes again."""

    def __init__(self) -> None:
        self._asked: Recent[bytes, _Before] = Recent(_MOST)

    def begin(self, row: CallRow, asked: bytes) -> CallRow:
        """The row, marked where the same was asked before."""
        if not asked:
            return row
        before = self._asked.get(asked)
        if before is None:
            self._asked.put(asked, _Before(row.id, 1))
            return row
        self._asked.put(asked, _Before(before.first, before.count + 1))
        return replace(row, repeat=before.count, repeat_of=before.first, retry=before.failed)

    def end(self, row: CallRow, asked: bytes) -> None:
        before = self._asked.get(asked) if asked else None
        failed = row.status in ("error", "aborted", "partial")
        if before is not None and before.failed != failed:
            self._asked[asked] = replace(before, failed=failed)

    def snapshot(self) -> RepeatsState:
        return RepeatsState(self._asked.columns)

    def restore(self, state: RepeatsState) -> None:
        self._asked.fill(state.asked)


class ToolRepeatsState(Struct, array_like=True):
    """What `ToolRepeats.snapshot` keeps."""

    asked: tuple[list[bytes], list[_Before]]
    last: tuple[list[str], list[bytes]]


class ToolRepeats:
    """The tool calls so far, by session, name and what they execute."""

    def __init__(self) -> None:
        self._asked: Recent[bytes, _Before] = Recent(_MOST)
        self._last: Recent[str, bytes] = Recent(_MOST)  # of each agent in a session

    def mark(self, row: ToolRow) -> ToolRow:
        """The row, marked where the same was asked before; a loop where it was asked right before."""
        agent = f"{row.session_id or row.pid}/{row.agent_id or ''}"
        text = f"{agent}\n{row.tool_name}\n{executed(row.input)}"
        key = blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()
        before, last = self._asked.get(key), self._last.get(agent)
        self._last.put(agent, key)
        if before is None:
            self._asked.put(key, _Before(row.id, 1))
            return row
        self._asked.put(key, _Before(before.first, before.count + 1))
        return replace(row, repeat=before.count, repeat_of=before.first, loop=last == key)

    def snapshot(self) -> ToolRepeatsState:
        return ToolRepeatsState(self._asked.columns, self._last.columns)

    def restore(self, state: ToolRepeatsState) -> None:
        self._asked.fill(state.asked)
        self._last.fill(state.last)
