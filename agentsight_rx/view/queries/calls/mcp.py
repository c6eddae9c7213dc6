"""The tools that models asked for, and the audit trail of MCP -> requests by server and tool."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

import msgspec
from msgspec import Raw, Struct

from ....store.rows.kinds import AuditRow, ToolRow
from ....store.rows.tables import TOOLS
from ....store.rows.tool_words import has_failed
from ....store.state import Store
from ..effects.causes import Causes
from ..reading import selected
from ..selection import Selection
from .lookup import Cause

_REQUESTS_MOST = 100_000
_ARGUMENTS = re.compile(r'"arguments"\s*:\s*')


class McpRequest(Struct, frozen=True):
    """
    One request and how it ended. `outcome`: ok, tool_error, rpc_error, cancelled, no_answer, unknown. `params` and `result` are
    JSON text, cut; `arguments` are the ones of a tool, of other requests all parameters but notes. `client_pid` asked,
    `server_pid` answered; 0: not seen.
    """

    timestamp_ms: int
    server: str
    method: str
    tool: str
    outcome: str
    duration_ms: int | None = None
    params: str = ""
    arguments: str = ""
    result: str = ""
    client_pid: int = 0
    server_pid: int = 0
    session_id: str | None = None
    cause: Cause | None = None
    id: str = ""


class McpTool(Struct, frozen=True):
    """The requests to one method, or one tool, of one server."""

    server: str
    method: str
    tool: str
    count: int
    failed: int
    duration_ms: int  # of all that have one
    longest_ms: int
    requests: tuple[McpRequest, ...]  # oldest first


class Mcp(Struct, frozen=True):
    """By server, tools first; `uncounted` requests are beyond the limit."""

    tools: tuple[McpTool, ...]
    uncounted: int = 0


def mcp_of(rows: Iterable[AuditRow], causes: Causes) -> Mcp:
    """The requests among rows of the audit trail, oldest first."""
    groups: dict[tuple[str, str, str], list[McpRequest]] = {}
    number = uncounted = 0
    for row in rows:
        if row.audit_type != "mcp":
            continue
        if number >= _REQUESTS_MOST:
            uncounted += 1
            continue
        number += 1
        request = _request(row, causes)
        groups.setdefault((request.server, request.method, request.tool), []).append(request)
    tools = sorted(map(_tool, groups.values()), key=lambda each: (each.server, not each.tool, each.method, each.tool))
    return Mcp(tuple(tools), uncounted)


def _request(row: AuditRow, causes: Causes) -> McpRequest:
    details = row.details
    duration, params = details.get("duration_ms"), str(details.get("params") or "")
    return McpRequest(
        row.timestamp_ms,
        row.subject or "",
        row.action or "",
        tool=row.target or "",
        outcome=str(details.get("outcome") or ""),
        duration_ms=duration if isinstance(duration, int) else None,
        params=params,
        arguments=arguments_in(params),
        result=str(details.get("result") or ""),
        client_pid=int(details.get("client_pid") or 0),
        server_pid=int(details.get("server_pid") or 0),
        session_id=row.session_id,
        cause=causes.of(row),
        id=row.id,
    )


def _tool(requests: list[McpRequest]) -> McpTool:
    first = requests[0]
    durations = [each.duration_ms for each in requests if each.duration_ms is not None]
    return McpTool(
        first.server,
        first.method,
        first.tool,
        count=len(requests),
        failed=sum(each.outcome != "ok" for each in requests),
        duration_ms=sum(durations),
        longest_ms=max(durations, default=0),
        requests=tuple(requests),
    )


class _Wrapped(Struct):
    """The parameters of a `tools/call`."""

    name: str
    arguments: Raw = Raw(b"{}")


def arguments_in(params: str, /) -> str:
    """
    The arguments of a tool as they were sent, without the name, the notes and the braces around them; of other requests the
    parameters without notes. Of a text that is cut, what there is of the arguments.
    """
    try:
        if '"name"' in params:
            return bytes(msgspec.json.decode(params, type=_Wrapped).arguments).decode()
        members = msgspec.json.decode(params, type=dict[str, Raw]) if '"_meta"' in params else {}
    except (msgspec.DecodeError, RecursionError):
        found = _ARGUMENTS.search(params)
        return params[found.end() :] if found else params
    notes = members.pop("_meta", None)
    return params if notes is None else msgspec.json.encode(members).decode()


# -- tools ---------------------------------------------------------------------------------------------------------
# Store, selection -> the tools that models asked for.


def read_tools(store: Store, selection: Selection, /, *, failed: bool = False, name: str | None = None) -> Iterator[ToolRow]:
    """The tools, oldest first: all, or the failed ones, or the ones of a name."""
    return selected(
        store, TOOLS, selection, where=lambda row: (not failed or has_failed(row)) and (name is None or row.tool_name == name)
    )


def tools_of(store: Store, call: str, /) -> tuple[ToolRow, ...]:
    """The tools that a call asked for, whose ids begin with its own."""
    begin = f"tool-{call}-"
    return tuple(row for _, row in store.scan(TOOLS, start=begin, stop=begin[:-1] + "."))
