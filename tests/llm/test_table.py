from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agentsight_rx.events import Reply, SseEvent, Usage
from agentsight_rx.llm import PROVIDERS, Prompt, StreamReader, dialect_of, find, provider_at, provider_label

HOSTS = {
    "api.anthropic.com": "anthropic",
    "API.Anthropic.COM:443": "anthropic",
    "generativelanguage.googleapis.com": "gcp.gemini",
    "us-central1-aiplatform.googleapis.com": "gcp.vertex_ai",
    "aiplatform.googleapis.com": "gcp.vertex_ai",
    "me.openai.azure.com": "azure.ai.openai",
    "api.openai.com": "openai",
    "chatgpt.com": "openai",
    "cloudcode-pa.googleapis.com": "gcp.gen_ai",
    "bedrock-runtime.us-east-1.amazonaws.com": "aws.bedrock",
    "vpce-1.bedrock-runtime.us-east-1.vpce.amazonaws.com": "aws.bedrock",
    "runtime.sagemaker.eu-west-1.amazonaws.com": "aws.sagemaker",
    "bucket.s3.amazonaws.com": "bucket.s3.amazonaws.com",
    "me.services.ai.azure.com": "azure.ai.inference",
    "api.groq.com": "groq",
    "api.x.ai": "x_ai",
    "notx.ai": "notx.ai",
    "codestral.mistral.ai": "mistral_ai",
    "api.deepseek.com": "deepseek",
    "api.perplexity.ai": "perplexity",
    "api.moonshot.cn": "moonshot_ai",
    "api.cohere.com": "cohere",
    "us-south.ml.cloud.ibm.com": "ibm.watsonx.ai",
    "openrouter.ai:443": "openrouter",
    "api.together.xyz": "together_ai",
    "api.fireworks.ai": "fireworks_ai",
    "api.cerebras.ai.": "cerebras",
    "storage.googleapis.com": "storage.googleapis.com",
    "localhost:11434": "localhost:11434",
    "": "",
}


@pytest.mark.parametrize(("host", "label"), HOSTS.items())
def test_a_host_has_a_label(host: str, label: str) -> None:
    assert provider_label(host) == label


def test_a_provider_is_the_host_s_and_elsewhere_what_is_spoken_there() -> None:
    anthropic, chat = PROVIDERS[0], next(each for each in PROVIDERS if each.name == "openai")
    spoken = {
        ("api.anthropic.com", anthropic): "anthropic",
        ("bedrock-runtime.us-east-1.amazonaws.com", anthropic): "aws.bedrock",
        ("127.0.0.1:8443", anthropic): "anthropic",
        ("127.0.0.1:8443", chat): "openai",
        ("api.groq.com", chat): "groq",
        (None, chat): "openai",
    }
    assert spoken == {(host, dialect): provider_at(host, dialect) for host, dialect in spoken}


PATHS = {
    "/v1/messages": "anthropic",
    "/v1/messages?beta=true": "anthropic",
    "/proxy/anthropic/v1/messages/": "anthropic",
    "http://proxy/v1/messages": "anthropic",
    "/v1/projects/p/locations/l/publishers/anthropic/models/claude-x@1:streamRawPredict": "anthropic",
    "/v1/messages/count_tokens?beta=true": None,
    "/v1/responses": "openai_responses",
    "/backend-api/codex/responses": "openai_responses",
    "/openai/responses?api-version=2025-04-01-preview": "openai_responses",
    "/openai/v1/responses": "openai_responses",
    "/openai/deployments/gpt/responses?api-version=1": "openai_responses",
    "/responses": "openai_responses",
    "/v1/responses/compact": "openai_responses",
    "/v1/responses/resp_1": None,
    "/v1/responses/resp_1/cancel": None,
    "/v1/responses/input_tokens": None,
    "/surveys/7/responses": None,
    "/v1beta/models/gemini-x:generateContent": "gemini",
    "/v1beta/models/gemini-x:streamGenerateContent?alt=sse": "gemini",
    "/v1internal:streamGenerateContent?alt=sse": "gemini",
    "/v1/projects/p/locations/l/publishers/google/models/gemini-x:generateContent": "gemini",
    "/v1beta/models/gemini-x:countTokens": None,
    "/v1beta/models/gemini-x:batchGenerateContent": None,
    "/v1beta/models": None,
    "/mcp": None,
    "/v1/messages/batches": None,
    "/v1/messages/batches/msgbatch_1/results": None,
    "/v1/chat/completions": "openai",
    "/api/paas/v4/chat/completions": "openai",
    "/openai/deployments/gpt/chat/completions?api-version=1": "openai",
    "/v1/completions?x": "openai",
    "/v1/chat/completions/chatcmpl-a/messages": None,
    "/v1/fim/completions": "openai",
    "/v1/agents/completions": "openai",
    "/beta/completions": "openai",
    "/any/prefix/chat/completions": "openai",
    "/ml/v1/text/chat?version=2025-02-11": "openai",
    "/ml/v1/text/chat_stream?version=2025-02-11": "openai",
    "/ml/v1/deployments/d/text/chat_stream": "openai",
    "/ml/v1/text/generation?version=2025-02-11": "watsonx",
    "/ml/v1/deployments/d/text/generation_stream": "watsonx",
    "/ml/v1/text/embeddings": None,
    "/ml/v1/text/tokenization": None,
    "/generate": "tgi",
    "/generate_stream": "tgi",
    "http://proxy/generate_stream": "tgi",
    "/reports/generate": None,
    "/api/v3/responses": "openai_responses",
    "/llm-gateway/responses": "openai_responses",
    "/v1/realtime?model=gpt-realtime": "openai_realtime",
    "/openai/realtime?deployment=gpt": "openai_realtime",
    "/v1/realtime/client_secrets": None,
    "/v1/realtime/calls": None,
    "/v1/conversations": None,
    "/v1/models": None,
    "/v1/files": None,
    "/v1/moderations": None,
    "/v1/images/generations": None,
    "/v1/audio/speech": None,
    "/v1/batches": None,
    "/v1/embeddings": None,
    "/search?next=/v1/messages": None,
    "/": None,
    "": None,
}


