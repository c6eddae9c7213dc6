from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agentsight_rx.events import Reply, SseEvent, ToolCall, Usage
from agentsight_rx.llm import Answer, Prompt, StreamReader, ToolResult
from agentsight_rx.llm.canonical import MediaPart, Part, ReasoningPart, TextPart, ToolCallPart, ToolResultPart
from agentsight_rx.llm.dialects.google.gemini import GEMINI
from agentsight_rx.wire.json_stream import JsonStreamDecoder

HEAD = {"modelVersion": "gemini-x", "responseId": "r1"}


def chunk(*parts: dict[str, Any], reason: str | None = None, index: int | None = 0, **fields: Any) -> dict[str, Any]:
    candidate: dict[str, Any] = {"content": {"parts": parts, "role": "model"}, "index": index, "finishReason": reason}
    candidate = {name: value for name, value in candidate.items() if value is not None}
    return {"candidates": [candidate], **HEAD, **fields}


def text(said: str, **fields: Any) -> dict[str, Any]:
    return {"text": said, **fields}


def call(name: str, args: dict[str, Any] | None = None, **fields: Any) -> dict[str, Any]:
    return {"functionCall": {"name": name, "args": args or {}, **fields}}


def usage(
    prompt: int, said: int | None = None, thoughts: int | None = None, cached: int | None = None, **more: int
) -> dict[str, Any]:
    counts = {
        "promptTokenCount": prompt,
        "candidatesTokenCount": said,
        "thoughtsTokenCount": thoughts,
        "cachedContentTokenCount": cached,
        "totalTokenCount": prompt + (said or 0) + (thoughts or 0),
        **more,
    }
    return {"usageMetadata": {name: count for name, count in counts.items() if count is not None}}


def event(value: dict[str, Any]) -> SseEvent:
    return SseEvent("message", json.dumps(value))


def read(*chunks: dict[str, Any]) -> StreamReader:
    reader = GEMINI.reader()
    for each in chunks:
        reader.feed(event(each))
    return reader


END = chunk(text(""), reason="STOP", **usage(100, 12, 7, 80))
CHUNKS = [
    chunk(text("Let me ", thought=True), **usage(100)),
    chunk(text("think.", thought=True), **usage(100, None, 7)),
    chunk(text("Hello "), **usage(100, 3, 7)),
    chunk(text("World!"), call("ls", {"a": 1}), **usage(100, 9, 7)),
    chunk(call("ls", {"b": 2}, id="given"), call("pwd"), **usage(100, 11, 7)),
    END,
]
WHOLE = Reply(
    id="r1",
    model="gemini-x",
    text="Hello World!",
    thinking="Let me think.",
    tool_calls=(ToolCall("ls-0", "ls", '{"a": 1}'), ToolCall("given", "ls", '{"b": 2}'), ToolCall("pwd-2", "pwd", "{}")),
    usage=Usage(input=20, output=19, cache_read=80, reasoning=7),
    finish_reason="STOP",
)
ALL_PARTS = [part for each in CHUNKS for part in each["candidates"][0]["content"]["parts"]]
WHOLE_BODY = json.dumps(chunk(*ALL_PARTS, reason="STOP", **usage(100, 12, 7, 80))).encode()
ARRAY = b"[" + b"\n,\r\n".join(json.dumps(each).encode() for each in CHUNKS) + b"\n]\n"


def test_a_stream_and_a_plain_body_give_the_same_reply() -> None:
    reader = read(*CHUNKS)
    assert reader.reply() == WHOLE == GEMINI.response(WHOLE_BODY)
    assert (reader.ended, reader.finished_choices, reader.unknown) == (True, True, 0)


def test_only_text_thinking_and_calls_are_content() -> None:
    reader = GEMINI.reader()
    assert [reader.feed(event(each)) for each in CHUNKS] == [True, True, True, True, True, False]


