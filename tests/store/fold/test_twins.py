"""Several rows of one call: which one counts."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest

from agentsight_rx.events import Connection, Direction, Event, HttpRequest, Origin, Reply, SseMessage, TlsClose, TlsOpen, Usage
from agentsight_rx.store.rows.kinds import RowGone
from agentsight_rx.store.rows.tally import Tally
from agentsight_rx.view import CallRow, Fold, Row, TokenRow

MS = 1_000_000
AGENT, PROXY, MODEL = 10, 20, 30
A, B, C, D = "127.0.0.1:5000", "127.0.0.1:80", "10.0.0.2:5001", "10.0.0.3:443"


def at(ms: int, pid: int, handle: int, direction: Direction | None = None) -> Origin:
    return Origin(
        ms * MS, pid, pid, comm=f"p{pid}", wall_ns=ms * MS, connection=Connection(pid, 1, "/x", handle), direction=direction
    )


def opens(ms: int, pid: int, handle: int, local: str, peer: str, since_ms: int = 0) -> TlsOpen:
    return TlsOpen(at(ms, pid, handle), first=False, local=local, peer=peer, since_ns=since_ms * MS)


def asks(ms: int, pid: int, handle: int, direction: Direction, say: str = "hi", **more: Any) -> HttpRequest:
    body = json.dumps({"model": "m", "messages": [{"role": "user", "content": say}]}).encode()
    head = (("host", "model.test"), ("content-type", "application/json"))
    source = at(ms, pid, handle, direction)
    exchange = more.pop("exchange", 1)
    return HttpRequest(
        source, exchange, "POST", "/v1/chat/completions", "HTTP/1.1", head, body, end_ns=ms * MS, size=len(body), **more
    )


def answers(ms: int, pid: int, handle: int, direction: Direction, exchange: int = 1) -> SseMessage:
    reply = Reply(text="hello", id="c1", model="m", usage=Usage(3, 4))
    source = at(ms, pid, handle, direction)
    return SseMessage(
        source, exchange, "openai", reply, (), ms * MS, target="/v1/chat/completions", host="model.test", status=200
    )


def folded(events: Sequence[Event]) -> dict[str, CallRow]:
    fold = Fold()
    rows: list[Row] = [row for event in events for row in fold.add(event)] + fold.finish()
    tally = Tally()
    tally.add(rows)
    calls = {row.id: row for row in rows if isinstance(row, CallRow)}
    counted = [row for row in calls.values() if row.twin is None]
    assert len(counted) == tally.totals.calls == sum(tally.totals.models.values())
    tokens = {row.id for row in rows if isinstance(row, TokenRow)} - {row.id for row in rows if isinstance(row, RowGone)}
    assert tokens == {f"token-{row.id}" for row in counted if row.total_tokens}
    return calls


def names(rows: dict[str, CallRow]) -> dict[int, str]:
    """What each process' row counts as: its own call, or the row that counts."""
    return {row.pid or 0: row.twin or "counts" for row in rows.values()}


PROXIED: list[Event] = [
    opens(1, AGENT, 1, A, B),
    opens(1, PROXY, 2, B, A),
    opens(1, PROXY, 3, C, D),
    opens(1, MODEL, 4, D, C),
    asks(10, AGENT, 1, "out"),
    asks(11, PROXY, 2, "in"),
    asks(12, PROXY, 3, "out"),
    asks(13, MODEL, 4, "in"),
    answers(14, MODEL, 4, "out"),
    answers(15, PROXY, 3, "in"),
    answers(16, PROXY, 2, "out"),
    answers(17, AGENT, 1, "in"),
]


def test_a_call_through_a_proxy_is_one_call_that_names_it() -> None:
    rows = folded(PROXIED)
    (call,) = [row for row in rows.values() if row.twin is None]
    assert (AGENT, "p20", "complete", 7) == (call.pid, call.through, call.status, call.total_tokens)
    assert 4 == len(rows)
    assert {call.id} == {row.twin for row in rows.values() if row.twin}


