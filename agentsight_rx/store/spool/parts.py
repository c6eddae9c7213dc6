"""Event -> the number of its part: what one family of processes does stays together, so that its rows are the same."""

from __future__ import annotations

from ...core.bounded import Recent
from ...events import Event, ProcessExec, ProcessFork, ProcessSeen

__all__ = ["Parts"]

_KNOWN = 65_536  # processes
_ROOTS = 2  # init and kthreadd begin families and belong to none


class Parts:
    """A process belongs to the part of its parent, and a process without a known parent to the part of its number."""

    def __init__(self, parts: int) -> None:
        self._parts = parts
        self._of: Recent[int, int] = Recent(_KNOWN)

    def of(self, event: Event, /) -> int:
        if self._parts == 1:
            return 0
        origin = event.origin
        if isinstance(event, ProcessFork):
            return self._learn(origin.pid, event.ppid)  # a number is used again: what it was before does not count
        pid = origin.connection.pid if origin.connection is not None else origin.pid
        known = self._of.use(pid)
        if known is not None:
            return known
        return self._learn(pid, event.ppid if isinstance(event, ProcessExec | ProcessSeen) else 0)

    def _learn(self, pid: int, ppid: int) -> int:
        parent = self._of.use(ppid) if ppid > _ROOTS else None
        part = pid % self._parts if parent is None else parent
        if pid > 0:
            self._of.put(pid, part)
        return part
