"""Requests of MCP by server and tool."""

from __future__ import annotations

import pytest

from agentsight_rx.view import AuditRow
from agentsight_rx.view.queries.calls import mcp
from agentsight_rx.view.queries.calls.mcp import arguments_in, mcp_of
from tests.view.queries.rows import SHELL, causes, did


def asked(ms: int, tool: str, outcome: str = "ok", *, method: str = "tools/call", duration: int | None = 5) -> AuditRow:
    details: dict[str, str | int | bool | None] = {
        "params": '{"q":1}',
        "result": '{"rows":2}',
        "outcome": outcome,
        "duration_ms": duration,
        "client_pid": 1,
        "server_pid": 9,
    }
    return AuditRow(
        f"r{ms}", ms, "mcp", 1, "claude", subject="postgres 1.0", action=method, target=tool or None, details=details,
        process_id=SHELL,
    )  # fmt: skip


def test_requests_stand_with_their_tool_and_tools_before_methods() -> None:
    rows = [asked(1, "", method="initialize"), asked(2, "query"), asked(3, "list"), asked(4, "query", "tool_error", duration=9)]
    found = mcp_of([*rows, did("open", "/a")], causes()).tools
    assert [(each.method, each.tool, each.count, each.failed) for each in found] == [
        ("tools/call", "list", 1, 0),
        ("tools/call", "query", 2, 1),
        ("initialize", "", 1, 0),
    ]
    assert (found[1].duration_ms, found[1].longest_ms) == (14, 9)


def test_a_request_has_its_input_result_ends_and_cause() -> None:
    ((request,),) = [each.requests for each in mcp_of([asked(2, "query")], causes()).tools]
    assert (request.params, request.result, request.server) == ('{"q":1}', '{"rows":2}', "postgres 1.0")
    assert (request.client_pid, request.server_pid, request.duration_ms) == (1, 9, 5)
    assert request.cause is not None
    assert request.cause.turn == 3


def test_a_request_without_an_answer_has_no_duration() -> None:
    (tool,) = mcp_of([asked(2, "query", "no_answer", duration=None)], causes()).tools
    assert (tool.failed, tool.duration_ms, tool.requests[0].duration_ms) == (1, 0, None)


def test_requests_beyond_the_limit_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mcp, "_REQUESTS_MOST", 2)
    found = mcp_of([asked(ms, "query") for ms in range(5)], causes())
    assert ([each.count for each in found.tools], found.uncounted) == ([2], 3)


@pytest.mark.parametrize(
    ("params", "said"),
    [
        ('{"name":"add","arguments":{"a": 1}}', '{"a": 1}'),
        ('{"_meta":{"claudecode/toolUseId":"t"},"name":"add","arguments":{"a":1}}', '{"a":1}'),
        ('{"name":"add"}', "{}"),
        ('{"name":"add","argume', '{"name":"add","argume'),
        ('{"_meta":{"x":1},"name":"add","arguments":{"a":"lon', '{"a":"lon'),
        ('{"_meta":{"progressToken":1},"uri":"file:///a"}', '{"uri":"file:///a"}'),
        ('{"uri":"file:///a"}', '{"uri":"file:///a"}'),
        ("[1]", "[1]"),
        ("[" * 5000, "[" * 5000),
        ('"name"', '"name"'),
        ("", ""),
    ],
)
def test_of_a_request_the_arguments_without_what_is_around_them(params: str, said: str) -> None:
    assert arguments_in(params) == said
