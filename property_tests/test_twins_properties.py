"""
Both ends of connections, in one process or two, however their events come: each call counts once, and the rows are equal.

A scene has connections. Each has calls one behind the other, seen at the client's end, at the server's, or at both. The ends
are known, or those of one side are not; ports are used again by later connections.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Sequence

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import Struct

from agentsight_rx.events import Connection, Direction, Event, HttpRequest, HttpResponse, Origin, TlsClose, TlsOpen
from agentsight_rx.store.rows.kinds import RowGone
from agentsight_rx.view import CallRow, Fold, HttpRow, Row, SessionRow, TokenRow

MS = 1_000_000
START_NS = 5_000_000_000_000
CLIENT, SERVER = 10, 20


class Scene(Struct):
    """Events in order of time; how many calls there are, and how many of them were seen at both ends."""

    events: list[Event] = []
    calls: int = 0
    both: int = 0


def body(say: str) -> bytes:
    return json.dumps({"model": "m", "messages": [{"role": "user", "content": say}]}).encode()


ANSWER = json.dumps(
    {
        "id": "c",
        "model": "m",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": "hi"}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7},
    }
).encode()


class End(Struct):
    """One end of a connection, as its process sees it."""

    connection: Connection
    sends: Direction
    local: str
    peer: str
    known: bool
    since_ns: int = 0
    of_model: bool = True

    def origin(self, time_ns: int, direction: Direction | None = None) -> Origin:
        pid = self.connection.pid
        return Origin(time_ns, pid, pid, comm="agent", wall_ns=time_ns, connection=self.connection, direction=direction)

    def opens(self, time_ns: int, since_ns: int) -> list[Event]:
        if not self.known:
            return []
        return [TlsOpen(self.origin(time_ns), first=False, local=self.local, peer=self.peer, since_ns=since_ns)]

    def asks(self, time_ns: int, number: int, say: str) -> Event:
        head = (("host", "model.test"), ("content-type", "application/json"))
        at = self.origin(time_ns, self.sends)
        if not self.of_model:
            return HttpRequest(at, number, "GET", f"/{say}", "HTTP/1.1", head[:1], size=9, end_ns=time_ns)
        return HttpRequest(
            at, number, "POST", "/v1/chat/completions", "HTTP/1.1", head, body(say), size=len(body(say)), end_ns=time_ns
        )

    def answers(self, time_ns: int, number: int) -> Event:
        at = self.origin(time_ns, "in" if self.sends == "out" else "out")
        return HttpResponse(
            at, number, 200, "OK", "HTTP/1.1", (("content-type", "application/json"),), ANSWER, end_ns=time_ns, method="POST"
        )


@st.composite
def scenes(draw: st.DrawFn, *, reuse: bool = False, unknown: bool = False, apart: bool = False, of_model: bool = True) -> Scene:
    """
    `reuse`: few ports; `unknown`: the ends of one side may not be known; `apart`: client and server are two processes;
    `of_model`: all exchanges are calls of a model, else none is.
    """
    scene, now_ns = Scene(), START_NS
    for number in range(draw(st.integers(1, 4))):
        server_pid = SERVER if apart else draw(st.sampled_from([CLIENT, SERVER]))
        port = draw(st.sampled_from([5000, 5001])) if reuse else 5000 + number
        here, there = f"127.0.0.1:{port}", "127.0.0.1:80"
        known = draw(st.sampled_from([(True, True), (True, False), (False, True)])) if unknown else (True, True)
        seen = draw(st.sampled_from(["both", "both", "client", "server"]))
        client = End(Connection(CLIENT, 1, "/libssl", 100 + number), "out", here, there, known[0], of_model=of_model)
        server = End(Connection(server_pid, 1, "/libssl", 200 + number), "in", there, here, known[1], of_model=of_model)
        ends = [end for end, name in ((client, "client"), (server, "server")) if seen in ("both", name)]
        begin_ns = now_ns + MS
        for end in ends:
            late = draw(st.booleans()) and end is client  # it is known with the first answer
            end.since_ns = begin_ns if late else 0
            now_ns += MS
            scene.events += [] if late else end.opens(now_ns, 0)
        for exchange in range(1, draw(st.integers(1, 4)) + 1):
            say = draw(st.sampled_from(["same", "other", f"own {number} {exchange}"]))
            for act in (0, 1):
                for end in ends if act == 0 else reversed(ends):  # the client writes before its server reads, and so on
                    now_ns += draw(st.sampled_from([1, MS]))
                    if act == 1 and end.since_ns:
                        scene.events += end.opens(now_ns, end.since_ns)
                        end.since_ns, now_ns = 0, now_ns + 1
                    scene.events.append(end.asks(now_ns, exchange, say) if act == 0 else end.answers(now_ns, exchange))
            scene.calls += 1
            scene.both += len(ends) == 2
        for end in ends:
            now_ns += MS
            scene.events.append(TlsClose(end.origin(now_ns), 0, 0))
    return scene


def last(rows: Iterable[Row]) -> dict[str, Row]:
    found: dict[str, Row] = {}
    for row in rows:
        if isinstance(row, RowGone):
            found.pop(f"{type(row.row).__name__} {row.id}", None)
        else:
            found[f"{type(row).__name__} {row.id}"] = row
    return found


def folded(events: Sequence[Event]) -> dict[str, Row]:
    fold = Fold()
    rows = [row for event in events for row in fold.add(event)]
    return last([*rows, *fold.finish()])


def check(scene: Scene, rows: dict[str, Row]) -> None:
    calls = {row.id: row for row in rows.values() if isinstance(row, CallRow)}
    counted = {id for id, row in calls.items() if row.twin is None}
    assert scene.calls == len(counted)
    mirrors = Counter(row.twin for row in calls.values() if row.twin)
    assert scene.both == len(mirrors) == sum(mirrors.values())
    assert set(mirrors) <= counted
    assert all(calls[each].id.split("-")[3].startswith("6") for each in mirrors if each)  # 0x64: the client's end counts
    assert counted == {row.llm_call_id for row in rows.values() if isinstance(row, TokenRow)}
    sessions = [row for row in rows.values() if isinstance(row, SessionRow)]
    assert scene.calls == sum(row.calls for row in sessions)
    assert 7 * scene.calls == sum(row.total_tokens for row in sessions)


@given(scenes())
def test_a_call_of_which_both_ends_are_seen_counts_once(scene: Scene) -> None:
    check(scene, folded(scene.events))


@given(scenes(reuse=True))
def test_ports_may_be_used_again(scene: Scene) -> None:
    check(scene, folded(scene.events))


@given(scenes(unknown=True, apart=True))
def test_where_the_ends_of_one_side_are_not_known_the_content_decides(scene: Scene) -> None:
    check(scene, folded(scene.events))


@settings(deadline=None)
@given(scenes(reuse=True), st.data())
def test_any_order_of_the_events_gives_equal_rows(scene: Scene, data: st.DataObject) -> None:
    """A reader may be up to the window behind: the events come in any order."""
    assert folded(scene.events) == folded(data.draw(st.permutations(scene.events)))


@settings(deadline=None)
@given(st.booleans().flatmap(lambda of_model: scenes(reuse=True, of_model=of_model)), st.data())
def test_an_exchange_of_which_both_ends_are_seen_is_one_whatever_it_is_about(scene: Scene, data: st.DataObject) -> None:
    found = folded(scene.events)
    rows = [row for row in found.values() if isinstance(row, HttpRow)]
    assert scene.calls == sum(row.twin is None for row in rows)
    twins = [row.twin for row in rows if row.twin is not None]
    assert scene.both == len(twins)
    assert sorted(twins) == sorted(row.id for row in rows if row.both_ends)
    assert not any(row.server for row in rows if row.both_ends)
    assert found == folded(data.draw(st.permutations(scene.events)))


@given(scenes())
def test_an_exchange_has_the_ends_of_its_connection(scene: Scene) -> None:
    for row in folded(scene.events).values():
        if isinstance(row, HttpRow):
            ends = (row.local, row.peer)
            assert "127.0.0.1:80" == ends[0 if row.server else 1]
            assert ends[1 if row.server else 0] != "127.0.0.1:80"
            assert row.sure
