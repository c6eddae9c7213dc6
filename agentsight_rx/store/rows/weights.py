"""A row -> about how many bytes of memory it takes; rows -> as many of the newest as a number of bytes holds."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeVar

from .kinds import AlertRow, AnyRow, AuditRow, CallRow, HttpRow, NetworkRow, ProcessRow, SessionRow, ToolRow

V = TypeVar("V")

# Bytes of a row without captured text: its fields, its numbers, its names (measured with CPython 3.13: 530 to 930)
_ROW = 800
_CALL, _SESSION = 1_650, 1_400  # which have 60 fields, and 40
_DETAIL = 60  # of one detail of the audit trail


def weight_of(row: AnyRow, /) -> int:
    """About so many bytes: most captured text is ASCII."""
    match row:
        case CallRow():
            return _CALL + len(row.prompt) + len(row.text) + len(row.thinking)
        case SessionRow():
            return _SESSION + len(row.title) + len(row.id)
        case ToolRow():
            return _ROW + len(row.input) + len(row.output) + sum(map(len, row.related_argv))
        case ProcessRow():
            return _ROW + sum(map(len, row.argv)) + len(row.command or "")
        case HttpRow():
            return _ROW + len(row.host or "") + len(row.path)
        case NetworkRow():
            return _ROW + len(row.host) + len(row.path)  # a target has up to 256 KiB
        case AuditRow():
            text = len(row.summary or "") + len(row.target or "") + len(row.subject or "")
            details = sum(_DETAIL + (len(value) if isinstance(value, str) else 0) for value in row.details.values())
            return _ROW + text + details
        case AlertRow():
            text = len(row.sentence) + len(row.because) + len(row.target) + len(row.command) + len(row.prompt)
            return _ROW + text + sum(map(len, row.evidence))
        case _:
            return _ROW


def newest_fitting(rows: Iterable[V], heaviest: int, weigh: Callable[[V], int], /) -> tuple[list[V], bool]:
    """
    `rows` come newest first -> those that together weigh at most `heaviest`, oldest first, and whether these are all. The
    newest is always among them.
    """
    found: list[V] = []
    held = 0
    for row in rows:
        held += weigh(row)
        if held > heaviest and found:
            return found[::-1], False
        found.append(row)
    return found[::-1], True
