"""Words for systemd -> the socket that it gave us (sd_notify(3)); nothing where it gave none."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from contextlib import suppress

__all__ = ["Notifier"]

_QUIET_S = 10.0  # between two messages where systemd waits for none
_A_THIRD = 3  # of the time after which systemd ends a service that says nothing


class Notifier:
    """
    Says that the service is ready, then that it goes on, as long as its engine does. Without a socket it says nothing, and is
    asked as often.
    """

    def __init__(self, environment: Mapping[str, str] = os.environ) -> None:
        self._address = environment.get("NOTIFY_SOCKET", "")
        watched = environment.get("WATCHDOG_USEC", "")
        by = environment.get("WATCHDOG_PID", str(os.getpid()))
        self.watchdog_s = int(watched) / 1e6 if watched.isdecimal() and by == str(os.getpid()) else None
        self._is_ready = False

    @property
    def interval_s(self) -> float:
        """Between two calls of `goes_on`."""
        return _QUIET_S if self.watchdog_s is None else min(_QUIET_S, self.watchdog_s / _A_THIRD)

    @property
    def is_heard(self) -> bool:
        """systemd waits for words."""
        return self._address.startswith(("/", "@"))

    def goes_on(self, status: str, *, stuck_s: float, ready: bool = True) -> None:
        """`stuck_s`: for how long the engine has done nothing that it does all the time."""
        words = [f"STATUS={status}".replace("\n", " ")]
        if ready and not self._is_ready:
            self._is_ready = True
            words.append("READY=1")
        if self.watchdog_s is not None and stuck_s < self.watchdog_s:
            words.append("WATCHDOG=1")
        self._send(words)

    def stops(self) -> None:
        self._send(["STOPPING=1"])

    def _send(self, words: list[str]) -> None:
        if not self.is_heard:
            return
        address = "\0" + self._address[1:] if self._address.startswith("@") else self._address
        with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sender:
            sender.sendto("\n".join(words).encode(), address)
