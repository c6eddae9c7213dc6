from __future__ import annotations

import tracemalloc
from contextlib import suppress

import pytest
import zstandard

from agentsight_rx.errors import SpoolError
from agentsight_rx.events import Event, Origin, ProcessExit, ProcessFork, Tick
from agentsight_rx.store.spool import Header, SegmentBroken, encode_segment, read_header, read_segment
from agentsight_rx.store.spool.records import decompressed, record
from agentsight_rx.store.spool.segment import salvaged
from tests.store.spool.test_records import bomb

HEADER = Header(host="web1", sequence=7, first=3, run="r", product="1.0", python="3.13.1", wall_offset_ns=1000)
EVENTS: list[Event] = [
    ProcessFork(Origin(5, 9, wall_ns=70), 7, 2),
    Tick(Origin(40, 0)),
    *(ProcessExit(Origin(30 + number, 9), 7, 2, 0) for number in range(1200)),
]
WHOLE = encode_segment(HEADER, EVENTS, ended=True)


def events_of(content: bytes) -> list[Event]:
    return [event for batch in read_segment(content).batches() for event in batch]


def test_events_come_back_with_header_and_footer() -> None:
    found = read_segment(WHOLE)
    assert HEADER == found.header
    assert (len(EVENTS), 5, 30 + 1199, True) == (
        found.footer.events,
        found.footer.first_ns,
        found.footer.last_ns,
        found.footer.ended,
    )
    assert EVENTS[0] == events_of(WHOLE)[0]
    assert [event.origin.time_ns for event in EVENTS] == [event.origin.time_ns for event in events_of(WHOLE)]


def test_an_event_without_a_wall_clock_time_gets_that_of_its_host() -> None:
    assert [70, 1040, 1030] == [event.origin.wall_ns for event in events_of(WHOLE)[:3]]


def test_the_header_is_read_from_the_first_bytes() -> None:
    assert HEADER == read_header(WHOLE[:400])


def test_a_segment_without_events_is_whole() -> None:
    assert [] == events_of(encode_segment(HEADER, []))


@pytest.mark.parametrize("length", [0, 1, 4, 20, len(WHOLE) // 2, len(WHOLE) - 5, len(WHOLE) - 1])
def test_a_segment_that_is_cut_anywhere_is_broken(length: int) -> None:
    with pytest.raises(SegmentBroken):
        read_segment(WHOLE[:length])


@pytest.mark.parametrize("behind", [b"x", b"\0" * 8, WHOLE])
def test_a_segment_with_trailing_bytes_is_broken(behind: bytes) -> None:
    with pytest.raises(SegmentBroken):
        read_segment(WHOLE + behind)


def test_a_byte_that_changed_is_found() -> None:
    for place in range(6, len(WHOLE), 97):
        changed = bytearray(WHOLE)
        changed[place] ^= 0x40
        with pytest.raises(SegmentBroken):
            read_segment(bytes(changed))


def frame(*parts: bytes) -> bytes:
    return zstandard.compress(b"".join(parts))


@pytest.mark.parametrize(
    "content",
    [
        frame(b"nonsense"),
        frame(record(b"E", EVENTS[:1]), record(b"F", {"events": 1})),
        frame(record(b"H", HEADER)),
        frame(record(b"H", HEADER), record(b"E", EVENTS[:1])),
        frame(record(b"H", HEADER), record(b"E", EVENTS[:1]), record(b"F", {"events": 2})),
        frame(record(b"H", HEADER), record(b"X", 1), record(b"F", {"events": 0})),
        frame(record(b"H", HEADER), record(b"E", [{"type": "later_kind"}]), record(b"F", {"events": 1})),
        frame(record(b"H", [1, 2]), record(b"F", {"events": 0})),
        frame(record(b"H", {"format": 1}), record(b"F", {"events": 0})),
        frame(record(b"H", HEADER), record(b"F", "none")),
    ],
)
def test_records_that_are_no_segment_are_broken(content: bytes) -> None:
    with pytest.raises(SegmentBroken):
        read_segment(content)


@pytest.mark.parametrize(("key", "sequence"), [("web2", 7), ("web1", 8)])
def test_a_segment_in_another_place_than_its_header_says_is_broken(key: str, sequence: int) -> None:
    assert HEADER == read_segment(WHOLE, "web1", 7).header
    with pytest.raises(SegmentBroken, match="its header says"):
        read_segment(WHOLE, key, sequence)


@pytest.mark.parametrize("newer", [{"format": 2}, {"format": 1, "schema": 2}])
def test_a_newer_format_is_refused_and_not_skipped(newer: dict[str, int]) -> None:
    content = frame(record(b"H", {**newer, "product": "9.9"}), record(b"F", 0))
    with pytest.raises(SpoolError, match=r"9\.9 in a newer format"):
        read_segment(content)
    with pytest.raises(SpoolError):
        read_header(content)


BEGIN = record(b"H", HEADER)


@pytest.mark.parametrize(
    "content",
    [
        bomb(b""),
        bomb(BEGIN),
        bomb(BEGIN, b"E"),
        bomb(BEGIN + b"E" + (60 << 20).to_bytes(4, "big"), b"\xc0"),
        bomb(BEGIN + b"E" + (900 << 20).to_bytes(4, "big"), b"\xc0"),
        bomb(BEGIN + b"E" + (60 << 20).to_bytes(4, "big") + b"\x91\xc6" + (60 << 20).to_bytes(4, "big")),
        bomb(BEGIN, window=0x88),  # 128 MiB
        zstandard.compress(bytes(600 << 20)),  # its head names the size
    ],
    ids=["zeros", "header", "kinds", "nulls", "long record", "long event", "window", "size"],
)
def test_a_bomb_is_refused_before_it_takes_memory(content: bytes) -> None:
    tracemalloc.start()
    try:
        with pytest.raises(SegmentBroken):
            read_segment(content)
        with suppress(SegmentBroken):
            read_header(content)
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert most < 200 << 20


def test_of_a_segment_that_was_not_closed_the_whole_blocks_are_salvaged() -> None:
    inside = decompressed(WHOLE)
    cut = zstandard.compress(inside[:-200])  # inside the last block
    header, batches = salvaged(cut)
    assert HEADER == header
    assert 1024 == sum(map(len, batches))


def test_nothing_is_salvaged_without_a_header() -> None:
    with pytest.raises(SegmentBroken):
        salvaged(b"")
    with pytest.raises(SegmentBroken):
        salvaged(frame(record(b"E", EVENTS[:1])))