@pytest.mark.parametrize("size", range(len(CHUNKS)))
def test_a_stream_without_an_end_mark_is_complete_once_every_candidate_has_a_reason(size: int) -> None:
    reader = read(*CHUNKS[:size])
    assert (reader.ended, reader.finished_choices) == (False, False)
    assert WHOLE.text.startswith(reader.reply().text)
    assert read(*CHUNKS[:size], END).finished_choices


def test_e5_a_json_array_gives_the_same_reply_as_events() -> None:
    assert GEMINI.response(ARRAY) == WHOLE
    decoder, reader = JsonStreamDecoder(), GEMINI.reader()
    for start in range(0, len(ARRAY), 7):
        for each in decoder.feed(ARRAY[start : start + 7]):
            reader.feed(each)
    assert (reader.reply(), reader.finished_choices, decoder.finish(), decoder.lost) == (WHOLE, True, False, 0)


def test_the_arguments_of_a_call_stay_as_they_were_sent() -> None:
    pretty = json.dumps([chunk(call("f", {"a": 1}))], indent=2)
    assert json.loads(GEMINI.response(pretty.encode()).tool_calls[0].input) == {"a": 1}
    assert GEMINI.response(pretty.encode()).tool_calls[0].input in pretty


def test_a_cut_array_gives_its_whole_elements() -> None:
    cut = ARRAY[: ARRAY.index(b"World!")]
    reply = GEMINI.response(cut)
    assert (reply.text, reply.thinking, reply.finish_reason) == ("Hello ", "Let me think.", None)


def test_vector_6_18_gemini_chunks_with_usage_are_one_answer_with_the_last_usage() -> None:
    chunks = [chunk(text(each), **usage(11, count)) for count, each in enumerate("abc", start=2)]
    assert read(*chunks).reply() == Reply(id="r1", model="gemini-x", text="abc", usage=Usage(input=11, output=4))


def test_vector_6_13_a_long_text_is_one_text() -> None:
    assert read(*[chunk(text("x" * 1000))] * 60).reply().text == "x" * 60_000


@pytest.mark.parametrize(
    ("counts", "expected"),
    [
        (usage(11, 4), Usage(11, 4)),
        (usage(11, 4, 5), Usage(11, 9, reasoning=5)),
        (usage(11, 4, None, 10), Usage(1, 4, cache_read=10)),
        (usage(11, 4, toolUsePromptTokenCount=3), Usage(14, 4)),
        (usage(11), Usage(11, 0)),
        ({"usageMetadata": {"trafficType": "ON_DEMAND"}}, None),
        ({"usageMetadata": None}, None),
    ],
)
def test_usage_has_the_normal_form(counts: dict[str, Any], expected: Usage | None) -> None:
    assert GEMINI.response(json.dumps(chunk(text("x"), **counts)).encode()).usage == expected


def test_the_last_usage_wins_and_missing_counts_stay() -> None:
    reader = read(chunk(text("x"), **usage(100, 1, 5, 80)), chunk(text("y"), **usage(100, 3)), {"usageMetadata": {}, **HEAD})
    assert reader.reply().usage == Usage(input=20, output=8, cache_read=80, reasoning=5)
    fewer = read(chunk(text("x"), **usage(100, 9)), chunk(text("y"), **usage(90, 7)))
    assert fewer.reply().usage == Usage(input=90, output=7), "never the largest"
    late = read(chunk(text("x"), **usage(100)), chunk(text("y"), **usage(100, 3, None, 80)))
    assert late.reply().usage == Usage(input=20, output=3, cache_read=80)


def test_several_candidates_do_not_mix() -> None:
    first, second = chunk(text("A"), reason="STOP")["candidates"], chunk(text("B"), call("f"), index=1)["candidates"]
    reader = read({"candidates": [*first, *second]})
    assert (reader.reply().text, reader.reply().tool_calls, reader.reply().finish_reason) == ("A", (), "STOP")
    assert not reader.finished_choices
    reader.feed(event(chunk(reason="MAX_TOKENS", index=1)))
    assert reader.finished_choices
    assert reader.reply().finish_reason == "STOP"


