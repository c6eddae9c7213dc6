from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agentsight_rx.events import Reply, SseEvent, ToolCall, Usage
from agentsight_rx.llm import Prompt, StreamReader, ToolResult
from agentsight_rx.llm.dialects.openai.responses import OPENAI_RESPONSES


def event(kind: str, **fields: Any) -> SseEvent:
    return SseEvent(f"response.{kind}", json.dumps({"type": f"response.{kind}", "sequence_number": 7, **fields}))


def read(*events: SseEvent) -> StreamReader:
    reader = OPENAI_RESPONSES.reader()
    for each in events:
        reader.feed(each)
    return reader


def response(status: str = "in_progress", **fields: Any) -> dict[str, Any]:
    head = {"id": "resp_1", "object": "response", "status": status, "model": "gpt-x", "error": None, "incomplete_details": None}
    return {**head, "instructions": "Be brief.", "tools": [{"type": "web_search"}], "output": [], "usage": None, **fields}


def part(text: str) -> dict[str, Any]:
    return {"type": "output_text", "text": text, "annotations": [], "logprobs": []}


def function(arguments: str, **fields: Any) -> dict[str, Any]:
    head = {"type": "function_call", "id": "fc_1", "call_id": "call_1", "name": "lookup", "status": "completed"}
    return {**head, "arguments": arguments, **fields}


REASONING = {
    "type": "reasoning",
    "id": "rs_1",
    "summary": [{"type": "summary_text", "text": "Let me think."}, {"type": "summary_text", "text": "So."}],
    "content": [{"type": "reasoning_text", "text": "Hm."}],
    "encrypted_content": "gAAA",
}
MESSAGE = {"type": "message", "id": "msg_1", "role": "assistant", "status": "completed", "content": [part("Hello World!")]}
CUSTOM = {"type": "custom_tool_call", "id": "ctc_1", "call_id": "call_2", "name": "exec", "input": "ls()\n"}
SHELL_ACTION: dict[str, Any] = {"type": "exec", "command": ["ls", "-l"], "env": {}}
SHELL: dict[str, Any] = {
    "type": "local_shell_call",
    "id": "lsh_1",
    "call_id": "call_3",
    "status": "completed",
    "action": SHELL_ACTION,
}
OUTPUT: list[dict[str, Any]] = [REASONING, MESSAGE, function('{"q":"x"}'), CUSTOM, SHELL]
USAGE = {
    "input_tokens": 100,
    "input_tokens_details": {"cached_tokens": 80, "cache_write_tokens": 5},
    "output_tokens": 20,
    "output_tokens_details": {"reasoning_tokens": 12},
    "total_tokens": 120,
}
WHOLE = Reply(
    id="resp_1",
    model="gpt-x",
    text="Hello World!",
    thinking="Let me think.\n\nSo.\n\nHm.",
    tool_calls=(
        ToolCall("call_1", "lookup", '{"q":"x"}'),
        ToolCall("call_2", "exec", "ls()\n"),
        ToolCall("call_3", "local_shell", json.dumps(SHELL_ACTION)),
    ),
    usage=Usage(input=15, output=20, cache_creation=5, cache_read=80, reasoning=12),
    finish_reason="stop",
)


def added(output: int, item: dict[str, Any]) -> SseEvent:
    return event("output_item.added", output_index=output, item=item)


def done(output: int, item: dict[str, Any]) -> SseEvent:
    return event("output_item.done", output_index=output, item=item)


def text_delta(text: str, **fields: Any) -> SseEvent:
    where = {"output_index": 1, "content_index": 0, "item_id": "msg_1", **fields}
    return event("output_text.delta", delta=text, logprobs=[], **where)


def summary(index: int, kind: str, **fields: Any) -> SseEvent:
    return event(f"reasoning_summary_text.{kind}", item_id="rs_1", output_index=0, summary_index=index, **fields)


