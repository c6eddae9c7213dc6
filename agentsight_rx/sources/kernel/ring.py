"""A BPF ring buffer, mapped into this process -> decoded records, without a system call or a copy for each."""

from __future__ import annotations

import math
import mmap
import select
import time
from collections.abc import Callable
from typing import Annotated, Any, Generic, TypeAlias, TypeVar

from ...core.bell import Bell
from ...core.capacity import share_of_memory
from ...core.options import Fits

__all__ = ["Ring", "RingSize", "size_of_ring"]

E = TypeVar("E")

_BUSY, _DISCARD = 1 << 31, 1 << 30
_SIZE = _DISCARD - 1
_PAGE = mmap.PAGESIZE
_RECORD_MOST = 1 << 20  # bytes; ours have 32 KB at most, where they are put together
_BATCH = 4 << 20  # bytes that one read takes at most, so that whoever gets it has room for it
# A reader wakes at multiples of this time, so that all readers, and the engine behind them, wake together: a wake-up costs more
# than the few records that it brings. Right after an idle time, and for small rings always, the shorter one holds.
_GATHER_S, _GATHER_LONGER_S = 0.01, 0.02
_ROOMY = 32 << 20  # bytes of a ring that has room for what the longer time brings: 6 MB of 300 MB/s, and stalls besides
# Bytes that are read at once, without a system call: after each, another busy thread may keep the interpreter lock for 5 ms
_ENOUGH = 256 << 10
_SMALLEST = 2 * _PAGE
# Where no size is asked for: 0.2 s of 300 MB/s, for so long a virtual machine may stall a reader; less where memory is scarce
_PART, _LEAST, _MOST = 128, 8 << 20, 64 << 20
_UNFINISHED_S = 0.02  # how long the last read waits for a record that is being written


def _is_asked(size: int) -> bool:
    return size == 0 or (size >= _SMALLEST and not size & (size - 1))


RingSize: TypeAlias = Annotated[int, Fits(_is_asked, f"that is 0 or a power of two from {_SMALLEST} on")]


def size_of_ring(asked: RingSize) -> int:
    """The size of a ring in bytes; 0 asks for one for bulk, by the memory that is free."""
    return asked or share_of_memory(_PART, least=_LEAST, most=_MOST)


def _sleep_until_multiple_of(step_s: float) -> None:
    time.sleep(step_s - time.monotonic() % step_s)


class Ring(Generic[E]):
    """
    The reading end (Documentation/bpf/ringbuf.rst): behind the end of the data its beginning is mapped again, as much as the
    largest record needs, so no record wraps.

    `decode(view, at, size)` makes an event of the record at `at`, several, or None. A record is read in place, and only after
    its BUSY bit is clear; x86-64 keeps the order of these loads, which is why other machines are not supported.
    """

    def __init__(self, fd: int, size: int, decode: Callable[[memoryview, int, int], E | list[E] | None]) -> None:
        self._decode = decode
        self._size = size
        self._enough = min(_ENOUGH, size // 4)
        self._gather_s = _GATHER_LONGER_S if size >= _ROOMY else _GATHER_S
        self._flows = False  # the last read found records
        self._waited_at = -1  # where the last wait found the reader: there again, a record is still being written
        self._consumer_map = mmap.mmap(fd, _PAGE, mmap.MAP_SHARED, mmap.PROT_READ | mmap.PROT_WRITE, offset=0)
        twice = min(size, _RECORD_MOST)
        self._producer_map = mmap.mmap(fd, _PAGE + size + twice, mmap.MAP_SHARED, mmap.PROT_READ, offset=_PAGE)
        self._consumer = memoryview(self._consumer_map).cast("Q")
        self._view = memoryview(self._producer_map)
        self._producer = self._view[:8].cast("Q")
        self._words = self._view.cast("I")
        self._poll = select.poll()
        self._poll.register(fd, select.POLLIN)
        self._bell = Bell()
        self._poll.register(self._bell.fd, select.POLLIN)

    def wait(self, timeout: float) -> bool:
        """True once there is something to read; waits at most `timeout` s, or until `wake`."""
        at = self._consumer[0]
        waiting = self._producer[0] - at
        stuck, self._waited_at = at == self._waited_at, at
        if waiting >= self._enough and not stuck:
            return True
        flows, self._flows = self._flows, False
        if flows and timeout >= self._gather_s:  # more is on its way: without a wake-up for its first record
            _sleep_until_multiple_of(self._gather_s)
            waiting = self._producer[0] - at
            if waiting:
                return True
        if not waiting:
            ready = self._poll.poll(math.ceil(timeout * 1000))
            if not ready or (len(ready) == 1 and self._bell.heard()):
                return False
        _sleep_until_multiple_of(_GATHER_S)
        return True

    def wake(self) -> None:
        """End the `wait` of another thread, or its next one."""
        self._bell.ring()

    @property
    def fill(self) -> float:
        """How full the ring is: 0 empty, 1 full."""
        return (self._producer[0] - self._consumer[0]) / self._size

    def read(self, most: int = 8192) -> list[E]:
        """The records in the ring now, at most `most` or 4 MiB of them."""
        out: list[E] = []
        append: Callable[[Any], None] = out.append
        view, words, decode, mask = self._view, self._words, self._decode, self._size - 1
        at = self._consumer[0]
        end = min(self._producer[0], at + _BATCH)
        for _ in range(most):
            if at >= end:
                break
            place = _PAGE + (at & mask)
            size = words[place >> 2]
            if size <= _SIZE:
                event = decode(view, place + 8, size)
                if type(event) is list:
                    out += event
                elif event is not None:
                    append(event)
            elif size & _BUSY:
                break
            else:
                size &= _SIZE
            at += (size + 15) & ~7
        self._flows = at != self._consumer[0]
        self._consumer[0] = at
        return out

    def rest(self) -> list[E]:
        """All records that are in the ring now; later records are left."""
        out: list[E] = []
        end, until = self._producer[0], time.monotonic() + _UNFINISHED_S
        while (before := self._consumer[0]) < end:
            out += self.read()
            if self._consumer[0] == before:
                if time.monotonic() > until:
                    break
                time.sleep(_UNFINISHED_S / 20)
        return out

    def close(self) -> None:
        self._bell.close()
        self._consumer.release()
        self._producer.release()
        self._words.release()
        self._view.release()
        self._consumer_map.close()
        self._producer_map.close()
