"""A BPF ring buffer, mapped into this process -> decoded records, without a system call or a copy for each."""

from __future__ import annotations

import mmap
import select
import time
from collections.abc import Callable
from struct import Struct
from typing import Any, Generic, TypeVar

__all__ = ["Ring"]

E = TypeVar("E")

_HEADER = Struct("<II").unpack_from
_BUSY, _DISCARD = 1 << 31, 1 << 30
_PAGE = mmap.PAGESIZE
_GATHER_S = 0.004  # after a wake-up, while a batch gathers: a busy ring costs 250 wake-ups a second instead of 100,000


class Ring(Generic[E]):
    """
    The reading end (Documentation/bpf/ringbuf.rst): data is mapped twice in a row, so no record wraps.

    `decode(view, at, size)` makes an event of the record at `at`, several, or None. A record is read in place, and only after
    its BUSY bit is clear; x86-64 keeps the order of these loads, which is why other machines are not supported.
    """

    def __init__(self, fd: int, size: int, decode: Callable[[memoryview, int, int], E | list[E] | None]) -> None:
        self._decode = decode
        self._mask = size - 1
        self._consumer_map = mmap.mmap(fd, _PAGE, mmap.MAP_SHARED, mmap.PROT_READ | mmap.PROT_WRITE, offset=0)
        self._producer_map = mmap.mmap(fd, _PAGE + 2 * size, mmap.MAP_SHARED, mmap.PROT_READ, offset=_PAGE)
        self._consumer = memoryview(self._consumer_map).cast("Q")
        self._view = memoryview(self._producer_map)
        self._producer = self._view[:8].cast("Q")
        self._poll = select.poll()
        self._poll.register(fd, select.POLLIN)

    def wait(self, timeout: float) -> bool:
        """True once there is something to read; waits at most `timeout` s."""
        if not self._poll.poll(int(timeout * 1000)):
            return False
        time.sleep(_GATHER_S)
        return True

    def read(self, most: int = 8192) -> list[E]:
        """The records in the ring now, at most `most`."""
        out: list[E] = []
        append: Callable[[Any], None] = out.append
        view, decode, mask = self._view, self._decode, self._mask
        at, end = self._consumer[0], self._producer[0]
        while at < end and len(out) < most:
            place = _PAGE + (at & mask)
            length, _ = _HEADER(view, place)
            if length & _BUSY:
                break
            size = length & ~(_BUSY | _DISCARD)
            if not length & _DISCARD:
                event = decode(view, place + 8, size)
                if type(event) is list:
                    out += event
                elif event is not None:
                    append(event)
            at += (size + 15) & ~7
        self._consumer[0] = at
        return out

    def close(self) -> None:
        self._consumer.release()
        self._producer.release()
        self._view.release()
        self._consumer_map.close()
        self._producer_map.close()
