"""A ring as the kernel lays it out: every record that is complete is read once, in order, and none before it is complete."""

from __future__ import annotations

import mmap
import os
import select
import time
from collections.abc import Generator
from contextlib import suppress
from struct import pack

import pytest

from agentsight_rx.errors import UsageError
from agentsight_rx.sources.kernel.features import require_kernel
from agentsight_rx.sources.kernel.ring import Growth
from agentsight_rx.sources.kernel.shared_ring import size_of_ring
from agentsight_rx.sources.process import ProcessOptions
from property_tests.quick import fewer
from tests.sources.kernel.alone import Alone
from tests.sources.kernel.torn import flood

PAGE = mmap.PAGESIZE
SIZE = 16 * PAGE
BUSY, DISCARD = 1 << 31, 1 << 30
_RINGBUF = 27  # BPF_MAP_TYPE_RINGBUF of linux/bpf.h
EPOLL = select.epoll
RECORDS = fewer(1_000_000)  # `python -m tests.sources.kernel.torn 10000000` takes more of them


class Memory:
    """A file like the memory of a BPF ring: the page of the consumer, that of the producer, and the data, twice."""

    def __init__(self, size: int = SIZE) -> None:
        self.fd = os.memfd_create("ring")
        os.truncate(self.fd, 2 * PAGE + 2 * size)
        self.size = size
        self.end = 0

    def put(self, content: bytes, mark: int = 0) -> int:
        """Write a record behind the last one; returns its position."""
        at, record = self.end, pack("<II", len(content) | mark, 0) + content
        for place, byte in enumerate(record):
            for half in (0, self.size):
                os.pwrite(self.fd, bytes([byte]), 2 * PAGE + half + (at + place) % self.size)
        self.end += (len(record) + 7) & ~7
        os.pwrite(self.fd, pack("<Q", self.end), PAGE)
        return at

    def finish(self, at: int, size: int) -> None:
        for half in (0, self.size):
            os.pwrite(self.fd, pack("<I", size), 2 * PAGE + half + at % self.size)


class Changes:
    """In the place of select.epoll, which takes no descriptor of a file: nothing wakes who waits for one."""

    def __init__(self) -> None:
        self._real = EPOLL()

    def register(self, fd: int, events: int) -> None:
        with suppress(PermissionError):
            self._real.register(fd, events)

    def poll(self, timeout: float) -> list[tuple[int, int]]:
        time.sleep(timeout)
        return self._real.poll(0)

    def close(self) -> None:
        self._real.close()


@pytest.fixture
def memory(monkeypatch: pytest.MonkeyPatch) -> Generator[Memory]:
    monkeypatch.setattr(select, "epoll", Changes)
    made = Memory()
    yield made
    os.close(made.fd)


@pytest.fixture
def ring(memory: Memory) -> Generator[Alone[bytes]]:
    made: Alone[bytes] = Alone(os.dup(memory.fd), SIZE, lambda view, at, size: bytes(view[at : at + size]))
    yield made
    made.close()


def test_records_of_any_length_come_out_in_order(memory: Memory, ring: Alone[bytes]) -> None:
    sent = [bytes([number]) * number for number in range(1, 100)]
    for each in sent:
        memory.put(each)
    assert ring.events() == sent
    assert ring.events() == []


def test_records_wrap_around_the_end(memory: Memory, ring: Alone[bytes]) -> None:
    for number in range(60):
        sent = bytes([number]) * 3001
        memory.put(sent)
        assert ring.events() == [sent]


def test_nothing_is_read_from_a_record_on_that_is_being_written(memory: Memory, ring: Alone[bytes]) -> None:
    memory.put(b"one")
    at = memory.put(b"two", BUSY)
    memory.put(b"three")
    assert ring.events() == [b"one"]
    assert ring.events() == []
    assert ring.rest_of_events() == []
    memory.finish(at, 3)
    assert ring.events() == [b"two", b"three"]


def test_a_discarded_record_is_skipped(memory: Memory, ring: Alone[bytes]) -> None:
    memory.put(b"one")
    memory.put(b"never", DISCARD)
    memory.put(b"two")
    assert ring.events() == [b"one", b"two"]


def test_a_read_takes_as_many_records_as_it_is_asked_for(memory: Memory, ring: Alone[bytes]) -> None:
    for each in (b"one", b"two", b"three"):
        memory.put(each)
    assert ring.events(2) == [b"one", b"two"]
    assert ring.rest_of_events() == [b"three"]


