"""merge_websocket on conversations: OpenAI Realtime and Gemini Live. test_parse_websocket.py has the Responses API."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable
from typing import Any, TypeAlias, TypeVar

import msgspec
import pytest

from agentsight_rx.core.stream import Operator
from agentsight_rx.events import HttpEvent, HttpRequest, SseMessage, TlsChunk, WebSocketMessage
from agentsight_rx.operators import merge_websocket, parse_http, remove_auth
from tests.operators import Running, Wire, run, size_of
from tests.operators.websocket_peers import Sockets

E = TypeVar("E", bound=HttpEvent)
Said: TypeAlias = tuple[str, dict[str, Any]]  # ">" by the client or "<" by the server

SOUND = base64.b64encode(bytes(3000)).decode()
REALTIME = "/v1/realtime?model=gpt-realtime"
LIVE = "/ws/google.ai.generativelanguage.v1beta.GenerativeService.BidiGenerateContent?key=k"


def only(kind: type[E], events: Iterable[HttpEvent]) -> list[E]:
    return [event for event in events if isinstance(event, kind)]


def said(target: str, *messages: Said, drop: int = -1) -> list[HttpEvent]:
    """What comes out where the client (">") and the server ("<") say these; number `drop` was not captured."""
    sockets = Sockets(Wire(), target=target)
    skipped: list[TlsChunk] = []
    for number, (who, message) in enumerate(messages):
        before = len(sockets.records)
        if who == ">":
            sockets.asks(json.dumps(message))
        elif target is LIVE:
            sockets.tells_bytes(json.dumps(message).encode())
        else:
            sockets.tells(json.dumps(message))
        skipped += sockets.records[before:] if number == drop else []
    records = [record for record in sockets.records if not any(record is each for each in skipped)]
    made = run(merge_websocket(), run(parse_http(), records))
    sizes = size_of(made) + sum(message.size for message in only(SseMessage, made))
    assert sizes == sum(len(record.data) for record in records)
    assert run(merge_websocket(), made) == made
    return made


def calls(made: list[HttpEvent]) -> list[tuple[Any, list[str], bool]]:
    """Of each call its request, the types of the events of its answer, and whether that is complete."""
    answers = {message.exchange: message for message in only(SseMessage, made)}
    requests = [request for request in only(HttpRequest, made) if request.version == "WebSocket"]
    assert set(answers) <= {request.exchange for request in requests}
    return [
        (
            json.loads(request.body),
            [event.event for event in answers[request.exchange].events] if request.exchange in answers else [],
            request.exchange in answers and answers[request.exchange].complete,
        )
        for request in requests
    ]


def passed(made: list[HttpEvent]) -> list[str]:
    """Types of the messages that are no part of a call."""
    bodies = [json.loads(message.data) for message in only(WebSocketMessage, made)]
    return [body.get("type") or next(iter(body)) for body in bodies]


# -- OpenAI Realtime --------------------------------------------------------------------------------------------------------


def item(text: str) -> Said:
    content = [{"type": "input_text", "text": text}]
    return (">", {"type": "conversation.item.create", "item": {"type": "message", "role": "user", "content": content}})


def answer(key: str, text: str = "Hi") -> list[Said]:
    return [
        ("<", {"type": "response.created", "response": {"id": key}}),
        ("<", {"type": "response.output_text.delta", "response_id": key, "delta": text}),
        ("<", {"type": "response.done", "response": {"id": key, "status": "completed", "usage": {"total_tokens": 3}}}),
    ]


TYPES = ["response.created", "response.output_text.delta", "response.done"]
CREATE: Said = (">", {"type": "response.create", "response": {"modalities": ["text"]}})
SESSION: Said = ("<", {"type": "session.created", "session": {"model": "gpt-realtime", "voice": "alloy"}})
UPDATE: Said = (">", {"type": "session.update", "session": {"instructions": "be brief"}})


def test_a_response_has_the_settings_and_the_items_since_the_one_before_in_its_request() -> None:
    made = said(REALTIME, SESSION, UPDATE, item("one"), item("two"), CREATE, *answer("a"), item("three"), CREATE, *answer("b"))
    first, second = calls(made)
    assert first[1:] == second[1:] == (TYPES, True)
    assert first[0] == {
        "type": "response.create",
        "session": {"model": "gpt-realtime", "voice": "alloy", "instructions": "be brief"},
        "items": [item("one")[1]["item"], item("two")[1]["item"]],
        "response": {"modalities": ["text"]},
    }
    assert second[0]["items"] == [item("three")[1]["item"]]
    assert passed(made) == ["session.created", "session.update", *["conversation.item.create"] * 3]


def test_what_the_server_says_of_the_session_holds() -> None:
    updated = ("<", {"type": "session.updated", "session": {"model": "x"}})
    ((body, *_),) = calls(said(REALTIME, SESSION, UPDATE, updated, CREATE))
    assert body["session"] == {"model": "x"}


def test_a_response_that_the_server_begins_by_itself_has_a_request_with_the_size_of_the_sound() -> None:
    append = (">", {"type": "input_audio_buffer.append", "audio": SOUND})
    committed = ("<", {"type": "input_audio_buffer.committed", "item_id": "i"})
    made = said(REALTIME, append, append, committed, *answer("a"), CREATE, *answer("b"))
    first, second = calls(made)
    assert first[1:] == second[1:] == (TYPES, True)
    assert first[0]["items"] == [
        {"type": "message", "role": "user", "content": [{"type": "input_audio", "audio": {"omitted_bytes": 6000}}]}
    ]
    assert second[0]["items"] == []
    request = only(HttpRequest, made)[1]
    assert (request.size, request.origin.direction, request.complete) == (0, "out", True)


@pytest.mark.parametrize("commit", ["before", "behind"])
def test_sound_that_the_client_commits_is_one_item(commit: str) -> None:
    append: Said = (">", {"type": "input_audio_buffer.append", "audio": SOUND})
    done: Said = (">", {"type": "input_audio_buffer.commit"})
    confirmed: Said = ("<", {"type": "input_audio_buffer.committed"})
    order = [done, confirmed, CREATE] if commit == "before" else [done, CREATE, confirmed]
    first, second = calls(said(REALTIME, append, *order, *answer("a"), CREATE))
    assert [len(first[0]["items"]), len(second[0]["items"])] == [1, 0]


def test_sound_that_was_cleared_is_in_no_request() -> None:
    append, clear = {"type": "input_audio_buffer.append", "audio": SOUND}, {"type": "input_audio_buffer.clear"}
    made = said(REALTIME, (">", append), (">", clear), CREATE)
    assert calls(made)[0][0]["items"] == []


def test_the_transcript_of_sound_is_an_item() -> None:
    kind = "conversation.item.input_audio_transcription.completed"
    ((body, *_),) = calls(said(REALTIME, ("<", {"type": kind, "item_id": "i", "transcript": "list the files"}), CREATE))
    assert body["items"][0]["content"] == [{"type": "input_audio", "transcript": "list the files"}]


def test_sound_and_images_inside_of_items_are_omitted() -> None:
    content = [
        {"type": "input_audio", "audio": SOUND},
        {"type": "input_image", "image_url": f"data:image/png;base64,{SOUND}"},
        {"type": "input_text", "text": f'{{"audio":"{SOUND}"}} {SOUND}'},
        {"type": "input_audio", "audio": "AAAA"},
    ]
    ((body, *_),) = calls(said(REALTIME, (">", {"type": "conversation.item.create", "item": {"content": content}}), CREATE))
    assert body["items"][0]["content"] == [
        {"type": "input_audio", "audio": {"omitted_bytes": 3000}},
        {"type": "input_image", "image_url": {"omitted_bytes": 3000}},
        content[2],
        content[3],
    ]


def test_a_response_apart_from_the_conversation_leaves_its_items_for_the_next_one() -> None:
    apart: Said = (">", {"type": "response.create", "response": {"conversation": "none", "input": []}})
    made = said(REALTIME, item("one"), apart, CREATE, *answer("a"), *answer("b"))
    first, second = calls(made)
    assert (first[0]["items"], len(second[0]["items"])) == ([], 1)


def test_answers_that_come_at_the_same_time_are_apart() -> None:
    first, second = answer("a", "one"), answer("b", "two")
    mixed = [first[0], second[0], second[1], first[1], second[2], first[2]]
    made = said(REALTIME, CREATE, CREATE, *mixed)
    texts = {message.exchange: json.loads(message.events[1].data)["delta"] for message in only(SseMessage, made)}
    assert [texts[request.exchange] for request in only(HttpRequest, made)[1:]] == ["one", "two"]


def test_other_messages_of_the_server_between_the_events_are_no_part_of_the_answer() -> None:
    events = answer("a")
    made = said(REALTIME, CREATE, events[0], ("<", {"type": "rate_limits.updated"}), *events[1:])
    assert calls(made)[0][1:] == (TYPES, True)
    assert passed(made) == ["rate_limits.updated"]


@pytest.mark.parametrize(
    ("ours", "theirs", "ends"), [(None, None, True), ("e1", "e1", True), ("e1", "e2", False), (None, "e2", False)]
)
def test_an_error_ends_the_request_that_it_is_about(ours: str | None, theirs: str | None, ends: bool) -> None:
    create = {"type": "response.create", "event_id": ours}
    made = said(REALTIME, (">", create), ("<", {"type": "error", "error": {"message": "no", "event_id": theirs}}), *answer("a"))
    first, *more = calls(made)
    assert first[1] == (["error"] if ends else TYPES)
    assert len(more) == ends  # then the answer is that of another request


def test_an_error_while_an_answer_comes_is_not_part_of_it() -> None:
    events = answer("a")
    made = said(REALTIME, CREATE, events[0], ("<", {"type": "error", "error": {"message": "no"}}), *events[1:])
    assert calls(made)[0][1:] == (TYPES, True)
    assert passed(made) == ["error"]


def test_a_request_of_which_an_item_may_be_missing_is_not_complete() -> None:
    made = said(REALTIME, item("one"), item("two"), CREATE, *answer("a"), CREATE, *answer("b"), drop=1)
    _, first, second = only(HttpRequest, made)
    assert (first.complete, first.reason, second.complete) == (False, "lost", True)
    assert all(complete for _, _, complete in calls(made))


@pytest.mark.parametrize("drop", [1, 2, 3])
def test_an_answer_of_which_an_event_is_missing_is_not_complete(drop: int) -> None:
    made = said(REALTIME, CREATE, *answer("a"), CREATE, *answer("b"), drop=drop)
    (_, types, complete), second = calls(made)
    assert (len(types), complete) == (2, False)
    assert second[1] == TYPES


def test_items_that_are_too_long_are_counted() -> None:
    made = said(REALTIME, *[item("x" * 200_000)] * 7, CREATE)
    request = only(HttpRequest, made)[1]
    assert len(json.loads(request.body)["items"]) == 5
    assert (request.complete, request.reason) == (False, "body_limit")
    assert request.body_lost > 400_000


# -- Gemini Live ------------------------------------------------------------------------------------------------------------

SETUP: Said = (">", {"setup": {"model": "models/gemini-live", "systemInstruction": {"parts": [{"text": "be brief"}]}}})
READY: Said = ("<", {"setupComplete": {}})


def turn(text: str, complete: bool = True) -> Said:
    return (">", {"clientContent": {"turns": [{"role": "user", "parts": [{"text": text}]}], "turnComplete": complete}})


def says(text: str) -> Said:
    return ("<", {"serverContent": {"modelTurn": {"parts": [{"text": text}]}}})


END: Said = ("<", {"serverContent": {"turnComplete": True}, "usageMetadata": {"totalTokenCount": 3}})
DONE: Said = ("<", {"serverContent": {"generationComplete": True}})


def test_a_turn_has_the_setup_and_what_was_said_since_the_one_before_in_its_request() -> None:
    begun = [turn("one", complete=False), turn("two"), says("a"), DONE, END]
    made = said(LIVE, SETUP, READY, *begun, turn("three"), says("b"), END)
    first, second = calls(made)
    assert first == (
        {
            "setup": SETUP[1]["setup"],
            "contents": [{"role": "user", "parts": [{"text": "one"}]}, {"role": "user", "parts": [{"text": "two"}]}],
            "toolResponses": [],
        },
        ["serverContent"] * 3,
        True,
    )
    assert [content["parts"][0]["text"] for content in second[0]["contents"]] == ["three"]
    assert second[1:] == (["serverContent"] * 2, True)
    assert passed(made) == ["setup", "setupComplete", "clientContent"]


def test_fields_may_be_spelled_with_underscores() -> None:
    content = {"turns": {"parts": [{"text": "one"}]}, "turn_complete": True}
    made = said(LIVE, (">", {"client_content": content}), says("a"), END)
    assert calls(made) == [({"contents": [content["turns"]], "toolResponses": []}, ["serverContent"] * 2, True)]


def test_a_turn_that_follows_speech_has_a_request_with_its_size_and_what_was_typed() -> None:
    chunk = {"realtimeInput": {"audio": {"mimeType": "audio/pcm", "data": SOUND}}}
    old = {"realtime_input": {"media_chunks": [{"mime_type": "image/jpeg", "data": SOUND}]}}
    typed = {"realtimeInput": {"text": "what is this"}}
    made = said(LIVE, SETUP, (">", chunk), (">", chunk), (">", old), (">", typed), says("a"), END)
    ((body, types, complete),) = calls(made)
    assert [content["parts"] for content in body["contents"]] == [
        [{"inlineData": {"mimeType": "audio/pcm", "data": {"omitted_bytes": 6000}}}],
        [{"inlineData": {"mimeType": "image/jpeg", "data": {"omitted_bytes": 3000}}}],
        [{"text": "what is this"}],
    ]
    assert (types, complete) == (["serverContent"] * 2, True)


def test_a_call_of_tools_ends_an_answer_and_all_their_results_are_the_next_request() -> None:
    call = ("<", {"toolCall": {"functionCalls": [{"id": "1", "name": "ls"}, {"id": "2", "name": "pwd"}]}})
    results = [(">", {"toolResponse": {"functionResponses": [{"id": key, "response": {"ok": 1}}]}}) for key in "12"]
    made = said(LIVE, SETUP, turn("list"), says("let me see"), call, results[0], results[1], says("done"), END)
    first, second = calls(made)
    assert first[1:] == (["serverContent", "toolCall"], True)
    assert [each["id"] for each in second[0]["toolResponses"]] == ["1", "2"]
    assert second[1:] == (["serverContent"] * 2, True)


def test_an_answer_that_is_interrupted_ends_where_its_turn_does() -> None:
    interrupted = ("<", {"serverContent": {"interrupted": True}})
    made = said(LIVE, turn("one"), says("a"), turn("two"), interrupted, END, says("b"), END)
    assert [types for _, types, _ in calls(made)] == [["serverContent"] * 3, ["serverContent"] * 2]


def test_a_request_that_gets_no_answer_before_the_next_one_stays_without() -> None:
    first, second = calls(said(LIVE, turn("one"), turn("two"), says("b"), END))
    assert (first[1], second[1]) == ([], ["serverContent"] * 2)


def test_messages_of_the_server_that_say_nothing_begin_no_answer() -> None:
    made = said(LIVE, SETUP, READY, END, DONE, ("<", {"goAway": {}}), ("<", {"usageMetadata": {}}))
    assert not calls(made)
    assert len(passed(made)) == 6


# -- any of them ------------------------------------------------------------------------------------------------------------

SPOKEN = [SESSION, item("one"), (">", {"type": "input_audio_buffer.append", "audio": SOUND}), CREATE, CREATE, *answer("a")]
TALKED = [SETUP, turn("one", complete=False), turn("two"), says("a"), END, says("b")]


@pytest.mark.parametrize(("target", "messages"), [(REALTIME, SPOKEN), (LIVE, TALKED)])
def test_going_on_from_a_checkpoint_changes_nothing(target: str, messages: list[Said]) -> None:
    sockets = Sockets(Wire(), target=target)
    for who, message in messages:
        (sockets.asks if who == ">" else sockets.tells)(json.dumps(message))
    events = run(parse_http(), sockets.records)
    expected = run(merge_websocket(), events)
    assert only(SseMessage, expected)
    for cut in range(len(events)):
        before, after = Running(merge_websocket()), Running(merge_websocket())
        made = before.feed(*events[:cut])
        state: Any = msgspec.msgpack.decode(msgspec.msgpack.encode(before.snapshot()))
        after.restore(state)
        assert after.held() == before.held()
        assert made + after.feed(*events[cut:]) + after.finish() == expected


NONSENSE = [
    *("", "{", "[]", "null", '{"type":[]}', '{"type":null}', "[" * 100_000, '{"setup":' + "[" * 100_000),
    *('{"clientContent":[]}', '{"realtimeInput":{"mediaChunks":null}}', '{"toolResponse":null}', '{"setup":null}'),
    *('{"type":"session.update","session":[]}', '{"type":"session.update"}', '{"type":"error"}', '{"type":"error","error":1}'),
    *('{"type":"conversation.item.create"}', '{"type":"input_audio_buffer.append"}', '{"serverContent":null}'),
]


@pytest.mark.parametrize("target", [REALTIME, LIVE])
def test_nothing_that_is_no_message_of_the_dialect_makes_it_fail(target: str) -> None:
    sockets = Sockets(Wire(), target=target)
    for text in NONSENSE:
        sockets.asks(text)
        sockets.tells(text)
    made = run(merge_websocket(), run(parse_http(), sockets.records))
    assert len(only(WebSocketMessage, made)) == 2 * len(NONSENSE)


KEY = "sk-ant-api03-Zq7Wv9Xk2Jy4Zq7Wv9Xk2Jy4Zq7Wv9Xk2Jy4-AA"


@pytest.mark.parametrize(
    ("target", "messages"),
    [(REALTIME, [UPDATE, item(KEY), CREATE, *answer("a", KEY)]), (LIVE, [SETUP, turn(KEY), says(KEY), END])],
)
def test_a_secret_is_in_no_request_answer_or_message(target: str, messages: list[Said]) -> None:
    operator: Operator[Any, Any] = remove_auth(key=b"k" * 32)
    made = run(operator, said(target, *messages))
    assert len(only(HttpRequest, made)) == 2
    assert KEY not in repr(made)
    assert b"[redacted:" in only(HttpRequest, made)[1].body
