"""The package of examples/assistants_plugin/ adds the Assistants API: its provider keeps the promises of all providers."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from agentsight_rx.events import Reply, SseEvent, ToolCall, Usage
from agentsight_rx.llm import Prompt, Provider, StreamReader, add_provider, find, table
from agentsight_rx.llm.canonical import Message, ToolCallPart, ToolResultPart
from tests.provider_component import ProviderCase, check_provider

EXAMPLE = Path(__file__).parents[2] / "examples" / "assistants_plugin"


def imported() -> Provider:
    sys.path.insert(0, str(EXAMPLE))
    try:
        provider: Provider = import_module("agentsight_assistants.provider").OPENAI_ASSISTANTS
    finally:
        sys.path.remove(str(EXAMPLE))
    return provider


OPENAI_ASSISTANTS = imported()
CASE = ProviderCase(
    OPENAI_ASSISTANTS,
    host="api.openai.com",
    path="/v1/threads/runs",
    request=b"""{"assistant_id":"asst_1","model":"gpt","stream":true,"instructions":"Be brief.","max_completion_tokens":5,
        "temperature":0.5,"thread":{"messages":[{"role":"user","content":"list"}]},
        "tools":[{"type":"function","function":{"name":"ls"}},{"type":"code_interpreter"}]}""",
    prompt=Prompt(
        model="gpt",
        stream=True,
        system="Be brief.",
        last_user_text="list",
        text="Be brief.\nlist",
        tools=("ls", "code_interpreter"),
        max_tokens=5,
        temperature=0.5,
    ),
    response=b"""{"id":"run_1","object":"thread.run","status":"requires_action","model":"gpt-1","required_action":
        {"type":"submit_tool_outputs","submit_tool_outputs":{"tool_calls":[
            {"id":"c","type":"function","function":{"name":"ls","arguments":"{}"}}]}},
        "usage":{"prompt_tokens":9,"completion_tokens":2,"total_tokens":11,"prompt_token_details":{"cached_tokens":8}}}""",
    stream=b"""event: thread.run.created
data: {"id":"run_1","object":"thread.run","status":"queued","model":"gpt-1","usage":null}

event: thread.run.step.created
data: {"id":"step_1","object":"thread.run.step","type":"tool_calls","step_details":{"type":"tool_calls","tool_calls":[]}}

event: thread.run.step.delta
data: {"id":"step_1","object":"thread.run.step.delta","delta":{"step_details":{"type":"tool_calls","tool_calls":[
data: {"index":0,"id":"c","type":"function","function":{"name":"ls","arguments":"{"}}]}}}

event: thread.run.step.delta
data: {"id":"step_1","object":"thread.run.step.delta","delta":{"step_details":{"type":"tool_calls","tool_calls":[
data: {"index":0,"type":"function","function":{"arguments":"}"}}]}}}

event: thread.run.requires_action
data: {"id":"run_1","object":"thread.run","status":"requires_action","model":"gpt-1","required_action":
data: {"type":"submit_tool_outputs","submit_tool_outputs":{"tool_calls":[
data: {"id":"c","type":"function","function":{"name":"ls","arguments":"{}"}}]}},
data: "usage":{"prompt_tokens":9,"completion_tokens":2,"total_tokens":11,"prompt_token_details":{"cached_tokens":8}}}

event: done
data: [DONE]

""",
    reply=Reply(
        id="run_1",
        model="gpt-1",
        tool_calls=(ToolCall("c", "ls", "{}"),),
        usage=Usage(input=1, output=2, cache_read=8),
        finish_reason="tool_calls",
    ),
    failed=b'{"error":{"message":"Slow down","type":"rate_limit_error","param":null,"code":"rate_limit"}}',
    failed_stream=b"""event: thread.run.created
data: {"id":"run_1","object":"thread.run","status":"queued","model":"gpt-1"}

event: error
data: {"error":{"message":"Slow down","type":"rate_limit_error","param":null,"code":"rate_limit"}}

""",
    error="rate_limit_error: Slow down",
    requests=(
        b"""{"assistant_id":"a","additional_instructions":"x","additional_messages":[{"role":"user","content":[
            {"type":"text","text":"see"},{"type":"image_file","image_file":{"file_id":"file_1"}}]}],
            "response_format":{"type":"json_object"}}""",
        b'{"tool_outputs":[{"tool_call_id":"c","output":"a b"}],"stream":true}',
    ),
    responses=(
        b'{"id":"run_1","object":"thread.run","status":"queued","model":"gpt-1"}',
        b"""{"id":"run_1","object":"thread.run","status":"incomplete","incomplete_details":{"reason":"max_completion_tokens"},
            "last_error":null}""",
    ),
    streams=(
        b"""event: thread.message.created
data: {"id":"msg_1","object":"thread.message","role":"assistant","content":[]}

event: thread.message.delta
data: {"id":"msg_1","object":"thread.message.delta","delta":{"content":[{"index":0,"type":"text","text":{"value":"Hi "}}]}}

event: thread.message.delta
data: {"id":"msg_1","object":"thread.message.delta","delta":{"content":[{"index":0,"type":"text","text":{"value":"the"}}]}}

event: thread.message.completed
data: {"id":"msg_1","object":"thread.message","role":"assistant","content":[{"type":"text","text":{"value":"Hi there"}}]}

event: thread.run.step.completed
data: {"id":"step_1","object":"thread.run.step","step_details":{"type":"tool_calls","tool_calls":[
data: {"id":"i","type":"code_interpreter","code_interpreter":{"input":"1+1"}}]}}

