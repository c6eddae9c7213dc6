"""Lines and tables -> text of a width, aligned, without boxes; captured text cannot do anything to a terminal."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Sequence
from typing import Literal, TypeAlias

from msgspec import Struct
from rich.cells import cell_len

from ...cells import clean, fit, harmless, padded

__all__ = ["Cell", "Column", "Line", "Prose", "Screen", "Span", "Whole", "render", "table"]

State: TypeAlias = Literal["", "failed", "missing", "title", "quiet"]
_COLOURS: dict[State, str] = {"failed": "\x1b[31m", "missing": "\x1b[33m", "title": "\x1b[1m", "quiet": "\x1b[2m"}
_PLAIN = "\x1b[0m"
_GAP = 2  # cells between two columns
_NARROWEST = 8  # cells of a column that was cut


class Screen(Struct, frozen=True):
    """What the lines are for: a terminal, or anything else that has no colour and is taken to be 100 cells wide."""

    width: int = 100
    colour: bool = False
    now_ms: int = 0  # Unix time


class Span(Struct, frozen=True):
    """A part of a line, and what it means: only failed (red) and missing (amber) have a colour."""

    text: str
    state: State = ""


class Whole(Struct, frozen=True):
    """Text of any length and any lines, of which nothing is cut."""

    text: str
    indent: int = 0


class Prose(Struct, frozen=True):
    """A sentence that takes as many lines as it needs. `mark` stands before the first one, and is missing's colour."""

    text: str
    mark: str = ""


Cell: TypeAlias = str | Span
Line: TypeAlias = Cell | tuple[Cell, ...] | Whole | Prose


class Column(Struct, frozen=True):
    """
    One column. Numbers stand to the `right`. Only `flexible` ones are cut where a line is too long; of a path the `middle`. The
    spaces in front of a cell are kept where they mean its depth, as in a `tree`.
    """

    title: str = ""
    right: bool = False
    flexible: bool = False
    middle: bool = False
    most: int = 400  # cells
    tree: bool = False


def table(columns: Sequence[Column], rows: Iterable[Sequence[Cell]], screen: Screen, *, indent: int = 1) -> list[Line]:
    """The rows under the titles of their columns, at most as wide as the screen. A column without a cell is left out."""
    cells = [[_cleaned(cell, column) for cell, column in zip(row, columns, strict=True)] for row in rows]
    used = [at for at in range(len(columns)) if any(row[at].text for row in cells)]
    shown = [columns[at] for at in used]
    kept = [[row[at] for at in used] for row in cells]
    widths = [
        min(column.most, max([cell_len(column.title), *(cell_len(row[at].text) for row in kept)]))
        for at, column in enumerate(shown)
    ]
    _shrink(widths, shown, screen.width - indent - _GAP * max(0, len(shown) - 1))
    lines: list[Line] = []
    if any(column.title for column in shown):
        kept.insert(0, [Span(column.title, "quiet") for column in shown])
    for row in kept:
        parts: list[Cell] = [" " * indent]
        for at, (cell, column) in enumerate(zip(row, shown, strict=True)):
            text = fit(cell.text, widths[at], middle=column.middle)
            last = at == len(shown) - 1
            pad = widths[at] if column.right or not last else 0
            placed = padded(text, pad, right=column.right)
            parts += [Span(placed, cell.state), "" if last else " " * _GAP]
        lines.append(tuple(parts))
    return lines


def _cleaned(cell: Cell, column: Column) -> Span:
    span = Span(cell) if isinstance(cell, str) else cell
    depth = len(span.text) - len(span.text.lstrip(" ")) if column.tree else 0
    return Span(" " * depth + clean(span.text), span.state)


def _shrink(widths: list[int], columns: Sequence[Column], room: int) -> None:
    """Make the widest flexible column narrower until all of them fit."""
    while sum(widths) > room:
        widest = max((at for at, column in enumerate(columns) if column.flexible), key=lambda at: widths[at], default=None)
        if widest is None or widths[widest] <= _NARROWEST:
            return
        others = [widths[at] for at, column in enumerate(columns) if column.flexible and at != widest]
        excess = sum(widths) - room
        step = min(excess, max(1, widths[widest] - max(others, default=_NARROWEST)))
        widths[widest] = max(_NARROWEST, widths[widest] - step)


def render(line: Line, screen: Screen) -> str:
    """One line as it is written; of `Whole` and `Prose` as many as there are."""
    if isinstance(line, Prose):
        room = screen.width - len(line.mark)
        lines = textwrap.wrap(clean(line.text), room, break_on_hyphens=False, break_long_words=False)
        mark = f"{_COLOURS['missing']}{line.mark}{_PLAIN}" if screen.colour and line.mark.strip() else line.mark
        return ("\n" + " " * len(line.mark)).join([mark + (lines[0] if lines else ""), *lines[1:]])
    if isinstance(line, Whole):
        return "\n".join(
            f"{' ' * line.indent}{harmless(each.expandtabs(4))}".rstrip() for each in line.text.splitlines() or [""]
        )
    spans = [Span(cell) if isinstance(cell, str) else cell for cell in (line if isinstance(line, tuple) else (line,))]
    left, text = screen.width, ""
    for span in spans:
        safe = harmless(_one_line(span.text))
        part = fit(safe, left)
        left -= cell_len(part)
        coloured = screen.colour and span.state and part.strip()
        text += f"{_COLOURS[span.state]}{part}{_PLAIN}" if coloured else part
        if part != safe:
            break
    return text.rstrip(" ")


def _one_line(text: str) -> str:
    return " ".join(part.strip() for part in text.splitlines()) if len(text.splitlines()) > 1 else text.replace("\t", " ")
