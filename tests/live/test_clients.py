"""Real clients call the fake model: client, server and capture agree on every byte of every body."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

import pytest

from agentsight_rx import operators as op
from agentsight_rx import sources
from agentsight_rx.core.stream import of
from agentsight_rx.events import BodyPart, HttpEvent, HttpRequest, HttpResponse, time_of
from agentsight_rx.graphs import TraceOptions, trace
from agentsight_rx.sources import ProcessOptions, Target, TlsOptions
from agentsight_rx.view import CallRow, ProcessRow, TokenRow
from tests.live.capture import PATIENCE_S, Kept, running, started
from tests.live.peers import CLIENTS, Client, Peer, client_named, fake_llm, read_calls

pytestmark = pytest.mark.live

CALLS = 7
SIZE = 300_000


@pytest.mark.parametrize("client", CLIENTS, ids=lambda client: client.name)
def test_every_byte_of_every_body_is_seen(client: Client, tmp_path: Path) -> None:
    with fake_llm(tmp_path) as peer:
        kept = _capture(client, peer, tmp_path, multi=True)
    _compare(kept, peer, tmp_path)


def test_every_byte_is_seen_without_uprobe_multi(tmp_path: Path) -> None:
    client = client_named("curl")
    with fake_llm(tmp_path) as peer:
        kept = _capture(client, peer, tmp_path, multi=False)
    _compare(kept, peer, tmp_path)


def _capture(client: Client, peer: Peer, home: Path, *, multi: bool) -> Kept:
    gate = home / "go"
    command = client.command(peer, CALLS, SIZE)
    with started(command, client.env(peer, home) | {"WAIT_FOR": str(gate)}) as process:
        options = TlsOptions(Target(process.pid), candidates=(command[0],), multi=multi)
        graph = sources.tls(options).pipe(op.normalize(), op.parse_http())
        with running(graph) as (run, kept):
            gate.touch()
            assert process.wait(PATIENCE_S) == 0
            run.stop()
        assert run.ledger.entries() == []
    return kept


def _compare(kept: Kept, peer: Peer, home: Path) -> None:
    server = [(exchange.request, exchange.response) for exchange in peer.exchanges() if exchange.method == "POST"]
    assert len(server) == CALLS
    assert server == [(call.request, call.response) for call in read_calls(home / "calls.jsonl")]
    assert server == _bodies(kept)


def _bodies(kept: Kept) -> list[tuple[bytes, bytes]]:
    """The captured (request body, response body) of each POST, in the order of the requests."""
    answers: dict[tuple[object, int], bytes] = defaultdict(bytes)
    requests: list[HttpRequest] = []
    for event in kept.of(HttpRequest, HttpResponse, BodyPart):
        assert event.complete or (
            isinstance(event, BodyPart) and event.last
        )  # a client may close the connection before the last chunk
        key = (event.origin.connection, event.exchange)
        match event:
            case HttpRequest():
                requests.append(event)
            case HttpResponse() if event.status >= 200:
                answers[key] += event.body
            case BodyPart():
                answers[key] += event.data
            case _:
                pass
    requests.sort(key=lambda request: request.origin.time_ns)
    return [
        (request.body, answers[request.origin.connection, request.exchange]) for request in requests if request.method == "POST"
    ]


@pytest.mark.parametrize("client", CLIENTS, ids=lambda client: client.name)
def test_the_whole_graph_counts_the_calls_and_their_tokens(client: Client, tmp_path: Path) -> None:
    gate = tmp_path / "go"
    with fake_llm(tmp_path) as peer:
        command = client.command(peer, CALLS, 1000)
        with started(command, client.env(peer, tmp_path) | {"WAIT_FOR": str(gate)}) as process:
            target = Target(process.pid)
            options = TraceOptions(tls=TlsOptions(target, candidates=(command[0],)), process=ProcessOptions(target))
            with running(trace(options)) as (run, kept):
                gate.touch()
                assert process.wait(PATIENCE_S) == 0
                summary = run.stop()
    assert (summary.ledger.unintended(), summary.failures) == ([], ())  # that it ran before the capture is no loss
    assert [row.status for row in kept.rows(CallRow)] == ["complete"] * CALLS
    assert summary.tally.totals.calls == CALLS
    assert all(row.total_tokens > 0 for row in kept.rows(TokenRow))
    assert any(row.pid == process.pid and row.exit_code == 0 for row in kept.rows(ProcessRow))


def test_what_was_captured_gives_the_same_rows_again(tmp_path: Path) -> None:
    client = client_named("curl")
    with fake_llm(tmp_path) as peer:
        kept = _capture(client, peer, tmp_path, multi=True)
    events: list[HttpEvent] = kept.items
    again: list[object] = []
    of(events, time_of=time_of).pipe(op.merge_sse()).pipe(op.materialize()).subscribe(again.append)
    assert len({row.id for row in again if isinstance(row, CallRow)}) == CALLS
