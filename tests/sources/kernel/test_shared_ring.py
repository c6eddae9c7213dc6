"""A ring that several sources write into: each gets its records, in order, in its own thread; and the wait for them."""

from __future__ import annotations

import os
import select
import threading
import time
from collections.abc import Callable, Generator

import pytest

from agentsight_rx.sources.kernel.features import require_kernel
from agentsight_rx.sources.kernel.ring import ring_in_table
from agentsight_rx.sources.kernel.shared_ring import GATHER_LONG_S, GATHER_S, Rings, Share, SharedRing
from tests.sources.kernel.test_ring import SIZE, Changes, Memory

LINES, BYTES = 1, 2  # numbers of sources


def of(source: int, content: bytes) -> bytes:
    """A record as programs write it: behind its source, which is in byte 19, is its content."""
    return bytes(19) + bytes([source]) + content


def content(view: memoryview, at: int, size: int) -> bytes:
    return bytes(view[at + 20 : at + size])


def ring_over(memory: Memory) -> SharedRing:
    return SharedRing(os.dup(memory.fd), SIZE, os.dup(memory.fd))


@pytest.fixture
def memory(monkeypatch: pytest.MonkeyPatch) -> Generator[Memory]:
    monkeypatch.setattr(select, "epoll", Changes)
    made = Memory()
    yield made
    os.close(made.fd)


@pytest.fixture
def shared(memory: Memory) -> Generator[SharedRing]:
    made = ring_over(memory)
    yield made
    made.close()


@pytest.fixture
def share(shared: SharedRing) -> Generator[Share[bytes]]:
    made = shared.share(LINES, content)
    yield made
    made.close()


def elsewhere(read: Callable[[], list[bytes]]) -> list[bytes]:
    """What another thread reads."""
    found: list[bytes] = []
    thread = threading.Thread(target=lambda: found.extend(read()))
    thread.start()
    thread.join()
    return found


def test_each_source_gets_its_own(memory: Memory, shared: SharedRing, share: Share[bytes]) -> None:
    other: Share[int] = shared.share(BYTES, lambda view, at, size: [*view[at + 20 : at + size]])
    assert (share.read(), other.read()) == ([], [])
    for source, sent in ((LINES, b"one"), (BYTES, b"\1\2"), (LINES, b"two"), (BYTES, b"\3")):
        memory.put(of(source, sent))
    assert share.read() == [b"one", b"two"]
    assert other.waits
    assert other.read() == [1, 2, 3]
    assert not other.waits


def test_what_another_thread_reads_waits_and_rings(memory: Memory, shared: SharedRing, share: Share[bytes]) -> None:
    """Only the thread of its source decodes a record."""
    decoded_by = set[int]()

    def decode(view: memoryview, at: int, size: int) -> bytes:
        decoded_by.add(threading.get_ident())
        return content(view, at, size)

    other = shared.share(BYTES, decode)
    assert other.read() == []
    memory.put(of(BYTES, b"one"))
    assert elsewhere(share.read) == []
    assert (other.heard(), other.waits) == (True, True)
    memory.put(of(BYTES, b"two"))
    assert other.read() == [b"one", b"two"]
    assert decoded_by == {threading.get_ident()}


def test_what_waits_for_too_long_is_counted(memory: Memory, shared: SharedRing, share: Share[bytes]) -> None:
    other = shared.share(BYTES, content)
    for _ in range(2):
        for _ in range(200):
            memory.put(of(BYTES, bytes(100)))
        share.read()
    assert (len(other.read()), other.dropped) == (400, 0)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("agentsight_rx.sources.kernel.shared_ring._KEPT_MOST", 240)
        for _ in range(5):
            memory.put(of(BYTES, bytes(100)))
        elsewhere(share.read)
    assert (len(other.read()), other.dropped) == (2, 3)


def test_a_decoder_that_fails_fails_its_own_source(memory: Memory, shared: SharedRing, share: Share[bytes]) -> None:
    broken: Share[int] = shared.share(BYTES, lambda view, at, size: view[1 << 40])
    broken.read()
    for source in (LINES, BYTES, LINES):
        memory.put(of(source, b"one"))
    assert share.read() == [b"one", b"one"]
    with pytest.raises(IndexError):
        broken.read()


def test_nothing_is_left_for_a_source_that_comes_later(memory: Memory, shared: SharedRing) -> None:
    first = shared.share(LINES, content)
    memory.put(of(LINES, b"before"))
    first.close()
    later = shared.share(LINES, content)
    memory.put(of(LINES, b"one"))
    assert later.read() == [b"one"]