def test_candidates_without_an_index_are_numbered_by_position() -> None:
    both = [candidate for said in "AB" for candidate in chunk(text(said), index=None)["candidates"]]
    assert read({"candidates": both}).reply().text == "A"


def test_code_assist_wraps_each_answer() -> None:
    reader = read(*({"response": each, "traceId": "t"} for each in CHUNKS))
    assert (reader.reply(), reader.finished_choices) == (WHOLE, True)
    assert GEMINI.response(b'{"response":' + WHOLE_BODY + b"}") == WHOLE


ERROR = {"error": {"code": 429, "message": "Slow down", "status": "RESOURCE_EXHAUSTED"}}


def test_an_error_is_reported_and_ends_a_stream() -> None:
    reader = read(*CHUNKS[:3], ERROR)
    assert (reader.reply().error, reader.reply().text, reader.ended) == ("RESOURCE_EXHAUSTED: Slow down", "Hello ", True)
    for body in (ERROR, [ERROR]):
        assert GEMINI.response(json.dumps(body).encode()) == Reply(error="RESOURCE_EXHAUSTED: Slow down")
    assert GEMINI.response(b'{"error":{"code":500}}').error == "500"
    assert GEMINI.response(b'{"error":"gone"}').error == "gone"


def test_a_blocked_prompt_is_an_error_and_a_complete_answer() -> None:
    reader = read({"promptFeedback": {"blockReason": "SAFETY", "blockReasonMessage": "No."}, **usage(11), **HEAD})
    assert reader.finished_choices
    assert reader.reply() == Reply("r1", "gemini-x", usage=Usage(11), finish_reason="SAFETY", error="SAFETY: No.")
    assert not read({"promptFeedback": {"safetyRatings": []}}).finished_choices


def test_unknown_events_are_ignored_and_counted() -> None:
    strange = ["", "{", "[]", "{}", "[DONE]", '{"candidates":1}', '{"choices":[]}', '{"type":"message_stop","responseId":1}']
    reader = read(*CHUNKS[:3])
    assert not any(reader.feed(SseEvent("message", data)) for data in strange)
    for each in CHUNKS[3:]:
        reader.feed(event(each))
    assert (reader.reply(), reader.unknown) == (WHOLE, len(strange))


def test_a_snapshot_anywhere_changes_nothing() -> None:
    for size in range(len(CHUNKS)):
        reader, resumed = read(*CHUNKS[:size]), GEMINI.reader()
        resumed.restore(msgspec.msgpack.decode(msgspec.msgpack.encode(reader.snapshot())))
        for each in CHUNKS[size:]:
            assert resumed.feed(event(each)) == reader.feed(event(each))
        assert (resumed.reply(), resumed.unknown) == (WHOLE, 0)


# -- requests ----------------------------------------------------------------------------------------------------------


def user(*parts: dict[str, Any], role: str | None = "user") -> dict[str, Any]:
    return {"role": role, "parts": list(parts)}


def result(name: str, response: Any, **fields: Any) -> dict[str, Any]:
    return {"functionResponse": {"name": name, "response": response, **fields}}


REQUEST: dict[str, Any] = {
    "contents": [
        user(text("List  my\nfiles"), {"inlineData": {"mimeType": "image/png", "data": "aGk="}}),
        user(text("hm", thought=True), text("Sure."), call("ls"), role="model"),
        user(result("ls", {"output": "a.txt\n"})),
    ],
    "systemInstruction": {"parts": [text("You are Gemini.")]},
    "tools": [{"functionDeclarations": [{"name": "ls"}, {"name": "pwd"}]}, {"googleSearch": {}}],
    "generationConfig": {"temperature": 0.5, "topP": 0.9, "maxOutputTokens": 99, "thinkingConfig": {"thinkingBudget": 1}},
}
ASKED = Prompt(
    system="You are Gemini.",
    last_user_text="List  my\nfiles",
    text="You are Gemini.\nList  my\nfiles\nSure.\na.txt\n",
    tools=("ls", "pwd", "googleSearch"),
    tool_results=(ToolResult("ls-0", "a.txt\n"),),
    max_tokens=99,
    temperature=0.5,
    top_p=0.9,
)


