"""A request of MCP, the open tools of its client -> the tool call of the model that it was sent for, and how that is known."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import cast

import msgspec

from ...core.start import regex
from .tools import OpenTool

_DEPTH_MOST = 4
_VALUES_MOST = 64  # of the notes of a request
_NO_LETTER = regex("[^A-Za-z0-9]+")


def sent_for(tool: str, params: str, open_tools: Iterable[OpenTool], /) -> tuple[OpenTool, str] | None:
    """
    The first of the open tools that has sent no request yet, and that

    - is named by its id in the notes (`_meta`) of the request: `id`. Claude Code writes it as `claudecode/toolUseId`; whatever
      an agent calls the note, no other text there is equal to the id of an open tool.
    - or has the name of the tool, behind the name of its server, and its arguments: `arguments`.
    """
    waiting = [each for each in open_tools if not each.sent]
    asked = _object(params) if waiting else None
    if asked is None:
        return None
    notes = set(_texts(asked.get("_meta"), _DEPTH_MOST))
    for each in waiting:
        if each.row.tool_call_id in notes:
            return each, "id"
    arguments: object = asked.get("arguments") or {}
    for each in waiting:
        if _is_named(each.row.tool_name, tool) and (_object(each.row.input or "{}") or {}) == arguments:
            return each, "arguments"
    return None


def _is_named(asked: str, tool: str) -> bool:
    """Agents put the name of the server before it, and replace some signs: `mcp__postgres__query`, `postgres.query`."""
    mine, theirs = _NO_LETTER.sub("_", tool), _NO_LETTER.sub("_", asked)
    return bool(mine) and (theirs == mine or theirs.endswith(f"_{mine}"))


def _texts(value: object, depth: int) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict) and depth:
        for each in list(cast("Mapping[str, object]", value).values())[:_VALUES_MOST]:
            yield from _texts(each, depth - 1)


def _object(text: str) -> Mapping[str, object] | None:
    """None for what is cut, or no object."""
    try:
        value: object = msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError):
        return None
    return cast("Mapping[str, object]", value) if isinstance(value, dict) else None
