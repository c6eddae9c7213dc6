"""Requests of MCP over HTTP, of which both ends are in one recording: each is one row, and it names both processes."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence

from hypothesis import given
from hypothesis import strategies as st

from agentsight_rx.events import (
    Channel,
    Connection,
    Direction,
    HttpEvent,
    HttpRequest,
    HttpResponse,
    Origin,
    RpcMessage,
    TlsClose,
    TlsOpen,
)
from agentsight_rx.operators import merge_mcp
from agentsight_rx.store.fold.exchanges import RpcEnds, RpcEndsState
from agentsight_rx.store.fold.twins import Sockets
from agentsight_rx.store.rows.kinds import Row, RowGone
from agentsight_rx.view import AuditRow, Fold
from tests.operators import MS, run

CLIENT, SERVER = 10, 20
HERE, THERE = "127.0.0.1:5000", "127.0.0.1:9"
JSON = (("content-type", "application/json"),)


def at(ms: int, pid: int, direction: Direction | None = None) -> Origin:
    return Origin(
        ms * MS, pid, pid, comm=f"p{pid}", wall_ns=ms * MS, connection=Connection(pid, 1, "/x", pid), direction=direction
    )


def opens(ms: int, pid: int) -> TlsOpen:
    local, peer = (HERE, THERE) if pid == CLIENT else (THERE, HERE)
    return TlsOpen(at(ms, pid), first=False, local=local, peer=peer)


def asks(ms: int, pid: int, number: int) -> HttpRequest:
    said = {"jsonrpc": "2.0", "id": number, "method": "tools/call", "params": {"name": "add", "arguments": {"a": number}}}
    direction: Direction = "out" if pid == CLIENT else "in"
    return HttpRequest(at(ms, pid, direction), number, "POST", "/mcp", "HTTP/1.1", JSON, json.dumps(said).encode())


def answers(ms: int, pid: int, number: int) -> HttpResponse:
    said = {"jsonrpc": "2.0", "id": number, "result": {"content": ["4"]}}
    direction: Direction = "in" if pid == CLIENT else "out"
    return HttpResponse(
        at(ms, pid, direction), number, 200, "OK", "HTTP/1.1", JSON, json.dumps(said).encode(), end_ns=ms * MS, method="POST",
        target="/mcp",
    )  # fmt: skip


def whole(calls: int, pids: Iterable[int] = (CLIENT, SERVER)) -> list[HttpEvent]:
    """Requests one behind the other, as the ends of these processes see them."""
    events: list[HttpEvent] = [opens(1, CLIENT), opens(2, SERVER)]
    for number in range(1, calls + 1):
        ms = 10 * number
        events += [asks(ms, CLIENT, number), asks(ms + 1, SERVER, number)]
        events += [answers(ms + 2, SERVER, number), answers(ms + 3, CLIENT, number)]
    events += [TlsClose(at(900, CLIENT), 0, 0), TlsClose(at(901, SERVER), 0, 0)]
    return [event for event in events if event.origin.pid in pids]


def requests(events: Sequence[HttpEvent]) -> list[tuple[int, int, int]]:
    """Of the rows that stay: whose they are, who asked, and who answered."""
    fold, rows = Fold(), dict[str, Row]()
    made = [row for event in run(merge_mcp(), events) for row in fold.add(event)] + fold.finish()
    for row in made:
        if isinstance(row, RowGone):
            rows.pop(row.row.id, None)
        else:
            rows[row.id] = row
    found = [row for row in rows.values() if isinstance(row, AuditRow) and row.audit_type == "mcp"]
    return [(row.pid or 0, int(row.details["client_pid"] or 0), int(row.details["server_pid"] or 0)) for row in found]


def test_a_request_of_which_both_ends_are_seen_is_one_row_of_the_client() -> None:
    assert [(CLIENT, CLIENT, SERVER)] * 5 == requests(whole(5))


def test_one_end_alone_has_its_own() -> None:
    assert [(CLIENT, CLIENT, 0)] * 3 == requests(whole(3, {CLIENT}))
    assert [(SERVER, 0, SERVER)] * 3 == requests(whole(3, {SERVER}))


def test_what_one_end_alone_has_counts_too() -> None:
    events = [event for event in whole(3) if not (isinstance(event, HttpRequest) and event.origin.pid == CLIENT)]
    assert [(SERVER, 0, SERVER)] * 3 == requests(events)


@given(st.permutations([CLIENT] * 6 + [SERVER] * 6))
def test_in_whatever_order_the_ends_are_read(turns: list[int]) -> None:
    ends = {pid: iter([event for event in whole(3)[2:-2] if event.origin.pid == pid]) for pid in (CLIENT, SERVER)}
    assert [(CLIENT, CLIENT, SERVER)] * 3 == sorted(requests([*whole(0)[:2], *(next(ends[pid]) for pid in turns)]))


def row_of(number: int, pid: int) -> tuple[RpcMessage, AuditRow]:
    direction: Direction = "out" if pid == CLIENT else "in"
    message = RpcMessage(at(number, pid, direction), Channel("http", pid), "request", "tools/call", id=str(number))
    return message, AuditRow(f"row-{pid}-{number}", number, "mcp", pid)


@given(st.lists(st.tuples(st.integers(1, 4), st.sampled_from([CLIENT, SERVER])), unique=True), st.integers(0, 8))
def test_it_goes_on_from_its_snapshot(seen: list[tuple[int, int]], cut: int) -> None:
    sockets = Sockets()
    sockets.opened(opens(1, CLIENT))
    sockets.opened(opens(2, SERVER))
    one, other = RpcEnds(sockets), RpcEnds(sockets)
    rows = [one.rows(*row_of(number, pid)) for number, pid in seen]
    for number, pid in seen[:cut]:
        other.rows(*row_of(number, pid))
    again = RpcEnds(sockets)
    again.restore(other.snapshot())
    assert rows[cut:] == [again.rows(*row_of(number, pid)) for number, pid in seen[cut:]]
    assert one.snapshot() == again.snapshot()


def test_a_later_connection_in_the_place_of_one_that_ended_has_requests_of_its_own() -> None:
    sockets = Sockets()
    sockets.opened(opens(1, CLIENT))
    sockets.opened(opens(2, SERVER))
    ends = RpcEnds(sockets)
    assert 1 == len(ends.rows(*row_of(1, CLIENT)))
    ends.close(TlsClose(at(3, CLIENT), 0, 0))
    assert RpcEndsState() == ends.snapshot()
    assert 1 == len(ends.rows(*row_of(1, SERVER)))
