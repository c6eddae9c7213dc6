"""Event -> the same event with its wall-clock time."""

from __future__ import annotations

import time
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from operator import itemgetter
from typing import TypeVar, cast

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from ..core.engine import Site
from ..core.machine import Kernel, encode_state
from ..core.stream import Operator
from ..events import Event

E = TypeVar("E", bound=Event)

_RESAMPLE_NS = 100_000_000  # for so long events have a wrong time behind a jump, such as the suspension of a machine
_SLEWED_NS = 1_000_000_000  # so often a clock that is slowed or hastened is followed
_NOISE_NS = 1_000  # two samples of a clock that did not move differ by less
_JUMP_NS = 1_000_000  # a clock that is hastened moves less between two samples
_OFFSETS_MOST = 1024
_since = itemgetter(0)


def wall_offset() -> int:
    """CLOCK_REALTIME - CLOCK_MONOTONIC in ns: the middle of the tightest of three samples."""
    samples: list[tuple[int, int]] = []
    for _ in range(3):
        before = time.monotonic_ns()
        wall = time.time_ns()
        after = time.monotonic_ns()
        samples.append((after - before, wall - (before + after) // 2))
    return min(samples)[1]


def normalize(*, offset: Callable[[], int] = wall_offset) -> Operator[E, E]:
    """
    Set `origin.wall_ns` (Unix time, ns) from the kernel's time. What has it already stays as it is.

    `offset` is asked at the first event and again each tenth of a second of event time, which stands still while a machine is
    suspended. So a jump of the clock, or a suspension, is followed. An event gets the offset that was known at its own time,
    also where it comes late, such as an answer that began a minute ago.
    """
    return cast("Operator[E, E]", Operator[Event, Event]("normalize", lambda site: _Normalize(site, offset)))


class _State(Struct, array_like=True):
    offsets: list[tuple[int, int]]  # (kernel time from which on it holds, offset), at most _OFFSETS_MOST
    sampled_ns: int


class _Normalize(Kernel[Event, Event]):
    """A kernel, not a machine: it sees every record of every source, and a call an event was half of its cost."""

    def __init__(self, site: Site, offset: Callable[[], int]) -> None:
        self._site = site
        self._sample = offset
        self._state = _State([], 0)

    def feed(self, batch: Sequence[Event], /) -> Sequence[Event]:
        out: list[Event] = []
        events = iter(batch)
        while True:
            try:
                self._stamp(events, out)
                return out
            except Exception as error:
                self._site.bug(error)

    def _stamp(self, events: Iterator[Event], out: list[Event]) -> None:
        add = out.append
        since_ns, offset_ns = self._state.offsets[-1] if self._state.offsets else (0, 0)
        for event in events:
            origin = event.origin
            if not origin.wall_ns:
                time_ns = origin.time_ns
                if not self._state.offsets:
                    self._take_sample(time_ns)
                    since_ns, offset_ns = self._state.offsets[0]
                wall_ns = time_ns + (offset_ns if time_ns >= since_ns else self._earlier(time_ns))
                event = replace(event, origin=replace(origin, wall_ns=wall_ns))
            add(event)

    def _earlier(self, time_ns: int) -> int:
        """The offset that was known at that time."""
        offsets = self._state.offsets
        return offsets[max(0, bisect_right(offsets, time_ns, key=_since) - 1)][1]

    def _take_sample(self, now_ns: int) -> None:
        state, offset_ns = self._state, self._sample()
        state.sampled_ns = now_ns
        if not state.offsets or self._has_moved(now_ns, offset_ns):
            state.offsets.append((now_ns, offset_ns))
            del state.offsets[:-_OFFSETS_MOST]

    def _has_moved(self, now_ns: int, offset_ns: int) -> bool:
        since_ns, known_ns = self._state.offsets[-1]
        moved_ns = abs(known_ns - offset_ns)
        return moved_ns > (_NOISE_NS if now_ns - since_ns >= _SLEWED_NS else _JUMP_NS)

    def tick(self, now_ns: int, /) -> Sequence[Event]:
        if self._state.offsets and now_ns - self._state.sampled_ns >= _RESAMPLE_NS:
            self._take_sample(now_ns)
        return ()

    def snapshot(self) -> bytes:
        return encode_state(self._state)

    def restore(self, state: bytes, /) -> None:
        self._state = msgspec.msgpack.decode(state, type=_State)