COMPLETED = event("completed", response=response("completed", output=OUTPUT, usage=USAGE))
DELTAS = [
    event("created", response=response()),
    event("in_progress", response=response()),
    added(0, {"type": "reasoning", "id": "rs_1", "summary": []}),
    event("reasoning_summary_part.added", item_id="rs_1", output_index=0, summary_index=0, part={"type": "summary_text"}),
    summary(0, "delta", delta="Let me "),
    summary(0, "delta", delta="think."),
    summary(0, "done", text="Let me think."),
    summary(1, "delta", delta="So."),
    event("reasoning_text.delta", item_id="rs_1", output_index=0, content_index=0, delta="Hm."),
    event("reasoning_text.done", item_id="rs_1", output_index=0, content_index=0, text="Hm."),
    done(0, REASONING),
    added(1, {**MESSAGE, "status": "in_progress", "content": []}),
    event("content_part.added", item_id="msg_1", output_index=1, content_index=0, part=part("")),
    text_delta("Hello "),
    text_delta("World!"),
    event("output_text.done", item_id="msg_1", output_index=1, content_index=0, text="Hello World!"),
    event("content_part.done", item_id="msg_1", output_index=1, content_index=0, part=part("Hello World!")),
    done(1, MESSAGE),
    added(2, function("", status="in_progress")),
    event("function_call_arguments.delta", item_id="fc_1", output_index=2, delta='{"q":'),
    event("function_call_arguments.delta", item_id="fc_1", output_index=2, delta='"x"}'),
    event("function_call_arguments.done", item_id="fc_1", output_index=2, arguments='{"q":"x"}'),
    done(2, function('{"q":"x"}')),
    added(3, {**CUSTOM, "input": ""}),
    event("custom_tool_call_input.delta", item_id="ctc_1", output_index=3, delta="ls("),
    event("custom_tool_call_input.delta", item_id="ctc_1", output_index=3, delta=")\n"),
    event("custom_tool_call_input.done", item_id="ctc_1", output_index=3, input="ls()\n"),
    done(3, CUSTOM),
    done(4, SHELL),
]
CONTENT = [4, 5, 7, 8, 13, 14, 19, 20, 24, 25, 28]  # the events with new text
WHOLE_STREAM = [*DELTAS, COMPLETED]
WHOLE_BODY = json.dumps(response("completed", output=OUTPUT, usage=USAGE)).encode()


def test_a_stream_and_a_plain_body_give_the_same_reply() -> None:
    reader = read(*WHOLE_STREAM)
    assert reader.reply() == WHOLE == OPENAI_RESPONSES.response(WHOLE_BODY)
    assert (reader.ended, reader.finished_choices, reader.unknown) == (True, True, 0)


def test_only_events_with_new_text_are_content() -> None:
    reader = OPENAI_RESPONSES.reader()
    assert [number for number, each in enumerate(WHOLE_STREAM) if reader.feed(each)] == CONTENT


def test_e4_messages_of_a_websocket_give_the_same_reply_as_events() -> None:
    messages = [SseEvent("message", each.data) for each in WHOLE_STREAM]
    assert read(*messages).reply() == WHOLE
    assert read(*messages).ended


@pytest.mark.parametrize("size", range(len(WHOLE_STREAM)))
def test_a_truncated_stream_gives_its_text_so_far_and_no_end(size: int) -> None:
    reader = read(*WHOLE_STREAM[:size])
    assert (reader.ended, reader.finished_choices) == (False, False)
    assert WHOLE.text.startswith(reader.reply().text)
    assert WHOLE.thinking.startswith(reader.reply().thinking)


@pytest.mark.parametrize("missing", range(len(DELTAS)))
def test_a_later_event_makes_up_for_a_lost_one(missing: int) -> None:
    assert read(*DELTAS[:missing], *WHOLE_STREAM[missing + 1 :]).reply() == WHOLE


def test_deltas_alone_are_enough_and_so_is_the_end_alone() -> None:
    lean = [each for each in DELTAS if not each.event.endswith("done")]
    empty = event("completed", response=response("completed", usage=USAGE))
    assert read(*lean, done(4, SHELL), empty).reply() == WHOLE
    reader = OPENAI_RESPONSES.reader()
    assert reader.feed(COMPLETED)
    assert reader.reply() == WHOLE