def ask(body: dict[str, Any], target: str = "") -> Prompt:
    return GEMINI.prompt(json.dumps(body).encode(), target)


def test_a_request_becomes_a_prompt() -> None:
    assert ask(REQUEST) == ASKED == GEMINI.request(json.dumps(REQUEST).encode())


@pytest.mark.parametrize(
    ("target", "model", "stream"),
    [
        ("/v1beta/models/gemini-2.5-flash:streamGenerateContent?alt=sse", "gemini-2.5-flash", True),
        ("/v1beta/models/gemini-2.5-flash:generateContent", "gemini-2.5-flash", False),
        ("/v1/projects/p/locations/l/publishers/google/models/gemini-x:streamGenerateContent", "gemini-x", True),
        ("/v1/projects/p/locations/l/endpoints/123:generateContent", "123", False),
        ("/v1beta/tunedModels/mine:generateContent", "mine", False),
        ("/v1beta/models/a%2Fb%3AstreamGenerateContent", "a/b", True),
        ("/v1internal:streamGenerateContent?alt=sse", "", True),
        ("/v1beta/models/x:countTokens", "", False),
    ],
)
def test_the_path_gives_what_the_body_leaves_out(target: str, model: str, stream: bool) -> None:
    assert ask(REQUEST, target) == msgspec.structs.replace(ASKED, model=model, stream=stream)


def test_the_model_in_the_body_comes_before_that_in_the_path() -> None:
    assert ask({"model": "models/gemini-y", **REQUEST}, "/v1beta/models/gemini-x:generateContent").model == "gemini-y"


def test_code_assist_wraps_its_request() -> None:
    wrapped = {"model": "gemini-x", "project": "p", "user_prompt_id": "u", "request": {**REQUEST, "session_id": "s"}}
    expected = msgspec.structs.replace(ASKED, model="gemini-x", stream=True, session_id="s")
    assert ask(wrapped, "/v1internal:streamGenerateContent?alt=sse") == expected


def test_names_with_underscores_and_the_shortest_forms_are_read() -> None:
    snake = {
        "contents": {"parts": {"text": "Hi"}},
        "system_instruction": "Be brief.",
        "tools": [{"function_declarations": [{"name": "ls"}]}],
        "generation_config": {"temperature": 1},
    }
    assert ask(snake) == Prompt(system="Be brief.", last_user_text="Hi", text="Be brief.\nHi", tools=("ls",), temperature=1.0)
    assert ask({"contents": "Hi"}).last_user_text == "Hi"
    asked = [user({"function_call": {"name": "f", "id": "x"}}, role="model"), user({"function_response": {"name": "f"}})]
    assert ask({"contents": asked}).tool_results == (ToolResult("x", ""),)


def ids(*contents: dict[str, Any]) -> list[str]:
    return [each.id for each in ask({"contents": contents}).tool_results]


def test_a_result_has_the_id_of_the_call_it_answers() -> None:
    """Calls of a reply and results of the next request get the same ids if they have none."""
    reply = read(chunk(call("ls"), call("ls", id="given"), call("pwd"), reason="STOP")).reply()
    asked = user(text("So."), call("ls"), call("ls", id="given"), call("pwd"), role="model")
    results = [result("ls", {}), result("ls", {}, id="given"), result("pwd", {}, id="clients-own")]
    assert ids(user(text("Hi")), asked, user(*results)) == [each.id for each in reply.tool_calls]
    assert ids(user(text("Hi")), asked, *(user(each, role="function") for each in results)) == ["ls-0", "given", "pwd-2"]


