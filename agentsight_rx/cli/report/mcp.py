"""agentsight-rx report mcp: requests to tools and servers that speak MCP."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, cast

import msgspec
import typer

from ...store.rows.tables import AUDIT
from ...store.words import count, plural, reason_said, took
from ...view.queries.calls.mcp import McpRequest, McpTool, mcp_of
from ...view.queries.effects.causes import Causes, within
from .shown.ask import Ask
from .shown.screen import Column, Columns, Line, Screen, Span, State, table
from .shown.words import clock

# -- mcp words -----------------------------------------------------------------------------------------------------
# The JSON of the result of an MCP request -> what matters in it, on one line.


def result_said(result: str) -> str:
    """The text of a result, or the message of an error, where there is one."""
    members = _object(result)
    message, content = members.get("message"), members.get("content")
    if isinstance(message, str):
        return message
    if not isinstance(content, list):
        return result
    parts = cast("list[object]", content)
    texts = [cast("Mapping[str, object]", part).get("text") for part in parts if isinstance(part, dict)]
    return " ".join(text for text in texts if isinstance(text, str)) or result


def _object(text: str) -> Mapping[str, object]:
    try:
        value: object = msgspec.json.decode(text) if text else None
    except (msgspec.DecodeError, RecursionError):
        return {}
    return cast("Mapping[str, object]", value) if isinstance(value, dict) else {}


# ------------------------------------------------------------------------------------------------------------------------


_EACH = 5  # requests to one tool
COLUMNS: Columns[McpRequest] = (
    Column("time", lambda request: clock(request.timestamp_ms)),
    Column("outcome", lambda request: Span(reason_said(request.outcome), _state(request.outcome))),
    Column("took", lambda request: took(request.duration_ms), right=True),
    Column("turn", lambda request: str(request.cause.turn or "") if request.cause else "", right=True),
    Column("arguments", lambda request: request.arguments, flexible=True),
    Column("result", lambda request: result_said(request.result), flexible=True),
    Column("client", lambda request: str(request.client_pid or ""), right=True),
    Column("server", lambda request: str(request.server_pid or ""), right=True),
)


def mcp(
    ask: Ask,
    server: Annotated[
        str | None, typer.Option("--server", help="Only servers whose name begins with this.", metavar="NAME")
    ] = None,
    failed: Annotated[bool, typer.Option("--failed", help="Only failed or unanswered requests.")] = False,
) -> None:
    """MCP requests by server and tool: outcome, duration, input, result, and the processes at both ends."""
    causes = Causes(ask.store)
    rows = within(ask.store, AUDIT, ask.unlimited, causes, kind="mcp")
    chosen = (
        row
        for row in rows
        if (row.subject or "").startswith(server or "") and not (failed and row.details.get("outcome") == "ok")
    )
    tools = mcp_of(chosen, causes).tools
    if ask.as_json:
        requests = sorted((each for tool in tools for each in tool.requests), key=lambda each: each.timestamp_ms)
        ask.write(requests[-ask.flags.limit :] if ask.flags.limit else requests)
        return
    most = None if ask.flags.show_all else ask.flags.limit or _EACH
    ask.write_lines(_lines(tools, ask.screen, most))
    if not tools:
        ask.write_lines([ask.nothing("of MCP")])
    elif most is not None and any(tool.count > most for tool in tools):
        ask.write_lines(["", ask.rest(f"the newest {most} of each")])


def _lines(tools: Sequence[McpTool], screen: Screen, most: int | None) -> Iterable[Line]:
    for number, tool in enumerate(tools):
        if number:
            yield ""
        times = f" · {took(tool.duration_ms // tool.count)} each, {took(tool.longest_ms)} at most" if tool.longest_ms else ""
        yield (
            Span(f"{tool.server or 'unknown server'}: {tool.tool or tool.method}", "title"),
            f" · {plural(tool.count, 'request')}",
            Span(f", {count(tool.failed)} failed" if tool.failed else "", "failed"),
            times,
        )
        yield from table(COLUMNS, tool.requests[-most:] if most else tool.requests, screen)


def _state(outcome: str) -> State:
    if outcome == "ok":
        return ""
    return "missing" if outcome in ("unknown", "no_answer") else "failed"