def test_done_replaces_the_text_of_deltas() -> None:
    where = {"item_id": "m", "output_index": 0, "content_index": 0}
    whole = event("output_text.done", **where, text="whole")
    assert read(text_delta("wh", **where), text_delta("le", **where), whole).reply().text == "whole"
    assert read(text_delta("whole", **where), event("output_text.done", **where, text="")).reply().text == "whole"
    call = [added(0, function("")), event("function_call_arguments.delta", output_index=0, delta="{")]
    ended = event("function_call_arguments.done", output_index=0, arguments='{"a":1}')
    assert read(*call, ended).reply().tool_calls == (ToolCall("call_1", "lookup", '{"a":1}'),)


def test_interleaved_parts_and_calls_do_not_mix() -> None:
    parts = [text_delta("A", content_index=0), text_delta("X", content_index=1), text_delta("B", content_index=0)]
    assert read(*parts).reply().text == "ABX"
    calls = [added(output, function("", call_id=f"c{output}", name=f"n{output}")) for output in (1, 0)]
    inputs = [(0, "["), (1, "{"), (0, "]"), (1, "}")]
    deltas = [event("function_call_arguments.delta", output_index=output, delta=text) for output, text in inputs]
    assert read(*calls, *deltas).reply().tool_calls == (ToolCall("c0", "n0", "[]"), ToolCall("c1", "n1", "{}"))


def test_the_index_says_where_text_belongs_and_the_order_of_the_answer() -> None:
    """Some servers give every event another item id."""
    stream = [text_delta("B", output_index=1, item_id="x"), text_delta("A", output_index=0, item_id="y")]
    stream += [text_delta("a", output_index=0, item_id="z"), text_delta("!", output_index=1, content_index=1)]
    assert read(*stream).reply().text == "AaB!"
    assert read(*stream, event("output_text.done", output_index=0, item_id="w", text="A.")).reply().text == "A.B!"


def test_items_without_an_index_are_matched_by_id() -> None:
    """The servers in Codex's own tests send such items."""
    stream = [
        event("created", response={"id": "resp_1"}),
        event("output_item.added", item={**MESSAGE, "content": []}),
        event("output_text.delta", delta="Hel"),
        event("output_text.delta", delta="lo"),
        event("output_item.done", item={**MESSAGE, "content": [part("Hello")]}),
        event("output_item.done", item={"type": "function_call", "call_id": "a", "name": "f", "arguments": "1"}),
        event("output_item.done", item={"type": "function_call", "call_id": "b", "name": "g", "arguments": "2"}),
        event("output_item.done", item={"type": "function_call", "name": "h", "arguments": "3"}),
        event("completed", response={"id": "resp_1", "output": []}),
    ]
    assert read(*stream).reply() == Reply(
        id="resp_1",
        text="Hello",
        tool_calls=(ToolCall("a", "f", "1"), ToolCall("b", "g", "2"), ToolCall("", "h", "3")),
        finish_reason="stop",
    )


def test_the_end_does_not_double_outputs_that_a_server_numbers_differently() -> None:
    stream = [text_delta("Hello World!", output_index=0), added(1, function("")), done(1, function('{"q":"x"}'))]
    reply = read(*stream, event("completed", response=response("completed", output=OUTPUT[:3]))).reply()
    assert (reply.text, reply.tool_calls) == ("Hello World!", WHOLE.tool_calls[:1])


@pytest.mark.parametrize(
    ("item", "expected"),
    [
        ({"type": "mcp_call", "id": "mcp_1", "name": "ask", "arguments": "{}"}, ToolCall("mcp_1", "ask", "{}")),
        ({"type": "code_interpreter_call", "id": "ci", "code": "1+1"}, ToolCall("ci", "code_interpreter", "1+1")),
        ({"type": "web_search_call", "id": "ws", "action": {"a": 1}}, ToolCall("ws", "web_search", '{"a": 1}')),
        ({"type": "file_search_call", "id": "fs", "queries": ["q"]}, ToolCall("fs", "file_search", '["q"]')),
        ({"type": "tool_search_call", "id": "t", "call_id": None, "arguments": {}}, ToolCall("t", "tool_search", "{}")),
        (
            {"type": "apply_patch_call", "id": "ap", "call_id": "c", "operation": {"type": "delete_file"}},
            ToolCall("c", "apply_patch", '{"type": "delete_file"}'),
        ),
        ({"type": "shell_call", "id": "s", "call_id": "c", "action": None}, ToolCall("c", "shell", "")),
    ],
)
def test_every_kind_of_call_is_a_tool_call(item: dict[str, Any], expected: ToolCall) -> None:
    assert read(done(0, item)).reply().tool_calls == (expected,)
    assert OPENAI_RESPONSES.response(json.dumps({"output": [item]}).encode()).tool_calls == (expected,)


