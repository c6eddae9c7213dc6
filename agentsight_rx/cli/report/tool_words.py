"""ToolRow -> what was asked for, and how it ended, in a few words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

import msgspec

from ...view import ToolRow
from .screen import Span

__all__ = ["asked_for", "tool_said"]

# The member of an input that says most, in the order of preference
_MAIN = ("command", "cmd", "file_path", "path", "pattern", "query", "url", "description", "prompt", "subject", "code", "input")


def asked_for(text: str, /) -> str:
    """The input of a tool: its command, path or query where it has one, else its members."""
    try:
        value: object = msgspec.json.decode(text) if text else None
    except (msgspec.DecodeError, RecursionError):
        return text  # plain text, or JSON of which the row has the begin
    if not isinstance(value, dict):
        return text
    members = cast("Mapping[str, object]", value)
    main = next((members[name] for name in _MAIN if isinstance(members.get(name), str | list) and members[name]), None)
    if isinstance(main, list):
        main = " ".join(map(str, cast("list[object]", main)))
    return str(main) if main else ", ".join(f"{name} {_short(each)}" for name, each in members.items())


def _short(value: object) -> str:
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


def tool_said(row: ToolRow) -> Span:
    """How it ended, in a few words: by the exit of its process, else by what the agent reported to the model."""
    if row.signal:
        return Span(f"killed by signal {row.signal}", "failed")
    if row.exit_code is not None:
        return Span(f"exit {row.exit_code}", "failed" if row.exit_code or row.status == "failed" else "")
    if row.status == "failed":
        return Span(f"failed: {row.output}" if row.output else "failed", "failed")
    return Span("done" if row.status == "completed" else "no result seen")
