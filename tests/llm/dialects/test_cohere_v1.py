from __future__ import annotations

import json
from typing import Any

from agentsight_rx.events import SseEvent, ToolCall
from agentsight_rx.llm import StreamReader, find
from agentsight_rx.llm.canonical import Message, ReasoningPart, TextPart, ToolCallPart, ToolResultPart
from agentsight_rx.llm.dialects.cohere_v1 import COHERE_V1
from agentsight_rx.llm.dialects.openai.chat import OPENAI_CHAT


def event(kind: str, **fields: Any) -> SseEvent:
    return SseEvent("message", json.dumps({"event_type": kind, "is_finished": kind == "stream-end", **fields}))


def read(*events: SseEvent) -> StreamReader:
    reader = COHERE_V1.reader()
    for each in events:
        reader.feed(each)
    return reader


def test_pieces_of_calls_and_the_whole_calls_behind_them_are_the_same_calls() -> None:
    reader = read(
        event("tool-calls-chunk", tool_call_delta={"text": "I will."}),
        event("tool-calls-chunk", tool_call_delta={"index": 0, "name": "ls"}),
        event("tool-calls-chunk", tool_call_delta={"index": 0, "parameters": '{"a":'}),
        event("tool-calls-chunk", tool_call_delta={"index": 0, "parameters": "1}"}),
    )
    assert reader.reply().tool_calls == (ToolCall("ls-0", "ls", '{"a":1}'),)
    reader.feed(event("tool-calls-generation", tool_calls=[{"name": "ls", "parameters": {"a": 1}}]))
    assert reader.answer().parts == (ReasoningPart("I will."), ToolCallPart("ls-0", "ls", '{"a": 1}'))


def test_the_end_says_the_answer_where_nothing_came_before() -> None:
    reader = read(event("stream-end", finish_reason="COMPLETE", response={"generation_id": "g", "text": "Hi"}))
    assert (reader.reply().text, reader.reply().id, reader.ended) == ("Hi", "g", True)


def test_citations_and_searches_are_no_content() -> None:
    kinds = ("citation-generation", "search-queries-generation", "search-results", "debug")
    reader = COHERE_V1.reader()
    assert not any(reader.feed(event(kind)) for kind in kinds)
    assert reader.unknown == 0


def test_results_answer_calls_in_order() -> None:
    results: Any = [
        {"call": {"name": "ls", "parameters": {}}, "outputs": [{"files": 2}]},
        {"call": {"name": "ls", "parameters": {"a": 1}}, "outputs": []},
    ]
    history: Any = [
        {"role": "USER", "message": "list"},
        {
            "role": "CHATBOT",
            "message": "",
            "tool_calls": [{"name": "ls", "parameters": {}}, {"name": "ls", "parameters": {"a": 1}}],
        },
    ]
    asked = COHERE_V1.asks(json.dumps({"message": "", "chat_history": history, "tool_results": results}).encode())
    assert asked.messages == (
        Message("user", (TextPart("list"),)),
        Message("assistant", (ToolCallPart("ls-0", "ls", "{}"), ToolCallPart("ls-1", "ls", '{"a": 1}'))),
        Message("tool", (ToolResultPart("ls-0", '[{"files": 2}]'), ToolResultPart("ls-1", "[]"))),
    )


def test_a_host_that_speaks_openais_chat_at_the_same_path_is_another() -> None:
    assert find("api.cohere.com", "/v1/chat") is COHERE_V1
    assert find("api.writer.com", "/v1/chat") is OPENAI_CHAT
