"""Rows by id, bounded in number and in bytes: what a view keeps of one kind."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from copy import copy
from typing import Generic, TypeVar

from ..rows.kinds import AuditRow, CallRow, HttpRow, NetworkRow, ProcessRow, Row, SessionRow, ToolRow

__all__ = ["Kept", "weight_of"]

R = TypeVar("R", bound=Row)


class Kept(Generic[R]):
    """The rows of one kind by id, at most `most` and about `size` bytes; the id that came first is evicted first."""

    def __init__(self, most: int, size: int) -> None:
        self._most = most
        self._size = size
        self._rows: dict[str, R] = {}
        self._order: deque[str] = deque()  # a dict finds its first key only by walking over all deleted ones
        self._removed: set[str] = set()  # ids that `_order` still has
        self._held = 0  # bytes
        self.seen = 0
        self.gone = 0

    def put(self, row: R) -> R | None:
        """Keep `row`; returns the row that it replaces."""
        before = self._rows.get(row.id)
        self._rows[row.id] = row
        self._held += weight_of(row)
        if before is not None:
            self._held -= weight_of(before)
        else:
            self.seen += 1
            if row.id in self._removed:
                self._removed.remove(row.id)
            else:
                self._order.append(row.id)
        while len(self._rows) > 1 and (len(self._rows) > self._most or self._held > self._size):
            self._evict(self._order.popleft())
        return before

    def _evict(self, id: str) -> None:
        if id in self._removed:
            self._removed.remove(id)
        else:
            self._held -= weight_of(self._rows.pop(id))
            self.gone += 1

    def remove(self, id: str) -> R | None:
        """The row of that id is not true; returns it where it is kept."""
        row = self._rows.pop(id, None)
        if row is not None:
            self._removed.add(id)
            self._held -= weight_of(row)
            self.seen -= 1
        return row

    def copy(self) -> Kept[R]:
        """A copy that is only read."""
        twin = copy(self)
        twin._rows = self._rows.copy()
        return twin

    def __iter__(self) -> Iterator[R]:
        return iter(self._rows.values())


_ROW = 700  # bytes of a row without captured text: its fields, its numbers, its id (measured with CPython 3.13: 400 to 900)


def weight_of(row: Row) -> int:
    """About so many bytes: most captured text is ASCII."""
    return _ROW + _text_of(row)


def _text_of(row: Row) -> int:
    match row:
        case CallRow():
            return len(row.prompt) + len(row.text) + len(row.thinking)
        case ToolRow():
            return len(row.input) + len(row.output) + sum(map(len, row.related_argv))
        case ProcessRow():
            return sum(map(len, row.argv)) + len(row.command or "")
        case HttpRow():
            return len(row.host or "") + len(row.path)
        case SessionRow():
            return len(row.title) + len(row.id)
        case NetworkRow():
            return len(row.host) + len(row.path)  # a target has up to 256 KiB
        case AuditRow():
            text = len(row.summary or "") + len(row.target or "") + len(row.subject or "")
            return text + sum(len(value) for value in row.details.values() if isinstance(value, str))
        case _:
            return 0
