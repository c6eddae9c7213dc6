from __future__ import annotations

from typing import Any

from agentsight_rx.events import Channel, Origin, StdioChunk, StdioClose, StdioEvent
from agentsight_rx.sources.stdio.unmatched import HOLD_NS, NoReader, OwnChannel, Pair, Seen, Unmatched

PIPE = Channel("pipe", 1)


def chunk(channel: Channel = PIPE, *, time_ns: int = 0, end: Any = "out", data: bytes = b"a") -> StdioChunk:
    return StdioChunk(Origin(time_ns, 7, direction=end), channel, fd=1, data=data, offset=0, seq=0)


def settled(unmatched: Unmatched, *seen: Seen) -> list[StdioEvent]:
    return unmatched.settle(seen)


def test_a_first_write_waits_for_the_first_read() -> None:
    unmatched = Unmatched()
    write, read = chunk(), chunk(end="in")
    assert [] == settled(unmatched, NoReader(write, 0))
    assert unmatched.waits
    assert [write, read] == settled(unmatched, read)
    assert not unmatched.waits
    assert unmatched.knows(PIPE)


def test_a_channel_that_its_writer_reads_is_left_out() -> None:
    unmatched = Unmatched()
    assert [] == settled(unmatched, NoReader(chunk(), 0), OwnChannel(PIPE))
    assert [] == unmatched.finish()
    assert [] == unmatched.take_lost()


def test_a_first_write_waits_only_for_a_time() -> None:
    unmatched = Unmatched()
    write = chunk(time_ns=5)
    settled(unmatched, NoReader(write, 0))
    assert [] == unmatched.overdue(HOLD_NS + 4)
    assert [write] == unmatched.overdue(HOLD_NS + 5)
    assert [] == unmatched.overdue(HOLD_NS + 6)


def test_first_writes_come_before_the_end_of_a_process() -> None:
    unmatched = Unmatched()
    write, close = chunk(), StdioClose(Origin(9, 7))
    settled(unmatched, NoReader(write, 0))
    assert [write, close] == settled(unmatched, close)


def test_a_chunk_written_before_the_socket_is_accepted_gets_its_channel_then() -> None:
    unmatched = Unmatched()
    early = chunk(Channel("unix", 0))
    assert [] == settled(unmatched, NoReader(early, 20))
    assert unmatched.wants_pairs
    read = chunk(Channel("unix", 30), end="in")
    assert [chunk(Channel("unix", 30)), read] == settled(unmatched, Pair(read, 20))
    assert not unmatched.wants_pairs


def test_a_chunk_on_a_socket_that_is_never_accepted_is_lost() -> None:
    unmatched = Unmatched()
    early = chunk(Channel("unix", 0))
    settled(unmatched, NoReader(early, 20))
    assert [] == unmatched.finish()
    assert [early] == unmatched.take_lost()
    assert [] == unmatched.take_lost()


def test_there_is_a_limit_for_sockets_that_are_not_accepted() -> None:
    unmatched = Unmatched()
    settled(unmatched, *(NoReader(chunk(Channel("unix", 0)), number) for number in range(1, 259)))
    assert 2 == len(unmatched.take_lost())
