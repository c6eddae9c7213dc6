from __future__ import annotations

import pytest

from agentsight_rx.events import SseEvent
from agentsight_rx.llm import PROVIDERS, dialect_of, find, provider_label

HOSTS = {
    "api.anthropic.com": "anthropic",
    "API.Anthropic.COM:443": "anthropic",
    "generativelanguage.googleapis.com": "gcp.gen_ai",
    "us-central1-aiplatform.googleapis.com": "gcp.gen_ai",
    "me.openai.azure.com": "azure.ai.openai",
    "api.openai.com": "openai",
    "bedrock-runtime.us-east-1.amazonaws.com": "aws.bedrock",
    "storage.googleapis.com": "storage.googleapis.com",
    "localhost:11434": "localhost:11434",
    "": "",
}


@pytest.mark.parametrize(("host", "label"), HOSTS.items())
def test_a_host_has_a_label(host: str, label: str) -> None:
    assert provider_label(host) == label


PATHS = {
    "/v1/messages": "anthropic",
    "/v1/messages?beta=true": "anthropic",
    "/proxy/anthropic/v1/messages/": "anthropic",
    "http://proxy/v1/messages": "anthropic",
    "/v1/projects/p/locations/l/publishers/anthropic/models/claude-x@1:streamRawPredict": "anthropic",
    "/v1/messages/count_tokens?beta=true": None,
    "/v1/messages/batches": None,
    "/v1/messages/batches/msgbatch_1/results": None,
    "/v1/chat/completions": "openai",
    "/api/paas/v4/chat/completions": "openai",
    "/openai/deployments/gpt/chat/completions?api-version=1": "openai",
    "/v1/completions?x": "openai",
    "/v1/chat/completions/chatcmpl-a/messages": None,
    "/v1/batches": None,
    "/v1/embeddings": None,
    "/search?next=/v1/messages": None,
    "/": None,
    "": None,
}


@pytest.mark.parametrize(("path", "name"), PATHS.items())
@pytest.mark.parametrize("host", ["api.anthropic.com", "api.openai.com", "localhost"])
def test_the_path_decides(path: str, name: str | None, host: str) -> None:
    found = find(host, path)
    assert (found and found.name) == name


EVENTS = [
    ("message_start", '{"type":"message_start","message":{"id":"m"}}', "anthropic"),
    ("message", '{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"x"}}', "anthropic"),
    ("error", '{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}', "anthropic"),
    ("ping", '{"type":"ping"}', None),
    ("message", '{"id":"c","object":"chat.completion.chunk","choices":[]}', "openai"),
    ("message", '{"error":{"type":"server_error","message":"Sorry"}}', "openai"),
    ("message", '{"error":{"code":429,"message":"Slow down","status":"RESOURCE_EXHAUSTED"}}', None),
    ("message", "[DONE]", None),
    ("message", '{"jsonrpc":"2.0","id":1,"result":{}}', None),
    ("response.created", '{"type":"response.created","response":{}}', None),
    ("message", '{"candidates":[]}', None),
    ("message", "hello", None),
]


@pytest.mark.parametrize(("kind", "data", "name"), EVENTS)
def test_an_event_tells_its_dialect_where_only_one_provider_sends_it(kind: str, data: str, name: str | None) -> None:
    found = dialect_of(SseEvent(kind, data))
    assert (found and found.name) == name


def test_names_are_unique_and_readers_are_new() -> None:
    assert len({provider.name for provider in PROVIDERS}) == len(PROVIDERS)
    for provider in PROVIDERS:
        first = provider.reader()
        first.feed(SseEvent("error", "gone"))
        assert first.ended
        assert not provider.reader().ended
