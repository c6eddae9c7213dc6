"""Rules about an exchange: a request waits for its answer, and both go or stay together."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from agentsight_rx.events import (
    BodyPart,
    Connection,
    HttpEvent,
    HttpRequest,
    HttpResponse,
    Origin,
    Reply,
    SseMessage,
    TlsChunk,
    TlsClose,
    WebSocketMessage,
)
from agentsight_rx.events.loss import Reason, RuleCounts
from agentsight_rx.operators import filter_http
from agentsight_rx.operators.judge_http import Rejected, judge_http
from agentsight_rx.policy.rules.http import compile_http
from tests.operators import CONNECTION, Running, run

MS = 1_000_000
SECOND = 1_000 * MS
OTHER = Connection(8, 800, "/lib/libssl.so.3", 0x7F01)
Filter = Running[HttpEvent, HttpEvent]


def origin(at_ms: int = 1, connection: Connection | None = CONNECTION) -> Origin:
    return Origin(at_ms * MS, 2, connection=connection)


def request(exchange: int = 1, target: str = "/x", *, at: Origin | None = None, **fields: Any) -> HttpRequest:
    return HttpRequest(at or origin(), exchange, "GET", target, "HTTP/1.1", (("host", "a"),), size=10, **fields)


def response(exchange: int = 1, status: int = 200, *, at: Origin | None = None, **fields: Any) -> HttpResponse:
    return HttpResponse(at or origin(), exchange, status, "", "HTTP/1.1", (), size=20, **fields)


def stream(exchange: int = 1) -> SseMessage:
    return SseMessage(origin(), exchange, "", Reply(), (), 1, size=30)


@pytest.mark.parametrize(
    ("rule", "status", "dropped"),
    [
        ("exchange.request.path=/x & exchange.response.status=404", 404, True),
        ("exchange.request.path=/x & exchange.response.status=404", 200, False),
        ("exchange.request.path=/y & exchange.response.status=404", 404, False),
        ("exchange.status=4xx", 404, True),
        ("exchange.status=4xx", 200, False),
        ("exchange.status_code>=400", 404, True),
        ("exchange.method=GET", 200, True),
        ("exchange.path=/x", 200, True),
        ("exchange.host=A", 200, True),
        ("exchange.pid=2", 200, True),
        ("exchange.request.header.host=a & exchange.response.header.server=", 200, True),
        ("exchange.response.x-foo=", 200, True),
        ("!exchange.response.status=404", 200, True),
        ("!exchange.response.status=404", 404, False),
        ("!(exchange.path=/x & exchange.status=200)", 404, True),
        ("!(exchange.path=/x & exchange.status=200)", 200, False),
        ("request.path=/x & exchange.status=404", 404, True),  # in such a rule every condition is about the exchange
        ("request.path=/x & exchange.status=404", 200, False),
        ("(method=POST | response.status=404) & exchange.path=/x", 404, True),
        ("exchange.path=/y | exchange.status=404", 404, True),
        ("exchange.request.body.empty=true & exchange.status=404", 404, True),
        ("websocket.kind=text & exchange.status=404", 404, False),
    ],
)
def test_both_sides_go_or_stay(rule: str, status: int, dropped: bool) -> None:
    events: list[HttpEvent] = [request(), response(1, status)]
    assert run(filter_http(rule), events) == ([] if dropped else events)


def test_an_alternative_about_one_message_stands_for_itself() -> None:
    events: list[HttpEvent] = [request(), response(1, 204), request(2), response(2)]
    assert run(filter_http("request.path=/x | exchange.status=204"), events) == [response(2)]
    assert run(filter_http("request.path=/x", "exchange.status=204"), events) == [response(2)]


def test_a_request_waits_only_where_its_answer_decides() -> None:
    running = Filter(filter_http("exchange.path=/x & exchange.status=404"))
    assert running.feed(request(1, "/other")) == [request(1, "/other")]
    assert running.feed(request(2)) == []
    assert running.held() == 10
    assert running.feed(response(1, 404)) == [response(1, 404)]
    assert running.feed(response(2)) == [request(2), response(2)]
    assert running.held() == 0


def test_a_request_that_is_enough_is_dropped_at_once_with_its_answer() -> None:
    running = Filter(filter_http("exchange.path=/x"))
    assert running.feed(request()) == []
    assert running.held() == 0
    assert running.feed(response(), BodyPart(origin(), 1, b"a"), stream()) == []
    (meter,) = running.engine.ledger
    assert [(entry.reason, entry.count, entry.size) for entry in meter.entries()] == [(Reason.FILTERED, 4, 60)]


def test_what_follows_a_dropped_answer_is_dropped_and_what_follows_another_is_not() -> None:
    events: list[HttpEvent] = [request(), response(1, 404), request(2), response(2, streaming=True), stream(1), stream(2)]
    assert run(filter_http("exchange.status=404"), events) == [request(2), response(2, streaming=True), stream(2)]


def test_the_messages_of_a_websocket_go_with_the_request_that_opened_it() -> None:
    said = WebSocketMessage(origin(), 5, 1, "text", b"a")
    other = WebSocketMessage(origin(), 6, 2, "text", b"a")
    events: list[HttpEvent] = [request(), response(1, 101), said, other]
    assert run(filter_http("exchange.path=/x"), events) == [other]


def test_an_interim_answer_waits_with_the_request() -> None:
    running = Filter(filter_http("exchange.status=404"))
    assert running.feed(request(), response(1, 100)) == []
    assert running.held() == 30
    assert running.feed(response(1, 200)) == [request(), response(1, 100), response(1, 200)]
    assert running.feed(request(2), response(2, 100), response(2, 404)) == []


def test_pipelined_requests_are_told_apart() -> None:
    events: list[HttpEvent] = [request(1), request(2), request(3), response(1, 404), response(2), response(3, 404)]
    assert run(filter_http("exchange.status=404"), events) == [request(2), response(2)]


def test_connections_do_not_mix() -> None:
    far = origin(connection=OTHER)
    events: list[HttpEvent] = [request(), request(at=far), response(1, 404, at=far), response()]
    assert run(filter_http("exchange.status=404"), events) == [request(), response()]


def test_an_answer_that_came_before_the_end_of_its_request_decides_by_what_it_knows() -> None:
    early = response(1, 404, method="POST", target="/x", host="a")
    kept = response(2, 200, method="POST", target="/x", host="a")
    events: list[HttpEvent] = [early, request(1), kept, request(2)]
    assert run(filter_http("exchange.path=/x & exchange.status=404"), events) == [kept, request(2)]
    assert run(filter_http("exchange.request.body.empty=true & exchange.status=404"), events) == events


def test_an_answer_alone() -> None:
    assert run(filter_http("exchange.status=404"), [response(1, 404), response(2, 200)]) == [response(2, 200)]
    assert run(filter_http("exchange.path=/x & exchange.status=404"), [response(1, 404)]) == [response(1, 404)]


def test_a_closed_connection_releases_what_waits_in_front_of_its_end() -> None:
    close = TlsClose(origin())
    running = Filter(filter_http("exchange.status=404"))
    assert running.feed(request(1), request(2), close) == [request(1), request(2), close]
    # the numbers may begin again
    assert running.feed(request(1), response(1)) == [request(1), response(1)]


def test_the_end_of_the_input_releases_what_waits() -> None:
    assert run(filter_http("exchange.status=404"), [request()]) == [request()]
    assert run(filter_http("!exchange.status=404"), [request()]) == []


def test_after_thirty_seconds_of_event_time_a_request_waits_no_longer_and_its_answer_stays_with_it() -> None:
    running = Filter(filter_http("exchange.status=404"))
    asked = request(end_ns=2 * SECOND)
    running.feed(asked)
    assert running.tick(32 * SECOND - 1) == []
    assert running.tick(32 * SECOND) == [asked]
    assert running.tick(33 * SECOND) == []
    assert running.feed(response(1, 404)) == [response(1, 404)]
    assert running.feed(response(2, 404)) == []


def test_what_follows_without_a_head_ends_the_waiting() -> None:
    events: list[HttpEvent] = [request(), stream()]
    assert run(filter_http("exchange.status=404"), events) == events


def test_at_most_1024_requests_of_a_connection_wait_and_the_oldest_goes_first() -> None:
    running = Filter(filter_http("exchange.status=404"))
    asked = [request(exchange) for exchange in range(1, 1100)]
    assert running.feed(*asked) == asked[:75]
    assert running.held() == 1024 * 10
    assert running.feed(response(1, 404), response(1099, 404)) == [response(1, 404)]


def test_at_most_64_mib_of_bodies_wait() -> None:
    running = Filter(filter_http("exchange.status=404"))
    body = bytes(8 << 20)
    asked = [request(exchange, body=body) for exchange in range(1, 10)]
    assert running.feed(*asked) == asked[:1]


def test_a_number_that_comes_again_is_another_exchange() -> None:
    events: list[HttpEvent] = [request(), response(1, 404), request(), response(), request(), request(), response()]
    assert run(filter_http("exchange.status=404"), events) == [request(), response(), request(), request(), response()]


def test_events_of_no_connection_and_raw_records_go_by() -> None:
    nowhere = origin(connection=None)
    events: list[HttpEvent] = [request(at=nowhere), response(1, 404, at=nowhere), TlsChunk(origin(), b"x", 0, 0)]
    assert run(filter_http("exchange.status=404"), events) == events
    assert run(filter_http("exchange.status=404", "method=GET"), events) == events[1:]


def test_it_goes_on_from_a_snapshot() -> None:
    rule = filter_http("exchange.path=/x & exchange.status=404")
    before = Filter(rule)
    before.feed(request(1), request(2), response(2, 100), request(3, "/other"))
    state = msgspec.msgpack.decode(msgspec.msgpack.encode(before.snapshot()))
    after = Filter(rule)
    after.restore(state)
    assert after.held() == before.held() == 40
    answers: list[HttpEvent] = [response(1, 404), response(2), response(3, 404), stream(1)]
    assert after.feed(*answers) == before.feed(*answers) == [request(2), response(2, 100), response(2), response(3, 404)]


def test_what_was_seen_and_dropped_is_counted() -> None:
    running = Filter(filter_http("exchange.status=404", "path=/y"))
    running.feed(request(), response(1, 404), request(2, "/y"), TlsClose(origin()))
    assert running.engine.ledger.rules() == [RuleCounts("HTTPFilter", 3, 3)]


def test_a_judge_says_what_decided() -> None:
    rules = compile_http(["exchange.path=/x & exchange.status=404 | path=/y"])
    events: list[HttpEvent] = [request(), response(1, 404), stream(), request(2, "/y"), request(3)]
    judged = run(judge_http(rules), events)
    causes = [(each.cause and rules.why(each.cause)) for each in judged if isinstance(each, Rejected)]
    pair = 'exchange.path = "/x" & exchange.status = "404"'
    assert causes == [pair, pair, (), 'path = "/y"']
