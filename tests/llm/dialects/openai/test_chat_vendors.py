"""Chat Completions as vendors other than OpenAI spell it, and its rarer parts."""

from __future__ import annotations

import json
from typing import Any

import pytest

from agentsight_rx.events import Reply, SseEvent, ToolCall
from agentsight_rx.llm.canonical import MediaPart, Message, TextPart, ToolCallPart
from agentsight_rx.llm.dialects.openai.chat import OPENAI_CHAT
from tests.llm.dialects.openai.test_chat import DONE, END, call, choice, chunk, read

THOUGHTS = {"type": "thinking", "thinking": [{"type": "text", "text": "Hm. "}, {"type": "text", "text": "So."}]}
PIECES = [
    THOUGHTS,
    {"type": "text", "text": "Hello "},
    {"type": "reference", "reference_ids": [1]},
    {"type": "text", "text": "World!"},
]


def whole(**message: Any) -> Reply:
    return OPENAI_CHAT.response(json.dumps({"choices": [{"index": 0, "message": message}]}).encode())


def test_thoughts_that_are_pieces_of_the_content_are_thoughts() -> None:
    said = whole(content=PIECES)
    assert (said.thinking, said.text, said.unknown) == ("Hm. So.", "Hello World!", ())
    assert whole(content=[{"type": "thinking", "thinking": "Hm."}]).thinking == "Hm."
    reader = read(chunk(choice(content=[THOUGHTS])), chunk(choice(content=PIECES[1:])), chunk(choice(content="!")))
    assert (reader.reply().thinking, reader.reply().text) == ("Hm. So.", "Hello World!!")


def test_arguments_may_be_the_json_itself() -> None:
    given = {
        "role": "assistant",
        "tool_calls": [call(id="a", name="f", arguments={"q": [1, "x"]}), call(1, name="g", arguments={})],
    }
    assert whole(**given).tool_calls == (ToolCall("a", "f", '{"q":[1, "x"]}'), ToolCall("", "g", "{}"))
    asked = OPENAI_CHAT.asks(json.dumps({"messages": [given]}).encode())
    assert [part for each in asked.messages for part in each.parts] == [
        ToolCallPart("a", "f", '{"q": [1, "x"]}'),
        ToolCallPart("", "g", "{}"),
    ]


def test_a_refusal_is_text_and_null_is_none() -> None:
    assert whole(content=None, refusal="I cannot.") == Reply(text="I cannot.")
    assert read(chunk(choice(content=None, refusal="I ")), chunk(choice(refusal="cannot."))).reply().text == "I cannot."
    assert whole(content=[{"type": "text", "text": None}], reasoning_content=None, tool_calls=None) == Reply()


def test_what_is_said_aloud_has_a_transcript() -> None:
    answer = OPENAI_CHAT.answer(
        json.dumps(
            {"choices": [{"message": {"content": None, "audio": {"id": "au", "data": "AAAA", "transcript": "Hi"}}}]}
        ).encode()
    )
    assert answer.parts == (TextPart("Hi"), MediaPart("audio", reference="au", size=4))
    sounds: list[dict[str, Any]] = [{"id": "au", "transcript": "Hi "}, {"data": "AAAA"}, {"transcript": "you"}, {"data": "BB"}]
    reader = read(*(chunk(choice(audio=sound)) for sound in sounds))
    assert reader.answer().parts == (TextPart("Hi you"), MediaPart("audio", reference="au", size=6))


def test_chunks_with_content_filters_of_azure_say_nothing() -> None:
    first = chunk(id="", model="", prompt_filter_results=[{"prompt_index": 0, "content_filter_results": {}}])
    offsets = {"check_offset": 0, "start_offset": 0, "end_offset": 2}
    late = {"index": 0, "finish_reason": None, "content_filter_results": {}, "content_filter_offsets": offsets}
    reader = read(first, chunk(choice(content="Hi")), END, chunk(late, id="", model=""), DONE)
    assert (reader.reply(), reader.unknown) == (
        Reply(id="chatcmpl-a", model="gpt-x", text="Hi", finish_reason="tool_calls"),
        0,
    )


def test_reasoning_details_stand_in_for_the_reasoning() -> None:
    details = [
        {"type": "reasoning.summary", "summary": "Hm. "},
        {"type": "reasoning.text", "text": "So.", "signature": "x"},
        {"type": "reasoning.encrypted", "data": "gAAA"},
    ]
    assert whole(content="x", reasoning_details=details).thinking == "Hm. So."
    assert whole(content="x", reasoning="Hm.", reasoning_details=details).thinking == "Hm."
    assert read(
        chunk(choice(reasoning_details=details[:1])), chunk(choice(reasoning_details=details[1:]))
    ).reply().thinking == ("Hm. So.")


def test_an_error_in_mid_stream_keeps_what_came_before() -> None:
    """OpenRouter sends it in a chunk with an empty choice, or in the choice."""
    failed = chunk(choice(finish_reason="error", content=""), error={"code": 502, "message": "Provider disconnected"})
    reader = read(chunk(choice(content="Hel")), failed)
    assert (reader.reply().text, reader.reply().error, reader.ended) == ("Hel", "502: Provider disconnected", True)
    inner = {**choice(finish_reason="error"), "error": {"code": 502, "message": "Provider disconnected"}}
    assert read(chunk(choice(content="Hel")), chunk(inner)).reply() == reader.reply()


@pytest.mark.parametrize(
    ("body", "error"),
    [
        ({"object": "error", "type": "BadRequestError", "message": "Too long", "code": 400}, "BadRequestError: Too long"),
        ({"code": "invalid", "error": "Incorrect API key"}, "Incorrect API key"),
        ({"error": {"code": 3.0, "message": None}}, "3"),
    ],
)
def test_errors_of_other_vendors_are_errors(body: dict[str, Any], error: str) -> None:
    assert OPENAI_CHAT.response(json.dumps(body).encode()).error == error
    assert read(SseEvent("message", json.dumps(body))).ended


def test_a_gap_to_fill_is_a_text_completion() -> None:
    asked = OPENAI_CHAT.asks(b'{"model":"codestral","prompt":"def f(","suffix":"return 1","random_seed":7}')
    assert asked.messages == (Message("user", (TextPart("def f("), TextPart("return 1"))),)
    assert (asked.operation, asked.parameters.seed) == ("text_completion", 7)


def test_watsonx_names_the_model_in_its_own_field() -> None:
    assert OPENAI_CHAT.request(b'{"model_id":"granite","messages":[]}').model == "granite"
    assert OPENAI_CHAT.response(b'{"model_id":"granite","choices":[]}').model == "granite"


def test_a_completion_of_writer_comes_as_values_and_ends_with_its_body() -> None:
    reader = OPENAI_CHAT.reader()
    for text in ("Hel", "lo"):
        reader.feed(SseEvent("message", f'{{"value":"{text}"}}'))
    assert (reader.ended, reader.finished_choices) == (False, True)
    assert (reader.reply().text, reader.reply().finish_reason) == ("Hello", None)
