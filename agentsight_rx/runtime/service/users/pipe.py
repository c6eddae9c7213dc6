"""Events of one reader -> the pipe of the process that writes them; it never waits, and what it drops is counted."""

from __future__ import annotations

import fcntl
import os
import subprocess
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress

import msgspec

from ....events import Event, Loss, Origin
from ....events.loss import Reason
from ....store.spool.records import record, whole_records

# -- frames --------------------------------------------------------------------------------------------------------
# Events <-> the bytes of a pipe: records as in a segment of a spool, which may be cut anywhere; the last one says the end.


_ANY = 1 << 32  # bytes of a record: the recorder alone writes into the pipe
_EVENTS, _END = b"E", b"Z"
_decode = msgspec.msgpack.Decoder(list[Event]).decode


END = record(_END, ())  # all of it came: without it the pipe was cut


def frame(events: Sequence[Event]) -> bytes:
    """One record with all of these events."""
    return record(_EVENTS, events)


class Frames:
    """Takes bytes as they come, and gives the events of each record that is whole."""

    def __init__(self) -> None:
        self._rest = bytearray()
        self.ended = False  # nothing is missing

    def feed(self, data: bytes) -> list[Event]:
        self._rest += data
        events: list[Event] = []
        for kind, body in whole_records(self._rest, most=_ANY):
            if kind == _END:
                self.ended = True
            else:
                events += _decode(body)
        return events


# ------------------------------------------------------------------------------------------------------------------------


Start = Callable[[], "subprocess.Popen[bytes]"]  # raises OSError where it cannot be started

_HELD_MOST = 16 << 20  # bytes that wait; one batch may be larger
_PIPE = 1 << 20  # bytes that the kernel holds: the most of a user without rights
_AGAIN_S = 10.0, 300.0  # after a failure: at first, and at most
_STAGE = "to user"


class Pipe:
    """
    `start` starts the process; it reads records from its standard input until the end. It is started with the first events, and
    again behind its end: a user may end it, stop it or fill their disk at any time, and that hurts no other user.
    """

    def __init__(self, start: Start, clock: Callable[[], float] = time.monotonic) -> None:
        self._start = start
        self._clock = clock
        self._process: subprocess.Popen[bytes] | None = None
        self._waiting: deque[memoryview] = deque()
        self._held = 0  # bytes in them
        self._dropped = 0  # events since the last Loss
        self._last = Origin(0, 0)  # of the events that were taken
        self._is_cut = False  # a part of the first one is written
        self._is_ending = False
        self._failures = 0  # in a row
        self._due_s = float("-inf")  # when it may be started again
        self.used_s = clock()
        self.failure = ""  # the last one; "" while it works

    @property
    def is_running(self) -> bool:
        return self._process is not None

    @property
    def is_idle(self) -> bool:
        """Nothing waits to be written."""
        return not self._waiting

    def put(self, events: Sequence[Event]) -> None:
        """Take these events, all or none of them."""
        self.used_s = self._clock()
        if self._waiting and self._held >= _HELD_MOST:
            self._dropped += len(events)
            self.failure = self.failure or "its writer takes nothing"
            return
        self._append(frame([*self._owed(events[0].origin), *events]))
        self._last = events[-1].origin

    def push(self) -> None:
        """Write what the pipe takes now. Start the process where it is needed and does not run."""
        if self._process is not None and self._process.poll() is not None:
            self._ended()
        if self._process is None:
            if not self._waiting or self._clock() < self._due_s or not self._begin():
                return
        elif self._is_ending:
            return
        self._write()

    def end(self, *, whole: bool = True) -> None:
        """
        Let the process end behind what it was given, once its pipe has room for the word that this is all. Not `whole`: now, so
        that it knows that something is missing. Later events start another one, once it has ended.
        """
        if self._process is None or self._is_ending:
            return
        assert self._process.stdin is not None
        if whole and self._dropped:
            self._append(frame(self._owed(self._last)))
            self._write()
        if whole:
            if self._waiting:
                return
            try:
                os.write(self._process.stdin.fileno(), END)
            except BlockingIOError:
                return
            except OSError:  # it has ended
                pass
        self._is_ending = True
        with suppress(OSError):
            self._process.stdin.close()

    def finish(self) -> bool:
        """A step to the end of all: whether no other is needed, or would help now."""
        self.push()
        if not self._waiting:
            self.end()
        return self._process is None and (not self._waiting or self._clock() < self._due_s)

    def _append(self, data: bytes) -> None:
        self._waiting.append(memoryview(data))
        self._held += len(data)

    def _owed(self, origin: Origin) -> list[Event]:
        dropped, self._dropped = self._dropped, 0
        if not dropped:
            return []
        note = "their writer did not take them: it was stopped, ended, or too slow"
        return [Loss(Origin(origin.time_ns, 0, wall_ns=origin.wall_ns), _STAGE, Reason.QUEUE_FULL, dropped, note=note)]

    def _begin(self) -> bool:
        try:
            process = self._start()
        except OSError as error:
            self._failed(error.strerror or str(error))
            return False
        assert process.stdin is not None
        fd = process.stdin.fileno()
        os.set_blocking(fd, False)
        with suppress(OSError):
            fcntl.fcntl(fd, fcntl.F_SETPIPE_SZ, _PIPE)
        self._process, self._is_ending = process, False
        return True

    def _ended(self) -> None:
        """It is gone; what it had read and not stored may be lost with it."""
        process, self._process = self._process, None
        assert process is not None
        if process.stdin is not None:
            with suppress(OSError):
                process.stdin.close()
        if self._is_ending and process.returncode == 0:
            self._failures, self.failure = 0, ""
            return
        self._dropped += 1
        if self._is_cut:
            self._held -= self._waiting.popleft().nbytes
            self._is_cut = False
        self._failed(f"its writer ended with status {process.returncode}")

    def _failed(self, why: str) -> None:
        first, most = _AGAIN_S
        self._due_s = self._clock() + min(most, first * 2**self._failures)
        self._failures = min(self._failures + 1, 16)
        self.failure = why

    def _write(self) -> None:
        assert self._process is not None
        assert self._process.stdin is not None
        fd = self._process.stdin.fileno()
        while self._waiting:
            try:
                written = os.write(fd, self._waiting[0])
            except OSError:  # it is full; or the process has ended, and the next push starts another one
                return
            self._held -= written
            rest = self._waiting.popleft()[written:]
            self._is_cut = bool(rest)
            if self._is_cut:
                self._waiting.appendleft(rest)
        self._failures, self.failure = 0, ""
