"""The memory that is free -> how many bytes a buffer may take: a share of it, within bounds."""

from __future__ import annotations

from pathlib import Path

__all__ = ["available", "share_of", "share_of_memory"]

_MEMORY = Path("/proc/meminfo")
_OWN_GROUP = Path("/proc/self/cgroup")
_GROUPS = Path("/sys/fs/cgroup")
_UNKNOWN = 1 << 30  # where the kernel does not say: as little as the smallest machines have


def available(memory: Path = _MEMORY, own_group: Path = _OWN_GROUP, groups: Path = _GROUPS) -> int:
    """Bytes that this process may still take: what the machine has, and no more than its control group (version 2) allows."""
    free = [_UNKNOWN]
    for line in _lines(memory):
        if line.startswith("MemAvailable:"):
            free = [int(line.split()[1]) << 10]
    for line in _lines(own_group):
        number, _, path = line.split(":", 2)
        place = groups / path.lstrip("/")
        if number == "0":
            free += [left for each in (place, *place.parents) if each.is_relative_to(groups) for left in _left(each)]
    return min(free)


def _left(group: Path) -> list[int]:
    """What the limit of one control group leaves, if it has one."""
    limit, used = _lines(group / "memory.max"), _lines(group / "memory.current")
    if not limit or not used or limit[0] == "max":
        return []
    return [max(0, int(limit[0]) - int(used[0]))]


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text().splitlines()
    except OSError:
        return []


def share_of(size: int, part: int, *, least: int, most: int) -> int:
    """A `part`-th of `size`, as the power of two at or below it; not below `least` and not above `most`."""
    share = max(size // part, 1)
    return max(least, min(most, 1 << (share.bit_length() - 1)))


def share_of_memory(part: int, *, least: int, most: int) -> int:
    """The same for the available memory."""
    return share_of(available(), part, least=least, most=most)