def test_input_of_hosted_tools_is_streamed_too() -> None:
    code = [event("code_interpreter_call_code.delta", output_index=0, delta=text) for text in ("1+", "1")]
    ask = [
        event("mcp_call_arguments.delta", output_index=1, delta="{"),
        event("mcp_call_arguments.done", output_index=1, arguments="{}"),
    ]
    named = [added(1, {"type": "mcp_call", "id": "m", "name": "ask", "arguments": ""})]
    reply = read(added(0, {"type": "code_interpreter_call", "id": "c"}), *code, *named, *ask).reply()
    assert reply.tool_calls == (ToolCall("c", "code_interpreter", "1+1"), ToolCall("m", "ask", "{}"))
    ended = event("code_interpreter_call_code.done", output_index=0, code="2")
    assert read(*code, ended).reply().tool_calls == (ToolCall("", "", "2"),)


def test_a_refusal_is_text() -> None:
    where = {"item_id": "msg_1", "output_index": 0, "content_index": 0}
    stream = [event("refusal.delta", delta="I can", **where), event("refusal.done", refusal="I cannot.", **where)]
    assert read(*stream).reply().text == "I cannot."
    refused = {**MESSAGE, "content": [{"type": "refusal", "refusal": "No."}]}
    assert OPENAI_RESPONSES.response(json.dumps({"output": [refused]}).encode()).text == "No."


FAILED = {"code": "server_error", "message": "Sorry"}


@pytest.mark.parametrize(
    ("status", "fields", "reason", "error"),
    [
        ("completed", {}, "stop", None),
        ("incomplete", {"incomplete_details": {"reason": "max_output_tokens"}}, "max_output_tokens", None),
        ("incomplete", {}, "incomplete", None),
        ("failed", {"error": FAILED}, "error", "server_error: Sorry"),
        ("cancelled", {}, "cancelled", None),
    ],
)
def test_every_end_ends_the_stream_with_a_reason(status: str, fields: dict[str, Any], reason: str, error: str | None) -> None:
    reader = read(text_delta("x"), event(status, response=response(status, **fields)))
    assert (reader.ended, reader.finished_choices) == (True, True)
    assert (reader.reply().text, reader.reply().finish_reason, reader.reply().error) == ("x", reason, error)
    plain = OPENAI_RESPONSES.response(json.dumps(response(status, **fields)).encode())
    assert (plain.finish_reason, plain.error) == (reason, error)


def test_an_unfinished_answer_has_no_reason() -> None:
    assert OPENAI_RESPONSES.response(json.dumps(response("queued")).encode()) == Reply(id="resp_1", model="gpt-x")


@pytest.mark.parametrize(
    ("status", "pending"), [("queued", True), ("in_progress", True), ("completed", False), ("failed", False)]
)
def test_a_response_in_the_background_is_pending_until_a_get_has_it(status: str, *, pending: bool) -> None:
    answer = OPENAI_RESPONSES.answer(json.dumps(response(status, output=[MESSAGE])).encode())
    assert (answer.id, answer.pending, bool(answer.finish_reasons)) == ("resp_1", pending, not pending)


def test_a_stream_that_goes_on_in_the_middle_is_read_from_there() -> None:
    """As after `starting_after`: deltas before it are missing, and the end has all."""
    for start in range(len(WHOLE_STREAM)):
        assert read(*WHOLE_STREAM[start:]).reply() == WHOLE


def test_an_incomplete_end_does_not_remove_earlier_text() -> None:
    cut = response("incomplete", output=[{**MESSAGE, "content": [part("Hel")]}])
    assert read(text_delta("Hello"), event("incomplete", response=cut)).reply().text == "Hello"
    assert read(event("incomplete", response=cut)).reply().text == "Hel"