def test_a_record_may_become_several_events_or_none(memory: Memory) -> None:
    made: Alone[int] = Alone(os.dup(memory.fd), SIZE, lambda view, at, size: list(view[at : at + size]) if size > 1 else None)
    for each in (b"\1\2", b"\3", b"\4\5"):
        memory.put(each)
    assert made.events() == [1, 2, 4, 5]
    made.close()


class _Larger:
    """What takes the place of a ring."""

    def __init__(self) -> None:
        self.asked: list[int] = []
        self.entered: list[int] = []
        self.growth = Growth(4 * SIZE, self._make, self.entered.append)

    def _make(self, size: int) -> int:
        self.asked.append(size)
        self.memory = Memory(size)
        return self.memory.fd


@pytest.fixture
def growing(memory: Memory) -> Generator[tuple[Alone[bytes], _Larger]]:
    larger = _Larger()
    made: Alone[bytes] = Alone(os.dup(memory.fd), SIZE, lambda view, at, size: bytes(view[at : at + size]), larger.growth)
    yield made, larger
    made.close()
    if larger.asked:
        with pytest.raises(OSError, match="Bad file descriptor"):
            os.fstat(larger.memory.fd)


def test_once_an_eighth_is_full_a_larger_ring_takes_its_place(memory: Memory, growing: tuple[Alone[bytes], _Larger]) -> None:
    ring, larger = growing
    memory.put(bytes(SIZE // 8 - 16))
    ring.events()
    assert larger.asked == []
    memory.put(b"a" * (SIZE // 8))
    assert [len(each) for each in ring.events(1)] == [SIZE // 8]
    memory.put(b"b")
    larger.memory.put(b"c")
    assert ring.events() == [b"b"]
    assert ring.waits
    assert ring.events() == [b"c"]
    assert (larger.asked, larger.entered, ring.size) == ([4 * SIZE], [larger.memory.fd], 4 * SIZE)


def test_it_grows_once_where_much_is_expected(growing: tuple[Alone[bytes], _Larger]) -> None:
    ring, larger = growing
    ring.widen()
    larger.memory.put(b"a")
    ring.widen()
    assert ring.events() == [b"a"]
    assert larger.asked == [4 * SIZE]


def test_the_rest_is_that_of_both_rings(memory: Memory, growing: tuple[Alone[bytes], _Larger]) -> None:
    ring, larger = growing
    memory.put(b"a" * (SIZE // 8))
    memory.put(b"b")
    assert len(ring.events(1)) == 1
    larger.memory.put(b"c")
    assert ring.rest_of_events() == [b"b", b"c"]


@pytest.mark.parametrize("fails", ["make", "map", "enter"])
def test_where_no_larger_ring_can_be_made_the_first_goes_on(memory: Memory, fails: str) -> None:
    """Programs write into no ring that cannot be read, and no descriptor is left."""
    made: list[int] = []
    entered: list[int] = []

    def make(size: int) -> int:
        if fails == "make":
            raise OSError("no memory")
        made.append(Memory(size).fd if fails == "enter" else os.open("/dev/null", os.O_RDWR))
        return made[-1]

    def enter(fd: int) -> None:
        if fails == "enter":
            raise OSError("no memory")
        entered.append(fd)

    growth = Growth(4 * SIZE, make, enter)
    ring: Alone[bytes] = Alone(os.dup(memory.fd), SIZE, lambda view, at, size: bytes(view[at : at + 1]), growth)
    for each in (b"a", b"b"):
        memory.put(each * (SIZE // 4))
        assert ring.events() == [each]
    assert (len(made), entered) == (fails != "make", [])
    for fd in made:
        with pytest.raises(OSError, match="Bad file descriptor"):
            os.fstat(fd)
    ring.close()


@pytest.mark.parametrize("size", [4096, 8191, 12_288, -8192])
def test_a_size_that_the_kernel_does_not_take_is_refused(size: int) -> None:
    with pytest.raises(UsageError, match="a power of two from 8192 on"):
        ProcessOptions(ring_size=size)


def test_a_size_that_is_not_asked_for_is_chosen() -> None:
    chosen = size_of_ring(0)
    assert 8 << 20 <= chosen <= 64 << 20
    assert size_of_ring(chosen) == chosen


@pytest.mark.live
def test_of_many_records_none_is_torn_and_each_was_read_or_counted() -> None:
    require_kernel()
    found = flood(RECORDS)
    assert found.torn == 0
    assert found.whole >= RECORDS
    assert found.whole + found.lost == found.sent
    assert found.room == 4 << 20
