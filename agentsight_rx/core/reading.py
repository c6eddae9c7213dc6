"""The sources of a run -> opened, live ones side by side."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

from msgspec import Struct

from .errors import Unavailable
from .hub import Hub
from .messages import passing

__all__ = ["Patience", "Reading", "open_all"]

_LONGER_AFTER_S = 0.25
_QUIET_S = 0.3  # how long sources may take before the person is shown what is waited for


class Patience:
    """
    How long to wait for something that wakes who waits for it: `short` seconds while it comes, `long` ones once it has not come
    for a while, since each look costs 50 µs of a processor.
    """

    def __init__(self, short: float, long: float) -> None:
        self._short = short
        self._long = long
        self._came_s = time.monotonic()

    def seconds(self) -> float:
        return self._short if time.monotonic() - self._came_s < _LONGER_AFTER_S else self._long

    def came(self) -> None:
        self._came_s = time.monotonic()


class Reading(Struct):
    """A source and the thread that reads it."""

    hub: Hub[Any]
    thread: threading.Thread


def open_all(readings: Sequence[Reading], meanwhile: Callable[[], None] = lambda: None) -> list[Reading]:
    """
    Open them, and do something else `meanwhile`. The kernel takes its time for each live one, so every one of these has a
    thread, which may have begun already. On return, also by an exception, none is being opened any more. Returns the sources
    that the machine does not allow (Unavailable). Raises what `meanwhile` raises, else the first other failure, in the order of
    `readings`.
    """
    opening = [(each, each.hub.opener()) for each in readings if each.hub.live]
    try:
        meanwhile()
        for reading in readings:
            if not reading.hub.live:
                reading.hub.open()
        until = min((each.hub.opening_s for each, _ in opening), default=0.0) + _QUIET_S
        for _, thread in opening:
            thread.join(max(0.0, until - time.monotonic()))
        if any(thread.is_alive() for _, thread in opening):
            _show_what_is_waited_for(opening)
    finally:
        for _, thread in opening:
            thread.join()
    failed = [reading for reading in readings if reading.hub.failure is not None]
    for reading in failed:
        if reading.hub.failure is not None and not isinstance(reading.hub.failure, Unavailable):
            raise reading.hub.failure
    return failed


def _show_what_is_waited_for(opening: Sequence[tuple[Reading, threading.Thread]]) -> None:
    """In one line, until none is left. The first capture on a kernel compiles its programs, later ones do not."""
    with passing() as show:
        for _, thread in opening:
            late = [reading.hub.name for reading, other in opening if other.is_alive()]
            if late:
                show(f"preparing: {', '.join(late)} …")
            thread.join()