@pytest.mark.parametrize(
    ("data", "error"),
    [
        ({"code": "server_error", "message": "Sorry", "param": None, "sequence_number": 3}, "server_error: Sorry"),
        (
            {"status": 400, "error": {"type": "invalid_request_error", "code": "x", "message": "No"}},
            "invalid_request_error: No",
        ),
        ({"error": {"code": "previous_response_not_found", "message": "No"}}, "previous_response_not_found: No"),
        ({}, "error"),
    ],
)
def test_an_error_is_reported_and_ends_a_stream(data: dict[str, Any], error: str) -> None:
    reader = read(*DELTAS[:14], SseEvent("message", json.dumps({"type": "error", **data})))
    assert (reader.reply().error, reader.reply().text, reader.ended) == (error, "Hello ", True)
    assert reader.unknown == 0


def test_the_error_of_a_plain_body_is_reported() -> None:
    body = {"error": {"message": "Slow down", "type": "rate_limit_error", "param": None, "code": "rate_limit"}}
    assert OPENAI_RESPONSES.response(json.dumps(body).encode()) == Reply(error="rate_limit_error: Slow down")
    assert read(SseEvent("error", "upstream timed out")).reply().error == "upstream timed out"


def test_usage_has_the_normal_form_and_comes_from_the_end_only() -> None:
    few = {"input_tokens": 1, "output_tokens": 1}
    ends = [event("created", response=response(usage=few)), event("completed", response=response("completed", usage=USAGE))]
    assert read(*ends).reply().usage == WHOLE.usage
    assert read(event("completed", response=response("completed", usage=few))).reply().usage == Usage(1, 1)
    assert read(event("completed", response=response("completed", usage={}))).reply().usage is None


def test_vector_6_13_a_long_text_is_one_text() -> None:
    stream = [text_delta("x" * 1000) for _ in range(60)]
    assert read(*stream, event("completed", response=response("completed"))).reply().text == "x" * 60_000


def test_vector_6_20_arguments_in_pieces_are_joined_under_their_call_id() -> None:
    pieces = [event("function_call_arguments.delta", output_index=0, item_id="fc_1", delta=text) for text in ('{"q":', '"x"}')]
    assert read(added(0, function("")), *pieces).reply().tool_calls == (ToolCall("call_1", "lookup", '{"q":"x"}'),)


def test_unknown_events_are_ignored_and_counted() -> None:
    strange = [
        "",
        "{",
        "[]",
        "null",
        '{"type":"keepalive"}',
        '{"type":"x.delta","delta":"x"}',
        '{"type":"response.output_text.delta"',
    ]
    known = ['{"type":"response.web_search_call.searching"}', '{"type":"response.brand_new.delta","delta":"x"}', "[DONE]"]
    reader = read(*DELTAS, *(SseEvent("message", data) for data in [*strange, *known]), COMPLETED)
    assert reader.reply() == WHOLE
    assert reader.unknown == len(strange)


def test_a_snapshot_anywhere_changes_nothing() -> None:
    for size in range(len(WHOLE_STREAM)):
        reader, resumed = read(*WHOLE_STREAM[:size]), OPENAI_RESPONSES.reader()
        resumed.restore(msgspec.msgpack.decode(msgspec.msgpack.encode(reader.snapshot())))
        assert [resumed.feed(each) for each in WHOLE_STREAM[size:]] == [reader.feed(each) for each in WHOLE_STREAM[size:]]
        assert (resumed.reply(), resumed.ended, resumed.unknown) == (WHOLE, True, 0)


# -- requests ----------------------------------------------------------------------------------------------------------