def test_ids_that_a_client_made_link_a_result_to_its_call_in_any_order() -> None:
    asked = user(call("ls", id="one"), call("pwd", id="two"), call("id"), role="model")
    results = [result("pwd", {}, id="two"), result("id", {}), result("ls", {}, id="one")]
    assert ids(asked, *(user(each) for each in results)) == ["two", "one", "one"], (
        "one without an id is the first without a result"
    )
    named = [result("pwd", {}, id="two"), result("ls", {}, id="one"), result("id", {})]
    assert ids(asked, user(*named)) == ["two", "one", "id-2"]


def test_results_of_older_answers_do_not_answer_the_newest_calls() -> None:
    turn = [user(call("ls"), role="model"), user(result("ls", {}))]
    given = [user(call("ls", id="a"), role="model"), user(result("ls", {}, id="a"))]
    assert ids(*turn, *given, *turn) == ["", "a", "ls-0"]
    assert ids(*turn, user(text("Thanks."), role="model")) == [""]


@pytest.mark.parametrize(
    ("response", "expected"),
    [
        ({"output": "ok"}, ("ok", False)),
        ({"error": "no such file"}, ("no such file", True)),
        ({"output": "ok", "error": "warned"}, ("ok", False)),
        ({"result": [1]}, ('{"result": [1]}', False)),
        ({"output": {"a": 1}}, ('{"output": {"a": 1}}', False)),
        ([], ("[]", False)),
    ],
)
def test_a_result_is_its_output_or_its_error_or_json(response: Any, expected: tuple[str, bool]) -> None:
    (given,) = ask({"contents": [user(result("f", response, id="x"))]}).tool_results
    assert given == ToolResult("x", *expected)


# -- parts of all kinds ------------------------------------------------------------------------------------------------

CODE = {"executableCode": {"language": "PYTHON", "code": "print(1)"}}
RAN = {"codeExecutionResult": {"outcome": "OUTCOME_OK", "output": "1\n"}}
PARTS: list[tuple[list[dict[str, Any]], tuple[Part, ...]]] = [
    (
        [CODE, RAN],
        (
            ToolCallPart("code_execution-0", "code_execution", "print(1)", server=True),
            ToolResultPart("code_execution-0", "1\n"),
        ),
    ),
    (
        [{"executable_code": {"code": "1/0"}}, {"code_execution_result": {"outcome": 2, "output": "ZeroDivisionError"}}],
        (
            ToolCallPart("code_execution-0", "code_execution", "1/0", server=True),
            ToolResultPart("code_execution-0", "ZeroDivisionError", is_error=True),
        ),
    ),
    (
        [
            {"toolCall": {"toolType": "GOOGLE_SEARCH_WEB", "args": {"queries": ["x"]}, "id": "g"}},
            {"toolResponse": {"toolType": "GOOGLE_SEARCH_WEB", "response": {"hits": 1}, "id": "g"}},
        ],
        (
            ToolCallPart("g", "GOOGLE_SEARCH_WEB", '{"queries": ["x"]}', server=True),
            ToolResultPart("g", '{"hits": 1}'),
        ),
    ),
    ([{"inlineData": {"mimeType": "image/png", "data": "aGk="}}], (MediaPart("image", "image/png", size=4),)),
    ([{"inline_data": {"mime_type": "image/png", "data": "aGk="}}] * 2, (MediaPart("image", "image/png", size=4),) * 2),
    (
        [{"fileData": {"mimeType": "application/pdf", "fileUri": "gs://a/b.pdf"}}],
        (MediaPart("file", "application/pdf", "gs://a/b.pdf"),),
    ),
    ([text("Hm", thought=True, thoughtSignature="E"), text("Hi")], (ReasoningPart("Hm"), TextPart("Hi"))),
    ([{"thoughtSignature": "E", "text": ""}, {"brandNew": {}}], ()),
]