def sends_on(ms: int, body: dict[str, Any], target: str, **more: Any) -> HttpRequest:
    """What the proxy makes of what it was asked."""
    raw = json.dumps(body, indent=2, sort_keys=True).encode()
    head = (("host", "model.test"), ("content-type", "application/json"))
    return HttpRequest(at(ms, PROXY, 3, "out"), 1, "POST", target, "HTTP/1.1", head, raw, end_ns=ms * MS, size=len(raw), **more)


SAME = {"model": "m", "messages": [{"role": "user", "content": "hi"}]}
SENT_ON = {
    "spelled otherwise": sends_on(12, SAME, "/v1/chat/completions"),
    "another place": sends_on(12, SAME, "/models/openai/v1/chat/completions"),
    "another model": sends_on(12, {**SAME, "model": "vendor/m", "user": "x"}, "/v1/chat/completions"),
    "another dialect": sends_on(12, {**SAME, "max_tokens": 100}, "/v1/messages"),
    "in parts": sends_on(
        12, {"model": "m", "messages": [{"role": "user", "content": [{"type": "text", "text": "hi"}]}]}, "/v1/chat/completions"
    ),
}


@pytest.mark.parametrize("sent", SENT_ON.values(), ids=SENT_ON)
def test_a_proxy_may_spell_the_conversation_otherwise(sent: HttpRequest) -> None:
    without_model = [event for event in PROXIED if event.origin.pid != MODEL]
    rows = folded([sent if event == PROXIED[6] else event for event in without_model])
    assert {AGENT: "counts", PROXY: "llm-10-1-1-1"} == names(rows)
    assert "p20" == rows["llm-10-1-1-1"].through


@pytest.mark.parametrize("say", ["hi there", "", "Hi"])
def test_what_a_server_asks_of_its_own_is_another_call(say: str) -> None:
    """An agent that serves others asks its model something else."""
    without_model = [event for event in PROXIED if event.origin.pid != MODEL]
    sent = sends_on(12, {"model": "m", "messages": [{"role": "user", "content": say}]}, "/v1/chat/completions")
    rows = folded([sent if event == PROXIED[6] else event for event in without_model])
    assert 2 == len([row for row in rows.values() if row.twin is None])
    assert {None} == {row.through for row in rows.values()}


def test_a_proxy_alone_counts_what_it_sends() -> None:
    """Its client is not in the recording: the host and the price are those of the model."""
    rows = folded([event for event in PROXIED if event.origin.pid == PROXY])
    (call,) = [row for row in rows.values() if row.twin is None]
    assert call.id.startswith("llm-20-1-3-")
    assert call.through is None


def test_a_proxy_that_tries_again_sends_one_call_and_one_that_asks_two_models_at_once_sends_two() -> None:
    again = asks(16, PROXY, 3, "out", exchange=2)
    whole: list[Event] = [*PROXIED[:10], again, answers(17, PROXY, 3, "in", 2), *PROXIED[10:]]
    assert 1 == len([row for row in folded(whole).values() if row.twin is None])
    at_once: list[Event] = [*PROXIED[:7], opens(12, PROXY, 5, "10.0.0.2:5002", D), asks(12, PROXY, 5, "out"), *PROXIED[7:]]
    assert 2 == len([row for row in folded(at_once).values() if row.twin is None])


def test_equal_calls_of_one_process_to_itself_are_not_passed_on() -> None:
    """Two threads ask a server in their own process the same at once."""
    events: list[Event] = []
    for number in (1, 2):
        here = f"127.0.0.1:500{number}"
        events += [opens(number, AGENT, number, here, B), opens(number, AGENT, 10 + number, B, here)]
    for number in (1, 2):
        events += [asks(10 * number, AGENT, number, "out"), asks(10 * number + 1, AGENT, 10 + number, "in")]
    events += [
        answers(50, AGENT, 12, "out"),
        answers(51, AGENT, 2, "in"),
        answers(52, AGENT, 11, "out"),
        answers(53, AGENT, 1, "in"),
    ]
    rows = folded(events)
    assert {f"llm-10-1-{server}-1": f"llm-10-1-{client}-1" for client, server in ((1, "b"), (2, "c"))} == {
        row.id: row.twin for row in rows.values() if row.twin
    }


