"""The pieces of a context -> segments with the names that people know."""

from __future__ import annotations

import json
from typing import Any

import pytest
from msgspec.structs import replace

from agentsight_rx.events import Event, HttpRequest, Reply, ToolCall, Usage
from agentsight_rx.llm.context import Piece
from agentsight_rx.llm.context.thread import KEPT
from agentsight_rx.view import SessionRow
from agentsight_rx.view.queries.context.reading import read_contexts
from agentsight_rx.view.queries.context.segments import carried, each_segment, segments_of, server_of
from tests.operators import CONNECTION
from tests.view.page.story import stored
from tests.view.queries.context_story import PRICES, Agent, begun, context_of, words
from tests.view.scenes import asks, emitted, execs, last, streams


@pytest.mark.parametrize(
    ("tool", "server"),
    [("mcp__git__log", "git"), ("mcp__my-db.v2__run_query", "my-db.v2"), ("fs__read", "fs"), ("Read", ""), ("_private", "")],
)
def test_the_server_of_a_tool(tool: str, server: str) -> None:
    assert server_of(tool) == server


def test_every_kind_has_its_name() -> None:
    agent = begun()
    agent.said("And now?").ask("Done.")
    agent.ask("More.")
    names = {each.origin: each.name for each in segments_of(context_of(agent))}
    assert names == {
        "tools": "mcp__weather__tool2",
        "system": "system prompt",
        "reminder": "reminder, turn 1",
        "instructions": "/work/CLAUDE.md",
        "prompt": "prompt, turn 4",
        "answer": "answer, turn 4",
        "file": "/work/src/ledger/book.py, from Tool1",
        "command": "pytest -q, from Tool2",
    }


def test_a_result_without_its_call_has_its_turn() -> None:
    agent = Agent()
    agent.said("go").result("toolu_99", words(20, 1)).ask("Done.")
    assert [each.name for each in segments_of(context_of(agent)) if each.origin == "result"] == ["result, turn 1"]


def test_what_was_dropped_is_carried_and_not_held() -> None:
    agent = begun()
    agent.messages = agent.messages[-2:]
    agent.ask("Done.")
    found = context_of(agent)
    held = [each for each in each_segment(found) if each.held]
    assert held == segments_of(found)
    gone = [each for each in carried(found) if not each.held]
    assert {each.last for each in gone} == {3}
    assert sum(each.carried for each in carried(found)) == sum(turn.total for turn in found.turns)


def test_what_a_provider_keeps_has_a_name() -> None:
    agent = begun()
    agent.ask("Done.")
    found = context_of(agent)
    found.held[0].piece = Piece(0, 0, KEPT, b"1")
    assert segments_of(found)[0].name == "earlier turns, kept by the provider"


def test_a_server_was_sent_in_all_requests_that_had_one_of_its_tools() -> None:
    agent = begun()
    agent.tools = [each for each in agent.tools if each["name"] != "mcp__ledger__tool0"]
    agent.add_tool("mcp__ledger__more")
    agent.tools = [each for each in agent.tools if each["name"] not in ("mcp__ledger__tool1", "mcp__ledger__tool2")]
    agent.ask("On.")
    agent.ask("Done.")
    (server,) = [each for each in carried(context_of(agent)) if each.name == "ledger"]
    assert (5, 1) == (server.requests, server.count)


DIALECTS: list[tuple[str, str, dict[str, Any]]] = [
    (
        "generativelanguage.googleapis.com",
        "/v1beta/models/gemini-2.5-pro:generateContent",
        {
            "contents": [
                {"role": "user", "parts": [{"text": "read both"}]},
                {
                    "role": "model",
                    "parts": [{"functionCall": {"name": "read", "args": {"path": each}}} for each in ("/a", "/b")],
                },
                {
                    "role": "user",
                    "parts": [{"functionResponse": {"name": "read", "response": {"output": each}}} for each in "AB"],
                },
            ]
        },
    ),
    (
        "localhost:11434",
        "/api/chat",
        {
            "model": "qwen3",
            "messages": [
                {"role": "user", "content": "read both"},
                {
                    "role": "assistant",
                    "content": "",
                    "tool_calls": [{"function": {"name": "read", "arguments": {"path": each}}} for each in ("/a", "/b")],
                },
                *({"role": "tool", "tool_name": "read", "content": each} for each in "AB"),
            ],
        },
    ),
]


@pytest.mark.parametrize(("host", "target", "body"), DIALECTS, ids=["Gemini", "Ollama"])
def test_results_without_ids_are_of_their_calls_in_order(host: str, target: str, body: dict[str, Any]) -> None:
    asked = replace(asks(2, 1, target=target), headers=(("host", host),), body=json.dumps(body).encode())
    (found,) = read_contexts(stored([execs(1, CONNECTION.pid, "agent"), asked]), session_of(asked), PRICES)
    assert ["/a, from read", "/b, from read"] == [each.name for each in segments_of(found) if each.origin == "file"]


def test_the_tool_of_a_result_is_known_from_the_answer_that_the_provider_kept() -> None:
    host = (("host", "api.openai.com"),)
    first = replace(asks(2, 1, target="/v1/responses"), headers=host, body=b'{"model":"gpt-5","input":"read it"}')
    reply = Reply("resp_1", "gpt-5", "", tool_calls=(ToolCall("call_1", "read", '{"path":"/a"}'),), usage=Usage(50, 9))
    body = {
        "model": "gpt-5",
        "previous_response_id": "resp_1",
        "input": [{"type": "function_call_output", "call_id": "call_1", "output": "A"}],
    }
    second = replace(asks(8, 2, target="/v1/responses"), headers=host, body=json.dumps(body).encode())
    answered = replace(streams(4, reply), dialect="openai_responses")
    events: list[Event] = [execs(1, CONNECTION.pid, "agent"), first, answered, second]
    (found,) = read_contexts(stored(events), session_of(first), PRICES)
    assert ["/a, from read"] == [each.name for each in segments_of(found) if each.origin == "file"]


def session_of(event: HttpRequest) -> str:
    (row,) = last(SessionRow, emitted(event))
    return row.id
