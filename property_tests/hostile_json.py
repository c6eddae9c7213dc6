"""Strategies of requests and answers of models that are any JSON, or nearly."""

from __future__ import annotations

import json

from hypothesis import strategies as st

from agentsight_rx.events import Event, Reply, SseEvent, SseMessage
from agentsight_rx.llm import provider_named
from property_tests.fold_strategies import AGENTS, MS, START_NS, answers, asks, connection_of, origin_of

__all__ = ["hostile_calls"]

_FIELDS = [
    "model", "messages", "role", "content", "type", "text", "input", "tools", "name", "usage", "id", "choices", "delta",
    "message", "tool_calls", "function", "arguments", "contents", "parts", "candidates", "usageMetadata", "error", "response",
    "output", "tool_use_id", "is_error", "input_tokens", "output_tokens", "prompt_tokens", "max_tokens", "metadata", "user_id",
    "session_id", "conversation", "previous_response_id", "system", "stream", "index", "status", "background",
]  # fmt: skip
_WORDS = ["", "user", "assistant", "tool_use", "tool_result", "text", "message_start", "\ud83d", "queued", "x" * 70_000]
_json = st.recursive(
    st.none() | st.booleans() | st.sampled_from([0, -1, 2**63, 2**200, 1e300, 0.5, -0.0]) | st.sampled_from(_WORDS),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(_FIELDS), inner, max_size=6),
    max_leaves=12,
)
_DEEP = 20_000
_raw = st.one_of(
    _json.map(lambda value: json.dumps(value).encode()),
    _json.map(lambda value: json.dumps(value).encode()[:-1]),
    st.dictionaries(st.sampled_from(_FIELDS), _json, min_size=1, max_size=8).map(lambda value: json.dumps(value).encode()),
    st.sampled_from(
        [b"[" * _DEEP, b'{"messages":' * _DEEP, b'{"messages":[{"content":' + b"[" * _DEEP, b"NaN", b"\xff\xfe", b"\0"]
    ),
)
# A path of each dialect, and one of none
_DIALECTS = (
    ("anthropic", "/v1/messages"),
    ("openai", "/v1/chat/completions"),
    ("openai", "/v1/completions"),
    ("openai_responses", "/v1/responses"),
    ("gemini", "/v1beta/models/gemini-2:streamGenerateContent"),
    ("bedrock", "/model/claude/invoke"),
    ("bedrock_converse", "/model/claude/converse"),
    ("ollama", "/api/chat"),
    ("cohere", "/v2/chat"),
    ("mistral_conversations", "/v1/conversations"),
    ("", "/anything"),
)


@st.composite
def hostile_calls(draw: st.DrawFn) -> list[Event]:
    """Requests and answers of any dialect, of which nothing but their JSON is wrong."""
    events: list[Event] = []
    connection = connection_of(AGENTS[0], 3)
    for exchange in range(1, draw(st.integers(1, 3)) + 1):
        dialect, target = draw(st.sampled_from(_DIALECTS))
        time_ns = START_NS + exchange * MS
        events.append(asks(connection, exchange, draw(_raw), target)(time_ns))
        if draw(st.booleans()):
            events.append(answers(connection, exchange, draw(st.sampled_from([200, 400])), draw(_raw))(time_ns))
            continue
        provider = provider_named(dialect)
        said = tuple(SseEvent("message", each.decode("utf-8", "replace")) for each in draw(st.lists(_raw, max_size=3)))
        reader = provider.reader() if provider else None
        if reader is not None:
            reader.feed_all(said)
        at = origin_of(time_ns, connection.pid, connection)
        reply = reader.reply() if reader else Reply()
        events.append(SseMessage(at, exchange, dialect, reply, said, time_ns, status=200))
    return events
