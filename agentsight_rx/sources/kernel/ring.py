"""A BPF ring buffer, mapped into this process -> decoded records, without a system call or a copy for each."""

from __future__ import annotations

import math
import mmap
import os
import select
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Annotated, Any, Generic, TypeAlias, TypeVar

from ...core.bell import Bell
from ...core.capacity import share_of_memory
from ...core.options import Fits

__all__ = ["Ring", "RingSize", "first_size_of", "size_of_ring"]

E = TypeVar("E")

_BUSY, _DISCARD = 1 << 31, 1 << 30
_SIZE = _DISCARD - 1
_PAGE = mmap.PAGESIZE
_RECORD_MOST = 1 << 20  # bytes; ours have 32 KB at most, where they are put together
_BATCH = 4 << 20  # bytes that one read takes at most, so that whoever gets it has room for it
# After a wake-up, while a batch gathers. The kernel wakes a reader that has read everything, and no other: so a busy ring costs
# 100 wake-ups a second instead of 100,000, and an idle one none.
_GATHER_S = 0.01
# Bytes that are read at once, without a system call: after each, another busy thread may keep the interpreter lock for 5 ms
_ENOUGH = 256 << 10
_SMALLEST = 2 * _PAGE
_READ_MOST = 8192  # records that one read takes
# A ring for bulk begins with an eighth of its size, and is exchanged for a whole one once a sixteenth of that eighth waits.
# Until then it is read sooner: 64 MB take 20 ms to be made, in which 6 MB more may come. Small ones begin whole, since a reader
# may stand still before the first record: 8 MB are 18,000 programs
_BEGINS_WITH, _BEGINS_TO_FILL = 8, 16
_WHOLE = 16 << 20  # smaller ones are not exchanged
_GATHER_SMALL_S, _TRICKLE = 0.002, 32 << 10  # less than so many bytes by then are no burst
# Where no size is asked for: 0.2 s of 300 MB/s, for so long a virtual machine may stall a reader; less where memory is scarce
_PART, _LEAST, _MOST = 128, 8 << 20, 64 << 20
_UNFINISHED_S = 0.02  # how long the last read waits for a record that is being written


def _is_asked(size: int) -> bool:
    return size == 0 or (size >= _SMALLEST and not size & (size - 1))


RingSize: TypeAlias = Annotated[int, Fits(_is_asked, f"that is 0 or a power of two from {_SMALLEST} on")]


def size_of_ring(asked: RingSize) -> int:
    """The size of a ring in bytes; 0 asks for one for bulk, by the memory that is free."""
    return asked or share_of_memory(_PART, least=_LEAST, most=_MOST)


def first_size_of(size: int) -> int:
    """With how many bytes a ring begins that may grow to this size."""
    return size if size < _WHOLE else size // _BEGINS_WITH


