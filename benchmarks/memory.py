"""A process -> its memory, told apart: what only it needs, and what files stand behind."""

from __future__ import annotations

from pathlib import Path

from msgspec import Struct

__all__ = ["Memory", "memory_of"]


class Memory(Struct, frozen=True):
    """
    Bytes in memory. `anonymous` is what the process takes from others. `mapped` are pages of files, such as programs and the
    store: the kernel has them in memory anyway, and gives them up where memory is short.
    """

    anonymous: int = 0
    mapped: int = 0


def memory_of(pid: int | str = "self") -> Memory:
    """From /proc/PID/status, whose counts are as exact as the kernel's, to some pages; 0 where the process has ended."""
    text = Path(f"/proc/{pid}/status").read_text()
    sizes = {name: value for name, _, value in (line.partition(":") for line in text.splitlines())}
    return Memory(_bytes(sizes.get("RssAnon")), _bytes(sizes.get("RssFile")) + _bytes(sizes.get("RssShmem")))


def _bytes(size: str | None) -> int:
    return int(size.split()[0]) * 1024 if size else 0