@pytest.mark.parametrize(("parts", "expected"), PARTS)
def test_each_kind_of_part_means_the_same_whole_streamed_and_asked(parts: list[Any], expected: tuple[Part, ...]) -> None:
    assert GEMINI.answer(json.dumps(chunk(*parts)).encode()).parts == expected
    assert read(*(chunk(part) for part in parts)).answer().parts == expected
    (asked,) = GEMINI.asks(json.dumps({"contents": [user(*parts, role="model")]}).encode()).messages
    assert asked.parts == expected


def test_sound_that_comes_in_many_parts_is_one() -> None:
    sound = {"inlineData": {"mimeType": "audio/pcm", "data": "aGk="}}
    assert read(*[chunk(sound)] * 3).answer().parts == (MediaPart("audio", "audio/pcm", size=12),)


def test_media_in_the_result_of_a_tool_are_references() -> None:
    given = result("shot", {"output": "ok"}, parts=[{"inlineData": {"mimeType": "image/png", "data": "aGk="}}])
    (message,) = GEMINI.asks(json.dumps({"contents": [user(given)]}).encode()).messages
    assert message.parts == (ToolResultPart("", "ok", media=(MediaPart("image", "image/png", size=4),)),)


def test_what_an_answer_is_grounded_on_is_no_text() -> None:
    grounded = chunk(text("Hi"))
    grounded["candidates"][0]["groundingMetadata"] = {"webSearchQueries": ["x"], "groundingChunks": [{"web": {"uri": "u"}}]}
    assert read(grounded).answer() == Answer("r1", "gemini-x", (TextPart("Hi"),))


def test_one_part_one_content_and_one_tool_may_stand_without_their_lists() -> None:
    body = {"contents": {"role": "user", "parts": {"text": "Hi"}}, "tools": {"functionDeclarations": {"name": "ls"}}}
    assert ask(body) == Prompt(last_user_text="Hi", text="Hi", tools=("ls",))
    assert read({"candidates": [{"content": {"parts": {"text": "Hi"}}}]}).reply().text == "Hi"


# -- other spellings of the JSON ---------------------------------------------------------------------------------------


def test_enums_may_be_numbers_and_large_integers_strings() -> None:
    """As Vertex AI answers where a client asks for `enum-encoding=int`."""
    said = {
        "candidates": [
            {
                "content": {"role": "model", "parts": [text("Hi"), call("ls", {"a": 1})]},
                "finishReason": 1,
                "safetyRatings": [{"category": 2, "probability": 1, "severity": 1}],
            }
        ],
        "usageMetadata": {
            "promptTokenCount": "9",
            "candidatesTokenCount": 2,
            "promptTokensDetails": [{"modality": 1, "tokenCount": 9}],
            "trafficType": 1,
        },
        "modelVersion": "gemini-x",
        "responseId": "r",
    }
    expected = Reply(
        "r",
        "gemini-x",
        text="Hi",
        tool_calls=(ToolCall("ls-0", "ls", '{"a": 1}'),),
        usage=Usage(9, 2),
        finish_reason="STOP",
    )
    assert read(said).reply() == expected == GEMINI.response(json.dumps(said).encode())


@pytest.mark.parametrize(
    ("number", "name"),
    [
        (2, "MAX_TOKENS"),
        (3, "SAFETY"),
        (4, "RECITATION"),
        (5, "OTHER"),
        (6, "BLOCKLIST"),
        (7, "PROHIBITED_CONTENT"),
        (8, "SPII"),
        (9, "MALFORMED_FUNCTION_CALL"),
        (99, "99"),
        (0, None),
    ],
)
def test_the_number_of_a_finish_reason_has_a_name(number: int, name: str | None) -> None:
    assert read({"candidates": [{"finishReason": number}]}).reply().finish_reason == name


def test_the_number_of_a_reason_to_block_has_a_name() -> None:
    assert read({"promptFeedback": {"blockReason": 4}}).reply().error == "PROHIBITED_CONTENT"


