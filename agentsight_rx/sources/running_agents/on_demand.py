"""A Reader of a source -> one that is open only while an agent runs, so that nothing is attached meanwhile."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, Generic, Protocol, TypeVar, cast

from ...core.errors import CaptureError
from ...core.hub import Reader, Wakes
from ...core.messages import say
from ...core.reading import hurried
from ...core.stream import Stream, origin
from ...events import Loss, Origin, time_of
from ...events.loss import Reason
from ..target import Target
from .choice import Roots

E = TypeVar("E")
E_co = TypeVar("E_co", covariant=True)

_SLOW_S = 2.0  # a source that takes longer to open is reported: as a rule it takes some tenths
_LINGER_S = 2.0  # how long what an agent left running is still read, as behind a command of `record`


class Renewing(Reader[E_co], Wakes, Protocol[E_co]):
    """A Reader that can look again which processes its target chooses."""

    def look_again(self) -> None: ...


class Chosen(Protocol):
    """The options of a source that watches the processes of a target."""

    @property
    def target(self) -> Target: ...


def captured(stage: str, options: Chosen, make: Callable[[], Renewing[E]]) -> Stream[E]:
    """
    The Stream of what a reader captures. Where the target is agents that come and go, it is open only while one of them runs.
    """

    def reader() -> Reader[E]:
        roots = options.target.roots
        return make() if roots is None else OnDemand(stage, roots, make)

    return origin(stage, reader, time_of=cast("Callable[[E], int]", time_of), live=True, options=str(options))


class OnDemand(Generic[E]):
    """
    A Reader that Wakes. `open` opens the source once and closes it again: so a machine that does not allow it is known at the
    start, and its programs are compiled. Later a source that cannot be opened is logged and counted, and tried again with the
    next agent.
    """

    def __init__(self, stage: str, roots: Roots, make: Callable[[], Renewing[E]]) -> None:
        self._stage = stage
        self._roots = roots
        self._make = make
        self._reader: Renewing[E] | None = None
        self._version = -1  # of the roots when they were last looked at
        self._woken = threading.Event()

    @property
    def is_open(self) -> bool:
        """Whether the source is read now."""
        return self._reader is not None

    def open(self) -> None:
        trial = self._make()
        with hurried():
            try:
                trial.open()
            finally:
                trial.close()
        self._roots.listen(self.wake)

    def poll(self, timeout: float, /) -> Sequence[Any] | None:
        reader = self._reader
        if reader is None:
            if self._roots.over:
                return None
            if not len(self._roots) or self._version == self._roots.version:
                self._woken.wait(timeout)
                self._woken.clear()
                return ()
            return self._begin()
        if self._roots.empty_s > _LINGER_S:
            return self.close()
        if self._version != self._roots.version:
            self._version = self._roots.version
            reader.look_again()
        return reader.poll(timeout) or ()

    def _begin(self) -> Sequence[Loss]:
        self._version, began_s = self._roots.version, time.monotonic()
        reader = self._make()
        try:
            with hurried():
                reader.open()
        except CaptureError as error:
            with suppress(Exception):  # what it had under way is of no use
                reader.close()
            say(f"NOT captured: {self._stage}: {error}")
            return [Loss(Origin(time.monotonic_ns(), 0), self._stage, Reason.NOT_OPENED, 1, note=str(error))]
        self._reader = reader
        took_s = time.monotonic() - began_s
        if took_s < _SLOW_S:
            return ()
        note = (
            f"an agent ran for {took_s:.1f} s before this was open, at {time.strftime('%H:%M:%S')}: nothing was seen until then"
        )
        say(f"{self._stage}: {note}")
        return [Loss(Origin(time.monotonic_ns(), 0), self._stage, Reason.OPENED_LATE, 1, note=note)]

    def lost(self) -> Sequence[Any]:
        return () if self._reader is None else self._reader.lost()

    def wake(self) -> None:
        self._woken.set()
        reader = self._reader  # another thread may close it meanwhile
        if reader is not None:
            reader.wake()

    def close(self) -> Sequence[E]:
        reader, self._reader = self._reader, None
        return () if reader is None else reader.close()
