from __future__ import annotations

import json
from typing import Any

import pytest

from agentsight_rx.events import Reply, SseEvent, ToolCall, Usage
from agentsight_rx.llm import Prompt, StreamReader, dialect_of, find
from agentsight_rx.llm.dialects.aws.bedrock import BEDROCK

METRICS = {"amazon-bedrock-invocationMetrics": {"inputTokenCount": 9, "outputTokenCount": 2, "invocationLatency": 5}}


def chunk(value: dict[str, Any]) -> SseEvent:
    return SseEvent("chunk", json.dumps(value))


def read(*events: SseEvent) -> StreamReader:
    reader = BEDROCK.reader()
    for event in events:
        reader.feed(event)
    return reader


def ask(model: str, **body: Any) -> Prompt:
    return BEDROCK.prompt(json.dumps(body).encode(), f"/model/{model}/invoke")


VENDORS: dict[str, tuple[dict[str, Any], Reply, list[dict[str, Any]], Reply]] = {
    "llama": (
        {"generation": "Hi there", "prompt_token_count": 9, "generation_token_count": 2, "stop_reason": "stop"},
        Reply(text="Hi there", usage=Usage(9, 2), finish_reason="stop"),
        [
            {"generation": "Hi ", "prompt_token_count": 9, "generation_token_count": 1, "stop_reason": None},
            {"generation": "there", "prompt_token_count": None, "generation_token_count": 2, "stop_reason": None},
            {"generation": "", "prompt_token_count": None, "generation_token_count": 2, "stop_reason": "stop", **METRICS},
        ],
        Reply(text="Hi there", usage=Usage(9, 2), finish_reason="stop"),
    ),
    "mistral text": (
        {"outputs": [{"text": "Hi there", "stop_reason": "stop"}]},
        Reply(text="Hi there", finish_reason="stop"),
        [
            {"outputs": [{"text": "Hi ", "stop_reason": None}]},
            {"outputs": [{"text": "there", "stop_reason": "stop"}], **METRICS},
        ],
        Reply(text="Hi there", usage=Usage(9, 2), finish_reason="stop"),
    ),
    "mistral chat": (
        {
            "choices": [
                {
                    "index": 0,
                    "message": {
                        "role": "assistant",
                        "content": "Hi there",
                        "tool_calls": [{"id": "t", "function": {"name": "ls", "arguments": "{}"}}],
                    },
                    "stop_reason": "tool_calls",
                }
            ]
        },
        Reply(text="Hi there", tool_calls=(ToolCall("t", "ls", "{}"),), finish_reason="tool_calls"),
        [
            {"choices": [{"index": 0, "message": {"role": "assistant", "content": "Hi "}, "stop_reason": None}]},
            {"choices": [{"index": 0, "message": {"role": "assistant", "content": "there"}, "stop_reason": "stop"}], **METRICS},
        ],
        Reply(text="Hi there", usage=Usage(9, 2), finish_reason="stop"),
    ),
    "titan": (
        {
            "inputTextTokenCount": 9,
            "results": [{"tokenCount": 2, "outputText": "Hi there", "completionReason": "FINISH"}],
        },
        Reply(text="Hi there", usage=Usage(9, 2), finish_reason="FINISH"),
        [
            {
                "outputText": "Hi ",
                "index": 0,
                "totalOutputTextTokenCount": None,
                "completionReason": None,
                "inputTextTokenCount": 9,
            },
            {"outputText": "there", "index": 0, "totalOutputTextTokenCount": 2, "completionReason": "FINISH", **METRICS},
        ],
        Reply(text="Hi there", usage=Usage(9, 2), finish_reason="FINISH"),
    ),
    "cohere generate": (
        {"id": "g", "generations": [{"id": "1", "text": "Hi there", "finish_reason": "COMPLETE"}], "prompt": "list"},
        Reply(id="g", text="Hi there", finish_reason="COMPLETE"),
        [{"text": "Hi ", "is_finished": False, "index": 0}, {"is_finished": True, "finish_reason": "COMPLETE", **METRICS}],
        Reply(text="Hi ", usage=Usage(9, 2), finish_reason="COMPLETE"),
    ),
    "cohere chat": (
        {"response_id": "r", "generation_id": "g", "text": "Hi there", "chat_history": [], "finish_reason": "COMPLETE"},
        Reply(id="g", text="Hi there", finish_reason="COMPLETE"),
        [
            {"event_type": "text-generation", "text": "Hi there", "is_finished": False},
            {"event_type": "stream-end", "finish_reason": "COMPLETE", "is_finished": True, **METRICS},
        ],
        Reply(text="Hi there", usage=Usage(9, 2), finish_reason="COMPLETE"),
    ),
    "deepseek text": (
        {"choices": [{"text": "Hi there", "stop_reason": "stop"}]},
        Reply(text="Hi there", finish_reason="stop"),
        [
            {"choices": [{"text": "Hi ", "stop_reason": None}]},
            {"choices": [{"text": "there", "stop_reason": "stop"}], **METRICS},
        ],
        Reply(text="Hi there", usage=Usage(9, 2), finish_reason="stop"),
    ),
}


