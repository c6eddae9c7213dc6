"""A row and the name of its host -> the row with that name in its ids, so that rows of several hosts stand in one store."""

from __future__ import annotations

import re
from typing import Any

from msgspec.structs import replace

from .kinds import (
    SEEN,
    AlertRow,
    AnyRow,
    AuditRow,
    BlindSpotRow,
    CallRow,
    HttpRow,
    NetworkRow,
    ProcessRow,
    Row,
    RowGone,
    SessionRow,
    TlsUseRow,
    TokenRow,
    ToolRow,
    UnknownRow,
)

__all__ = ["at_host", "host_of_process", "of_host", "seen_by"]

# Ids begin with words for what they name; a row that belongs to another has its id behind such a word, as in tool-llm-…
_KINDS = re.compile(
    r"(?:(?:llm|http|tool|token|audit|process|session|net|resource|blind|tls|unknown|exec|exit|file|mcp|alert)-)*"
)

# The fields that hold ids of rows, apart from `id`; what clients and vendors name, such as a conversation, stays as they say
_REFERENCES: dict[type[AnyRow], tuple[str, ...]] = {
    CallRow: ("session_id", "process_id", "twin", "repeat_of"),
    TokenRow: ("llm_call_id",),
    ToolRow: ("llm_call_id", "session_id", "process_id", "related_event_id", "repeat_of", "result_call_id"),
    ProcessRow: ("tool_call_id", "session_id"),
    AuditRow: ("process_id", "session_id", "tool_id"),
    NetworkRow: ("process_id", "session_id"),
    HttpRow: ("process_id", "session_id", "call_id"),
    SessionRow: ("process_id", "parent_session_id"),
    BlindSpotRow: ("process_id",),
    TlsUseRow: ("process_id",),
    UnknownRow: ("first_call_id",),
    AlertRow: ("session_id", "process_id", "tool_id", "call_id", "part_of"),
}


def at_host(host: str, id: str, /) -> str:
    """The id of a row of that host: `llm-HOST:…`. The same inside an id that has it in it, as `tool-llm-HOST:…`."""
    found = _KINDS.match(id)
    cut = found.end() if found is not None else 0
    return f"{id[:cut]}{host}:{id[cut:]}"


def of_host(host: str, row: Row, /) -> Row:
    """The row as a row of this host."""
    if isinstance(row, RowGone):
        return replace(row, row=of_host(host, row.row))
    changed: dict[str, Any] = {"id": at_host(host, row.id)}
    for name in _REFERENCES.get(type(row), ()):
        value: str | None = getattr(row, name)
        if value:
            changed[name] = at_host(host, value)
    if isinstance(row, AlertRow):
        changed["evidence"] = tuple(at_host(host, each) for each in row.evidence)
    return replace(row, **changed)


def seen_by(source: str, row: Row, /) -> Row:
    """The row with this `view_source`, where it is of the view."""
    if isinstance(row, RowGone):
        return replace(row, row=seen_by(source, row.row))
    return replace(row, view_source=source) if getattr(row, "view_source", "") == SEEN else row


def host_of_process(id: str, /) -> str:
    """The host in the id of a ProcessRow; "" where it has none."""
    head, colon, _ = id.removeprefix("process-").partition(":")
    return head if colon else ""
