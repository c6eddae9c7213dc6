from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from agentsight_rx.events import Reply, SseEvent, ToolCall, Usage
from agentsight_rx.llm import Answer, Prompt, StreamReader, ToolResult
from agentsight_rx.llm.canonical import MediaPart, ReasoningPart, TextPart, ToolCallPart, ToolResultPart
from agentsight_rx.llm.dialects.anthropic import ANTHROPIC


def event(kind: str, **fields: Any) -> SseEvent:
    return SseEvent(kind, json.dumps({"type": kind, **fields}))


def start(**fields: Any) -> SseEvent:
    return event("message_start", message={"id": "msg_123", "type": "message", "model": "claude-x", **fields})


def block(index: int, kind: str, **fields: Any) -> SseEvent:
    return event("content_block_start", index=index, content_block={"type": kind, **fields})


def delta(index: int, kind: str, **fields: Any) -> SseEvent:
    return event("content_block_delta", index=index, delta={"type": kind, **fields})


def tool(index: int, name: str, *parts: str) -> list[SseEvent]:
    begun = block(index, "tool_use", id=f"toolu_{index}", name=name, input={})
    return [begun, *(delta(index, "input_json_delta", partial_json=part) for part in parts)]


def read(*events: SseEvent) -> StreamReader:
    reader = ANTHROPIC.reader()
    for each in events:
        reader.feed(each)
    return reader


STOP = event("message_stop")
END = event("message_delta", delta={"stop_reason": "tool_use", "stop_sequence": None}, usage={"output_tokens": 30})
WHOLE_STREAM = [
    start(usage={"input_tokens": 10, "cache_creation_input_tokens": 7, "cache_read_input_tokens": 5, "output_tokens": 1}),
    event("ping"),
    block(0, "thinking", thinking="", signature=""),
    delta(0, "thinking_delta", thinking="Let me "),
    delta(0, "thinking_delta", thinking="think."),
    delta(0, "signature_delta", signature="EqQB"),
    event("content_block_stop", index=0),
    block(1, "text", text=""),
    delta(1, "text_delta", text="Hello "),
    delta(1, "text_delta", text="World!"),
    event("content_block_stop", index=1),
    *tool(2, "ls", '{"a":', "1}"),
    *tool(3, "pwd", ""),
    END,
    STOP,
]
WHOLE_BODY = b"""{"id":"msg_123","type":"message","role":"assistant","model":"claude-x","content":[
  {"type":"thinking","thinking":"Let me think.","signature":"EqQB"}, {"type":"text","text":"Hello World!"},
  {"type":"tool_use","id":"toolu_2","name":"ls","input":{"a":1}}, {"type":"tool_use","id":"toolu_3","name":"pwd","input":{}}],
  "stop_reason":"tool_use","stop_sequence":null,
  "usage":{"input_tokens":10,"cache_creation_input_tokens":7,"cache_read_input_tokens":5,"output_tokens":30}}"""
WHOLE = Reply(
    id="msg_123",
    model="claude-x",
    text="Hello World!",
    thinking="Let me think.",
    tool_calls=(ToolCall("toolu_2", "ls", '{"a":1}'), ToolCall("toolu_3", "pwd", "{}")),
    usage=Usage(input=10, output=30, cache_creation=7, cache_read=5),
    finish_reason="tool_use",
)


def test_a_stream_and_a_plain_body_give_the_same_reply() -> None:
    reader = read(*WHOLE_STREAM)
    assert reader.reply() == WHOLE == ANTHROPIC.response(WHOLE_BODY)
    assert (reader.ended, reader.finished_choices, reader.unknown) == (True, True, 0)


def test_only_text_thinking_and_tool_input_are_content() -> None:
    reader = ANTHROPIC.reader()
    assert [each.event for each in WHOLE_STREAM if reader.feed(each)] == ["content_block_delta"] * 6