def test_a_call_that_its_client_gave_up_is_the_one_that_its_server_reads_later() -> None:
    events: list[Event] = [
        opens(1, AGENT, 1, A, B),
        asks(10, AGENT, 1, "out"),
        TlsClose(at(20, AGENT, 1), 0, 0),
        opens(30, MODEL, 4, B, A),
        asks(31, MODEL, 4, "in"),
        answers(32, MODEL, 4, "out"),
    ]
    rows = folded(events)
    assert {AGENT: "counts", MODEL: "llm-10-1-1-1"} == names(rows)
    assert "aborted" == rows["llm-10-1-1-1"].status


@pytest.mark.parametrize("lost", [AGENT, MODEL])
def test_where_the_request_was_lost_at_one_end_the_other_end_has_the_call(lost: int) -> None:
    events: list[Event] = [
        opens(1, AGENT, 1, A, B),
        opens(1, MODEL, 4, B, A),
        asks(10, AGENT, 1, "out"),
        asks(11, MODEL, 4, "in"),
        answers(12, MODEL, 4, "out"),
        answers(13, AGENT, 1, "in"),
    ]
    rows = folded([event for event in events if not (isinstance(event, HttpRequest) and event.origin.pid == lost)])
    whole, other = (MODEL, AGENT) if lost == AGENT else (AGENT, MODEL)
    assert "counts" == names(rows)[whole]
    assert "counts" != names(rows)[other]


def test_bytes_that_are_missing_at_one_end_do_not_part_the_ends() -> None:
    events: list[Event] = [
        opens(1, AGENT, 1, A, B),
        opens(1, MODEL, 4, B, A),
        asks(10, AGENT, 1, "out"),
        asks(11, MODEL, 4, "in", "h", complete=False),
    ]
    assert {AGENT: "counts", MODEL: "llm-10-1-1-1"} == names(folded(events))


def test_ends_that_are_known_late_make_one_call_of_two() -> None:
    """One process, whose client's socket is known once it reads, after the time that is looked back."""
    events: list[Event] = [
        opens(1, AGENT, 4, B, A),
        asks(10, AGENT, 1, "out"),
        asks(11, AGENT, 4, "in"),
        opens(9000, AGENT, 1, A, B, since_ms=10),
        answers(9001, AGENT, 4, "out"),
        answers(9002, AGENT, 1, "in"),
    ]
    rows = folded(events)
    assert {"llm-10-1-4-1": "llm-10-1-1-1"} == {row.id: row.twin for row in rows.values() if row.twin}


def test_streams_of_http2_are_told_apart_by_their_numbers() -> None:
    events: list[Event] = [opens(1, AGENT, 1, A, B), opens(1, MODEL, 4, B, A)]
    events += [asks(10 + n, AGENT, 1, "out", exchange=n, stream=2 * n - 1) for n in (1, 2, 3)]
    events += [asks(20 + n, MODEL, 4, "in", exchange=n, stream=stream) for n, stream in ((1, 5), (2, 1), (3, 3))]
    found = {row.id: row.twin for row in folded(events).values() if row.twin}
    assert {"llm-30-1-4-1": "llm-10-1-1-3", "llm-30-1-4-2": "llm-10-1-1-1", "llm-30-1-4-3": "llm-10-1-1-2"} == found


def test_a_server_that_is_not_the_other_end_does_not_take_the_call() -> None:
    """An agent asks a model elsewhere what another process asks the server here, whose own client is not read."""
    events: list[Event] = [
        opens(1, AGENT, 1, A, B),
        opens(1, PROXY, 2, B, A),
        asks(10, AGENT, 1, "out"),
        asks(11, PROXY, 2, "in"),
        opens(11, MODEL, 4, D, C),
        asks(12, MODEL, 4, "in"),
    ]
    assert {AGENT: "counts", PROXY: "llm-10-1-1-1", MODEL: "counts"} == names(folded(events))
