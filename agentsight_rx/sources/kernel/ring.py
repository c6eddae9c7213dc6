"""
BPF ring buffers, mapped into this process -> decoded records, without a system call or a copy for each.

Longer than 300 lines because reading a ring, and the wait for one or several rings, know the same positions.
"""

from __future__ import annotations

import math
import mmap
import os
import select
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from threading import Lock
from typing import Annotated, Any, Generic, TypeAlias, TypeVar

from ...core.mailbox import Bell, share_of_memory
from ...core.options import Fits
from ...core.reading import until_multiple_of
from .machine import MACHINE, PAGE

E = TypeVar("E")

_BUSY, _DISCARD = 1 << 31, 1 << 30
_SIZE = _DISCARD - 1
_RECORD_MOST = 1 << 20  # bytes; ours have 32 KB at most, where they are put together
_BATCH = 4 << 20  # bytes that one read takes at most, so that whoever gets it has room for it
# A reader wakes at multiples of these times, so that all readers, and the engine behind them, wake together: a wake-up costs
# more than the few records that it brings. The first one holds right after an idle time, the others while records keep coming:
# the short one where a ring has not grown, and where the reader looks at /proc for each, so that its process is there still
_GATHER_FIRST_S, GATHER_S, GATHER_LONG_S = 0.01, 0.02, 0.1
# Bytes that are read at once, without a system call: after each, another busy thread may keep the interpreter lock for 5 ms
_ENOUGH = 256 << 10
_SMALLEST, _ROOMY = 2 * PAGE, 32 << 20
# Where no size is asked for: 0.2 s of 300 MB/s, for so long a virtual machine may stall a reader; less where memory is scarce
_PART, _LEAST, _MOST = 128, 8 << 20, 64 << 20
# A ring that begins with a part of its size has the whole once an eighth of that part is full: the kernel needs 11 ms for it,
# and in so long 430 MB/s bring 5 MB
_NEARLY = 8
_UNFINISHED_S = 0.02  # how long the last read waits for a record that is being written


def _is_asked(size: int) -> bool:
    return size == 0 or (size >= _SMALLEST and not size & (size - 1))


RingSize: TypeAlias = Annotated[int, Fits(_is_asked, f"that is 0 or a power of two from {_SMALLEST} on")]


def size_of_ring(asked: RingSize) -> int:
    """The size of a ring in bytes; 0 asks for one for bulk, by the memory that is free."""
    return asked or share_of_memory(_PART, least=_LEAST, most=_MOST)


def gather_of_content(asked: RingSize) -> float:
    """How long a reader of content may gather, in s: a small ring is full within some 20 ms of 400 MB/s."""
    return GATHER_LONG_S if size_of_ring(asked) >= _ROOMY else GATHER_S


@dataclass(frozen=True, slots=True)
class Growth:
    """
    The larger ring that may take a ring's place: one of `size` bytes, whose descriptor `make` returns. `enter` has programs
    write into it, and returns once none writes into the one before. Both raise OSError.
    """

    size: int
    make: Callable[[int], int]
    enter: Callable[[int], None]


def fence() -> None:
    """
    Loads and stores of memory before it come before all later ones, also for other processors: POSIX has the functions that
    take and give a lock synchronize memory (XBD 4.15.2), as release and acquire, in this order. x86-64 needs it not: there
    only a store may come behind a later load (Intel SDM volume 3A, 9.2).
    """
    lock = Lock()
    lock.acquire()
    lock.release()
    lock.acquire()


class Ordered:
    """Words of memory. A load comes before all later loads, and a store behind all loads and stores before it."""

    def __init__(self, words: memoryview) -> None:
        self._words = words

    def __getitem__(self, at: int) -> int:
        found: int = self._words[at]
        fence()
        return found

    def __setitem__(self, at: int, value: int) -> None:
        fence()
        self._words[at] = value

    def release(self) -> None:
        self._words.release()


def _in_order(words: memoryview) -> memoryview | Ordered:
    return words if MACHINE.keeps_order else Ordered(words)