def test_answers_may_have_names_with_underscores() -> None:
    said: dict[str, Any] = {
        "candidates": [
            {"content": {"parts": [{"function_call": {"name": "ls", "args": {}}}]}, "finish_reason": "STOP", "index": 0}
        ],
        "usage_metadata": {"prompt_token_count": 9, "candidates_token_count": 2, "cached_content_token_count": 8},
        "model_version": "gemini-x",
        "response_id": "r",
    }
    assert read(said).reply() == Reply(
        "r", "gemini-x", tool_calls=(ToolCall("ls-0", "ls", "{}"),), usage=Usage(1, 2, cache_read=8), finish_reason="STOP"
    )
    assert read({"prompt_feedback": {"block_reason": "SAFETY"}}).reply().finish_reason == "SAFETY"


def test_a_config_with_underscores_is_read_whole() -> None:
    config = {"max_output_tokens": 5, "top_p": 0.5, "thinking_config": {"thinking_budget": 7}, "stop_sequences": ["x"]}
    made = GEMINI.asks(json.dumps({"contents": "Hi", "generation_config": config}).encode()).parameters
    assert (made.max_tokens, made.top_p, made.reasoning, made.stop) == (5, 0.5, "7", ("x",))


# -- arguments that are streamed ---------------------------------------------------------------------------------------


