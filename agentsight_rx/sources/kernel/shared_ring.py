"""
One ring into which the programs of several sources write -> what each of these sources gets of it, and the wait for it.

A record names its source in the highest byte of its `kind` (struct head_t of bpf/track.h).
"""

from __future__ import annotations

import math
import os
import select
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from threading import RLock, get_ident
from typing import Annotated, Any, Generic, TypeAlias, TypeVar

from ...core.mailbox import Bell, share_of_memory
from ...core.options import Fits
from ...core.reading import until_multiple_of
from .machine import PAGE
from .ring import Decode, Ring, Taker, Takers, growth_in

E = TypeVar("E")
_KEPT_MOST = 8 << 20  # bytes of records that wait for the thread of their source
# A reader wakes at multiples of these times, so that all readers, and the engine behind them, wake together: a wake-up costs
# more than the few records that it brings. The first one holds right after an idle time, the others while records keep coming:
# the short one where a ring has not grown, and where the reader looks at /proc for each, so that its process is there still
_GATHER_FIRST_S, GATHER_S, GATHER_LONG_S = 0.01, 0.02, 0.1
_SMALLEST, _ROOMY = 2 * PAGE, 32 << 20
# Where no size is asked for: 0.2 s of 300 MB/s, for so long a virtual machine may stall a reader; less where memory is scarce
_PART, _LEAST, _MOST = 128, 8 << 20, 64 << 20


def _is_asked(size: int) -> bool:
    return size == 0 or (size >= _SMALLEST and not size & (size - 1))


RingSize: TypeAlias = Annotated[int, Fits(_is_asked, f"that is 0 or a power of two from {_SMALLEST} on")]


def size_of_ring(asked: RingSize) -> int:
    """The size of a ring in bytes; 0 asks for one for bulk, by the memory that is free."""
    return asked or share_of_memory(_PART, least=_LEAST, most=_MOST)


def gather_of_content(asked: RingSize) -> float:
    """How long a reader of content may gather, in s: a small ring is full within some 20 ms of 400 MB/s."""
    return GATHER_LONG_S if size_of_ring(asked) >= _ROOMY else GATHER_S


class SharedRing:
    """
    The ring with descriptor `fd`, of `size` bytes, in a `table`; both are closed with it. Any thread may read it. Records of
    sources that this thread reads are decoded at once. Records of other sources wait, as bytes, for the threads that read them.
    """

    def __init__(self, fd: int, size: int, table: int) -> None:
        self.maps = {"ring": table, "first_ring": table}  # as bpf/track.h names them; no program uses the second one
        self.lock = RLock()
        self.shares: dict[int, Share[Any]] = {}
        self.ring = Ring(fd, size)

    def want(self, begins: int, size: int) -> None:
        """For a further source: have at least `begins` bytes now, and become as large as the one that wants most."""
        growth = growth_in(self.maps["ring"], size)
        with self.lock:
            self.ring.at_least(begins, growth)
            self.ring.may_grow(growth)

    def share(self, source: int, decode: Decode[E], *, gather_s: float = GATHER_S) -> Share[E]:
        """What a source gets from here on, until its share is closed."""
        with self.lock:
            self.pump(self.ring.rest)  # nothing that was left by an earlier one with the same number
            made = self.shares[source] = Share(self, source, decode, gather_s)
        return made

    def pump(self, read: Callable[[], object]) -> None:
        """Hand on what `read` reads, in this thread."""
        here = get_ident()
        self.ring.takers = Takers({source: share.taker(here=share.home == here) for source, share in self.shares.items()})
        read()
        for share in self.shares.values():
            share.flows = share.flows or bool(share.out)

    def close(self) -> None:
        self.ring.close()
        os.close(self.maps["ring"])


