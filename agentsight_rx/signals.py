"""SIGINT, SIGTERM, SIGHUP -> a request to end a run in order."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager

__all__ = ["asking_to_end", "how_to_end", "stopped_in_order"]

_ASKING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


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
def asking_to_end(end: Callable[[str], None]) -> Generator[None]:
    """
    Inside, each of these signals calls `end` with its name. SIGHUP stays ignored where the invoker ignored it, as nohup does.
    Only the main thread may set handlers; on other threads nothing changes.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def ask(number: int, _: object) -> None:
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
    try:
        terminal = os.open("/dev/tty", os.O_RDONLY | os.O_NOCTTY | os.O_CLOEXEC)
        try:
            is_ours = os.tcgetpgrp(terminal) == os.getpgrp()
        finally:
            os.close(terminal)
    except OSError:  # there is none
        is_ours = False
    return "Ctrl-C" if is_ours else f"kill {os.getpid()}"
