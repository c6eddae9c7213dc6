"""
A session file and the calls on the wire -> the calls and tools in both, only on the wire, and only in the file.

Only on the wire are, for example, requests for a title or with another model, which agents do not write down; only in the file
are calls that the capture did not see.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from itertools import islice
from typing import Generic, Protocol, TypeVar

from msgspec import Struct

from ...events import Usage
from ...llm.by_order import is_made_up
from . import Transcript, TranscriptCall, TranscriptTool


class WireCall(Protocol):
    """The fields that are read of a CallRow."""

    @property
    def id(self) -> str: ...
    @property
    def model(self) -> str | None: ...
    @property
    def response_model(self) -> str | None: ...
    @property
    def response_id(self) -> str | None: ...
    @property
    def start_timestamp_ms(self) -> int: ...
    @property
    def end_timestamp_ms(self) -> int | None: ...
    @property
    def usage(self) -> Usage: ...
    @property
    def twin(self) -> str | None: ...


class WireTool(Protocol):
    """The fields that are read of a ToolRow."""

    @property
    def tool_call_id(self) -> str: ...
    @property
    def tool_name(self) -> str: ...
    @property
    def input(self) -> str: ...
    @property
    def timestamp_ms(self) -> int: ...


C = TypeVar("C", bound=WireCall)
T = TypeVar("T", bound=WireTool)
W = TypeVar("W")
F = TypeVar("F")


class Pair(Struct, Generic[W, F], frozen=True):
    """
    One call, on the wire and in the file. `method`: response_id, request_id, tokens (and the model and the time), tool_id,
    tool_input (and the name and the order, where the API gave the call no id).
    `differs` names the counts of tokens that are not the same.
    """

    wire: W
    file: F
    method: str
    differs: tuple[str, ...] = ()


class Comparison(Struct, Generic[C, T], frozen=True, kw_only=True):
    """`outside` counts calls and tools of the file that are not of the time of a capture; they are in no list."""

    both: tuple[Pair[C, TranscriptCall], ...] = ()
    only_wire: tuple[C, ...] = ()
    only_file: tuple[TranscriptCall, ...] = ()
    tools: tuple[Pair[T, TranscriptTool], ...] = ()
    tools_only_wire: tuple[T, ...] = ()
    tools_only_file: tuple[TranscriptTool, ...] = ()
    outside: int = 0


_EARLY_MS = 2_000  # clocks are the same, but a time may be rounded
_LATE_MS = 60_000  # from the end of an answer until the agent writes it down: Codex does so after the tools of the turn
_LONGEST_MS = 3_600_000  # of an answer of which the end is unknown
_INPUT_MOST = 1000  # characters of an input that are compared, with their whitespace
_ALIKE_MOST = 64  # calls with the same tokens at about the same time that are looked at


def compare(
    transcript: Transcript,
    calls: Sequence[C],
    tools: Sequence[T],
    /,
    *,
    request_ids: Mapping[str, str] | None = None,
    captured: Sequence[tuple[int, int]] | None = None,
) -> Comparison[C, T]:
    """
    `calls` and `tools` belong to the captured session. A call matches by the id of its answer, else by its request id, which
    `request_ids` has for ids of calls, else by model, tokens and time. Each call matches one at most.

    `captured`: the first and the last millisecond of each capture; what the file has of other times is not missing on the wire.
    """
    mine = [call for call in calls if call.twin is None]  # the server's side of a call is no other call
    theirs = list(transcript.calls)
    pairs: list[Pair[C, TranscriptCall]] = []

    def pair(method: str, wire_key: Callable[[C], str], file_key: Callable[[TranscriptCall], str]) -> None:
        _pair_by_key(method, wire_key, file_key, (mine, theirs, pairs))

    pair("response_id", lambda call: call.response_id or "", lambda call: call.id)
    if request_ids:
        pair("request_id", lambda call: request_ids.get(call.id, ""), lambda call: call.request_id)
    _pair_by_tokens(mine, theirs, pairs)
    wire_tools, file_tools = list(tools), list(transcript.tools)
    tool_pairs: list[Pair[T, TranscriptTool]] = []
    _pair_by_key("tool_id", _tool_call_id, _tool_id, (wire_tools, file_tools, tool_pairs))
    _pair_by_input(wire_tools, file_tools, tool_pairs)
    seen_calls = [call for call in theirs if _inside(call.time_ms, captured)]
    seen_tools = [tool for tool in file_tools if _inside(tool.time_ms, captured)]
    return Comparison(
        both=tuple(sorted(pairs, key=lambda each: each.wire.start_timestamp_ms)),
        only_wire=tuple(mine),
        only_file=tuple(seen_calls),
        tools=tuple(tool_pairs),
        tools_only_wire=tuple(wire_tools),
        tools_only_file=tuple(seen_tools),
        outside=len(theirs) - len(seen_calls) + len(file_tools) - len(seen_tools),
    )


def _tool_call_id(tool: WireTool) -> str:
    return tool.tool_call_id


def _tool_id(tool: TranscriptTool) -> str:
    return tool.id


def _pair_by_input(mine: list[T], theirs: list[TranscriptTool], pairs: list[Pair[T, TranscriptTool]]) -> None:
    """Calls to which the API gave no id have one of the agent's own in the file: the first ones with the same input are one."""
    waiting: dict[tuple[str, str], deque[TranscriptTool]] = {}
    for other in theirs:
        waiting.setdefault((other.name, _begin_of(other.input)), deque()).append(other)
    taken: set[int] = set()
    rest: list[T] = []
    for one in sorted(mine, key=lambda tool: tool.timestamp_ms):
        without_id = not one.tool_call_id or is_made_up(one.tool_call_id, one.tool_name)
        alike = waiting.get((one.tool_name, _begin_of(one.input))) if without_id else None
        if not alike:
            rest.append(one)
            continue
        other = alike.popleft()
        taken.add(id(other))
        pairs.append(Pair(one, other, "tool_input"))
    mine[:] = rest
    theirs[:] = [other for other in theirs if id(other) not in taken]