def test_interleaved_tool_blocks_do_not_mix() -> None:
    pairs = zip(tool(1, "a", '{"a"', ":1}"), tool(2, "b", '{"b"', ":2}"), strict=True)
    calls = read(*(each for pair in pairs for each in pair)).reply().tool_calls
    assert calls == (ToolCall("toolu_1", "a", '{"a":1}'), ToolCall("toolu_2", "b", '{"b":2}'))


def test_a_stream_without_its_start_is_read() -> None:
    reader = read(delta(0, "text_delta", text="x"), delta(1, "input_json_delta", partial_json="{}"), STOP)
    assert reader.reply() == Reply(text="x", tool_calls=(ToolCall("", "", "{}"),))
    assert (reader.ended, reader.finished_choices) == (True, False)


@pytest.mark.parametrize("size", range(len(WHOLE_STREAM)))
def test_a_truncated_stream_gives_its_text_so_far_and_no_end(size: int) -> None:
    reader = read(*WHOLE_STREAM[:size])
    assert not reader.ended
    assert reader.finished_choices == (END in WHOLE_STREAM[:size])
    assert WHOLE.text.startswith(reader.reply().text)


def test_what_is_cached_for_an_hour_is_counted() -> None:
    created = {"ephemeral_5m_input_tokens": 3, "ephemeral_1h_input_tokens": 4}
    counts = {"input_tokens": 5, "output_tokens": 1, "cache_creation_input_tokens": 7, "cache_creation": created}
    expected = Usage(input=5, output=7, cache_creation=7, cache_creation_1h=4)
    assert read(start(usage=counts), event("message_delta", delta={}, usage={"output_tokens": 7})).reply().usage == expected
    assert whole(usage={"iterations": [counts, counts]}).usage == Usage(10, 2, cache_creation=14, cache_creation_1h=8)


def test_the_usage_of_a_lone_message_delta_counts_and_zeros_do_not_reset_it() -> None:
    last = event("message_delta", delta={}, usage={"input_tokens": 0, "output_tokens": 7, "cache_read_tokens": None})
    reader = read(start(usage={"input_tokens": 5, "output_tokens": 1, "cache_read_input_tokens": 2}), last)
    assert reader.reply().usage == Usage(input=5, output=7, cache_read=2)
    assert read(start(usage={}), start(usage=None), start(), last).reply().usage == Usage(output=7)


ERROR = {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}


def test_an_error_is_reported_and_ends_a_stream() -> None:
    assert ANTHROPIC.response(json.dumps(ERROR).encode()) == Reply(error="overloaded_error: Overloaded")
    reader = read(SseEvent("error", json.dumps(ERROR)))
    assert (reader.reply(), reader.ended) == (Reply(error="overloaded_error: Overloaded"), True)
    assert read(SseEvent("error", "upstream timed out")).reply().error == "upstream timed out"


def test_unknown_events_are_ignored_and_counted() -> None:
    broken = SseEvent("content_block_delta", '{"type":"content_block_delta","index":0,"delta":{"te')
    strange = [broken, event("brand_new", index="a"), event("response.created"), SseEvent("message", "hi")]
    reader = read(*WHOLE_STREAM[:5], *strange, *WHOLE_STREAM[5:])
    assert reader.reply() == WHOLE
    assert reader.unknown == 4


def test_a_field_that_cannot_be_read_is_named_and_what_stands_beside_it_is_kept() -> None:
    strange = event("message_delta", delta={"stop_reason": 7, "text": ""}, usage={"output_tokens": -1, "input_tokens": 10})
    reader = read(*WHOLE_STREAM[:-2], strange, END, STOP)
    assert (reader.unknown, reader.reply().unknown) == (0, ("delta.stop_reason", "usage.output_tokens"))
    assert replace(reader.reply(), unknown=()) == WHOLE


