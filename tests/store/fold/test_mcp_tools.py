"""Requests of MCP -> the tool calls that they were sent for."""

from __future__ import annotations

import json
from typing import Any

import pytest

from agentsight_rx.events import Channel, Event, RpcMessage, ToolCall
from agentsight_rx.view import AuditRow, ToolRow
from tests.store.fold.test_tools import gives, wants
from tests.view.scenes import AGENT, emitted, execs, forks, last, origin

QUERY = '{"sql":"select 1"}'


def sends(ms: int, tool: str = "query", *, pid: int = AGENT, method: str = "tools/call", **params: Any) -> Event:
    given = json.dumps({"name": tool, "arguments": {"sql": "select 1"}, **params})
    return RpcMessage(
        origin(ms, 500, None), Channel("pipe", 5), "request", method, id=str(ms), tool=tool, params=given, outcome="ok",
        writer_pid=pid, reader_pid=500, end_ns=origin(ms + 1, 500, None).time_ns,
    )  # fmt: skip


def ties(*events: Event) -> list[tuple[str | None, str | None]]:
    """Of each request the id that the model gave its tool, and how that is known."""
    made = emitted(execs(1, AGENT, "claude", ppid=1), *events)
    tools = {row.id: row.tool_call_id for row in last(ToolRow, made)}
    rows = sorted((row for row in last(AuditRow, made) if row.audit_type == "mcp"), key=lambda row: row.timestamp_ms)
    return [(tools.get(row.tool_id or ""), row.link) for row in rows]


def asked(id: str, name: str = "mcp__postgres__query", input: str = QUERY) -> ToolCall:
    return ToolCall(id, name, input)


@pytest.mark.parametrize(
    "notes",
    [
        {"claudecode/toolUseId": "t2"},
        {"progressToken": 7, "example.org/call": {"callId": "t2"}},
        {"example.org/call": {"turn": 3, "ids": {"tool": "t2"}}},
    ],
)
def test_the_id_in_its_notes_names_the_tool_whatever_the_note_is_called(notes: dict[str, Any]) -> None:
    tools = wants(2, asked("t1"), asked("t2"), asked("t3", "Bash", '{"command":"x"}'))
    assert ties(*tools, sends(5, _meta=notes)) == [("t2", "id")]


@pytest.mark.parametrize("name", ["query", "mcp__postgres__query", "postgres.query", "postgres__query", "mcp_postgres_query"])
def test_else_name_and_arguments_do(name: str) -> None:
    other = asked("t1", name, '{"sql":"select 2"}')
    assert ties(*wants(2, other, asked("t2", name, '{ "sql": "select 1" }')), sends(5)) == [("t2", "arguments")]


@pytest.mark.parametrize(
    ("name", "input"),
    [("mcp__postgres__subquery", QUERY), ("mcp__postgres__query", '{"sql":"select 2"}'), ("query_all", QUERY), ("Bash", QUERY)],
)
def test_another_tool_or_other_arguments_are_none(name: str, input: str) -> None:
    assert ties(*wants(2, asked("t1", name, input)), sends(5)) == [(None, None)]


def test_equal_requests_are_for_equal_tools_one_each() -> None:
    tools = wants(2, asked("t1"), asked("t2"))
    assert ties(*tools, sends(5), sends(7), sends(9)) == [("t1", "arguments"), ("t2", "arguments"), (None, None)]


def test_a_tool_whose_result_was_sent_is_over() -> None:
    assert ties(*wants(2, asked("t1")), gives(5, "t1"), sends(7)) == [(None, None)]


def test_a_client_below_the_agent_is_its_client_and_no_other_process_is() -> None:
    assert ties(*wants(2, asked("t1")), forks(3, 42), sends(5, pid=42)) == [("t1", "arguments")]
    assert ties(*wants(2, asked("t1")), sends(5, pid=77)) == [(None, None)]


def test_other_requests_are_for_no_tool() -> None:
    assert ties(*wants(2, asked("t1", "list", "{}")), sends(5, "list", method="tools/list")) == [(None, None)]


def test_parameters_that_are_cut_are_for_no_tool() -> None:
    (*tools, request) = [*wants(2, asked("t1")), sends(5)]
    assert isinstance(request, RpcMessage)
    cut = RpcMessage(request.origin, request.channel, "request", "tools/call", tool="query", params=request.params[:-3])
    assert ties(*tools, cut) == [(None, None)]


def test_what_is_json_rpc_of_another_protocol_is_kept_as_such() -> None:
    made = emitted(execs(1, AGENT, "vibe-rs", ppid=1), sends(5, "", method="turn/start"), sends(7, "", method="tools/list"))
    rows = sorted(last(AuditRow, made), key=lambda row: row.timestamp_ms)
    assert [(row.audit_type, row.action) for row in rows if row.audit_type in ("mcp", "rpc")] == [
        ("rpc", "turn/start"),
        ("mcp", "tools/list"),
    ]
