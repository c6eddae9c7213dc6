"""/proc, the control group and BPF tables -> the memory that this process takes, all of it, and whether that is too much."""

from __future__ import annotations

import os
import re
import socket
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from msgspec import Struct

from ...core.start import regex

_PROC = Path("/proc/self")
_GROUPS = Path("/sys/fs/cgroup")
_KIB = 1024
_SOFT = 0.85  # of the hard limit
_LARGE, _STEP = 64 << 10, 8  # content that is shed first, in bytes; each time so many times smaller
_ANONYMOUS = regex(r"^RssAnon:\s+(\d+) kB", re.MULTILINE)
_TABLE = regex(r"^map_type:.*^memlock:\s+(\d+)$.*^map_id:\s+(\d+)$", re.MULTILINE | re.DOTALL)


class Memory(Struct, frozen=True):
    """In bytes: anonymous memory, BPF tables (which no process shows), and what the control group is charged; 0: not known."""

    anonymous: int = 0
    tables: int = 0
    group: int = 0

    @property
    def own(self) -> int:
        return self.anonymous + self.tables


def memory_now(proc: Path = _PROC, groups: Path = _GROUPS) -> Memory:
    """What is taken now. It reads a file for each descriptor: 2 ms for 300 of them."""
    anonymous = _ANONYMOUS.search(_text(proc / "status"))
    return Memory(int(anonymous[1]) * _KIB if anonymous else 0, _tables(proc / "fdinfo"), _group(proc, groups))


def _tables(folder: Path) -> int:
    """
    The memory of the tables that are open: a table counts once, however many descriptors there are of it. A descriptor that is
    closed meanwhile counts for nothing.
    """
    try:
        names = os.listdir(folder)
    except OSError:
        return 0
    found = (_TABLE.search(_text(folder / name)) for name in names)
    return sum({table[2]: int(table[1]) for table in found if table is not None}.values())


def _group(proc: Path, groups: Path) -> int:
    for line in _text(proc / "cgroup").splitlines():
        number, _, path = line.split(":", 2)
        if number == "0":
            return int(_text(groups / path.lstrip("/") / "memory.current") or 0)
    return 0


def _text(path: Path) -> str:
    try:
        return path.read_text(errors="replace")
    except OSError:
        return ""


class Limits(Struct, frozen=True):
    """
    The most bytes of its own. With more, a recorder ends in order, before the kernel ends it. 0: any number. From `soft` on it
    sheds content: the largest first, and each time that it is measured smaller ones too.
    """

    most: int = 0

    @property
    def soft(self) -> int:
        return int(self.most * _SOFT)

    def shed_from(self, memory: Memory, before: int) -> int:
        """From how many bytes on content is to be shed, where it was `before`; 0: none."""
        if self.most and memory.own > self.soft:
            return max(1, before // _STEP) if before else _LARGE
        return 0 if before * _STEP > _LARGE else before * _STEP

    def broken_by(self, memory: Memory) -> str:
        """Why the recorder has to end; "" where it has not."""
        if not self.most or memory.own <= self.most:
            return ""
        own, tables, most = (f"{size >> 20} MB" for size in (memory.own, memory.tables, self.most))
        return f"memory is {own}, {tables} of it in the kernel, and the limit is {most}"


# -- notify --------------------------------------------------------------------------------------------------------
# Words for systemd -> the socket that it gave us (sd_notify(3)); nothing where it gave none.


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
