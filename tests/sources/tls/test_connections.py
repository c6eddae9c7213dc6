"""Which connection plaintext belongs to, where a TLS function does not say it."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentsight_rx.events import Direction, Loss, Origin, TlsChunk, TlsClose, TlsEvent, TlsOpen, TlsUse
from agentsight_rx.events.loss import Reason
from agentsight_rx.sources.net import Ends
from agentsight_rx.sources.tls.connections import Below, Connections, Known, Sealed
from agentsight_rx.sources.tls.libraries import Library, Probed, begins_like_http
from agentsight_rx.sources.tls.stacks.finding import Finding
from agentsight_rx.sources.tls.traffic import Tcp, Traffic

LIBRARY = Library("/opt/agent", (1, 2, 3), ())
PID, START = 70, 5
ENDS = Ends("10.0.0.2:5000", "127.0.0.1:443", 5000, 443)
REQUEST, ANSWER = b"POST /v1/messages HTTP/1.1\r\n", b"HTTP/1.1 200 OK\r\n"


def connections(*, by_name: bool = True, by_socket: bool = True) -> Connections:
    made = Connections(Traffic())
    made.probed.append(Probed(LIBRARY, Finding("aws-lc", "error codes", exact=by_name), by_socket=by_socket))
    return made


def opens(at_ns: int) -> Tcp:
    place = Origin(at_ns, PID, comm="agent")
    nothing = {"sent": 0, "received": 0, "in_offset": 0, "out_offset": 0}
    return Tcp(place, START, sock=100, peer="127.0.0.1", port=443, ended=False, **nothing)


def origin(tid: int = PID, time_ns: int = 1) -> Origin:
    return Origin(time_ns, PID, tid=tid, comm="agent")


def sealed(data: bytes, epoch: int = 0, *, offset: int = 0, seq: int = 0, lost: int = 0) -> Sealed:
    return Sealed(epoch=epoch, offset=offset, seq=seq, data=data, lost=lost, number=0)


def chunk(known: Known, data: bytes, direction: str, *, offset: int, seq: int) -> TlsChunk:
    place = Origin(1, PID, connection=known.connection, direction="in" if direction == "in" else "out")
    return TlsChunk(place, data, offset=offset, seq=seq)


def chunks(events: list[TlsEvent]) -> list[TlsChunk]:
    return [event for event in events if isinstance(event, TlsChunk)]


@given(st.lists(st.tuples(st.integers(1, 3), st.binary(min_size=1, max_size=9)), max_size=12), st.data())
def test_records_go_to_the_socket_that_their_thread_sends_to_next(
    records: list[tuple[int, bytes]], data: st.DataObject
) -> None:
    """Threads encrypt in any order and send now and then: each socket gets what was encrypted for it, at its place."""
    made = connections()
    waiting: dict[int, list[Sealed]] = {}
    epochs: dict[int, int] = {}
    carried: dict[int, bytes] = {}
    seen: dict[int, list[TlsChunk]] = {}

    def send(tid: int) -> None:
        held = waiting.pop(tid, [])
        if not held:
            return
        sock = data.draw(st.integers(100, 102))
        before = carried.get(sock, b"")
        at = (START, sock, epochs.get(tid, 0))
        out = made.send(origin(tid), at, offset=len(before), seq=len(seen.get(sock, [])))
        assert not [event for event in out if isinstance(event, Loss)]
        seen.setdefault(sock, []).extend(chunks(out))
        carried[sock] = before + b"".join(record.data for record in held)
        epochs[tid] = epochs.get(tid, 0) + 1

    for tid, content in records:
        held = waiting.setdefault(tid, [])
        offset = sum(len(record.data) for record in held)
        held.append(sealed(content, epochs.get(tid, 0), offset=offset, seq=len(held)))
        assert made.hold(origin(tid), held[-1]) == []
        if data.draw(st.booleans()):
            send(tid)
    for tid in (1, 2, 3):
        send(tid)
    for sock, got in seen.items():
        assert b"".join(each.data for each in got) == carried[sock]
        assert {each.origin.connection.handle for each in got if each.origin.connection} == {sock}
        assert all(one.offset + len(one.data) == next_.offset for one, next_ in pairwise(got))


def test_records_whose_send_was_lost_are_a_loss_and_not_another_connections() -> None:
    made = connections()
    made.hold(origin(), sealed(b"lost", epoch=0))
    made.hold(origin(), sealed(REQUEST, epoch=1))
    loss, sent, use = made.send(origin(), (START, 100, 1), offset=4, seq=1)
    assert isinstance(loss, Loss)
    assert (loss.reason, loss.count, loss.size) == (Reason.KERNEL_LOST, 1, 4)
    assert isinstance(sent, TlsChunk)
    assert (sent.data, sent.offset, sent.seq) == (REQUEST, 4, 1)
    assert isinstance(use, TlsUse)


def test_records_that_never_find_a_socket_are_bounded_and_counted() -> None:
    made = connections()
    lost: list[TlsEvent] = []
    for index in range(10_000):
        lost += made.hold(origin(), sealed(b"x", offset=index, seq=index))
    assert sum(event.count for event in lost if isinstance(event, Loss)) == 8192


def test_an_object_used_for_a_second_connection_begins_anew() -> None:
    made = connections()
    known = made.of(origin(), START, 0x7F00, 0)
    first = made.place(known, chunk(known, REQUEST, "out", offset=0, seq=0), 0)
    made.place(known, chunk(known, ANSWER, "in", offset=0, seq=0), 100)
    assert isinstance(first, TlsChunk)
    made.socket_ended(origin(), 100, 0, 0)
    again = made.place(known, chunk(known, REQUEST, "out", offset=len(REQUEST), seq=1), 0)
    assert isinstance(again, list)
    close, second = again
    assert isinstance(close, TlsClose)
    assert isinstance(second, TlsChunk)
    assert (second.offset, second.seq) == (0, 0)
    answer = made.place(known, chunk(known, ANSWER, "in", offset=len(ANSWER), seq=1), 101)
    assert isinstance(answer, TlsChunk)
    assert (answer.offset, answer.seq) == (0, 0)


@given(st.booleans(), st.booleans(), st.lists(st.tuples(st.floats(0, 4), st.sampled_from(["in", "free", "gone"])), max_size=6))
def test_the_end_of_a_socket_ends_its_connection_once(by_socket: bool, sure: bool, later: list[tuple[float, str]]) -> None:
    """A call that was interrupted: its object is freed late or never. What had come before the end may be read behind it."""
    made, now_s = connections(by_socket=by_socket), [0.0]
    made.clock = lambda: now_s[0]
    known = made.of(origin(), START, 0x7F00, 0)
    made.place(known, chunk(known, REQUEST, "out", offset=0, seq=0), 0)
    made.learn(origin(), known, Below(100, ENDS, sure=sure))
    made.socket_ended(origin(), 99, 0, 0)
    now_s[0] = 100.0
    assert made.closed() == []
    assert made.socket_ended(origin(time_ns=7), 100, 0, 0) == []
    closes: list[TlsClose] = []
    offset, seq, read_s, whole = 0, 0, now_s[0], True
    for wait_s, what in [*later, (5.0, "wait"), (5.0, "gone")]:
        now_s[0] += wait_s
        said = made.closed()
        assert bool(said) == (not closes and now_s[0] - read_s >= 2.0)
        closes += [event for event in said if isinstance(event, TlsClose)]
        known_now = made.open.get((PID, 0x7F00))
        if what == "in" and known_now is known and known.placed:
            placed = made.place(known, chunk(known, b"abc", "in", offset=offset, seq=seq), 100)
            assert isinstance(placed, TlsChunk)
            whole = whole and not closes
            assert (placed.offset == offset) == (whole or not offset)
            offset, seq, read_s = offset + 3, seq + 1, now_s[0]
            if not whole:
                return  # another connection has begun, which ends by itself
        elif what == "free":
            closes += [event for event in made.end(origin(), 0x7F00, offset, len(REQUEST)) if isinstance(event, TlsClose)]
        elif what == "gone":
            closes += [event for event in made.gone(origin()) if isinstance(event, TlsClose)]
        if made.open.get((PID, 0x7F00)) is None:
            break
    assert len(closes) == 1


def test_the_rest_of_a_request_is_not_a_second_connection() -> None:
    """Its socket was half closed, or the thread received from another one before it read this."""
    made = connections()
    known = made.of(origin(), START, 0x7F00, 0)
    made.place(known, chunk(known, ANSWER, "in", offset=0, seq=0), 100)
    made.socket_ended(origin(), 100, 0, 0)
    rest = made.place(known, chunk(known, b'{"model"', "out", offset=50, seq=3), 0)
    assert isinstance(rest, TlsChunk)
    assert (rest.offset, rest.seq) == (50, 3)


def test_the_end_of_a_socket_ends_its_connection() -> None:
    made = connections()
    made.hold(origin(), sealed(REQUEST))
    made.send(origin(), (START, 100, 0), offset=0, seq=0)
    (close,) = made.socket_ended(origin(), 100, 7, len(REQUEST))
    assert isinstance(close, TlsClose)
    assert (close.in_offset, close.out_offset) == (7, len(REQUEST))
    assert made.socket_ended(origin(), 100, 0, 0) == []


def test_what_was_read_is_said_first_when_proven_and_at_the_end() -> None:
    made = connections(by_name=False)
    said: list[TlsEvent] = []
    for handle, data in ((1, b"\x81\x85"), (2, REQUEST), (3, b"\x81\x86"), (3, b"more")):
        said += made.saw(made.of(origin(), START, handle, 0), data, "out") or ()
    assert [(use.proven, use.connections) for use in said if isinstance(use, TlsUse)] == [(False, 1), (True, 2)]
    (end,) = [event for event in made.gone(origin()) if isinstance(event, TlsUse)]
    assert (end.proven, end.connections, end.size) == (True, 3, 2 + len(REQUEST) + 2 + 4)
    assert made.uses() == []


def test_a_connection_that_had_begun_before_its_probe_is_joined_midway() -> None:
    made = connections()
    younger = made.probed[0].since_ns + 1
    firsts = ((START, 1, REQUEST), (START, 2, b"\x81\x85"), (START, 3, b"\x81\x85"), (younger, 4, b"\x81\x85"))
    for start_ns, handle, data in firsts:
        known = made.of(origin(), start_ns, handle, 0)
        known.opened = handle == 3
        made.saw(known, data, "out")
    assert [(use.connections, use.midway) for use in made.uses() if isinstance(use, TlsUse)] == [(3, 1), (1, 0)]


@given(
    st.booleans(), st.booleans(), st.sampled_from(["out", "in"]), st.sampled_from([REQUEST, ANSWER, b"\x81\x85"]), st.booleans()
)
def test_the_socket_says_whether_a_connection_had_begun_before(
    watched: bool, waited: bool, direction: Direction, first: bytes, learnt_first: bool
) -> None:
    """A process that ran before goes on with a kept connection, also where the first that is read begins a message."""
    made = connections()
    if watched:
        made.traffic.begin(opens(at_ns=1))
    known = made.of(origin(), START, 1, 0)
    known.opened = waited  # its user asked for more than had come
    below = Below(100, ENDS, sure=True)
    said: list[TlsEvent] = made.learn(origin(), known, below) if learnt_first else []
    said += made.saw(known, first, direction) or ()
    said += [] if learnt_first else made.learn(origin(), known, below)
    is_client = (direction, first) in {("out", REQUEST), ("in", ANSWER)}
    unseen = first == b"\x81\x85" and not waited
    midway = not watched and (is_client or unseen)
    assert midway == known.use.midway
    assert midway == [event for event in said if isinstance(event, TlsUse)][-1].midway


@pytest.mark.parametrize("watched", [True, False], ids=["opened", "accepted"])
def test_the_ends_of_a_connection_are_those_of_its_socket_since_its_first_byte(watched: bool) -> None:
    made = connections()
    if watched:
        made.traffic.begin(opens(at_ns=1))
    known = made.of(origin(time_ns=3), START, 1, 0)
    opened, *_ = made.learn(origin(time_ns=9), known, Below(100, ENDS, sure=True))
    assert isinstance(opened, TlsOpen)
    assert (ENDS.local, ENDS.peer, True, 3) == (opened.local, opened.peer, opened.sure, opened.since_ns)
    assert (5000 if watched else -1, 443) == (opened.local_port, opened.port)
    (forgotten,) = made.learn(origin(time_ns=11), known, None)
    assert isinstance(forgotten, TlsOpen)
    assert ("", "", 0) == (forgotten.local, forgotten.peer, forgotten.local_port)


@pytest.mark.parametrize("opened", [True, False])
@pytest.mark.parametrize("before", [True, False])
def test_what_was_sent_before_the_probes_is_missing_where_the_connection_was_seen_to_open(before: bool, opened: bool) -> None:
    made = connections()
    since_ns = made.probed[0].since_mono_ns
    made.traffic.begin(opens(at_ns=since_ns - 1 if before else since_ns + 1))
    known = made.of(origin(), START, 1, 0)
    known.opened = opened
    losses = [event for event in made.saw(known, b"\x81\x85", "out") or () if isinstance(event, Loss)]
    assert [loss.reason for loss in losses] == [Reason.UNREADABLE] * (before and not opened)
    assert not [event for event in made.saw(known, b"more", "out") or () if isinstance(event, Loss)]


@pytest.mark.parametrize("by_name", [True, False])
def test_functions_found_by_their_code_are_wrong_when_no_connection_begins_as_http_does(by_name: bool) -> None:
    made = connections(by_name=by_name)
    for handle in range(20):
        made.saw(made.of(origin(), START, handle, 0), b"\x00\xff midway", "out")
    assert made.wrong == []
    for handle in range(20, 40):
        known = made.of(origin(), START, handle, 0)
        known.opened = True
        made.saw(known, b"\x00\xff garbage", "out")
    assert bool(made.wrong) is not by_name
    assert len(made.wrong) <= 1


@pytest.mark.parametrize(
    "first", [b"GET / HTTP/1.1", b"PRI * HTTP/2.0", b"HTTP/1.1 101", b"\0\0\x12\x04\0\0\0\0\0\0\x03", b"\0\0\0\x04\x01\0\0\0\0"]
)
def test_first_bytes_of_http(first: bytes) -> None:
    assert begins_like_http(first)


@pytest.mark.parametrize("first", [b"", b"GET", b"get / ", b"\x16\x03\x01", b"\0\0\x12\x04\0\0\0\0\x01", b"HTTP/2 200"])
def test_other_first_bytes(first: bytes) -> None:
    assert not begins_like_http(first)