@pytest.mark.parametrize("vendor", VENDORS)
def test_the_answer_of_each_vendor_is_read(vendor: str) -> None:
    whole, expected, chunks, streamed = VENDORS[vendor]
    assert BEDROCK.response(json.dumps(whole).encode()) == expected
    reader = read(*map(chunk, chunks))
    assert reader.reply() == streamed
    assert (reader.unknown, reader.ended) == (0, True)


def test_claude_streams_its_own_events_and_its_own_counts_come_first() -> None:
    reader = read(
        chunk({"type": "message_start", "message": {"id": "m", "model": "claude-x", "usage": {"input_tokens": 1}}}),
        chunk({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Hi"}}),
        chunk(
            {
                "type": "message_delta",
                "delta": {"stop_reason": "end_turn"},
                "usage": {"output_tokens": 2, "cache_read_input_tokens": 8},
            }
        ),
        chunk({"type": "message_stop", **METRICS}),
    )
    expected = Reply("m", "claude-x", text="Hi", usage=Usage(1, 2, cache_read=8), finish_reason="end_turn")
    assert (reader.reply(), reader.ended, reader.unknown) == (expected, True, 0)


def test_a_cut_stream_has_its_text_and_no_end() -> None:
    reader = read(*map(chunk, VENDORS["llama"][2][:2]))
    assert (reader.reply().text, reader.ended, reader.finished_choices) == ("Hi there", False, False)


def test_the_request_of_each_vendor_is_read() -> None:
    claude = ask(
        "anthropic.claude-x", anthropic_version="bedrock-2023-05-31", max_tokens=5, messages=[{"role": "user", "content": "Hi"}]
    )
    assert claude == Prompt(model="anthropic.claude-x", last_user_text="Hi", text="Hi", max_tokens=5)
    llama = ask("meta.llama", prompt="Hi", max_gen_len=5, top_p=0.5, temperature=1)
    assert llama == Prompt(model="meta.llama", last_user_text="Hi", text="Hi", max_tokens=5, top_p=0.5, temperature=1.0)
    titan = ask(
        "amazon.titan-text", inputText="Hi", textGenerationConfig={"maxTokenCount": 5, "topP": 0.5, "stopSequences": []}
    )
    assert titan == Prompt(model="amazon.titan-text", last_user_text="Hi", text="Hi", max_tokens=5, top_p=0.5)
    cohere = ask("cohere.command-r", message="Hi", chat_history=[], max_tokens=5, p=0.5)
    assert cohere == Prompt(model="cohere.command-r", last_user_text="Hi", text="Hi", max_tokens=5, top_p=0.5)
    chat = ask("mistral.large", messages=[{"role": "user", "content": "Hi"}], max_tokens=5)
    assert chat == Prompt(model="mistral.large", last_user_text="Hi", text="Hi", max_tokens=5)


@pytest.mark.parametrize(
    ("path", "model", "stream"),
    [
        ("/model/anthropic.claude-x-v1%3A0/invoke", "anthropic.claude-x-v1:0", False),
        ("/model/meta.llama/invoke-with-response-stream", "meta.llama", True),
        (
            "/model/arn%3Aaws%3Abedrock%3Aus%3A1%3Ainference-profile%2Fx/invoke",
            "arn:aws:bedrock:us:1:inference-profile/x",
            False,
        ),
    ],
)
def test_the_path_names_the_model_and_says_whether_it_streams(path: str, model: str, stream: bool) -> None:
    assert find("", path) is BEDROCK
    asked = BEDROCK.asked(b'{"prompt":"Hi"}', path)
    assert (asked.model, asked.stream) == (model, stream)


@pytest.mark.parametrize(
    "path",
    [
        "/model/amazon.titan-embed-text-v2%3A0/invoke",
        "/model/cohere.rerank-v3/invoke",
        "/model/meta.llama/count-tokens",
        "/model/meta.llama/async-invoke",
        "/foundation-models",
    ],
)
def test_other_methods_are_no_calls(path: str) -> None:
    assert find("bedrock-runtime.us-east-1.amazonaws.com", path) is None


def test_the_counts_of_a_last_chunk_show_that_it_is_bedrock() -> None:
    assert dialect_of(chunk({"generation": "", "stop_reason": "stop", **METRICS})) is BEDROCK
    assert dialect_of(chunk({"generation": ""})) is None


def test_unknown_events_are_counted() -> None:
    reader = read(chunk({"what": 1}), SseEvent("chunk", "{"), SseEvent("initial-response", "{}"))
    assert (reader.unknown, reader.reply()) == (3, Reply())


def test_the_counts_of_a_plain_answer_may_be_in_its_head() -> None:
    body = b'{"generation":"Hi","stop_reason":"stop"}'
    heads = (
        ("x-amzn-bedrock-input-token-count", "12"),
        ("x-amzn-bedrock-output-token-count", "3"),
        ("x-amzn-bedrock-cache-read-input-token-count", "5"),
        ("x-amzn-bedrock-invocation-latency", "900"),
    )
    assert BEDROCK.read(body, heads).usage == Usage(12, 3, cache_read=5)
    assert BEDROCK.read(body, (("x-amzn-bedrock-output-token-count", "many"),)).usage is None
    counted = b'{"generation":"Hi","prompt_token_count":1,"generation_token_count":2,"stop_reason":"stop"}'
    assert BEDROCK.read(counted, heads).usage == Usage(1, 2)


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b'{"texts":["a"],"input_type":"search_document"}', True),
        (b'{"taskType":"SINGLE_EMBEDDING","singleEmbeddingParams":{}}', True),
        (b'{"inputText":"a","normalize":true}', True),
        (b'{"inputText":"a","textGenerationConfig":{}}', False),
        (b'{"prompt":"a"}', False),
        (b"no", False),
    ],
)
def test_a_request_for_vectors_is_known_by_its_fields(body: bytes, *, expected: bool) -> None:
    assert BEDROCK.embeds is not None
    assert BEDROCK.embeds(body) is expected


def test_an_answer_of_ai21_has_its_reason_in_an_object_and_a_number_as_its_id() -> None:
    body = b'{"id":1234,"completions":[{"data":{"text":"Hi"},"finishReason":{"reason":"endoftext"}}]}'
    reply = BEDROCK.response(body)
    assert (reply.id, reply.text, reply.finish_reason) == ("1234", "Hi", "endoftext")


def test_a_guardrail_that_intervened_ends_a_stream() -> None:
    reader = BEDROCK.reader()
    reader.feed(SseEvent("chunk", '{"outputText":"No.","index":0,"amazon-bedrock-guardrailAction":"INTERVENED"}'))
    assert reader.finished_choices
    assert (reader.reply().text, reader.reply().finish_reason) == ("No.", "guardrail_intervened")
