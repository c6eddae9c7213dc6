"""HAR: haralyzer opens it, and every exchange is in it as it was."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import msgspec
import pytest
from haralyzer import HarParser

from agentsight_rx.events import (
    BodyPart,
    Connection,
    Direction,
    Event,
    HttpRequest,
    HttpResponse,
    Origin,
    Reply,
    SseEvent,
    SseMessage,
    TlsClose,
    WebSocketMessage,
)
from agentsight_rx.graphs import RECORD_HTTP_FILTERS
from agentsight_rx.operators import filter_http, parse_http
from agentsight_rx.policy.rules.guard.file import built_in_rules
from agentsight_rx.view.exports.har import har
from tests.cli.report.story import BEGAN_MS, recorded, small_story
from tests.guarded import leaking, stored
from tests.operators import Wire, run
from tests.operators.test_merge_websocket import (
    CREATE,
    END,
    LIVE,
    READY,
    REALTIME,
    SESSION,
    SETUP,
    UPDATE,
    answer,
    item,
    said,
    says,
    turn,
)
from tests.view.exports.stores import opened, store_of

MS = 1_000_000
LINK = Connection(7, 1, "libssl.so", 9)
JSON = (("content-type", "application/json"),)


def at(ms: int, direction: Direction = "out") -> Origin:
    return Origin(10**9 + ms * MS, 7, comm="node", wall_ns=(BEGAN_MS + ms) * MS, connection=LINK, direction=direction)


def asked(ms: int = 0, exchange: int = 1, **more: Any) -> HttpRequest:
    given: dict[str, Any] = {"headers": (("host", "a.example"), *JSON), "body": b'{"x":1}', "end_ns": at(ms + 2).time_ns}
    return HttpRequest(at(ms), exchange, "POST", target="/v1/x?a=1&b=%20", version="HTTP/1.1", **given | more)


def answered(ms: int = 10, exchange: int = 1, **more: Any) -> HttpResponse:
    given: dict[str, Any] = {"headers": JSON, "body": b'{"y":2}', "end_ns": at(ms + 5).time_ns}
    return HttpResponse(at(ms, "in"), exchange, 200, phrase="OK", version="HTTP/1.1", **given | more)


def exported(path: Path, *events: Event, **limits: int) -> Any:
    with opened(store_of(path / "x.lmdb", events)) as store:
        return msgspec.json.decode(b"".join(har(store, **limits)))


def entry(path: Path, *events: Event, **limits: int) -> Any:
    (found,) = exported(path, *events, **limits)["log"]["entries"]
    return found


def test_haralyzer_reads_every_exchange_of_a_recording(tmp_path: Path) -> None:
    with opened(recorded(tmp_path / "x.lmdb", small_story())) as store:
        parsed: Any = HarParser(msgspec.json.decode(b"".join(har(store))))
    entries = parsed.har_data["entries"]
    assert (parsed.version, len(entries)) == ("1.2", 4)
    (page,) = parsed.pages  # all entries without a page are one
    assert [(each.request.method, each.request.url, each.response.status) for each in page.entries] == [
        ("POST", "https://api.anthropic.com/v1/messages", 200)
    ] * 4
    assert page.entries[0].time == 6200


def test_entries_stand_in_the_order_in_which_they_began(tmp_path: Path) -> None:
    events = asked(), asked(3, exchange=2), answered(8, exchange=2), answered(20)
    began = [each["startedDateTime"] for each in exported(tmp_path, *events)["log"]["entries"]]
    assert ["2025-11-27T18:00:04.000Z", "2025-11-27T18:00:04.003Z"] == began


def test_an_entry_has_bodies_heads_and_times(tmp_path: Path) -> None:
    found = entry(tmp_path, asked(), answered())
    assert found["request"]["url"] == "https://a.example/v1/x?a=1&b=%20"
    assert found["request"]["queryString"] == [{"name": "a", "value": "1"}, {"name": "b", "value": " "}]
    assert found["request"]["postData"] == {"mimeType": "application/json", "params": [], "text": '{"x":1}'}
    assert found["response"]["content"] == {"size": 7, "mimeType": "application/json", "text": '{"y":2}'}
    assert found["timings"] == {"send": 2, "wait": 8, "receive": 5}
    assert (found["time"], found["startedDateTime"]) == (15, "2025-11-27T18:00:04.000Z")
    assert "comment" not in found


def test_bytes_that_are_no_text_are_in_base64(tmp_path: Path) -> None:
    found = entry(tmp_path, asked(body=b"\xff\x00"), answered(body=b"\x89PNG\xff"))
    assert base64.b64decode(found["response"]["content"]["text"]) == b"\x89PNG\xff"
    assert (found["response"]["content"]["encoding"], found["request"]["postData"]["encoding"]) == ("base64", "base64")


def test_a_body_in_parts_is_one(tmp_path: Path) -> None:
    head = answered(streaming=True, body=b"")
    parts = [BodyPart(at(20 + n, "in"), 1, data=data, last=data == b"") for n, data in enumerate((b"ab", b"cd", b""))]
    found = entry(tmp_path, asked(), head, *parts)
    assert (found["response"]["content"]["text"], found["timings"]["receive"]) == ("abcd", 12)


def test_a_stream_is_the_lines_of_its_events(tmp_path: Path) -> None:
    head = answered(streaming=True, body=b"", headers=(("content-type", "text/event-stream"),))
    stream = SseMessage(
        at(10, "in"), 1, "", Reply(), (SseEvent("message", "a\nb"), SseEvent("end", "c", id="4")), end_ns=at(30).time_ns
    )
    found = entry(tmp_path, asked(), head, stream)
    assert found["response"]["content"]["text"] == "data: a\ndata: b\n\nevent: end\nid: 4\ndata: c\n\n"
    assert found["comment"] == "the text of the answer is put together from the events of its stream"


@pytest.mark.parametrize(
    ("events", "comment"),
    [
        ([asked()], "no answer was seen"),
        ([asked(), TlsClose(at(9))], "no answer was seen"),
        ([answered()], "the request was not captured, or is in an entry before this one"),
        ([asked(), answered(complete=False, reason="gap", body_lost=5)], "the answer is incomplete (gap), 5 bytes"),
        ([asked(complete=False, reason="gap", body_lost=3), answered()], "the request is incomplete (gap), 3 bytes"),
        ([asked(), answered(streaming=True, body=b"")], "the end of the answer was not seen"),
    ],
)  # fmt: skip
def test_what_is_missing_is_in_the_comment(tmp_path: Path, events: list[Event], comment: str) -> None:
    assert entry(tmp_path, *events)["comment"].removesuffix(" of its body are missing") == comment


def streamed(ms: int, exchange: int = 1) -> SseMessage:
    return SseMessage(at(ms, "in"), exchange, "", Reply(), (SseEvent("message", "x"),), end_ns=at(ms + 1).time_ns)


def test_a_call_on_a_websocket_is_in_its_messages_alone(tmp_path: Path) -> None:
    greeting = WebSocketMessage(at(20), 2, 1, "text", b"hi", end_ns=at(20).time_ns, target="/ws")
    call = HttpRequest(at(20), 3, "POST", "/ws", "WebSocket", (("host", "a.example"),), body=b'{"q":1}')
    found = entry(tmp_path, asked(body=b""), greeting, call, streamed(30, exchange=3), TlsClose(at(40)))
    assert [(each["type"], each["data"]) for each in found["_webSocketMessages"]] == [
        ("send", "hi"), ("send", '{"q":1}'), ("receive", "x"),
    ]  # fmt: skip
    assert "2 messages of the WebSocket made again from calls" in found["comment"]


CONVERSATIONS = {
    "realtime": (REALTIME, [SESSION, UPDATE, item("one"), CREATE, *answer("a"), item("two"), CREATE, *answer("b")]),
    "live": (LIVE, [SETUP, READY, turn("hi"), says("hello"), END, turn("more"), says("no"), END]),
}


@pytest.mark.parametrize(("target", "messages"), CONVERSATIONS.values(), ids=list(CONVERSATIONS))
def test_all_that_a_server_said_on_a_websocket_is_in_its_entry(tmp_path: Path, target: str, messages: list[Any]) -> None:
    """And the status of its upgrade, and the words of the client as requests have them."""
    found = entry(tmp_path, *said(target, *messages))
    assert (found["_resourceType"], found["request"]["method"], found["response"]["status"]) == ("websocket", "GET", 101)
    there = found["_webSocketMessages"]
    heard = [
        base64.b64decode(each["data"]) if each["opcode"] == 2 else each["data"] for each in there if each["type"] == "receive"
    ]
    assert [message for who, message in messages if who == "<"] == list(map(msgspec.json.decode, heard))
    asked_for = "".join(each["data"] for each in there if each["type"] == "send")
    assert [word for word in ("one", "two") if target is REALTIME and word not in asked_for] == []
    assert [word for word in ("hi", "more") if target is LIVE and word not in asked_for] == []


def test_a_call_that_goes_on_after_silence_says_each_event_once(tmp_path: Path) -> None:
    call = HttpRequest(at(20), 3, "POST", asked().target, "WebSocket", (("host", "a.example"),), body=b"q")
    upgrade = HttpResponse(at(10, "in"), 1, 101, phrase="Switching Protocols", version="HTTP/1.1", headers=())
    events = SseEvent("message", "a"), SseEvent("message", "b")
    first = SseMessage(at(30, "in"), 3, "", Reply(), events[:1], end_ns=1, complete=False, reason="timeout")
    found = entry(tmp_path, asked(), upgrade, call, first, msgspec.structs.replace(first, events=events, revision=1))
    assert [each["data"] for each in found["_webSocketMessages"]] == ["q", "a", "b"]


def test_a_request_that_a_filter_dropped_was_seen(tmp_path: Path) -> None:
    """As the default filter drops HEAD: the answer names its request."""
    wire = Wire()
    records = [
        wire.writes(b"HEAD /health HTTP/1.1\r\nHost: a.example\r\n\r\n"),
        wire.reads(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"),
    ]
    found = entry(tmp_path, *run(filter_http(*RECORD_HTTP_FILTERS), run(parse_http(), records)))
    assert (found["request"]["method"], found["request"]["url"]) == ("HEAD", "https://a.example/health")
    assert found["comment"].startswith("the request was seen, and is not here: a filter left it out")
    assert "_requestSeen" not in found
    assert found["response"]["status"] == 200


def test_a_stream_whose_exchange_was_written_before_is_an_entry(tmp_path: Path) -> None:
    """No answer is lost where too much was open."""
    first, second = exported(tmp_path, asked(body=b"x" * 900), streamed(30), held_most=800)["log"]["entries"]
    assert (first["request"]["method"], second["response"]["content"]["text"]) == ("POST", "data: x\n\n")


def test_messages_of_a_websocket_are_those_of_its_upgrade(tmp_path: Path) -> None:
    said: list[Event] = [
        WebSocketMessage(at(20), 2, 1, "text", b"hi", end_ns=at(20).time_ns),
        WebSocketMessage(at(21, "in"), 3, 1, "binary", b"\xff", end_ns=at(21).time_ns, sender="server"),
        WebSocketMessage(at(22), 4, 1, "close", b"bye", code=1000, end_ns=at(22).time_ns),
    ]
    upgrade = HttpResponse(at(10, "in"), 1, 101, phrase="Switching Protocols", version="HTTP/1.1", headers=())
    found = entry(tmp_path, asked(body=b""), upgrade, *said, TlsClose(at(30)))
    messages = found["_webSocketMessages"]
    assert [(each["type"], each["opcode"], each["data"]) for each in messages] == [
        ("send", 1, "hi"), ("receive", 2, "/w=="), ("send", 8, "bye"),
    ]  # fmt: skip
    assert (found["_resourceType"], found["request"]["url"][:6], found["response"]["status"]) == ("websocket", "wss://", 101)


def test_a_websocket_whose_begin_was_not_seen_is_an_entry(tmp_path: Path) -> None:
    found = entry(tmp_path, WebSocketMessage(at(20), 2, 0, "text", b"hi", target="/ws", host="a.example"))
    assert (found["request"]["url"], found["comment"]) == (
        "wss://a.example/ws",
        "the request was not captured, or is in an entry before this one; no answer was seen",
    )


def test_messages_beyond_the_limit_are_counted(tmp_path: Path) -> None:
    said = [WebSocketMessage(at(20 + n), 2 + n, 1, "text", b"x" * 10) for n in range(4)]
    found = entry(tmp_path, asked(), *said, messages_most=800)
    assert len(found["_webSocketMessages"]) == 3
    assert "1 message of the WebSocket left out" in found["comment"]


def test_what_is_open_is_bounded(tmp_path: Path) -> None:
    """The oldest ones are written as they are, and no answer is lost."""
    events: list[Event] = [asked(n, exchange=n + 1, body=b"x" * 500) for n in range(10)]
    events += [answered(50 + n, exchange=n + 1) for n in range(10)]
    found = exported(tmp_path, *events, held_most=2000)["log"]["entries"]
    assert sum(each["response"]["status"] == 200 for each in found) == 10
    assert sum(each["request"]["method"] == "POST" for each in found) == 10


@pytest.mark.parametrize("target", ["http://b.example/x", "c.example:443", "*", "/[", "//[::1"])
def test_any_target_gives_an_entry(tmp_path: Path, target: str) -> None:
    request = HttpRequest(at(0), 1, "CONNECT" if ":443" in target else "GET", target, "HTTP/1.1", (("host", "[bad"),))
    assert target.strip("/") in entry(tmp_path, request, answered())["request"]["url"]


def test_a_recording_without_http_is_an_empty_file(tmp_path: Path) -> None:
    assert exported(tmp_path)["log"]["entries"] == []


BEHIND = {
    "nothing": [],
    "a later revision": ["later"],
    "a hang-up": ["last"],
    "both": ["later", "last"],
    "the end of the connection": ["close"],
}


@pytest.mark.parametrize("behind", BEHIND.values(), ids=list(BEHIND))
def test_what_comes_behind_the_end_of_an_answer_makes_no_second_entry(tmp_path: Path, behind: list[str]) -> None:
    said = SseEvent("message", "a"), SseEvent("message", "b")
    stream = SseMessage(at(10, "in"), 1, dialect="openai", reply=Reply(text="a"), events=said[:1], end_ns=1)
    events: dict[str, Event] = {
        "later": SseMessage(at(10, "in"), 1, "openai", reply=Reply(text="a"), events=said, end_ns=1, revision=1),
        "last": BodyPart(at(30, "in"), 1, b"", last=True, complete=False, reason="closed"),
        "close": TlsClose(at(40)),
    }
    made = entry(tmp_path, asked(), answered(body=b"", streaming=True), stream, *(events[name] for name in behind))
    assert made["response"]["content"]["text"] == ("a\nb\n" if "later" in behind else "a\n")


def test_an_entry_has_the_alerts_that_rest_on_it(tmp_path: Path) -> None:
    path = stored(tmp_path / "run.lmdb", leaking().events, built_in_rules())
    with opened(path) as store:
        entries = msgspec.json.decode(b"".join(har(store)))["log"]["entries"]
    by_host = {
        each["rule"] for entry in entries for each in entry.get("_alerts", []) if "paste.example" in entry["request"]["url"]
    }
    assert {"new-host"} == by_host
    assert {"new-host", "reads-secret", "secret-left", "unsandboxed"} == {
        each["rule"] for entry in entries for each in entry.get("_alerts", [])
    }
    with opened(stored(tmp_path / "plain.lmdb", leaking().events)) as store:
        assert b"_alerts" not in b"".join(har(store))
