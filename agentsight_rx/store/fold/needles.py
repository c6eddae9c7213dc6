"""The input of a tool call -> the texts by which its process and its files are found."""

from __future__ import annotations

from collections import deque
from hashlib import blake2b
from typing import Any

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from ...core.bounded import Recent
from ...events import Headers
from ..rows.kinds import CallRow, ToolRow
from ..rows.tool_words import executed

# -- named ids -----------------------------------------------------------------------------------------------------
# The head of a request -> the ids that an agent puts there: of its session, of the agent within it, of that one's parent.


_LONGEST = 256  # characters; ids are mostly UUIDs

# Name of a field -> what it names. Claude Code, Codex, Gemini CLI, opencode, and what other clients use
_NAMES = {
    "x-claude-code-session-id": "session",
    "x-claude-code-agent-id": "agent",
    "x-claude-code-parent-agent-id": "parent_agent",
    "session-id": "session",  # Codex
    "session_id": "session",
    "x-session-id": "session",
    "x-opencode-session": "session",
    "x-session-affinity": "session",
    "conversation-id": "conversation",
    "conversation_id": "conversation",
    "thread-id": "conversation",
    "x-codex-parent-thread-id": "parent_agent",
}


class NamedIds(Struct, frozen=True):
    """Ids that a client named. None: it did not."""

    session: str | None = None
    agent: str | None = None
    parent_agent: str | None = None
    conversation: str | None = None


_NONE = NamedIds()


def named_ids(headers: Headers, /) -> NamedIds:
    """The ids in a head; the first of each kind."""
    found: dict[str, str] = {}
    for name, value in headers:
        kind = _NAMES.get(name)
        if kind is not None and value and kind not in found:
            found[kind] = value[:_LONGEST]
    return NamedIds(**found) if found else _NONE


# ------------------------------------------------------------------------------------------------------------------------


_SHORTEST = 3  # characters; a shorter command is found in too many argument lists by chance
_INPUT_MOST = 1 << 20  # characters: Linux allows 128 KiB for one argument
_STRINGS_MOST = 16
_BEFORE = ("", ";", "&", "|", "(", "`", "\n", "{")  # what may stand before a command of a shell, and behind it
_BEHIND = ("", ";", "&", "|", ")", "`", "\n", "}", "<", ">", "#")
_PATH_MOST = 4096  # bytes of a path, PATH_MAX of Linux


def strings_in(text: str) -> list[str]:
    """The string values in a tool's JSON input that could be in an argument list; of a tool that takes text, that text."""
    if len(text) > _INPUT_MOST:
        return []
    try:
        value = msgspec.json.decode(text) if text else None
    except (msgspec.DecodeError, RecursionError):
        return [text] if len(text.strip()) >= _SHORTEST else []
    found: list[str] = []
    waiting: deque[Any] = deque([value])
    while waiting and len(found) < _STRINGS_MOST:
        item: Any = waiting.popleft()
        if isinstance(item, str) and len(item.strip()) >= _SHORTEST:
            found.append(item)
        elif isinstance(item, dict):
            waiting.extend(item.values())  # pyright: ignore[reportUnknownMemberType, reportUnknownArgumentType]
        elif isinstance(item, list):
            words = [part for part in item if isinstance(part, str)]  # pyright: ignore[reportUnknownVariableType]
            if words:
                found.append(" ".join(words))
            waiting.extend(part for part in item if not isinstance(part, str))  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]
    return found


def runs(argv: tuple[str, ...], command: str) -> bool:
    """Is `command` in this argument list: one argument, a part of one (a wrapper), or all of them together?"""
    return any(command in argument for argument in argv[1:]) or " ".join(argv) == command


def contained(argv: tuple[str, ...], command: str) -> bool:
    """Is this argument list in `command`, as where a shell that runs already gets it: `cd a && pytest -q`?"""
    line = " ".join(argv)
    if len(line) < _SHORTEST or line not in command:
        return False
    before, _, after = command.partition(line)
    return before.rstrip()[-1:] in _BEFORE and after.lstrip()[:1] in _BEHIND


def file_name(text: str) -> str | None:
    """The last part of a path; None for a text that is not one."""
    if len(text) > _PATH_MOST or "\n" in text:
        return None
    return text.rstrip("/").rpartition("/")[2] or None


# -- repeats -------------------------------------------------------------------------------------------------------
# Requests and tool calls -> whether they are equal to earlier ones: repeats, retries, loops.


_MOST = 4096  # requests, and tool calls, that a later one is compared with


_AGAIN_MS = 600_000  # later, an equal request is no try of the same turn: a person may have given the prompt again


class Tried(Struct, array_like=True, frozen=True):
    """The turn of a call that failed, and when it did."""

    session: str | None
    turn: int
    own_turn: int
    end_ms: int


class _Before(Struct, array_like=True, frozen=True):
    first: str  # id of the first one
    count: int
    failed: bool = False
    tried: Tried | None = None


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
        self._asked.put(asked, _Before(before.first, before.count + 1, tried=before.tried))
        return replace(row, repeat=before.count, repeat_of=before.first, retry=before.failed)

    def tried(self, row: CallRow, asked: bytes) -> Tried | None:
        """The failed try before this row, which is a retry of it; None where it is a turn of its own."""
        before = self._asked.get(asked) if row.retry else None
        tried = before.tried if before is not None else None
        return tried if tried is not None and row.start_timestamp_ms - tried.end_ms <= _AGAIN_MS else None

    def end(self, row: CallRow, asked: bytes) -> None:
        before = self._asked.get(asked) if asked else None
        if before is None:
            return
        failed = row.status in ("error", "aborted", "partial")
        end_ms = row.end_timestamp_ms or row.start_timestamp_ms
        tried = Tried(row.session_id, row.turn, row.own_turn, end_ms) if failed else None
        if (before.failed, before.tried) != (failed, tried):
            self._asked[asked] = replace(before, failed=failed, tried=tried)

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
