"""Records of bpf/plain_http.c -> events."""

from __future__ import annotations

from struct import Struct as Layout

from agentsight_rx.events import PLAIN, Connection, Loss, Origin, TlsChunk, TlsClose, TlsEvent, TlsOpen
from agentsight_rx.loss import Reason
from agentsight_rx.sources import PlainHttpOptions
from agentsight_rx.sources.plain_http import PlainHttpReader

# struct chunk_t, field by field
RECORD = Layout("<QQIIII16s QQQQQQQ II BBB5x")
CHUNK, OTHER, CLOSE = 1, 2, 3
IN, OUT = 0, 1
AGENT = Connection(40, 400, PLAIN, 7)


def record(
    kind: int,
    data: bytes = b"",
    *,
    number: int = 7,
    offset: int = 0,
    seq: int = 0,
    gap: int = 0,
    lost: int = 0,
    direction: int = OUT,
    opened: int = 0,
    hidden: int = 0,
    pid: int = 41,
) -> bytes:
    head = (1000, 410, kind, pid, 42, 1000, b"agent\0rubbish")
    fields = (400, number, offset, seq, 5, gap, lost, 40, len(data), direction, opened, hidden)
    return RECORD.pack(*head, *fields) + data


def decoded(*records: bytes) -> list[TlsEvent]:
    reader = PlainHttpReader(PlainHttpOptions())
    out: list[TlsEvent] = []
    for each in records:
        view = memoryview(b"12345678" + each)  # records lie behind others in the ring
        event = reader._decode(view, 8, len(each))  # pyright: ignore[reportPrivateUsage]
        out += reader._with_more([event] if event else [])  # pyright: ignore[reportPrivateUsage]
    return out


def origin(direction: str | None = "out", pid: int = 41) -> Origin:
    way = {"in": "in", "out": "out"}.get(direction or "")
    return Origin(1000, pid, tid=42, uid=1000, comm="agent", connection=AGENT, direction=way)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


def test_a_chunk_has_the_process_that_moved_it_and_the_connection_of_the_one_that_opened_it() -> None:
    chunk = TlsChunk(origin(), b"GET", offset=11, seq=3, latency_ns=5)
    assert [chunk] == decoded(record(CHUNK, b"GET", offset=11, seq=3))
    assert [TlsChunk(origin("in"), b"HTTP", 0, 0, latency_ns=5)] == decoded(record(CHUNK, b"HTTP", direction=IN))


def test_a_connection_that_the_process_opened_is_reported_once() -> None:
    opened = [
        event for event in decoded(record(CHUNK, b"a", opened=1), record(CHUNK, b"b", opened=1)) if type(event) is TlsOpen
    ]
    assert [AGENT] == [event.origin.connection for event in opened]
    assert 40 == opened[0].origin.pid


def test_a_connection_of_another_protocol_shows_that_it_was_recognised_and_ends_with_a_count() -> None:
    first, *rest = decoded(record(OTHER, opened=1), record(CLOSE, gap=1009))
    assert isinstance(first, TlsOpen)
    close, loss = rest
    assert TlsClose(origin(None), 0, 0) == close
    assert isinstance(loss, Loss)
    assert (Reason.OTHER_PROTOCOL, 1, 1009, True) == (loss.reason, loss.count, loss.size, loss.reason.intended)


def test_what_is_missing_before_and_behind_a_record_is_counted() -> None:
    _, unseen, copied = decoded(record(CHUNK, b"x", offset=20, gap=20, lost=7, hidden=1))
    assert isinstance(unseen, Loss)
    assert isinstance(copied, Loss)
    assert (Reason.KERNEL_LOST, 20) == (unseen.reason, unseen.size)
    assert (Reason.TRUNCATED, 7, "moved inside the kernel") == (copied.reason, copied.size, copied.note)
    _, cut = decoded(record(CHUNK, b"x", lost=7))
    assert isinstance(cut, Loss)
    assert "a single call carried more than is read of one" == cut.note


def test_a_close_has_the_positions_and_what_moved_unseen_before_it() -> None:
    _, close, loss = decoded(record(CHUNK, b"x"), record(CLOSE, offset=30, seq=20, lost=9))
    assert TlsClose(origin(None), in_offset=30, out_offset=20) == close
    assert isinstance(loss, Loss)
    assert (Reason.KERNEL_LOST, 9) == (loss.reason, loss.size)


def test_the_close_of_a_connection_that_gave_nothing_is_no_event() -> None:
    assert [Reason.OTHER_PROTOCOL] == [event.reason for event in decoded(record(CLOSE, gap=5)) if isinstance(event, Loss)]


def test_a_number_that_begins_after_a_close_is_another_connection() -> None:
    events = decoded(record(CHUNK, b"a"), record(CLOSE), record(CHUNK, b"b", number=8))
    handles = [event.origin.connection.handle for event in events if event.origin.connection]
    assert [7, 7, 8] == handles
