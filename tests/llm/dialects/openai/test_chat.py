from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from agentsight_rx.events import Reply, SseEvent, ToolCall, Usage
from agentsight_rx.llm import Prompt, StreamReader, ToolResult
from agentsight_rx.llm.dialects.openai.chat import OPENAI_CHAT


def chunk(*choices: dict[str, Any], **fields: Any) -> SseEvent:
    head = {"id": "chatcmpl-a", "object": "chat.completion.chunk", "created": 1, "model": "gpt-x"}
    return SseEvent("message", json.dumps({**head, "choices": choices, **fields}))


def choice(index: int = 0, finish_reason: str | None = None, **delta: Any) -> dict[str, Any]:
    return {"index": index, "delta": delta, "logprobs": None, "finish_reason": finish_reason}


def call(index: int | None = 0, **function: Any) -> dict[str, Any]:
    found = {"index": index, "id": function.pop("id", None), "function": function}
    return {name: value for name, value in found.items() if value is not None}


def read(*events: SseEvent) -> StreamReader:
    reader = OPENAI_CHAT.reader()
    for each in events:
        reader.feed(each)
    return reader


DONE = SseEvent("message", "[DONE]")
USAGE = {
    "prompt_tokens": 100,
    "completion_tokens": 20,
    "total_tokens": 120,
    "prompt_tokens_details": {"cached_tokens": 80, "audio_tokens": 0},
    "completion_tokens_details": {"reasoning_tokens": 5},
}
END = chunk(choice(finish_reason="tool_calls"))
WHOLE_STREAM = [
    chunk(id="", model="", object="", prompt_filter_results=[]),
    chunk(choice(role="assistant", content="", refusal=None), usage=None),
    chunk(choice(reasoning_content="Hm. ")),
    chunk(choice(reasoning="So.")),
    chunk(choice(content="Hello ")),
    chunk(choice(content="World!")),
    chunk(choice(tool_calls=[call(0, id="call_1", name="lookup", arguments="")])),
    chunk(choice(tool_calls=[call(0, arguments='{"q":')])),
    chunk(choice(tool_calls=[call(0, name="", arguments='"x"}'), call(1, id="call_2", name="ls", arguments="{}")])),
    END,
    chunk(usage=USAGE),
    DONE,
]
CALLS = b"""[{"id":"call_1","type":"function","function":{"name":"lookup","arguments":"{\\"q\\":\\"x\\"}"}},
  {"id":"call_2","type":"function","function":{"name":"ls","arguments":"{}"}}]"""
WHOLE_BODY = b"""{"id":"chatcmpl-a","model":"gpt-x","choices":[{"index":0,"finish_reason":"tool_calls","message":{
  "role":"assistant","content":[{"type":"text","text":"Hello "},{"type":"text","text":"World!"}],
  "reasoning_content":"Hm. So.","tool_calls":%b}}],"usage":%b}""" % (CALLS, json.dumps(USAGE).encode())
WHOLE = Reply(
    id="chatcmpl-a",
    model="gpt-x",
    text="Hello World!",
    thinking="Hm. So.",
    tool_calls=(ToolCall("call_1", "lookup", '{"q":"x"}'), ToolCall("call_2", "ls", "{}")),
    usage=Usage(input=20, output=20, cache_read=80, reasoning=5),
    finish_reason="tool_calls",
)


def test_a_stream_and_a_plain_body_give_the_same_reply() -> None:
    reader = read(*WHOLE_STREAM)
    assert reader.reply() == WHOLE == OPENAI_CHAT.response(WHOLE_BODY)
    assert (reader.ended, reader.finished_choices, reader.unknown) == (True, True, 0)


def test_only_text_thinking_and_tool_input_are_content() -> None:
    reader = OPENAI_CHAT.reader()
    assert [number for number, each in enumerate(WHOLE_STREAM) if reader.feed(each)] == [2, 3, 4, 5, 7, 8]


@pytest.mark.parametrize("size", range(len(WHOLE_STREAM)))
def test_a_stream_without_its_end_mark_may_still_be_complete(size: int) -> None:
    reader = read(*WHOLE_STREAM[:size])
    assert not reader.ended
    assert reader.finished_choices == (END in WHOLE_STREAM[:size])
    assert WHOLE.text.startswith(reader.reply().text)


def test_of_each_count_the_last_one_is_right_and_what_is_left_out_stays() -> None:
    usages: list[dict[str, Any] | None] = [
        {"prompt_tokens": 100, "completion_tokens": 1, "prompt_tokens_details": {"cached_tokens": 90, "audio_tokens": 0}},
        {"prompt_tokens": 100, "completion_tokens": 2, "prompt_tokens_details": {"cached_tokens": 80}},
        {"completion_tokens": 3, "prompt_tokens_details": {"audio_tokens": 0}},
        {"completion_tokens": None, "prompt_tokens_details": None},
        None,
        {},
    ]
    reader = read(*(chunk(choice(content="x"), usage=usage) for usage in usages))
    assert reader.reply().usage == Usage(input=20, output=3, cache_read=80)
    reader.feed(chunk(usage={"prompt_tokens": 0, "completion_tokens": 1, "prompt_tokens_details": {"cached_tokens": 0}}))
    assert reader.reply().usage == Usage(input=0, output=1), "a smaller count that is said is right too"


def test_a_count_that_cannot_be_read_is_named_and_changes_nothing() -> None:
    odd = {"prompt_tokens": "many", "completion_tokens": 21.0, "prompt_tokens_details": {"cached_tokens": -1}}
    reply = read(chunk(usage=USAGE), chunk(usage=odd)).reply()
    assert reply.usage == Usage(input=20, output=21, cache_read=80, reasoning=5)
    assert reply.unknown == ("usage.prompt_tokens", "usage.prompt_tokens_details.cached_tokens")
    assert read(chunk(usage=[]), chunk(usage={"x": "y" * 20_000})).reply() == Reply(
        id="chatcmpl-a", model="gpt-x", unknown=("usage",)
    )


