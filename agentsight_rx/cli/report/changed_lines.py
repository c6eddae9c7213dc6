"""The changes between two texts -> lines to read: what differs, with a few equal lines around it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ...view.queries.diff_lines import LineChange
from .screen import Line, Span
from .words import plural

__all__ = ["changed_lines"]

_AROUND = 3  # equal lines that are shown before and behind one that differs
_SIGNS = {"gone": "-", "new": "+"}


def changed_lines(changes: Sequence[LineChange], /, *, indent: str = "") -> Iterator[Line]:
    """` - ` stands before a line that only the first text has, ` + ` before one of the second; other equal ones are counted."""
    for at, change in enumerate(changes):
        if change.change != "same":
            yield from (f"{indent} {_SIGNS[change.change]} {line}" for line in change.lines)
            continue
        head = _AROUND if at else 0
        tail = _AROUND if at + 1 < len(changes) else 0
        between = len(change.lines) - head - tail
        if between <= 1:
            yield from (f"{indent}   {line}" for line in change.lines)
            continue
        yield from (f"{indent}   {line}" for line in change.lines[:head])
        yield Span(f"{indent}   {plural(between, 'line')} unchanged", "quiet")
        yield from (f"{indent}   {line}" for line in change.lines[len(change.lines) - tail :])
