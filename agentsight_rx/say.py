"""A sentence -> standard error: messages for the person who runs the program, held back while a command owns the terminal."""

from __future__ import annotations

import io
import sys
from collections.abc import Generator
from contextlib import contextmanager, redirect_stderr, suppress
from threading import Lock
from typing import TextIO

__all__ = ["holding", "say", "show"]

_LINES_MOST = 1000  # that are held; more only count


def say(text: str) -> None:
    """Write one line; standard output is for events."""
    show(f"agentsight-rx: {text}")


def show(text: str) -> None:
    """Write lines as they are. A terminal that is gone is no error."""
    with suppress(OSError):
        sys.stderr.write(f"{text}\n")  # at once, so that two threads do not mix their lines
        sys.stderr.flush()


@contextmanager
def holding(log: TextIO | None = None) -> Generator[None]:
    """
    Inside, nothing that Python code writes to standard error reaches it: neither `say` nor a warning nor a traceback. It goes
    to `log` at once, or without one to standard error at the end. Any thread may write.
    """
    held = _Held(log)
    try:
        with redirect_stderr(held):
            yield
    finally:
        held.release()


class _Held(io.TextIOBase):
    def __init__(self, log: TextIO | None) -> None:
        self._log = log
        self._lock = Lock()
        self._text = io.StringIO()
        self._lines = 0
        self._more = 0

    def writable(self) -> bool:
        return True

    def write(self, text: str, /) -> int:
        with self._lock:
            if self._log is not None:
                with suppress(OSError):
                    self._log.write(text)
                    self._log.flush()
            elif self._lines < _LINES_MOST:
                self._lines += text.count("\n")
                self._text.write(text)
            else:
                self._more += text.count("\n")
        return len(text)

    def release(self) -> None:
        with self._lock:
            text, self._text = self._text.getvalue(), io.StringIO()
        if text:
            show(text.removesuffix("\n"))
        if self._more:
            say(f"{self._more} more lines were written meanwhile; --log FILE keeps all")