event: thread.run.failed
data: {"id":"run_1","object":"thread.run","status":"failed","last_error":{"code":"server_error","message":"Sorry"}}

""",
    ),
)


@pytest.fixture
def known(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """As where the package is installed."""
    monkeypatch.setattr(table, "_added", {})
    add_provider(OPENAI_ASSISTANTS)
    yield
    monkeypatch.undo()
    add_provider(OPENAI_ASSISTANTS)
    table._added.pop(OPENAI_ASSISTANTS.name)  # pyright: ignore[reportPrivateUsage]


@pytest.mark.usefixtures("known")
def test_its_provider_keeps_the_promises_of_all_providers() -> None:
    check_provider(CASE)


@pytest.mark.usefixtures("known")
@pytest.mark.parametrize(
    ("path", "is_call"),
    [
        ("/v1/threads/runs", True),
        ("/v1/threads/thread_1/runs", True),
        ("/openai/threads/thread_1/runs?api-version=1", True),
        ("/v1/threads/thread_1/runs/run_1/submit_tool_outputs", True),
        ("/v1/threads/thread_1/runs/run_1", False),
        ("/v1/threads/thread_1/messages", False),
        ("/v1/threads", False),
    ],
)
def test_a_run_is_a_call(path: str, *, is_call: bool) -> None:
    assert (OPENAI_ASSISTANTS if is_call else None) is find("api.openai.com", path)


def test_a_get_asks_how_far_a_run_is() -> None:
    assert "run_1" == OPENAI_ASSISTANTS.polled("/v1/threads/thread_1/runs/run_1")
    assert OPENAI_ASSISTANTS.polled("/v1/threads/thread_1/runs/run_1/steps") is None


def event(kind: str, **fields: Any) -> SseEvent:
    return SseEvent(kind, json.dumps({"object": kind, **fields}))


def read(*events: SseEvent) -> StreamReader:
    reader = OPENAI_ASSISTANTS.reader()
    for each in events:
        reader.feed(each)
    return reader


def run(status: str, **fields: Any) -> dict[str, Any]:
    return {"id": "run_1", "object": "thread.run", "status": status, "model": "gpt-1", **fields}


def text(value: str, **fields: Any) -> dict[str, Any]:
    return {"type": "text", "text": {"value": value, "annotations": []}, **fields}


DONE = SseEvent("done", "[DONE]")
DELTAS = [
    event("thread.message", id="msg_1", content=[]),
    event("thread.message.delta", id="msg_1", delta={"content": [text("Hi ", index=0)]}),
    event("thread.message.delta", id="msg_1", delta={"content": [text("there", index=0)]}),
]


def test_a_streamed_message_is_text_and_its_end_does_not_double_it() -> None:
    reader = OPENAI_ASSISTANTS.reader()
    assert [reader.feed(each) for each in DELTAS] == [False, True, True]
    assert not reader.feed(event("thread.message", id="msg_1", content=[text("Hi there")]))
    usage = {"prompt_tokens": 9, "completion_tokens": 2, "total_tokens": 11}
    reader.feed(event("thread.run", **{**run("completed", usage=usage), "object": "thread.run"}))
    reader.feed(DONE)
    assert reader.reply() == Reply("run_1", "gpt-1", "Hi there", usage=Usage(9, 2), finish_reason="stop")
    assert reader.ended
    alone = read(event("thread.message", id="msg_1", content=[text("Hi there")]))
    assert alone.reply().text == "Hi there"


def test_tools_of_the_server_are_calls_too() -> None:
    def step(kind: str, given: str) -> dict[str, Any]:
        call = {"index": 0, "id": "i", "type": "code_interpreter", "code_interpreter": {"input": given}}
        return {"id": "step_1", kind: {"step_details": {"tool_calls": [call]}}}

    reader = read(*(event("thread.run.step.delta", **step("delta", piece)) for piece in ("1+", "1")))
    assert reader.answer().parts == (ToolCallPart("i", "code_interpreter", "1+1", server=True),)
    reader.feed(event("thread.run.step", id="step_1", step_details=step("x", "1+1")["x"]["step_details"]))
    assert reader.reply().tool_calls == (ToolCall("i", "code_interpreter", "1+1"),)


@pytest.mark.parametrize(
    ("status", "fields", "pending", "reason", "error"),
    [
        ("queued", {}, True, None, None),
        ("in_progress", {}, True, None, None),
        ("completed", {}, False, "stop", None),
        ("failed", {"last_error": {"code": "server_error", "message": "Sorry"}}, False, "error", "server_error: Sorry"),
        ("incomplete", {"incomplete_details": {"reason": "max_prompt_tokens"}}, False, "max_prompt_tokens", None),
        ("expired", {}, False, "expired", None),
    ],
)
def test_a_run_says_how_far_it_is(
    status: str, fields: dict[str, Any], *, pending: bool, reason: str | None, error: str | None
) -> None:
    answer = OPENAI_ASSISTANTS.answer(json.dumps(run(status, **fields)).encode())
    assert (answer.id, answer.pending, answer.finish_reasons, answer.error) == (
        "run_1",
        pending,
        (reason,) if reason else (),
        error,
    )


def test_outputs_of_tools_are_results() -> None:
    body = {"tool_outputs": [{"tool_call_id": "c", "output": "a b"}], "stream": True}
    asked = OPENAI_ASSISTANTS.asked(json.dumps(body).encode(), "/v1/threads/thread_1/runs/run_1/submit_tool_outputs")
    assert asked.messages == (Message("tool", (ToolResultPart("c", "a b"),)),)
    assert (asked.conversation_id, asked.stream) == ("thread_1", True)
