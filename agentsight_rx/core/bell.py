"""What one thread waits for besides its input, so that another can end that wait: an eventfd with a life of its own."""

from __future__ import annotations

import os
from contextlib import suppress
from threading import Lock

__all__ = ["Bell"]


class Bell:
    """A ring is kept until it is heard, also one before the wait. After `close` nothing is rung."""

    def __init__(self) -> None:
        self.fd = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)  # readable once it was rung
        self._lock = Lock()  # or the number would be that of another file by the time it is written to
        self._open = True

    def ring(self) -> None:
        with self._lock:
            if self._open:
                os.eventfd_write(self.fd, 1)

    def heard(self) -> bool:
        """Whether it was rung since the last call."""
        with suppress(BlockingIOError):
            return os.eventfd_read(self.fd) > 0
        return False

    def close(self) -> None:
        with self._lock:
            if self._open:
                self._open = False
                os.close(self.fd)