def _begin_of(input: str) -> str:
    """Both write the JSON of the input in their own way, and a row has the begin of a long one alone."""
    return "".join(input[:_INPUT_MOST].split())[: _INPUT_MOST // 2]


def _inside(time_ms: int, captured: Sequence[tuple[int, int]] | None) -> bool:
    return captured is None or not time_ms or any(first <= time_ms <= last for first, last in captured)


def _pair_by_key(
    method: str,
    wire_key: Callable[[W], str],
    file_key: Callable[[F], str],
    lists: tuple[list[W], list[F], list[Pair[W, F]]],
) -> None:
    """Move items with the same key out of the first two lists into the third; an empty key matches nothing."""
    mine, theirs, pairs = lists
    known = {key: one for one in reversed(theirs) if (key := file_key(one))}
    rest: list[W] = []
    taken: set[int] = set()
    for one in mine:
        other = known.pop(wire_key(one), None)
        if other is None:
            rest.append(one)
            continue
        taken.add(id(other))
        pairs.append(Pair(one, other, method, _differing(one, other)))
    mine[:] = rest
    theirs[:] = [other for other in theirs if id(other) not in taken]


def _differing(one: object, other: object) -> tuple[str, ...]:
    if not isinstance(other, TranscriptCall):
        return ()
    return tuple(f"{name}_tokens" for name in _COMPARED if getattr(one, f"{name}_tokens") != getattr(other.usage, name))


_COMPARED = ("input", "output", "cache_creation", "cache_read")  # most files do not count the tokens of reasoning


def _pair_by_tokens(mine: list[C], theirs: list[TranscriptCall], pairs: list[Pair[C, TranscriptCall]]) -> None:
    """Of calls with the same tokens, those nearest in time are one."""
    waiting: dict[tuple[int, ...], deque[TranscriptCall]] = {}
    for other in sorted(theirs, key=lambda call: call.time_ms):
        if other.usage.total:
            waiting.setdefault(_tokens_of(other.usage), deque()).append(other)
    taken: set[int] = set()
    rest: list[C] = []
    for one in sorted(mine, key=lambda call: call.start_timestamp_ms):
        alike = waiting.get(_tokens_of(one.usage), deque[TranscriptCall]())
        while alike and 0 < alike[0].time_ms < one.start_timestamp_ms - _EARLY_MS:
            alike.popleft()  # too early for the calls after this one too
        fitting = [other for other in islice(alike, _ALIKE_MOST) if _may_be_one(one, other)]
        if not fitting:
            rest.append(one)
            continue
        end = one.end_timestamp_ms or one.start_timestamp_ms
        best = min(fitting, key=lambda other: abs(other.time_ms - end) if other.time_ms else _LONGEST_MS)
        alike.remove(best)
        taken.add(id(best))
        pairs.append(Pair(one, best, "tokens"))
    mine[:] = rest
    theirs[:] = [other for other in theirs if id(other) not in taken]


def _tokens_of(usage: Usage) -> tuple[int, ...]:
    return tuple(getattr(usage, name) for name in _COMPARED)


def _may_be_one(one: WireCall, other: TranscriptCall) -> bool:
    if one.response_id and other.id:  # of the same answer they would be the same
        return False
    if other.model and not any(_same_model(name, other.model) for name in (one.model, one.response_model) if name):
        return False
    end = one.end_timestamp_ms or one.start_timestamp_ms + _LONGEST_MS
    return not other.time_ms or one.start_timestamp_ms - _EARLY_MS <= other.time_ms <= end + _LATE_MS


_DATE = re.compile(r"-(?:20\d{6}|20\d\d-\d\d-\d\d|latest)\Z")


def _same_model(one: str, other: str) -> bool:
    """An alias and the dated name of an answer are the same model: `gpt-5` and `gpt-5-2025-08-07`."""
    return _plain(one) == _plain(other)


def _plain(model: str) -> str:
    return _DATE.sub("", model.rpartition("/")[2].lower())
