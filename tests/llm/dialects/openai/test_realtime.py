from __future__ import annotations

import json
from typing import Any

import pytest

from agentsight_rx.events import SseEvent
from agentsight_rx.llm import StreamReader
from agentsight_rx.llm.canonical import MediaPart, Message, TextPart
from agentsight_rx.llm.dialects.openai.realtime import OPENAI_REALTIME


def event(kind: str, **fields: Any) -> SseEvent:
    return SseEvent("message", json.dumps({"type": kind, "event_id": "e", **fields}))


def read(*events: SseEvent) -> StreamReader:
    reader = OPENAI_REALTIME.reader()
    for each in events:
        reader.feed(each)
    return reader


@pytest.mark.parametrize("family", ["output_text", "text", "output_audio_transcript", "audio_transcript"])
def test_text_has_the_names_of_both_versions(family: str) -> None:
    where = {"item_id": "i", "output_index": 0, "content_index": 0}
    deltas = [event(f"response.{family}.delta", delta=text, **where) for text in ("Hi ", "there")]
    assert read(*deltas).reply().text == "Hi there"
    whole = {"transcript" if "transcript" in family else "text": "Hi, there"}
    assert read(*deltas, event(f"response.{family}.done", **where, **whole)).reply().text == "Hi, there"


def test_sound_is_content_and_keeps_its_size() -> None:
    where = {"item_id": "i", "output_index": 0, "content_index": 0}
    reader = OPENAI_REALTIME.reader()
    assert reader.feed(event("response.output_audio.delta", delta="AAAA", **where))
    assert reader.feed(event("response.audio.delta", delta="AA", **where))
    assert reader.answer().parts == (MediaPart("audio", size=6),)


@pytest.mark.parametrize(
    ("status", "details", "reason", "error"),
    [
        ("completed", None, "stop", None),
        ("cancelled", {"type": "cancelled", "reason": "turn_detected"}, "cancelled", None),
        ("incomplete", {"type": "incomplete", "reason": "max_output_tokens"}, "max_output_tokens", None),
        ("failed", {"type": "failed", "error": {"type": "server_error", "message": "Sorry"}}, "error", "server_error: Sorry"),
    ],
)
def test_done_says_how_a_response_ended(status: str, details: Any, reason: str, error: str | None) -> None:
    reader = read(event("response.done", response={"id": "r", "status": status, "status_details": details, "output": []}))
    assert (reader.ended, reader.reply().finish_reason, reader.reply().error) == (True, reason, error)


def test_what_is_said_about_the_session_is_known_and_other_events_are_not() -> None:
    known = ["session.updated", "conversation.item.done", "input_audio_buffer.speech_started", "rate_limits.updated"]
    assert read(*map(event, known)).unknown == 0
    assert read(event("message_start"), SseEvent("message", "{")).unknown == 2


def test_a_response_may_have_its_own_instructions_tools_and_input() -> None:
    said = [{"type": "message", "role": "user", "content": [{"type": "input_audio", "audio": "AAAA"}]}]
    session = {"model": "gpt-realtime", "instructions": "a", "temperature": 0.5, "tools": [{"type": "function", "name": "f"}]}
    body: dict[str, Any] = {"type": "response.create", "session": session, "items": said}
    asked = OPENAI_REALTIME.asks(json.dumps(body).encode())
    assert asked.messages == (Message("system", (TextPart("a"),)), Message("user", (MediaPart("audio", size=4),)))
    assert (asked.model, asked.stream, [tool.name for tool in asked.tools]) == ("gpt-realtime", True, ["f"])
    own = {"instructions": "b", "input": [], "tools": [{"type": "function", "name": "g"}], "max_output_tokens": 9}
    asked = OPENAI_REALTIME.asks(json.dumps({**body, "response": own}).encode())
    assert asked.messages == (Message("system", (TextPart("b"),)),)
    assert ([tool.name for tool in asked.tools], asked.parameters.max_tokens, asked.parameters.temperature) == (["g"], 9, 0.5)