@pytest.mark.parametrize(("path", "name"), PATHS.items())
@pytest.mark.parametrize("host", ["api.anthropic.com", "api.openai.com", "generativelanguage.googleapis.com", "localhost"])
def test_the_path_decides(path: str, name: str | None, host: str) -> None:
    found = find(host, path)
    assert (found and found.name) == name


def test_a_path_that_is_common_is_a_call_only_at_the_hosts_of_its_provider() -> None:
    for path in ("/v1/conversations", "/v1/conversations/conv_1", "/v1/conversations/conv_1/restart"):
        found = find("api.mistral.ai", path)
        assert found is not None
        assert found.name == "mistral_conversations"
        assert find("api.openai.com", path) is find("localhost", path) is None
    assert find("api.mistral.ai", "/v1/conversations/conv_1/history") is None


def test_where_two_vendors_have_a_path_the_host_decides() -> None:
    found = {host: find(host, "/v1/chat") for host in ("api.writer.com", "api.cohere.com", "localhost")}
    assert {host: provider and provider.name for host, provider in found.items()} == {
        "api.writer.com": "openai",
        "api.cohere.com": "cohere_v1",
        "localhost": "cohere_v1",
    }


@pytest.mark.parametrize(
    ("path", "polled"),
    [
        ("/v1/responses/resp_1", ("openai_responses", "resp_1")),
        ("/openai/v1/responses/resp_1?stream=true&starting_after=7", ("openai_responses", "resp_1")),
        ("/v1/responses/resp_1/input_items", None),
        ("/v1/chat/completions/chatcmpl-1", None),
    ],
)
def test_a_get_may_ask_how_far_an_answer_is(path: str, polled: tuple[str, str] | None) -> None:
    found = [(provider.name, asked) for provider in PROVIDERS if (asked := provider.polled(path))]
    assert found == ([] if polled is None else [polled])


