"""BPF ring buffers, mapped into this process -> decoded records, without a system call or a copy for each."""

from __future__ import annotations

import math
import mmap
import os
import select
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Annotated, Any, Generic, TypeAlias, TypeVar

from ...core.mailbox import Bell, share_of_memory
from ...core.options import Fits
from ...core.reading import until_multiple_of

E = TypeVar("E")

_BUSY, _DISCARD = 1 << 31, 1 << 30
_SIZE = _DISCARD - 1
_PAGE = mmap.PAGESIZE
_RECORD_MOST = 1 << 20  # bytes; ours have 32 KB at most, where they are put together
_BATCH = 4 << 20  # bytes that one read takes at most, so that whoever gets it has room for it
# A reader wakes at multiples of these times, so that all readers, and the engine behind them, wake together: a wake-up costs
# more than the few records that it brings. The first one holds right after an idle time, the others while records keep coming:
# the short one where a ring has not grown, and where the reader looks at /proc for each, so that its process is there still
_GATHER_FIRST_S, GATHER_S, GATHER_LONG_S = 0.01, 0.02, 0.1
# Bytes that are read at once, without a system call: after each, another busy thread may keep the interpreter lock for 5 ms
_ENOUGH = 256 << 10
_SMALLEST, _ROOMY = 2 * _PAGE, 32 << 20
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


class _Mapping:
    """
    The memory of a ring (Documentation/bpf/ringbuf.rst): behind the end of the data its beginning is mapped again, as much as
    the largest record needs, so no record wraps. `at`: so far it was read. The kernel may know of less.
    """

    def __init__(self, fd: int, size: int) -> None:
        self.fd, self.size = fd, size
        self._consumer_map = mmap.mmap(fd, _PAGE, mmap.MAP_SHARED, mmap.PROT_READ | mmap.PROT_WRITE, offset=0)
        twice = min(size, _RECORD_MOST)
        self._producer_map = mmap.mmap(fd, _PAGE + size + twice, mmap.MAP_SHARED, mmap.PROT_READ, offset=_PAGE)
        self.consumer = memoryview(self._consumer_map).cast("Q")
        self.view = memoryview(self._producer_map)
        self.producer = self.view[:8].cast("Q")
        self.words = self.view.cast("I")
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
    """That of a ring whose descriptor is closed with it; a ring that cannot be mapped is closed at once."""

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
    in place, and only after its BUSY bit is clear; x86-64 keeps the order of these loads, which is why other machines are not
    supported.

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
        self._enter(_Mapping(fd, size))

    def _enter(self, mapping: _Mapping) -> None:
        self._mapping = mapping
        self._enough = min(_ENOUGH, mapping.size // 4)
        self._poll = select.poll()
        self._poll.register(mapping.fd, select.POLLIN)
        self._poll.register(self._bell.fd, select.POLLIN)
        self._changes: select.epoll | None = None

    def _changed(self, timeout: float) -> bool:
        """Whether the kernel wakes, or `wake`, within so many s. Older records do not count."""
        if self._changes is None:
            self._changes = select.epoll()
            self._changes.register(self._mapping.fd, select.EPOLLIN | select.EPOLLET)
            self._changes.register(self._bell.fd, select.EPOLLIN)
        return bool(self._changes.poll(timeout))

    def _leave(self) -> None:
        if self._changes is not None:
            self._changes.close()
        self._mapping.close()

    def _step_over(self) -> None:
        """To the larger ring, once this one has no more."""
        if self._next is not None and not self._mapping.waiting:
            self._leave()
            self._enter(self._next)
            self._next, self._waited_at = None, -1

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
        self._step_over()
        mapping = self._mapping
        stuck, self._waited_at = mapping.at == self._waited_at, mapping.at
        if mapping.waiting >= self._enough and not stuck:
            return True
        flows, self._flows = self._flows, False
        gather_s = self._gather_s if mapping.size >= self._most else min(self._gather_s, GATHER_S)  # a small ring is soon full
        gathers = flows and timeout >= gather_s
        if gathers and self._changed(until_multiple_of(gather_s)) and self._bell.heard():
            return mapping.waiting > 0
        if mapping.waiting:
            if not gathers:
                self._changed(until_multiple_of(_GATHER_FIRST_S))
            return True
        mapping.consumer[0] = mapping.at  # from here on the kernel wakes for the next record
        ready = self._poll.poll(math.ceil(timeout * 1000))
        if not ready or (len(ready) == 1 and self._bell.heard()):
            return False
        self._changed(0)  # it would tell of the same
        self._changed(until_multiple_of(_GATHER_FIRST_S))
        return True

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
        if self._next is not None:
            self._next.close()
        self._bell.close()
        self._leave()