EXEC = {"type": "custom", "name": "exec", "description": "Runs JavaScript.", "format": {"type": "text"}}
SESSION = "0199a213-81c0-7800-8aa1-bbab2a035a53"
REQUEST: dict[str, Any] = {
    "model": "gpt-x",
    "stream": True,
    "instructions": "You are Codex.",
    "max_output_tokens": 99,
    "temperature": 0.5,
    "prompt_cache_key": SESSION,
    "previous_response_id": "resp_0",
    "tools": [
        {"type": "function", "name": "shell", "parameters": {}},
        {"type": "web_search"},
        {
            "type": "namespace",
            "name": "crm",
            "tools": [{"type": "function", "name": "find"}, {"type": "custom", "name": "sql"}],
        },
    ],
    "input": [
        {"type": "additional_tools", "role": "developer", "tools": [EXEC]},
        {"type": "message", "role": "developer", "content": [{"type": "input_text", "text": "Be brief."}]},
        {"role": "user", "content": "List  my\nfiles"},
        {
            "type": "message",
            "role": "user",
            "content": [{"type": "input_text", "text": "<environment_context>x</environment_context>"}],
        },
        {"type": "reasoning", "summary": [{"type": "summary_text", "text": "hm"}], "content": None, "encrypted_content": "g"},
        function("{}"),
        {"type": "function_call_output", "call_id": "call_1", "output": "a.txt\n"},
        CUSTOM,
        {
            "type": "custom_tool_call_output",
            "call_id": "call_2",
            "output": [{"type": "input_text", "text": "b"}, {"type": "input_image"}],
        },
        SHELL,
        {"type": "local_shell_call_output", "id": "call_3", "output": "c"},
        {"type": "message", "role": "assistant", "content": [part("Done.")]},
    ],
}
ASKED = Prompt(
    model="gpt-x",
    stream=True,
    system="You are Codex.\nBe brief.",
    last_user_text="List  my\nfiles",
    text="You are Codex.\nBe brief.\nList  my\nfiles\n<environment_context>x</environment_context>\na.txt\n\nb\nc\nDone.",
    tools=("shell", "web_search", "find", "sql", "exec"),
    tool_results=(ToolResult("call_1", "a.txt\n"), ToolResult("call_2", "b"), ToolResult("call_3", "c")),
    max_tokens=99,
    temperature=0.5,
    session_id=SESSION,
    previous_response_id="resp_0",
)


def ask(**body: Any) -> Prompt:
    return OPENAI_RESPONSES.request(json.dumps(body).encode())


def test_a_request_becomes_a_prompt() -> None:
    assert ask(**REQUEST) == ASKED


def test_e4_a_response_create_over_a_websocket_is_a_request() -> None:
    quiet = {name: value for name, value in REQUEST.items() if name != "stream"}
    assert ask(type="response.create", **quiet) == ASKED
    assert ask(type="response.create", response=quiet) == ASKED
    warm = ask(type="response.create", generate=False, model="gpt-x", input=[])
    assert warm == Prompt(model="gpt-x", stream=True)


def test_a_text_is_the_simplest_input() -> None:
    assert ask(model="m", input="Hi") == Prompt(model="m", last_user_text="Hi", text="Hi")


@pytest.mark.parametrize(
    ("fields", "conversation", "session"),
    [
        ({"conversation": "conv_1"}, "conv_1", None),
        ({"conversation": {"id": "conv_1"}}, "conv_1", None),
        ({"conversation": {}}, None, None),
        ({"previous_response_id": "resp_0"}, None, None),
        ({"prompt_cache_key": "my-program"}, None, None),
        ({"prompt_cache_key": SESSION.upper()}, None, SESSION.upper()),
        ({"prompt_cache_key": SESSION, "metadata": {"session_id": "s", "conversation_id": "c"}}, "c", "s"),
        ({"metadata": {"conversationId": "c"}, "conversation": "conv_1"}, "c", None),
    ],
)
def test_a_conversation_is_what_the_client_named(fields: dict[str, Any], conversation: str | None, session: str | None) -> None:
    prompt = ask(input="Hi", **fields)
    assert (prompt.conversation_id, prompt.session_id) == (conversation, session)