@pytest.mark.live
def test_it_is_as_large_as_the_largest_that_is_asked_for() -> None:
    require_kernel()
    shared = SharedRing(*ring_in_table(SIZE))
    for begins, size, room in ((SIZE, SIZE, SIZE), (SIZE // 2, SIZE // 2, SIZE), (2 * SIZE, 8 * SIZE, 2 * SIZE)):
        shared.want(begins, size)
        share = shared.share(LINES, content)
        assert share.read() == []
        assert shared.ring.size == room
        share.close()
    assert not shared.ring.is_whole
    shared.ring.widen()
    shared.ring.rest()
    assert (shared.ring.size, shared.ring.is_whole) == (8 * SIZE, True)
    shared.close()


def test_while_records_come_the_last_one_does_not_count_as_read(memory: Memory, share: Share[bytes]) -> None:
    """So the kernel does not wake for the next one; before the reader waits for one, it counts."""

    def known() -> int:
        return int.from_bytes(os.pread(memory.fd, 8, 0), "little")

    memory.put(of(LINES, b"one"))
    at = memory.put(of(LINES, b"two"))
    assert share.read() == [b"one", b"two"]
    assert known() == at
    share.wait(0)
    assert known() == memory.end


@pytest.fixture
def empty() -> Generator[Share[bytes]]:
    """A share of a ring of the kernel, into which nothing is written."""
    require_kernel()
    shared = SharedRing(*ring_in_table(SIZE))
    made = shared.share(LINES, content)
    yield made
    made.close()
    shared.close()


@pytest.mark.live
def test_who_waits_is_woken_by_another_thread(empty: Share[bytes]) -> None:
    found: list[bool] = []
    waits = threading.Thread(target=lambda: found.append(empty.wait(3600)))
    waits.start()
    empty.wake()
    waits.join()
    assert found == [False]


@pytest.mark.live
def test_a_wake_before_the_wait_counts_and_only_once(empty: Share[bytes]) -> None:
    empty.wake()
    empty.wake()
    assert not empty.wait(3600)
    assert not empty.wait(0)


def test_a_wake_hides_no_record(memory: Memory, share: Share[bytes]) -> None:
    share.wake()
    memory.put(of(LINES, b"one"))
    assert share.wait(0)
    assert share.read() == [b"one"]


def _asleep(monkeypatch: pytest.MonkeyPatch, then: Callable[[], object]) -> list[float]:
    """For how many ms it sleeps from now on, 3 ms behind a second; `then` happens meanwhile."""
    slept: list[float] = []

    def sleep(seconds: float) -> None:
        slept.append(round(1000 * seconds, 6))
        then()

    monkeypatch.setattr(time, "monotonic", lambda: 5.003)
    monkeypatch.setattr(time, "sleep", sleep)
    return slept


def test_it_wakes_at_multiples_of_10_ms(memory: Memory, share: Share[bytes], monkeypatch: pytest.MonkeyPatch) -> None:
    memory.put(of(LINES, b"one"))
    slept = _asleep(monkeypatch, lambda: None)
    assert share.wait(0)
    assert slept == [7]


@pytest.mark.parametrize(("gather_s", "ms"), [(GATHER_S, 17), (GATHER_LONG_S, 97)])
def test_while_records_come_it_looks_again_without_being_woken(
    memory: Memory, shared: SharedRing, gather_s: float, ms: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    share = shared.share(LINES, content, gather_s=gather_s)
    memory.put(of(LINES, b"one"))
    assert share.read() == [b"one"]
    slept = _asleep(monkeypatch, lambda: memory.put(of(LINES, b"two")))
    assert share.wait(1)
    assert slept == [ms]
    assert share.read() == [b"two"]
    share.close()


@pytest.mark.live
@pytest.mark.parametrize("woken", [0, 1, 2])
def test_who_waits_for_several_is_woken_by_a_wake_of_any(woken: int) -> None:
    require_kernel()
    rings = [SharedRing(*ring_in_table(SIZE)) for _ in range(2)]
    made = [rings[at].share(source, content) for at, source in ((0, LINES), (0, BYTES), (1, LINES))]
    both, found = Rings(made), list[bool]()
    waits = threading.Thread(target=lambda: found.append(both.wait(3600)))
    waits.start()
    made[woken].wake()
    waits.join()
    assert found == [False]
    assert not both.wait(0)
    both.close()
    for each in made:
        each.close()
    for ring in rings:
        ring.close()


def test_a_wait_for_several_gathers_as_long_as_the_shortest_of_those_that_flow(
    memory: Memory, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = Memory()
    rings = [ring_over(memory), ring_over(other)]
    shares = [
        ring.share(LINES, content, gather_s=gather_s) for ring, gather_s in zip(rings, (GATHER_LONG_S, GATHER_S), strict=True)
    ]
    both = Rings(shares)
    memory.put(of(LINES, b"one"))
    assert shares[0].read() == [b"one"]
    slept = _asleep(monkeypatch, lambda: other.put(of(LINES, b"two")))
    assert both.wait(1)
    assert slept == [97]  # only the first one flows
    assert [share.read() for share in shares] == [[], [b"two"]]
    assert both.wait(1)
    assert slept[1:] == [17]
    assert shares[1].waits
    assert not shares[0].waits
    both.close()
    for share in shares:
        share.close()
    for ring in rings:
        ring.close()
    os.close(other.fd)


def test_after_the_end_a_wake_touches_no_file_that_came_since(shared: SharedRing) -> None:
    made = shared.share(LINES, content)
    made.close()
    later = os.eventfd(0, os.EFD_NONBLOCK)
    made.wake()
    with pytest.raises(BlockingIOError):
        os.eventfd_read(later)
    os.close(later)


def test_a_ring_that_another_thread_closed_meanwhile_ends_no_wait(
    memory: Memory, shared: SharedRing, share: Share[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = os.dup(memory.fd)
    os.close(gone)
    with monkeypatch.context() as patch:
        patch.setattr(Share, "descriptors", property(lambda share: (gone, share._bell.fd)))
        assert not share.wait(0)
    memory.put(of(LINES, b"one"))
    assert share.wait(0)
    assert share.read() == [b"one"]