EVENTS = [
    ("message_start", '{"type":"message_start","message":{"id":"m"}}', "anthropic"),
    ("message", '{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"x"}}', "anthropic"),
    ("error", '{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}', "anthropic"),
    ("ping", '{"type":"ping"}', None),
    ("message", '{"id":"c","object":"chat.completion.chunk","choices":[]}', "openai"),
    ("message", '{"error":{"type":"server_error","message":"Sorry"}}', "openai"),
    ("message", '{"error":{"code":429,"message":"Slow down","status":"RESOURCE_EXHAUSTED"}}', None),
    ("message", "[DONE]", None),
    ("message", '{"jsonrpc":"2.0","id":1,"result":{}}', "mcp"),
    ("message", '{"method":"notifications/progress","jsonrpc":"2.0","params":{"type":5}}', "mcp"),
    ("message", '{"jsonrpc":"2.0","id":1,"error":{"code":-32601,"message":"No"}}', "mcp"),
    ("message", '{"jsonrpc":"1.0","id":1,"result":{}}', None),
    ("message", '{"jsonrpc":2,"id":1}', None),
    ("response.created", '{"type":"response.created","response":{}}', "openai_responses"),
    ("message", '{"type":"response.output_text.delta","delta":"x"}', "openai_responses"),
    ("message", '{"type":"error","status":400,"error":{"type":"invalid_request_error","message":"No"}}', "openai_responses"),
    ("message", '{"type":"error","error":{"code":"x","message":"No"}}', "openai_responses"),
    ("error", '{"type":"error","code":"server_error","message":"Sorry","sequence_number":3}', "openai_responses"),
    ("message", '{"candidates":[]}', "gemini"),
    ("message", '{"usageMetadata":{"promptTokenCount":1}}', "gemini"),
    ("message", '{"promptFeedback":{"blockReason":"SAFETY"}}', "gemini"),
    ("message", '{"response":{"candidates":[]},"traceId":"t"}', "gemini"),
    ("message", '{"response":{"usageMetadata":{}}}', "gemini"),
    ("message", '{"model":"llama","response":"Hi","done":false}', None),
    ("message", ' \n{"choices":[{"index":0,"delta":{"content":"\\ud83d"}}]}', "openai"),
    ("message", '{"choices":[],"prompt_filter_results":[]}', "openai"),
    ("message", '{"choices":"none"}', None),
    ("message", '{"type":7}', None),
    ("message", '{"type":"error","message":"Sorry"}', None),
    ("message", '{"type":"response.done","event_id":"e","response":{}}', "openai_realtime"),
    ("message", '{"type":"session.created","event_id":"e","session":{}}', "openai_realtime"),
    ("message", '{"type":"error","event_id":"e","error":{"type":"x","code":"y","message":"No"}}', "openai_realtime"),
    ("message", '{"type":"message.output.delta","content":"x"}', "mistral_conversations"),
    ("message", '{"model_id":"m","results":[{"generated_text":"x"}]}', "watsonx"),
    ("message", '{"index":1,"token":{"id":1,"text":"x"},"generated_text":null}', "tgi"),
    ("message", "{", None),
    ("message", "[1]", None),
    ("message", "", None),
    ("message", "hello", None),
]


@pytest.mark.parametrize(("kind", "data", "name"), EVENTS)
def test_an_event_that_only_one_provider_sends_identifies_its_dialect(kind: str, data: str, name: str | None) -> None:
    found = dialect_of(SseEvent(kind, data))
    assert (found and found.name) == name


def test_every_dialect_is_in_the_documentation() -> None:
    page = (Path(__file__).parents[2] / "docs" / "providers.md").read_text()
    assert {provider.name for provider in PROVIDERS} == set(re.findall(r"(?:^|\. )`(\w+)`: ", page, re.MULTILINE))


def test_names_are_unique_and_readers_are_new() -> None:
    assert len({provider.name for provider in PROVIDERS}) == len(PROVIDERS)
    for provider in PROVIDERS:
        first = provider.reader()
        first.feed(SseEvent("error", "gone"))
        assert first.ended
        assert not provider.reader().ended


def test_a_path_may_name_the_model_and_say_that_the_answer_streams() -> None:
    paths = {
        "/v1/projects/p/locations/l/publishers/anthropic/models/claude-x%401:streamRawPredict": ("claude-x@1", True),
        "/v1/projects/p/locations/l/publishers/anthropic/models/claude-x:rawPredict": ("claude-x", False),
        "/openai/deployments/gpt/chat/completions?api-version=1": ("gpt", False),
        "/openai/deployments/gpt/responses": ("gpt", False),
        "/v1/chat/completions": ("", False),
        "/ml/v1/text/chat_stream": ("", True),
        "/generate_stream": ("", True),
    }
    for path, expected in paths.items():
        provider = find("", path)
        assert provider is not None
        prompt = provider.prompt(b"{}", path)
        assert (prompt.model, prompt.stream) == expected
        assert provider.prompt(b'{"model":"m"}', path).model == "m"


def test_a_path_may_name_the_conversation() -> None:
    named = {"/v1/conversations/conv_1": "conv_1", "/v1/conversations": None}
    for path, expected in named.items():
        provider = find("api.mistral.ai", path)
        assert provider is not None
        assert provider.prompt(b"{}", path).conversation_id == expected


def answer(*data: str) -> StreamReader:
    """The reply that the provider which recognises the stream reads in it."""
    events = [SseEvent("message", each) for each in data]
    provider = next(found for each in events if (found := dialect_of(each)))
    reader = provider.reader()
    for each in events:
        reader.feed(each)
    return reader