class _Mapped:
    """
    The memory of one ring (Documentation/bpf/ringbuf.rst): behind the end of the data its beginning is mapped again, as much as
    the largest record needs, so no record wraps.
    """

    def __init__(self, fd: int, size: int) -> None:
        self.fd = fd
        self.size = size
        self.enough = min(_ENOUGH, size // 4)
        twice = min(size, _RECORD_MOST)
        self._consumer_map = mmap.mmap(fd, _PAGE, mmap.MAP_SHARED, mmap.PROT_READ | mmap.PROT_WRITE, offset=0)
        self._producer_map = mmap.mmap(fd, _PAGE + size + twice, mmap.MAP_SHARED, mmap.PROT_READ, offset=_PAGE)
        self.consumer = memoryview(self._consumer_map).cast("Q")
        self.view = memoryview(self._producer_map)
        self.producer = self.view[:8].cast("Q")
        self.words = self.view.cast("I")

    @property
    def waiting(self) -> int:
        """Bytes that were not read."""
        waiting: int = self.producer[0] - self.consumer[0]
        return waiting

    def close(self) -> None:
        for view in (self.consumer, self.producer, self.words, self.view):
            view.release()
        self._consumer_map.close()
        self._producer_map.close()


class Ring(Generic[E]):
    """
    The reading end. `decode(view, at, size)` makes an event of the record at `at`, several, or None. A record is read in place,
    and only after its BUSY bit is clear; x86-64 keeps the order of these loads, which is why other machines are not supported.

    `larger` is called once, when the ring begins to fill: it has programs write to a larger one, and returns its descriptor,
    which is ours, and its size once none writes to this one any more. It may raise OSError; then this one stays.
    """

    def __init__(
        self,
        fd: int,
        size: int,
        decode: Callable[[memoryview, int, int], E | list[E] | None],
        *,
        larger: Callable[[], tuple[int, int]] | None = None,
    ) -> None:
        self._decode = decode
        self._larger = larger
        self._now = _Mapped(fd, size)
        self._next: _Mapped | None = None  # programs write to it, and what is in the one before comes first
        self._owned: int | None = None
        self._waited_at = -1  # where the last wait found the reader: there again, a record is still being written
        self._poll = select.poll()
        self._poll.register(fd, select.POLLIN)
        self._bell = Bell()
        self._poll.register(self._bell.fd, select.POLLIN)

    def wait(self, timeout: float) -> bool:
        """True once there is something to read; waits at most `timeout` s, or until `wake`."""
        if self._next is not None:
            return True
        at = self._now.consumer[0]
        waiting = self._now.producer[0] - at
        stuck, self._waited_at = at == self._waited_at, at
        if waiting >= self._now.enough and not stuck:
            return True
        if not waiting:
            ready = self._poll.poll(math.ceil(timeout * 1000))
            if not ready or (len(ready) == 1 and self._bell.heard()):
                return False
        if self._larger is not None:
            time.sleep(_GATHER_SMALL_S)
            if self._now.waiting >= _TRICKLE:
                return True
            time.sleep(_GATHER_S - _GATHER_SMALL_S)
        else:
            time.sleep(_GATHER_S)
        return True

    def wake(self) -> None:
        """End the `wait` of another thread, or its next one."""
        self._bell.ring()

    @property
    def fill(self) -> float:
        """How full the ring is: 0 empty, 1 full."""
        return self._now.waiting / self._now.size

    def read(self, most: int = _READ_MOST) -> list[E]:
        """The records in the ring now, at most `most` or 4 MiB of them."""
        if self._larger is not None and self._now.waiting >= self._now.size // _BEGINS_TO_FILL:
            self._exchange(self._larger)
        out = self._read(most)
        if self._next is not None and not self._now.waiting:
            self._turn_to(self._next)
        return out

    def _exchange(self, larger: Callable[[], tuple[int, int]]) -> None:
        self._larger = None
        with suppress(OSError):  # there is no memory: what does not fit is counted
            fd, size = larger()
            self._next = _Mapped(fd, size)
            self._poll.register(fd, select.POLLIN)

    def _turn_to(self, ring: _Mapped) -> None:
        before, self._now, self._next = self._now, ring, None
        self._poll.unregister(before.fd)
        before.close()
        self._owned = ring.fd

    def _read(self, most: int) -> list[E]:
        out: list[E] = []
        append: Callable[[Any], None] = out.append
        now = self._now
        view, words, decode, mask = now.view, now.words, self._decode, now.size - 1
        at = now.consumer[0]
        end = min(now.producer[0], at + _BATCH)
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
        now.consumer[0] = at
        return out

    def rest(self) -> list[E]:
        """All records that are in the ring now; later records are left."""
        out: list[E] = []
        while self._next is not None:
            out += self._rest()
            self._turn_to(self._next)
        return out + self._rest()

    def _rest(self) -> list[E]:
        out: list[E] = []
        now = self._now
        end, until = now.producer[0], time.monotonic() + _UNFINISHED_S
        while (before := now.consumer[0]) < end:
            out += self._read(_READ_MOST)
            if now.consumer[0] == before:
                if time.monotonic() > until:
                    break
                time.sleep(_UNFINISHED_S / 20)
        return out

    def close(self) -> None:
        self._bell.close()
        if self._next is not None:
            self._turn_to(self._next)
        self._now.close()
        if self._owned is not None:
            os.close(self._owned)
