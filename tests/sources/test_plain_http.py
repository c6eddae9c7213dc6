"""Records of bpf/plain_http.c -> events."""

from __future__ import annotations

from struct import Struct as Layout

import pytest

from agentsight_rx.events import PLAIN, Connection, Loss, Origin, TlsChunk, TlsClose, TlsEvent, TlsOpen
from agentsight_rx.events.loss import Reason
from agentsight_rx.sources import PlainHttpOptions
from agentsight_rx.sources.plain_http import PlainHttpReader

# struct chunk_t, field by field
RECORD = Layout("<QQIIII16s QQQQQQQ II BBBx 16sHH 16sHH 4x")
CHUNK, OTHER, CLOSE = 1, 2, 3
IN, OUT = 0, 1
V4 = bytes(10) + b"\xff\xff"
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
    ends = (V4 + bytes((10, 0, 0, 2)), 50_000, 1, V4 + bytes((127, 0, 0, 1)), 80, 1)
    return RECORD.pack(*head, *fields, *ends) + data


def decoded(*records: bytes) -> list[TlsEvent]:
    reader = PlainHttpReader(PlainHttpOptions())
    out: list[TlsEvent] = []
    for each in records:
        view = memoryview(b"12345678" + each)  # records lie behind others in the ring
        event = reader._decode(view, 8, len(each))  # pyright: ignore[reportPrivateUsage]
        made = event if isinstance(event, list) else [event] if event else []
        out += reader._with_more(made)  # pyright: ignore[reportPrivateUsage]
    return out


def content(*records: bytes) -> list[TlsEvent]:
    return [event for event in decoded(*records) if type(event) is not TlsOpen]


def origin(direction: str | None = "out", pid: int = 41) -> Origin:
    way = {"in": "in", "out": "out"}.get(direction or "")
    return Origin(1000, pid, tid=42, uid=1000, comm="agent", connection=AGENT, direction=way)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


def test_a_chunk_has_the_process_that_moved_it_and_the_connection_of_the_one_that_opened_it() -> None:
    chunk = TlsChunk(origin(), b"GET", offset=11, seq=3, latency_ns=5)
    assert [chunk] == content(record(CHUNK, b"GET", offset=11, seq=3))
    assert [TlsChunk(origin("in"), b"HTTP", 0, 0, latency_ns=5)] == content(record(CHUNK, b"HTTP", direction=IN))


@pytest.mark.parametrize("opened", [0, 1], ids=["accepted", "opened"])
def test_the_ends_of_a_connection_come_once_before_its_bytes(opened: int) -> None:
    first, *rest = decoded(record(CHUNK, b"a", opened=opened), record(CHUNK, b"b", opened=opened))
    assert isinstance(first, TlsOpen)
    assert (AGENT, 40, 1000) == (first.origin.connection, first.origin.pid, first.origin.time_ns)
    assert ("10.0.0.2:50000", "127.0.0.1:80", True) == (first.local, first.peer, first.sure)
    assert (50_000 if opened else -1, 80) == (first.local_port, first.port)
    assert [TlsChunk, TlsChunk] == [type(event) for event in rest]


def test_a_connection_of_another_protocol_shows_that_it_was_recognised_and_ends_with_a_count() -> None:
    first, *rest = decoded(record(OTHER, opened=1), record(CLOSE, gap=1009))
    assert isinstance(first, TlsOpen)
    close, loss = rest
    assert TlsClose(origin(None), 0, 0) == close
    assert isinstance(loss, Loss)
    assert (Reason.OTHER_PROTOCOL, 1, 1009, True) == (loss.reason, loss.count, loss.size, loss.reason.intended)


def test_what_is_missing_before_and_behind_a_record_is_counted() -> None:
    _, unseen, copied = content(record(CHUNK, b"x", offset=20, gap=20, lost=7, hidden=1))
    assert isinstance(unseen, Loss)
    assert isinstance(copied, Loss)
    assert (Reason.KERNEL_LOST, 20) == (unseen.reason, unseen.size)
    assert (Reason.TRUNCATED, 7, "moved inside the kernel") == (copied.reason, copied.size, copied.note)
    _, cut = content(record(CHUNK, b"x", lost=7))
    assert isinstance(cut, Loss)
    assert "a single call carried more than is read of one" == cut.note


def test_a_close_has_the_positions_and_what_moved_unseen_before_it() -> None:
    _, close, loss = content(record(CHUNK, b"x"), record(CLOSE, offset=30, seq=20, lost=9))
    assert TlsClose(origin(None), in_offset=30, out_offset=20) == close
    assert isinstance(loss, Loss)
    assert (Reason.KERNEL_LOST, 9) == (loss.reason, loss.size)


def test_the_close_of_a_connection_that_gave_nothing_is_no_event() -> None:
    assert [Reason.OTHER_PROTOCOL] == [event.reason for event in decoded(record(CLOSE, gap=5)) if isinstance(event, Loss)]


def test_a_number_that_begins_after_a_close_is_another_connection() -> None:
    events = content(record(CHUNK, b"a"), record(CLOSE), record(CHUNK, b"b", number=8))
    handles = [event.origin.connection.handle for event in events if event.origin.connection]
    assert [7, 7, 8] == handles