@pytest.mark.parametrize("index", [-1, "a", None])
def test_a_delta_whose_block_is_unknown_goes_on_with_the_newest_one(index: Any) -> None:
    lost = SseEvent("", json.dumps({"type": "content_block_delta", "index": index, "delta": {"text": "!"}}))
    assert read(*WHOLE_STREAM[:10], lost).reply().text == "Hello World!!"


def test_a_snapshot_anywhere_changes_nothing() -> None:
    for size in range(len(WHOLE_STREAM)):
        reader, resumed = read(*WHOLE_STREAM[:size]), ANTHROPIC.reader()
        resumed.restore(msgspec.msgpack.decode(msgspec.msgpack.encode(reader.snapshot())))
        for each in WHOLE_STREAM[size:]:
            assert resumed.feed(each) == reader.feed(each)
        assert (resumed.reply(), resumed.ended, resumed.unknown) == (WHOLE, True, 0)


REQUEST: dict[str, Any] = {
    "model": "claude-x",
    "max_tokens": 1024,
    "temperature": 1,
    "stream": True,
    "system": [{"type": "text", "text": "You are Claude.", "cache_control": {"type": "ephemeral"}}],
    "tools": [{"name": "Bash", "input_schema": {"type": "object"}}, {"type": "web_search_20250305", "name": "web_search"}],
    "metadata": {"user_id": "user_1f_account_2e_session_6b9a"},
    "messages": [
        {"role": "user", "content": [{"type": "text", "text": "List  my\nfiles"}]},
        {"role": "assistant", "content": [{"type": "tool_use", "id": "toolu_1", "name": "Bash", "input": {"c": "ls"}}]},
        {
            "role": "user",
            "content": [
                {"type": "tool_result", "tool_use_id": "toolu_1", "content": "a.txt\n", "is_error": False},
                {"type": "text", "text": "<system-reminder>Be brief.</system-reminder>"},
            ],
        },
        {"role": "assistant", "content": [{"type": "server_tool_use", "id": "s", "name": "web_search", "input": {}}]},
        {
            "role": "user",
            "content": [
                {
                    "type": "web_search_tool_result",
                    "tool_use_id": "s",
                    "content": {"type": "web_search_tool_result_error", "error_code": "max_uses_exceeded"},
                }
            ],
        },
    ],
}


def test_a_request_becomes_a_prompt() -> None:
    assert ANTHROPIC.request(json.dumps(REQUEST).encode()) == Prompt(
        model="claude-x",
        stream=True,
        system="You are Claude.",
        last_user_text="List  my\nfiles",
        text="You are Claude.\nList  my\nfiles\na.txt\n\n<system-reminder>Be brief.</system-reminder>\nmax_uses_exceeded",
        tools=("Bash", "web_search"),
        tool_results=(ToolResult("toolu_1", "a.txt\n"), ToolResult("s", "max_uses_exceeded", is_error=True)),
        max_tokens=1024,
        temperature=1.0,
        session_id="6b9a",
    )