def test_usage_has_the_normal_form() -> None:
    body = b'{"usage":{"prompt_tokens":3,"completion_tokens":4,"prompt_tokens_details":null}}'
    usage = OPENAI_CHAT.response(body).usage
    assert usage == Usage(input=3, output=4)
    assert usage is not None
    assert usage.total == 7


def test_several_choices_do_not_mix() -> None:
    events = [chunk(choice(1, content="B")), chunk(choice(0, content="A"), choice(1, content="b"))]
    reader = read(*events, chunk(choice(0, "stop")))
    assert (reader.reply().text, reader.reply().finish_reason) == ("A", "stop")
    assert not reader.finished_choices
    assert reader.feed(chunk(choice(1, "length", content="!")))
    assert reader.finished_choices
    assert reader.reply().finish_reason == "stop"


def test_older_shapes_are_read() -> None:
    legacy = read(*(chunk(choice(function_call=part)) for part in ({"name": "f", "arguments": "{"}, {"arguments": "}"})))
    assert legacy.reply().tool_calls == (ToolCall("", "f", "{}"),)
    completion = SseEvent("message", '{"choices":[{"index":0,"text":"Once","finish_reason":"stop"}]}')
    assert read(completion).reply() == Reply(text="Once", finish_reason="stop")
    assert OPENAI_CHAT.request(b'{"prompt":"Say so","max_tokens":5}') == Prompt(
        last_user_text="Say so", text="Say so", max_tokens=5
    )


def test_calls_without_an_index_are_numbered_by_position() -> None:
    parts = [call(None, id="a", name="f", arguments="{}"), call(None, id="b", name="g", arguments="[]")]
    assert read(chunk(choice(tool_calls=parts))).reply().tool_calls == (ToolCall("a", "f", "{}"), ToolCall("b", "g", "[]"))


ERROR = {"error": {"type": "server_error", "message": "Sorry", "param": None, "code": None}}


def test_an_error_is_reported_and_ends_a_stream() -> None:
    assert OPENAI_CHAT.response(json.dumps(ERROR).encode()) == Reply(error="server_error: Sorry")
    reader = read(*WHOLE_STREAM[:5], SseEvent("error", json.dumps(ERROR)))
    assert (reader.reply().error, reader.reply().text, reader.ended) == ("server_error: Sorry", "Hello ", True)
    assert OPENAI_CHAT.response(b'{"error":{"code":429,"message":"Slow down"}}').error == "429: Slow down"
    assert OPENAI_CHAT.response(b'{"error":"gone"}').error == "gone"


def test_unknown_events_are_ignored_and_counted() -> None:
    strange = ['{"choices":[{"del', "{}", '{"jsonrpc":"2.0","result":{}}', "[]", '{"choices":"none"}', '{"error":null,"id":5}']
    reader = read(*WHOLE_STREAM[:5], *(SseEvent("message", data) for data in strange), *WHOLE_STREAM[5:])
    assert reader.reply() == WHOLE
    assert reader.unknown == len(strange)


def test_a_snapshot_anywhere_changes_nothing() -> None:
    for size in range(len(WHOLE_STREAM)):
        reader, resumed = read(*WHOLE_STREAM[:size]), OPENAI_CHAT.reader()
        resumed.restore(msgspec.msgpack.decode(msgspec.msgpack.encode(reader.snapshot())))
        assert [resumed.feed(each) for each in WHOLE_STREAM[size:]] == [reader.feed(each) for each in WHOLE_STREAM[size:]]
        assert (resumed.reply(), resumed.ended, resumed.unknown) == (WHOLE, True, 0)


def test_a_request_becomes_a_prompt() -> None:
    messages = [
        {"role": "developer", "content": "Be brief."},
        {"role": "user", "content": [{"type": "text", "text": "Hi"}, {"type": "image_url", "image_url": {"url": "x"}}]},
        {"role": "assistant", "content": None, "tool_calls": [call(id="call_1", name="ls", arguments="{}")]},
        {"role": "tool", "tool_call_id": "call_1", "content": "a.txt"},
    ]
    tools = [{"type": "function", "function": {"name": "ls"}}, {"type": "custom", "custom": {"name": "sh"}}]
    asked = {"model": "gpt-x", "messages": messages, "tools": tools, "functions": [{"name": "old"}], "top_p": 0.5}
    body = {**asked, "max_completion_tokens": 9, "metadata": {"session_id": "s", "conversationId": "c"}}
    assert OPENAI_CHAT.request(json.dumps(body).encode()) == Prompt(
        model="gpt-x",
        system="Be brief.",
        last_user_text="Hi",
        text="Be brief.\nHi\na.txt",
        tools=("ls", "sh", "old"),
        tool_results=(ToolResult("call_1", "a.txt"),),
        max_tokens=9,
        top_p=0.5,
        session_id="s",
        conversation_id="c",
    )


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"\xff", b"<html>", b"[" * 9999])
def test_a_body_that_is_not_a_chat_gives_an_empty_reply_and_prompt(body: bytes) -> None:
    assert OPENAI_CHAT.request(body) == Prompt()
    assert OPENAI_CHAT.response(body) == Reply()


def test_what_cannot_be_read_is_named() -> None:
    body = b'{"messages":1,"choices":1}'
    assert OPENAI_CHAT.request(body) == Prompt(unknown=("messages",))
    assert OPENAI_CHAT.response(body) == Reply(unknown=("choices",))
