"""SIGINT, SIGTERM, SIGHUP -> a request to end in order, and a wait for it."""

from __future__ import annotations

import os
import queue
import signal
import threading
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress

_ASKING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_HANDLED_S = 0.5  # so late at most is a signal handled that did not interrupt a wait


class EndRequest:
    """
    The reason why something is to end. `ask` may be called by any thread and by a signal handler, `wait` by the main thread.

    Python handles a signal in its main thread, between two instructions. A signal just before a wait begins, or one that the
    kernel gave to another thread, does not interrupt the wait. So a wait is done in parts, and the handler runs between them.
    """

    def __init__(self) -> None:
        self._reasons: queue.SimpleQueue[str] = queue.SimpleQueue()  # a handler may interrupt its `get`, never that of an Event
        self._first = ""

    @property
    def reason(self) -> str:
        """The first one; empty: nothing has asked."""
        if not self._first and not self._reasons.empty():
            self._first = self._reasons.get_nowait()
        return self._first

    def ask(self, reason: str) -> None:
        self._reasons.put(reason)

    def wait(self, timeout_s: float | None = None) -> str:
        """The reason; empty if the time is over first."""
        until = None if timeout_s is None else time.monotonic() + timeout_s
        while not self.reason:
            left = _HANDLED_S if until is None else min(until - time.monotonic(), _HANDLED_S)
            if left <= 0:
                break
            with suppress(queue.Empty):
                self._first = self._reasons.get(timeout=left)
        return self.reason


@contextmanager
def stopped_in_order() -> Generator[None]:
    """
    Inside, SIGTERM and SIGHUP raise SystemExit in the main thread, as SIGINT raises KeyboardInterrupt, so that temporary things
    are removed. The exit status is the one of a program which the signal ended. What the invoker ignores stays ignored.
    """

    def stop(number: int, _: object) -> None:
        raise SystemExit(128 + number)

    before = {
        number: signal.signal(number, stop)
        for number in (signal.SIGTERM, signal.SIGHUP)
        if signal.getsignal(number) is signal.SIG_DFL
    }
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def asking_to_end(end: Callable[[str], None], *, hangup: Callable[[], None] | None = None) -> Generator[None]:
    """
    Inside, each of these signals calls `end` with its name; SIGHUP calls `hangup` instead, where that is given. SIGHUP stays
    ignored where the invoker ignored it, as nohup does. Only the main thread may set handlers; other threads change nothing.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def ask(number: int, _: object) -> None:
        if number == signal.SIGHUP and hangup is not None:
            hangup()
        else:
            end(signal.Signals(number).name)

    ignored = {signal.SIGHUP} if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN else set[signal.Signals]()
    before = {number: signal.signal(number, ask) for number in _ASKING if number not in ignored}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def how_to_end() -> str:
    """What a person does to end this program: `Ctrl-C`, or `kill PID` where no terminal sends us the signal of this key."""
    return "Ctrl-C" if _foreground() == os.getpgrp() else f"kill {os.getpid()}"


def has_terminal() -> bool:
    """A terminal controls this process: the kernel sends SIGHUP when it is closed."""
    return _foreground() is not None


def _foreground() -> int | None:
    """The process group in front of the terminal that controls this process; None without a terminal."""
    try:
        terminal = os.open("/dev/tty", os.O_RDONLY | os.O_NOCTTY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        return os.tcgetpgrp(terminal)
    except OSError:
        return None
    finally:
        os.close(terminal)