def test_a_tool_result_of_blocks_keeps_their_texts_and_its_error() -> None:
    content = [{"type": "text", "text": "a"}, {"type": "image"}, {"type": "search_result", "content": [{"text": "b"}]}]
    said = {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t", "content": content, "is_error": True}]}
    assert ANTHROPIC.request(json.dumps({"messages": [said]}).encode()).tool_results == (ToolResult("t", "a\nb", True),)


NOTHING = [b"", b"{", b"[]", b"null", b"1", b"\xff", b"<html>", WHOLE_BODY[:-9], b"[" * 9999]


@pytest.mark.parametrize("body", NOTHING)
def test_a_body_that_is_not_a_message_gives_an_empty_reply_and_prompt(body: bytes) -> None:
    assert ANTHROPIC.request(body) == Prompt()
    assert ANTHROPIC.response(body) == Reply()


def test_fields_of_another_type_are_named() -> None:
    assert ANTHROPIC.request(b'{"messages":1,"model":"x"}') == Prompt(model="x", unknown=("messages",))
    assert ANTHROPIC.response(b'{"content":1,"id":"m"}') == Reply(id="m", unknown=("content",))


def test_deep_nesting_is_read() -> None:
    deep = b'{"content":[' * 3000 + b"]}" * 3000
    assert ANTHROPIC.request(b'{"messages":[' + deep + b"]}").text == ""
    assert ANTHROPIC.response(deep) == Reply()


# -- what has no place in the short form -------------------------------------------------------------------------------


def whole(*blocks: dict[str, Any], **fields: Any) -> Answer:
    return ANTHROPIC.answer(json.dumps({"id": "m", "content": blocks, **fields}).encode())


def streamed(*blocks: dict[str, Any]) -> Answer:
    events = [event("content_block_start", index=index, content_block=each) for index, each in enumerate(blocks)]
    return read(start(), *events).answer()


@pytest.mark.parametrize(
    ("sent", "part"),
    [
        ({"type": "redacted_thinking", "data": "Eq"}, ReasoningPart("")),
        ({"type": "thinking", "thinking": "", "signature": "Eq"}, ReasoningPart("")),
        ({"type": "compaction", "content": "So far."}, ReasoningPart("So far.")),
        ({"type": "container_upload", "file_id": "file_1"}, MediaPart("file", reference="file_1")),
        (
            {"type": "text", "text": "a", "citations": [{"type": "char_location", "cited_text": "b", "document_index": 0}]},
            TextPart("a"),
        ),
        (
            {"type": "server_tool_use", "id": "s", "name": "web_search", "input": {"query": "x"}},
            ToolCallPart("s", "web_search", '{"query": "x"}', server=True),
        ),
        (
            {"type": "mcp_tool_use", "id": "c", "name": "echo", "server_name": "mine", "input": {}},
            ToolCallPart("c", "echo", "{}", server=True),
        ),
        (
            {"type": "mcp_tool_result", "tool_use_id": "c", "is_error": True, "content": [{"type": "text", "text": "no"}]},
            ToolResultPart("c", "no", is_error=True),
        ),
        (
            {
                "type": "web_search_tool_result",
                "tool_use_id": "s",
                "content": [
                    {"type": "web_search_result", "title": "Page", "url": "https://a.example", "encrypted_content": "E"}
                ],
            },
            ToolResultPart("s", "Page https://a.example"),
        ),
        (
            {
                "type": "bash_code_execution_tool_result",
                "tool_use_id": "s",
                "content": {"type": "bash_code_execution_result", "stdout": "1", "stderr": "", "return_code": 0, "content": []},
            },
            ToolResultPart("s", "1"),
        ),
    ],
)
def test_each_type_of_block_is_a_part_whole_and_streamed(sent: dict[str, Any], part: Any) -> None:
    assert whole(sent).parts == streamed(sent).parts == (part,)


def test_blocks_of_an_unknown_type_and_null_texts_say_nothing() -> None:
    blocks: list[dict[str, Any]] = [{"type": "brand_new", "what": 1}, {"type": "text", "text": None}, {"type": None}]
    assert whole(*blocks).parts == streamed(*blocks).parts == ()
    assert (whole(*blocks).unknown, streamed(*blocks).unknown) == (("(body)",), ())


def test_citations_and_signatures_are_no_content() -> None:
    cited = delta(0, "citations_delta", citation={"type": "web_search_result_location", "url": "https://a.example"})
    reader = read(start(), block(0, "text", text=""))
    assert not reader.feed(cited)
    assert not reader.feed(delta(0, "signature_delta", signature="Eq"))
    assert (reader.unknown, reader.answer().parts) == (0, ())


def test_the_input_of_a_servers_tool_is_streamed() -> None:
    begun = block(0, "server_tool_use", id="s", name="web_search", input={})
    parts = [delta(0, "input_json_delta", partial_json=part) for part in ('{"query":', '"x"}')]
    assert read(begun, *parts).answer().parts == (ToolCallPart("s", "web_search", '{"query":"x"}', server=True),)


def test_a_compaction_counts_both_requests() -> None:
    """The counts above `iterations` are those of the second request only."""
    counts = {
        "input_tokens": 300,
        "output_tokens": 40,
        "iterations": [
            {"type": "compaction", "input_tokens": 9000, "output_tokens": 500, "cache_read_input_tokens": 60},
            {"type": "message", "input_tokens": 300, "output_tokens": 40},
        ],
    }
    expected = Usage(input=9300, output=540, cache_read=60)
    stream = [
        start(usage={"input_tokens": 300, "output_tokens": 1}),
        block(0, "compaction", content=None),
        delta(0, "compaction_delta", content="So far."),
        block(1, "text", text=""),
        delta(1, "text_delta", text="Hi"),
        event("message_delta", delta={"stop_reason": "end_turn"}, usage=counts),
    ]
    answer = read(*stream, STOP).answer()
    assert (answer.parts, answer.usage) == ((ReasoningPart("So far."), TextPart("Hi")), expected)
    assert whole(usage=counts).usage == expected


def test_thinking_is_part_of_the_output() -> None:
    counts: dict[str, Any] = {
        "input_tokens": 3,
        "output_tokens": 9,
        "output_tokens_details": {"thinking_tokens": 5},
        "iterations": [],
    }
    assert whole(usage=counts).usage == Usage(input=3, output=9, reasoning=5)


def test_raw_counts_are_the_last_ones_and_null_leaves_the_former() -> None:
    last = event("message_delta", delta={}, usage={"input_tokens": None, "output_tokens": 7, "speed": "fast"})
    answer = read(start(usage={"input_tokens": 5, "output_tokens": 1}), last).answer()
    assert json.loads(answer.raw_usage) == {"input_tokens": 5, "output_tokens": 7, "speed": "fast"}


@pytest.mark.parametrize("reason", ["pause_turn", "refusal", "model_context_window_exceeded", "stop_sequence"])
def test_every_stop_reason_ends_a_choice(reason: str) -> None:
    reader = read(start(), event("message_delta", delta={"stop_reason": reason, "stop_sequence": None}))
    assert (reader.finished_choices, reader.reply().finish_reason) == (True, reason)
    assert whole(stop_reason=reason).finish_reasons == (reason,)


def test_an_error_in_the_middle_keeps_what_came_before() -> None:
    reader = read(*WHOLE_STREAM[:10], SseEvent("error", json.dumps(ERROR)))
    assert (reader.ended, reader.reply().text, reader.reply().error) == (True, "Hello World!", "overloaded_error: Overloaded")


def test_vertex_names_the_model_in_its_path() -> None:
    body = b'{"anthropic_version":"vertex-2023-10-16","max_tokens":9,"stream":true,"messages":[{"role":"user","content":"Hi"}]}'
    path = "/v1/projects/p/locations/l/publishers/anthropic/models/claude-x@1:streamRawPredict"
    assert ANTHROPIC.prompt(body, path) == Prompt(model="claude-x@1", stream=True, last_user_text="Hi", text="Hi", max_tokens=9)
    plain = ANTHROPIC.asked(b'{"messages":[]}', path.replace("streamRawPredict", "rawPredict"))
    assert (plain.model, plain.stream) == ("claude-x@1", False)


@pytest.mark.parametrize(("kind", "compacted"), [("compaction", True), ("thinking", False), ("text", False)])
def test_a_request_with_a_compaction_is_one_of_a_compacted_conversation(kind: str, *, compacted: bool) -> None:
    blocks = [{"type": kind, "content": "So far.", "thinking": "Hm", "text": "Hi"}]
    body = {"messages": [{"role": "assistant", "content": blocks}, {"role": "user", "content": "go on"}]}
    assert ANTHROPIC.asks(json.dumps(body).encode()).compacted is compacted