@pytest.mark.parametrize(
    ("item", "expected"),
    [
        (
            {
                "type": "shell_call_output",
                "output": [{"stdout": "a", "stderr": "b", "outcome": {"type": "exit", "exit_code": 1}}],
            },
            ToolResult("c", "a\nb", True),
        ),
        (
            {"type": "shell_call_output", "output": [{"stdout": "a", "outcome": {"type": "exit", "exit_code": 0}}]},
            ToolResult("c", "a"),
        ),
        ({"type": "apply_patch_call_output", "status": "failed", "output": "no"}, ToolResult("c", "no", True)),
        ({"type": "apply_patch_call_output", "status": "completed"}, ToolResult("c", "")),
        (
            {"type": "computer_call_output", "output": {"type": "computer_screenshot"}},
            ToolResult("c", '{"type": "computer_screenshot"}'),
        ),
        ({"type": "function_call_output", "output": None}, ToolResult("c", "")),
        ({"type": "function_call_output", "output": 5}, ToolResult("c", "5")),
    ],
)
def test_every_kind_of_output_is_a_tool_result(item: dict[str, Any], expected: ToolResult) -> None:
    assert ask(input=[{"call_id": "c", **item}]).tool_results == (expected,)


def test_tools_that_a_search_found_are_available() -> None:
    found = {"type": "tool_search_output", "call_id": "c", "tools": [{"type": "function", "name": "late"}]}
    assert ask(input=[found], tools=[{"type": "function", "function": {"name": "early"}}]).tools == ("early", "late")


# -- anything ----------------------------------------------------------------------------------------------------------

NOTHING = [b"", b"{", b"[]", b"null", b"1", b"\xff", b"<html>", WHOLE_BODY[:-9], b"[" * 9999]


@pytest.mark.parametrize("body", NOTHING)
def test_a_body_that_is_not_a_response_gives_an_empty_reply_and_prompt(body: bytes) -> None:
    assert OPENAI_RESPONSES.request(body) == Prompt()
    assert OPENAI_RESPONSES.response(body) == Reply()


def test_what_cannot_be_read_is_named() -> None:
    body = b'{"input":1,"output":1}'
    assert OPENAI_RESPONSES.request(body) == Prompt(unknown=("input",))
    assert OPENAI_RESPONSES.response(body) == Reply(unknown=("output",))


def test_deep_nesting_is_read() -> None:
    deep = b'{"response":' * 3000 + b"{}" + b"}" * 3000
    assert OPENAI_RESPONSES.request(deep) == Prompt()
    assert ask(tools=[{"tools": [{"tools": [{"tools": [{"name": "x"}], "name": "y"}]}]}]).tools == ("y",)


_NAMES = [
    "id", "type", "model", "status", "output", "usage", "error", "item", "item_id", "output_index", "content_index", "delta",
    "text", "arguments", "input", "code", "content", "summary", "response", "call_id", "name", "tools", "instructions",
    "conversation", "input_tokens", "input_tokens_details", "cached_tokens", "role", "message", "incomplete_details",
]  # fmt: skip
_TYPES = [each.event for each in WHOLE_STREAM] + ["error", "message", "function_call", "reasoning", "x_call", "x_output"]
_LEAVES = st.one_of(st.none(), st.booleans(), st.integers(-5, 2**70), st.floats(), st.sampled_from([*_TYPES, "", "x", '"']))
_JSON = st.recursive(
    _LEAVES,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.sampled_from(_NAMES), inner, max_size=5)),
    max_leaves=20,
)
_OBJECTS = st.dictionaries(st.sampled_from(_NAMES), _JSON, max_size=6)


@given(st.lists(st.tuples(st.sampled_from(_TYPES), _OBJECTS), max_size=6))
@settings(max_examples=150, deadline=None)
def test_no_events_of_such_shapes_raise(objects: list[tuple[str, dict[str, Any]]]) -> None:
    reader = OPENAI_RESPONSES.reader()
    for kind, fields in objects:
        text = json.dumps({**fields, "type": kind})
        reader.feed(SseEvent("message", text))
        OPENAI_RESPONSES.response(text.encode())
        OPENAI_RESPONSES.request(text.encode())
        resumed = OPENAI_RESPONSES.reader()
        resumed.restore(reader.snapshot())
        assert resumed.reply() == reader.reply()


def test_a_request_with_a_compaction_is_one_of_a_compacted_conversation() -> None:
    said = {"role": "user", "content": "go on"}
    for items, compacted in (([said], False), ([{"type": "compaction", "encrypted_content": "x"}, said], True)):
        assert OPENAI_RESPONSES.asks(json.dumps({"input": items}).encode()).compacted is compacted