class _Mapping:
    """
    The memory of a ring (Documentation/bpf/ringbuf.rst): behind the end of the data its beginning is mapped again, as much as
    the largest record needs, so no record wraps. `at`: so far it was read. The kernel may know of less.
    """

    def __init__(self, fd: int, size: int) -> None:
        self.fd, self.size = fd, size
        self._consumer_map = mmap.mmap(fd, PAGE, mmap.MAP_SHARED, mmap.PROT_READ | mmap.PROT_WRITE, offset=0)
        twice = min(size, _RECORD_MOST)
        self._producer_map = mmap.mmap(fd, PAGE + size + twice, mmap.MAP_SHARED, mmap.PROT_READ, offset=PAGE)
        self.consumer = _in_order(memoryview(self._consumer_map).cast("Q"))
        self.view = memoryview(self._producer_map)
        self.producer = _in_order(self.view[:8].cast("Q"))
        self.words = _in_order(self.view.cast("I"))
        self.at = self.consumer[0]

    @property
    def waiting(self) -> int:
        """Bytes that were not read."""
        return self.producer[0] - self.at

    def close(self) -> None:
        self.consumer.release()
        self.producer.release()
        self.words.release()
        self.view.release()
        self._consumer_map.close()
        self._producer_map.close()


class _OwnMapping(_Mapping):
    """The memory of a ring that is closed with it, or at once where it cannot be mapped."""

    def __init__(self, fd: int, size: int) -> None:
        try:
            super().__init__(fd, size)
        except BaseException:
            os.close(fd)
            raise

    def close(self) -> None:
        super().close()
        os.close(self.fd)