class Share(Generic[E]):
    """
    The records of one source. `decode(view, at, size)` makes an event of the record at `at`, several, or None, in the thread
    that reads this share. Where it raises, the next read does. While records keep coming, who waits looks each `gather_s`
    seconds. `dropped`: records that their thread left for too long.
    """

    def __init__(self, shared: SharedRing, source: int, decode: Decode[E], gather_s: float) -> None:
        self._shared, self._source, self._decode, self._gather_s = shared, source, decode, gather_s
        self._bell = Bell()
        self._kept: list[bytes] = []
        self._kept_size = 0
        self._failure: Exception | None = None
        self._alone: Rings | None = None
        self.out: list[E] = []
        self.home = 0  # the thread that reads it
        self.flows = False  # records came since the last wait
        self.dropped = 0

    # -- what the ring hands on ------------------------------------------------------------------------------------

    def taker(self, *, here: bool) -> Taker:
        """What takes its records in the thread that reads the ring now."""
        if not here:
            return self._keep, [], self._fail
        kept, self._kept, self._kept_size = self._kept, [], 0
        for raw in kept:
            try:
                event = self._decode(memoryview(raw), 0, len(raw))
            except Exception as error:
                self._fail(error)
            else:
                self.out += event if isinstance(event, list) else () if event is None else (event,)
        return self._decode, self.out, self._fail

    def _keep(self, view: memoryview, at: int, size: int) -> None:
        if self._kept_size + size > _KEPT_MOST:
            self.dropped += 1
            return
        if not self._kept:
            self._bell.ring()
        self._kept.append(bytes(view[at : at + size]))
        self._kept_size += size

    def _fail(self, error: Exception) -> None:
        self._failure = self._failure or error

    # -- reading ---------------------------------------------------------------------------------------------------

    def read(self, most: int = 8192) -> list[E]:
        """The events that are there now: of at most `most` records, and what reads for other sources found."""
        return self._events(partial(self._shared.ring.read, most))

    def rest(self) -> list[E]:
        """All events of records that are in the ring now."""
        return self._events(self._shared.ring.rest)

    def _events(self, read: Callable[[], object]) -> list[E]:
        with self._shared.lock:
            self.home = get_ident()
            self._shared.pump(read)
            failure, self._failure = self._failure, None
            if failure is not None:
                raise failure
            events, self.out = self.out, []
        return events

    def widen(self) -> None:
        with self._shared.lock:
            self._shared.ring.widen()

    # -- waiting ---------------------------------------------------------------------------------------------------

    def wait(self, timeout: float) -> bool:
        """True once there may be something to read; waits at most `timeout` s, or until `wake`."""
        if self._alone is None:
            self._alone = Rings((self,))
        return self._alone.wait(timeout)

    def wake(self) -> None:
        """End the `wait` of another thread, or its next one."""
        self._bell.ring()

    @property
    def descriptors(self) -> tuple[int, int]:
        return self._shared.ring.fd, self._bell.fd

    @property
    def waits(self) -> bool:
        with self._shared.lock:
            return bool(self.out or self._kept or self._failure) or self._shared.ring.waits

    def begin_wait(self) -> bool:
        with self._shared.lock:
            return self._shared.ring.begin_wait()

    def gather_s(self) -> float | None:
        flows, self.flows = self.flows, False
        if not flows:
            return None
        return self._gather_s if self._shared.ring.is_whole else min(self._gather_s, GATHER_S)

    def have_woken(self) -> None:
        with self._shared.lock:
            self._shared.ring.have_woken()

    def heard(self) -> bool:
        return self._bell.heard()

    def close(self) -> None:
        with self._shared.lock:
            self._shared.shares.pop(self._source, None)
            for other in self._shared.shares.values():
                other.wake()  # it may wait for a ring whose place a larger one took
        if self._alone is not None:
            self._alone.close()
        self._bell.close()


class Rings:
    """
    The wait of a thread that reads these shares of rings. While records keep coming it looks at multiples of the shortest time
    for which one of them may gather.
    """

    def __init__(self, shares: Sequence[Share[Any]]) -> None:
        self._shares = shares
        self._descriptors: list[tuple[int, int]] = []
        self._poll = select.poll()
        self._changes = select.epoll()  # at once, so that a reader has as many descriptors while it waits as later

    def wait(self, timeout: float, /) -> bool:
        """True once there is something to read in one of them; waits at most `timeout` s, or until one is woken."""
        shares = self._shares
        full = [share for share in shares if share.begin_wait()]
        if full:
            return True
        self._register()
        gather_s = min((time_s for share in shares if (time_s := share.gather_s()) is not None), default=math.inf)
        gathers = timeout >= gather_s
        if gathers and self._changed(until_multiple_of(gather_s)) and self._heard():
            return self._any_waits()
        if self._any_waits():
            if not gathers:
                self._changed(until_multiple_of(_GATHER_FIRST_S))
            return True
        for share in shares:
            share.have_woken()
        ready = {fd for fd, _ in self._poll.poll(math.ceil(timeout * 1000))}
        if (not ready.isdisjoint(bell for _, bell in self._descriptors) and self._heard()) or not ready:
            return self._any_waits()
        self._changed(0)  # it would tell of the same
        self._changed(until_multiple_of(_GATHER_FIRST_S))
        return True

    def _register(self) -> None:
        """A larger ring in the place of one has another descriptor."""
        now = [share.descriptors for share in self._shares]
        if now == self._descriptors:
            return
        self._changes.close()
        self._descriptors = now
        self._poll, self._changes = select.poll(), select.epoll()
        for ring in {ring for ring, _ in now}:
            self._poll.register(ring, select.POLLIN)
            with suppress(OSError):  # another thread has just closed it, as a larger ring took its place
                self._changes.register(ring, select.EPOLLIN | select.EPOLLET)
        for _, bell in now:
            self._poll.register(bell, select.POLLIN)
            self._changes.register(bell, select.EPOLLIN)

    def _changed(self, timeout: float) -> bool:
        """Whether the kernel wakes, or `wake` of one of them, within so many s. Older records do not count."""
        return bool(self._changes.poll(timeout))

    def _heard(self) -> bool:
        return bool([share for share in self._shares if share.heard()])  # of each, so that all are silent again

    def _any_waits(self) -> bool:
        return any(share.waits for share in self._shares)

    def close(self) -> None:
        self._changes.close()
