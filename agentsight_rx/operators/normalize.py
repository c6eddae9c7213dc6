"""Event -> the same event with its wall-clock time."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar, cast

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from ..core.engine import Site
from ..core.machine import Kernel, encode_state
from ..core.stream import Operator
from ..events import Event

__all__ = ["normalize", "wall_offset"]

E = TypeVar("E", bound=Event)

_RESAMPLE_NS = 1_000_000_000


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

    `offset` is asked at the first event and again each second of event time, so that a step of the clock is followed.
    """
    return cast("Operator[E, E]", Operator[Event, Event]("normalize", lambda site: _Normalize(site, offset)))


class _State(Struct, array_like=True):
    offset_ns: int | None
    sampled_ns: int


class _Normalize(Kernel[Event, Event]):
    """A kernel, not a machine: it sees every record of every source, and a call an event was half of its cost."""

    def __init__(self, site: Site, offset: Callable[[], int]) -> None:
        self._site = site
        self._sample = offset
        self._offset_ns: int | None = None
        self._sampled_ns = 0

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
        for event in events:
            origin = event.origin
            if not origin.wall_ns:
                time_ns, offset_ns = origin.time_ns, self._offset_ns
                if offset_ns is None:
                    offset_ns = self._offset_ns = self._sample()
                    self._sampled_ns = time_ns
                event = replace(event, origin=replace(origin, wall_ns=time_ns + offset_ns))
            add(event)

    def tick(self, now_ns: int, /) -> Sequence[Event]:
        if self._offset_ns is not None and now_ns - self._sampled_ns >= _RESAMPLE_NS:
            self._offset_ns = self._sample()
            self._sampled_ns = now_ns
        return ()

    def snapshot(self) -> bytes:
        return encode_state(_State(self._offset_ns, self._sampled_ns))

    def restore(self, state: bytes, /) -> None:
        saved = msgspec.msgpack.decode(state, type=_State)
        self._offset_ns, self._sampled_ns = saved.offset_ns, saved.sampled_ns