def said(text: str, **fields: object) -> str:
    return json.dumps({"id": "c", "choices": [{"index": 0, "delta": {"content": text}, "finish_reason": None}], **fields})


COUNTS = {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}
LAST = '{"id":"c","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}'
TOTAL = json.dumps({"id": "c", "choices": [], "usage": COUNTS})


@pytest.mark.parametrize(
    ("stream", "usage"),
    [
        ([said("a"), said("b"), LAST, TOTAL, "[DONE]"], Usage(3, 2)),
        ([said("a"), said("b"), LAST, "[DONE]"], None),
        ([said("a", usage=None), said("b", usage=None), LAST, TOTAL, "[DONE]"], Usage(3, 2)),
        ([said("a", usage={**COUNTS, "completion_tokens": 1}), said("b", usage=COUNTS), LAST, "[DONE]"], Usage(3, 2)),
    ],
    ids=["include_usage", "without", "null", "in each chunk"],
)
def test_e3_usage_of_a_chat_is_read_at_any_place(stream: list[str], usage: Usage | None) -> None:
    reader = answer(*stream)
    assert reader.reply() == Reply(id="c", text="ab", usage=usage, finish_reason="stop")
    assert (reader.ended, reader.unknown) == (True, 0)
    early = [each for number in range(len(stream)) if (each := answer(*stream[: number + 1])).ended]
    assert len(early) == 1, "only its end mark ends it"


MCP = [
    '{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":1,"progress":1}}',
    '{"jsonrpc":"2.0","id":"s1","method":"sampling/createMessage","params":{}}',
    '{"jsonrpc":"2.0","id":1,"result":{"content":[{"type":"text","text":"ok"}],"isError":false}}',
]


def test_vector_6_16_mcp_over_sse_is_recognised_and_is_not_a_call_to_a_model() -> None:
    reader = answer(*MCP)
    assert reader.reply() == Reply()
    assert (reader.ended, reader.unknown) == (True, 0)
    mcp = dialect_of(SseEvent("message", MCP[0]))
    assert mcp is not None
    assert (mcp.name, mcp.is_call("/mcp"), mcp.prompt(MCP[0].encode(), "/mcp")) == ("mcp", False, Prompt())
    assert [provider.name for provider in PROVIDERS if provider.path is None] == ["mcp"]


def test_e6_a_stream_of_mcp_may_end_after_any_message() -> None:
    assert not answer(MCP[0]).ended
    assert answer(MCP[0]).finished_choices
    assert answer(*MCP[:2]).finished_choices
    reader = answer(MCP[0], "{", '{"jsonrpc":"1.0"}')
    assert (reader.unknown, reader.feed(SseEvent("message", MCP[2])), reader.reply().finish_reason) == (2, False, None)


@pytest.mark.parametrize(
    ("last", "error"),
    [
        ('{"jsonrpc":"2.0","id":1,"error":{"code":-32602,"message":"Unknown tool","data":[1]}}', "-32602: Unknown tool"),
        ('{"jsonrpc":"2.0","id":1,"result":{"isError":true,"content":[{"type":"text","text":"No"},{"type":"image"}]}}', "No"),
        ('{"jsonrpc":"2.0","id":1,"result":{"isError":true}}', "error"),
        ('{"jsonrpc":"2.0","id":1,"result":[1]}', None),
    ],
)
def test_e6_an_error_of_mcp_is_reported_streamed_or_not(last: str, error: str | None) -> None:
    reader = answer(*MCP[:2], last)
    assert (reader.reply(), reader.ended) == (Reply(error=error), True)
    mcp = dialect_of(SseEvent("message", last))
    assert mcp is not None
    assert mcp.response(last.encode()) == Reply(error=error)
    assert mcp.response(b"{") == Reply()


@given(
    st.recursive(
        st.one_of(st.none(), st.integers(), st.text(max_size=3), st.sampled_from(["error", "response.x", "2.0"])),
        lambda inner: st.one_of(
            st.lists(inner, max_size=3),
            st.dictionaries(
                st.sampled_from(["type", "error", "code", "message", "status", "choices", "candidates", "response", "jsonrpc"])
                | st.sampled_from(["result", "isError", "content", "text", "delta", "usage", "usageMetadata", "index"]),
                inner,
                max_size=5,
            ),
        ),
        max_leaves=15,
    )
)
@settings(max_examples=150, deadline=None)
def test_no_event_makes_a_provider_raise(value: object) -> None:
    event = SseEvent("message", json.dumps(value))
    dialect_of(event)
    for provider in PROVIDERS:
        provider.reader().feed(event)
        provider.prompt(event.data.encode(), "/x")
        provider.response(event.data.encode())
