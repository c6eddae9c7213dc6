"""BPF ring buffers, mapped into this process -> decoded records, without a system call or a copy for each."""

from __future__ import annotations

import mmap
import os
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from threading import Lock
from typing import Any, TypeAlias, TypeVar

from .machine import MACHINE, PAGE
from .syscall import ARRAY_OF_MAPS, RINGBUF, create_map
from .tables import put_map

E = TypeVar("E")

_SOURCE_AT = 8 + 19  # behind the length of a record: the byte of struct head_t (bpf/track.h) that names its source
_BUSY, _DISCARD = 1 << 31, 1 << 30
_SIZE = _DISCARD - 1
_RECORD_MOST = 1 << 20  # bytes; ours have 32 KB at most, where they are put together
_BATCH = 4 << 20  # bytes that one read takes at most, so that whoever gets it has room for it
# Bytes that are read at once, without a system call: after each, another busy thread may keep the interpreter lock for 5 ms
_ENOUGH = 256 << 10
# A ring that begins with a part of its size has the whole once an eighth of that part is full: the kernel needs 11 ms for it,
# and in so long 430 MB/s bring 5 MB
_NEARLY = 8
_UNFINISHED_S = 0.02  # how long the last read waits for a record that is being written


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


def ring_in_table(size: int) -> tuple[int, int, int]:
    """A new ring of the kernel, its size, and the table by which programs find it. Raises OSError."""
    fd = _new_ring(size)
    try:
        table = create_map("ring", ARRAY_OF_MAPS, (4, 4), entries=1, like=fd)
        put_map(table, fd)
    except BaseException:
        os.close(fd)
        raise
    return fd, size, table


def growth_in(table: int, size: int) -> Growth:
    """How the ring in a table becomes one of `size` bytes."""
    return Growth(size, _new_ring, partial(put_map, table))


def _new_ring(size: int) -> int:
    return create_map("ring", RINGBUF, (0, 0), entries=size)


class _Mapping:
    """
    The memory of a ring (Documentation/bpf/ringbuf.rst): behind the end of the data its beginning is mapped again, as much as
    the largest record needs, so no record wraps. `at`: so far it was read. The kernel may know of less. `fd` is closed with it,
    or at once where it cannot be mapped.
    """

    def __init__(self, fd: int, size: int) -> None:
        self.fd, self.size = fd, size
        try:
            self._map(fd, size)
        except BaseException:
            os.close(fd)
            raise

    def _map(self, fd: int, size: int) -> None:
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
        os.close(self.fd)


Decode: TypeAlias = Callable[[memoryview, int, int], E | list[E] | None]
Taker: TypeAlias = tuple[Decode[Any], list[Any], Callable[[Exception], None]]
_NOBODY: Taker = (lambda view, at, size: None, [], lambda error: None)


class Takers(dict[int, Taker]):
    """
    By the numbers of sources: (decode, events, failed). `decode(view, at, size)` makes an event of the record at `at`, several,
    or None, which come behind the `events`; `failed` gets what it raises.
    """

    def __missing__(self, source: int) -> Taker:
        return _NOBODY


class Ring:
    """
    The reading end of a ring, whose `fd` is closed with it. Each record goes to the one of the `takers` that is for its source.
    A record is read in place, and only after its BUSY bit is clear: in this order, whatever the machine.

    Once an eighth of it is full, the larger ring that it `may_grow` to takes its place; by `widen` earlier.

    The kernel wakes a reader for a record that comes when all before it were read: so the last record that was read does not
    count as read before `have_woken`.
    """

    def __init__(self, fd: int, size: int) -> None:
        self.takers = Takers()
        self._growth: Growth | None = None
        self._most = size
        self._next: _Mapping | None = None
        self._waited_at = -1  # where the last wait found the reader: there again, a record is still being written
        self._mapping = _Mapping(fd, size)

    def may_grow(self, growth: Growth) -> None:
        """A larger ring than those so far may take its place."""
        if growth.size > self._most:
            self._growth, self._most = growth, growth.size

    def _step_over(self) -> None:
        """To the larger ring, once this one has no more."""
        if self._next is not None and not self._mapping.waiting:
            self._mapping.close()
            self._mapping, self._next, self._waited_at = self._next, None, -1

    @property
    def fd(self) -> int:
        """Readable once the kernel wakes the reader; another one once a larger ring has taken the place of this one."""
        return self._mapping.fd

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

    @property
    def is_whole(self) -> bool:
        """No larger ring is to take its place."""
        return self._mapping.size >= self._most

    def have_woken(self) -> None:
        """The kernel wakes the reader for the next record."""
        self._mapping.consumer[0] = self._mapping.at

    def widen(self) -> None:
        """Have the larger ring take its place now. Where there is no memory for it, this one goes on."""
        self._step_over()
        if self._next is None and self._growth is not None:
            growth, self._growth = self._growth, None
            self._become(growth.size, growth)

    def at_least(self, size: int, growth: Growth) -> None:
        """Have a ring of so many bytes take the place of a smaller one now."""
        self._step_over()
        if self._next is None and self._mapping.size < size:
            self._most = max(size, self._most)
            self._become(size, growth)

    def _become(self, size: int, growth: Growth) -> None:
        with suppress(OSError):
            larger = _Mapping(growth.make(size), size)  # before programs write into what could not be read
            try:
                growth.enter(larger.fd)
            except BaseException:
                larger.close()
                raise
            self._next = larger

    @property
    def size(self) -> int:
        return self._mapping.size

    def read(self, most: int = 8192) -> None:
        """Hand on the records in the ring now, at most `most` or 4 MiB of them."""
        self._step_over()
        mapping, takers = self._mapping, self.takers
        source, (decode, out, fail) = -1, _NOBODY
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
                if source != (source := view[place + _SOURCE_AT]):
                    decode, out, fail = takers[source]
                try:
                    event = decode(view, place + 8, size)
                except Exception as error:
                    fail(error)
                else:
                    if type(event) is list:
                        out += event
                    elif event is not None:
                        out.append(event)
            elif size & _BUSY:
                break
            else:
                size &= _SIZE
            last = at
            at += (size + 15) & ~7
        if at != begin:
            mapping.at, mapping.consumer[0] = at, last

    def rest(self) -> None:
        """Hand on all records that are in the ring now; later records are left."""
        self._rest()
        if self._next is not None:
            self._step_over()
            self._rest()

    def _rest(self) -> None:
        mapping = self._mapping
        end, until = mapping.producer[0], time.monotonic() + _UNFINISHED_S
        while (before := mapping.at) < end:
            self.read()
            if mapping.at == before:
                if time.monotonic() > until:
                    break
                time.sleep(_UNFINISHED_S / 20)

    def close(self) -> None:
        if self._next is not None:
            self._next.close()
        self._mapping.close()