def piece(*partial: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return chunk({"functionCall": {**({"partialArgs": list(partial)} if partial else {}), **fields}})


def test_streamed_arguments_are_one_call() -> None:
    """As Vertex AI sends them with `streamFunctionCallArguments`: an empty call ends one."""
    reader = read(
        piece(name="weather", willContinue=True),
        piece({"jsonPath": "$.location", "stringValue": "New ", "willContinue": True}, willContinue=True),
        piece({"jsonPath": "$.location", "stringValue": "Delhi"}, willContinue=True),
        piece(
            {"jsonPath": "$.days", "numberValue": 3},
            {"jsonPath": "$.hourly", "boolValue": True},
            {"jsonPath": "$.unit", "nullValue": "NULL_VALUE"},
            willContinue=True,
        ),
        piece(),
        piece(name="weather", willContinue=True, id="given"),
        piece({"jsonPath": "$.places[0].name", "stringValue": "Oslo"}, willContinue=True),
        piece(),
        chunk(reason="STOP"),
    )
    assert reader.reply().tool_calls == (
        ToolCall("weather-0", "weather", '{"location":"New Delhi","days":3,"hourly":true,"unit":null}'),
        ToolCall("given", "weather", '{"places":[{"name":"Oslo"}]}'),
    )
    assert reader.unknown == 0


def test_a_name_that_is_sent_again_with_each_piece_is_the_same_call() -> None:
    pieces = [piece({"jsonPath": "$.a", "stringValue": each}, name="f") for each in ("x", "y")]
    assert read(*pieces).reply().tool_calls == (ToolCall("f-0", "f", '{"a":"xy"}'),)


def test_pieces_are_added_to_arguments_that_came_whole() -> None:
    begun = piece({"jsonPath": "$.b", "numberValue": 2}, name="f", args={"a": 1}, willContinue=False)
    assert read(begun, piece()).reply().tool_calls == (ToolCall("f-0", "f", '{"a":1,"b":2}'),)


def test_two_calls_of_one_name_without_pieces_are_two() -> None:
    assert read(chunk(call("f")), chunk(call("f"))).reply().tool_calls == (
        ToolCall("f-0", "f", "{}"),
        ToolCall("f-1", "f", "{}"),
    )


def test_a_snapshot_in_the_middle_of_streamed_arguments_changes_nothing() -> None:
    pieces = [
        piece(name="f", willContinue=True),
        *(piece({"jsonPath": "$.a", "stringValue": each}, willContinue=True) for each in "xyz"),
    ]
    for size in range(len(pieces)):
        resumed = GEMINI.reader()
        resumed.restore(read(*pieces[:size]).snapshot())
        for each in pieces[size:]:
            resumed.feed(event(each))
        assert resumed.reply().tool_calls == (ToolCall("f-0", "f", '{"a":"xyz"}'),)


# -- anything ----------------------------------------------------------------------------------------------------------

NOTHING = [b"", b"{", b"[]", b"null", b"1", b"\xff", b"<html>", WHOLE_BODY[:-9], b"[" * 9999]


@pytest.mark.parametrize("body", NOTHING)
def test_a_body_that_is_not_an_answer_gives_an_empty_reply_and_prompt(body: bytes) -> None:
    assert GEMINI.request(body) == Prompt()
    assert GEMINI.response(body) == Reply()


def test_fields_of_another_type_are_named_and_what_stands_beside_them_is_kept() -> None:
    assert GEMINI.request(b'{"contents":1,"generationConfig":{"topP":"x","temperature":1}}') == Prompt(
        temperature=1.0, unknown=("contents", "generationConfig.topP")
    )
    assert GEMINI.request(b'{"generationConfig":1}') == Prompt(unknown=("generationConfig",))
    strange = chunk({"text": 1, "thought": True}, text("Hi"), {"functionCall": {"name": "f", "id": 7, "args": {"a": 1}}})
    reply = read(strange).reply()
    assert (reply.text, reply.tool_calls) == ("Hi", (ToolCall("f-0", "f", '{"a": 1}'),))
    assert reply.unknown == ("candidates[].content.parts[].text", "candidates[].content.parts[].functionCall.id")


def test_deep_nesting_is_read() -> None:
    deep = b'{"response":' * 3000 + b"{}" + b"}" * 3000
    assert GEMINI.response(deep) == Reply()
    assert GEMINI.request(deep.replace(b"response", b"request")) == Prompt()


_NAMES = [
    "candidates", "content", "parts", "text", "thought", "functionCall", "functionResponse", "name", "args", "id", "response",
    "finishReason", "index", "usageMetadata", "promptTokenCount", "cachedContentTokenCount", "thoughtsTokenCount", "error",
    "code", "message", "status", "promptFeedback", "blockReason", "modelVersion", "contents", "role", "systemInstruction",
    "tools", "functionDeclarations", "partialArgs", "jsonPath", "stringValue", "willContinue", "inlineData", "executableCode",
    "codeExecutionResult", "outcome", "generationConfig", "maxOutputTokens", "request", "model", "output",
]  # fmt: skip
_LEAVES = st.one_of(
    st.none(), st.booleans(), st.integers(-5, 2**70), st.floats(), st.sampled_from(["", "model", "STOP", "\ud83d"])
)
_JSON = st.recursive(
    _LEAVES,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.sampled_from(_NAMES), inner, max_size=5)),
    max_leaves=20,
)
_PARTS = st.lists(st.dictionaries(st.sampled_from(_NAMES[3:7] + _NAMES[-14:-8]), _JSON, max_size=3), max_size=3)
_CONTENTS = st.lists(st.fixed_dictionaries({"role": st.sampled_from(["user", "model"]), "parts": _PARTS}), max_size=4)


@given(
    st.lists(
        st.one_of(_JSON, st.fixed_dictionaries({"contents": _CONTENTS}), st.fixed_dictionaries({"candidates": _JSON})),
        max_size=6,
    )
)
@settings(max_examples=150, deadline=None)
def test_no_value_of_such_shapes_raises(values: list[Any]) -> None:
    reader = GEMINI.reader()
    for each in values:
        body = json.dumps(each)
        reader.feed(SseEvent("message", body))
        GEMINI.prompt(body.encode(), "/v1beta/models/x:generateContent")
        GEMINI.response(body.encode())
        resumed = GEMINI.reader()
        resumed.restore(reader.snapshot())
        assert resumed.reply() == reader.reply()
    GEMINI.response(json.dumps(values).encode())