class Ring(Generic[E]):
    """
    The reading end of a ring. `decode(view, at, size)` makes an event of the record at `at`, several, or None. A record is read
    in place, and only after its BUSY bit is clear: in this order, whatever the machine.

    Once an eighth of it is full, the larger ring of `growth` takes its place. `widen` does so earlier, where much is to be
    expected.

    While records keep coming, the reader looks each `gather_s` seconds. The kernel wakes a reader for a record that comes when
    all before it were read: so the last record that was read does not count as read then.
    """

    def __init__(
        self,
        fd: int,
        size: int,
        decode: Callable[[memoryview, int, int], E | list[E] | None],
        *,
        growth: Growth | None = None,
        gather_s: float = GATHER_S,
    ) -> None:
        self._decode = decode
        self._growth = growth if growth is not None and growth.size > size else None
        self._most = size if self._growth is None else self._growth.size
        self._gather_s = gather_s
        self._next: _Mapping | None = None
        self._flows = False  # the last read found records
        self._waited_at = -1  # where the last wait found the reader: there again, a record is still being written
        self._bell = Bell()
        self._mapping = _Mapping(fd, size)
        self._alone: Rings | None = None  # by which its reader waits, where that reads no other one

    def _step_over(self) -> None:
        """To the larger ring, once this one has no more."""
        if self._next is not None and not self._mapping.waiting:
            self._mapping.close()
            self._mapping, self._next, self._waited_at = self._next, None, -1

    @property
    def descriptors(self) -> tuple[int, int]:
        """Of the ring, and of what `wake` rings. The first one changes when a larger ring takes its place."""
        return self._mapping.fd, self._bell.fd

    @property
    def waits(self) -> bool:
        """Whether there is something to read now."""
        self._step_over()
        return self._mapping.waiting > 0

    def begin_wait(self) -> bool:
        """Whether there is so much to read that its reader need not wait."""
        self._step_over()
        mapping = self._mapping
        stuck, self._waited_at = mapping.at == self._waited_at, mapping.at
        return mapping.waiting >= min(_ENOUGH, mapping.size // 4) and not stuck

    def gather_s(self) -> float | None:
        """How long its reader may gather; None: the last read found nothing."""
        flows, self._flows = self._flows, False
        if not flows:
            return None
        is_whole = self._mapping.size >= self._most
        return self._gather_s if is_whole else min(self._gather_s, GATHER_S)  # a small ring is soon full

    def have_woken(self) -> None:
        """The kernel wakes the reader for the next record."""
        self._mapping.consumer[0] = self._mapping.at

    def heard(self) -> bool:
        """Whether `wake` was called since the last look."""
        return self._bell.heard()

    def widen(self) -> None:
        """Have the larger ring take its place now. Where there is no memory for it, this one goes on."""
        growth, self._growth = self._growth, None
        if growth is None:
            return
        with suppress(OSError):
            larger = _OwnMapping(growth.make(growth.size), growth.size)  # before programs write into what could not be read
            try:
                growth.enter(larger.fd)
            except BaseException:
                larger.close()
                raise
            self._next = larger

    def wait(self, timeout: float) -> bool:
        """True once there is something to read; waits at most `timeout` s, or until `wake`."""
        if self._alone is None:
            self._alone = Rings((self,))
        return self._alone.wait(timeout)

    def wake(self) -> None:
        """End the `wait` of another thread, or its next one."""
        self._bell.ring()

    @property
    def size(self) -> int:
        return self._mapping.size

    @property
    def fill(self) -> float:
        """How full the ring is: 0 empty, 1 full."""
        return self._mapping.waiting / self._mapping.size

    def read(self, most: int = 8192) -> list[E]:
        """The records in the ring now, at most `most` or 4 MiB of them."""
        self._step_over()
        out: list[E] = []
        append: Callable[[Any], None] = out.append
        mapping, decode = self._mapping, self._decode
        view, words, mask = mapping.view, mapping.words, mapping.size - 1
        begin = last = at = mapping.at
        waiting = mapping.waiting
        if waiting >= mapping.size // _NEARLY:
            self.widen()
        end = at + min(waiting, _BATCH)
        for _ in range(most):
            if at >= end:
                break
            place = PAGE + (at & mask)
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
            last = at
            at += (size + 15) & ~7
        if at != begin:
            self._flows = True
            mapping.at, mapping.consumer[0] = at, last
        return out

    def rest(self) -> list[E]:
        """All records that are in the ring now; later records are left."""
        out = self._rest()
        if self._next is not None:
            self._step_over()
            out += self._rest()
        return out

    def _rest(self) -> list[E]:
        out: list[E] = []
        mapping = self._mapping
        end, until = mapping.producer[0], time.monotonic() + _UNFINISHED_S
        while (before := mapping.at) < end:
            out += self.read()
            if mapping.at == before:
                if time.monotonic() > until:
                    break
                time.sleep(_UNFINISHED_S / 20)
        return out

    def close(self) -> None:
        for each in (self._alone, self._next, self._bell, self._mapping):
            if each is not None:
                each.close()


class Rings:
    """
    The wait of a thread that reads these rings. While records keep coming it looks at multiples of the shortest time for which
    one of them may gather.
    """

    def __init__(self, rings: Sequence[Ring[Any]]) -> None:
        self._rings = rings
        self._descriptors: list[tuple[int, int]] = []
        self._poll = select.poll()
        self._changes = select.epoll()  # at once, so that a reader has as many descriptors while it waits as later

    def wait(self, timeout: float, /) -> bool:
        """True once there is something to read in one of them; waits at most `timeout` s, or until one is woken."""
        rings = self._rings
        full = [ring for ring in rings if ring.begin_wait()]
        if full:
            return True
        self._register()
        gather_s = min((time_s for ring in rings if (time_s := ring.gather_s()) is not None), default=math.inf)
        gathers = timeout >= gather_s
        if gathers and self._changed(until_multiple_of(gather_s)) and self._heard():
            return self._any_waits()
        if self._any_waits():
            if not gathers:
                self._changed(until_multiple_of(_GATHER_FIRST_S))
            return True
        for ring in rings:
            ring.have_woken()
        ready = {fd for fd, _ in self._poll.poll(math.ceil(timeout * 1000))}
        if (not ready.isdisjoint(bell for _, bell in self._descriptors) and self._heard()) or not ready:
            return self._any_waits()
        self._changed(0)  # it would tell of the same
        self._changed(until_multiple_of(_GATHER_FIRST_S))
        return True

    def _register(self) -> None:
        """A larger ring in the place of one has another descriptor."""
        now = [ring.descriptors for ring in self._rings]
        if now == self._descriptors:
            return
        self._changes.close()
        self._descriptors = now
        self._poll, self._changes = select.poll(), select.epoll()
        for ring, bell in now:
            self._poll.register(ring, select.POLLIN)
            self._poll.register(bell, select.POLLIN)
            self._changes.register(ring, select.EPOLLIN | select.EPOLLET)
            self._changes.register(bell, select.EPOLLIN)

    def _changed(self, timeout: float) -> bool:
        """Whether the kernel wakes, or `wake` of one of them, within so many s. Older records do not count."""
        return bool(self._changes.poll(timeout))

    def _heard(self) -> bool:
        return bool([ring for ring in self._rings if ring.heard()])  # of each, so that all are silent again

    def _any_waits(self) -> bool:
        return any(ring.waits for ring in self._rings)

    def close(self) -> None:
        self._changes.close()
