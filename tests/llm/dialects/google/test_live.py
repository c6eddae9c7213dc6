from __future__ import annotations

import json
from typing import Any

import pytest

from agentsight_rx.events import Reply, SseEvent, ToolCall, Usage
from agentsight_rx.llm import StreamReader, find
from agentsight_rx.llm.canonical import MediaPart, Message, TextPart, ToolResultPart
from agentsight_rx.llm.dialects.google.live import GEMINI_LIVE

SOUND = {"inlineData": {"mimeType": "audio/pcm;rate=24000", "data": "aGk="}}


def read(*messages: dict[str, Any]) -> StreamReader:
    reader = GEMINI_LIVE.reader()
    for message in messages:
        reader.feed(SseEvent("serverContent", json.dumps(message)))
    return reader


def content(**fields: Any) -> dict[str, Any]:
    return {"serverContent": fields}


def test_spoken_words_are_text_and_their_sound_is_one_part() -> None:
    reader = read(
        content(inputTranscription={"text": "Hello?"}),
        content(modelTurn={"parts": [SOUND]}),
        content(outputTranscription={"text": "Hi "}),
        content(modelTurn={"parts": [SOUND]}),
        content(outputTranscription={"text": "there"}),
        content(generationComplete=True),
        content(turnComplete=True),
    )
    assert reader.answer().parts == (TextPart("Hi there"), MediaPart("audio", "audio/pcm;rate=24000", size=8))
    assert (reader.ended, reader.reply().finish_reason, reader.unknown) == (True, "turn_complete", 0)


def test_an_interrupted_turn_says_so() -> None:
    reader = read(content(modelTurn={"parts": [{"text": "Hi"}]}), content(interrupted=True), content(turnComplete=True))
    assert (reader.ended, reader.reply().finish_reason) == (True, "interrupted")


def test_a_call_ends_a_turn_that_waits_for_its_result() -> None:
    reader = read({"toolCall": {"functionCalls": [{"id": "t", "name": "ls", "args": {"a": 1}}, {"name": "pwd", "args": {}}]}})
    assert (reader.ended, reader.finished_choices) == (False, True)
    assert reader.reply().tool_calls == (ToolCall("t", "ls", '{"a": 1}'), ToolCall("pwd-1", "pwd", "{}"))


def test_messages_of_the_connection_are_known_and_say_nothing() -> None:
    quiet: list[dict[str, Any]] = [
        {"setupComplete": {}},
        {"toolCallCancellation": {"ids": ["t"]}},
        {"goAway": {"timeLeft": "1s"}},
    ]
    reader = read(*quiet, {"sessionResumptionUpdate": {"newHandle": "h"}}, {"brandNew": 1})
    assert (reader.reply(), reader.unknown) == (Reply(), 1)


def test_counts_of_tokens_may_come_in_a_message_of_their_own() -> None:
    reader = read(content(turnComplete=True), {"usageMetadata": {"promptTokenCount": 9, "responseTokenCount": 2}})
    assert reader.reply().usage == Usage(9, 2)


def test_sound_that_was_left_out_has_its_size() -> None:
    blob = {"mimeType": "audio/pcm", "data": {"omitted_bytes": 320}}
    body = {"contents": [{"role": "user", "parts": [{"inlineData": blob}]}]}
    asked = GEMINI_LIVE.asks(json.dumps(body).encode())
    assert asked.messages == (Message("user", (MediaPart("audio", "audio/pcm", size=320),)),)
    assert asked.unknown == ()


@pytest.mark.parametrize(
    "results",
    [
        [{"id": "t", "name": "ls", "response": {"output": "a"}}],
        [{"functionResponses": [{"id": "t", "name": "ls", "response": {"output": "a"}}]}],
    ],
)
def test_results_of_tools_are_a_message(results: Any) -> None:
    asked = GEMINI_LIVE.asks(json.dumps({"toolResponses": results}).encode())
    assert asked.messages == (Message("tool", (ToolResultPart("t", "a"),)),)


@pytest.mark.parametrize(
    "path",
    [
        "/ws/google.ai.generativelanguage.v1beta.GenerativeService.BidiGenerateContent?key=k",
        "/ws/google.ai.generativelanguage.v1alpha.GenerativeService.BidiGenerateContentConstrained?access_token=t",
        "/ws/google.cloud.aiplatform.v1beta1.LlmBidiService/BidiGenerateContent",
    ],
)
def test_both_clouds_are_found(path: str) -> None:
    assert find("", path) is GEMINI_LIVE
