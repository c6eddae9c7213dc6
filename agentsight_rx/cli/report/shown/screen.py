"""Lines and tables -> text of a width, aligned, without boxes; captured text cannot do anything to a terminal."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Callable, Iterable
from typing import Generic, Literal, TypeAlias, TypeVar

from msgspec import Struct
from rich.cells import cell_len

from ....core.messages import clean, fit, harmless, padded

State: TypeAlias = Literal["", "failed", "missing", "title", "quiet"]
_COLOURS: dict[State, str] = {"failed": "\x1b[31m", "missing": "\x1b[33m", "title": "\x1b[1m", "quiet": "\x1b[2m"}
_PLAIN = "\x1b[0m"
_GAP = 2  # cells between two columns
_BREAK = re.compile(r" *[^\S ]\s*")  # white space that is more than spaces


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

Row = TypeVar("Row")


class Column(Struct, Generic[Row], frozen=True):
    """
    One column: its title, and `of`, which makes the cell of a row. Numbers stand to the `right`. Where a line is too long, the
    columns with the highest `rank` are left out, one after the other, and the table says which; then `flexible` ones are cut, a
    path in the `middle`, down to `least`. A title is never cut. The spaces in front of a cell are kept where they mean its
    depth, as in a `tree`.
    """

    title: str
    of: Callable[[Row], Cell]
    right: bool = False
    flexible: bool = False
    middle: bool = False
    most: int = 400  # cells
    least: int = 8  # cells of a flexible one
    rank: int = 0  # 0: always there
    tree: bool = False


Columns: TypeAlias = tuple[Column[Row], ...]


def table(columns: Columns[Row], rows: Iterable[Row], screen: Screen, *, indent: int = 1) -> list[Line]:
    """The rows under the titles of their columns, at most as wide as the screen. A column without a cell is left out."""
    cells = [[_cleaned(column.of(row), column) for column in columns] for row in rows]
    wide = [
        min(column.most, max([cell_len(column.title), *(cell_len(row[at].text) for row in cells)]))
        for at, column in enumerate(columns)
    ]
    least = [
        min(wide[at], max(column.least, cell_len(column.title))) if column.flexible else wide[at]
        for at, column in enumerate(columns)
    ]
    used = [at for at in range(len(columns)) if any(row[at].text for row in cells)]
    room = screen.width - indent + _GAP
    left_out: list[str] = []
    while sum(least[at] + _GAP for at in used) > room:
        last = max(used, key=lambda at: columns[at].rank)
        if not columns[last].rank:
            break
        used.remove(last)
        left_out.append(columns[last].title)
    shown = [columns[at] for at in used]
    kept = [[row[at] for at in used] for row in cells]
    widths = _shrunk([wide[at] for at in used], [least[at] for at in used], room - _GAP * len(used))
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
    if left_out:
        named = ", ".join(column.title for column in columns if column.title in left_out)
        lines.append(Prose(f"too narrow for {named}: widen the terminal, or take --json", mark=" " * indent))
    return lines


def _cleaned(cell: Cell, column: Column[Row]) -> Span:
    span = Span(cell) if isinstance(cell, str) else cell
    depth = len(span.text) - len(span.text.lstrip(" ")) if column.tree else 0
    return Span(" " * depth + clean(span.text), span.state)


def _shrunk(widths: list[int], least: list[int], room: int) -> list[int]:
    """Make the widest column that may be narrower so until all of them fit."""
    widths = widths[:]
    while (excess := sum(widths) - room) > 0:
        yielding = [at for at, width in enumerate(widths) if width > least[at]]
        if not yielding:
            break
        widest = max(yielding, key=lambda at: widths[at])
        second = max((widths[at] for at in yielding if at != widest), default=0)
        widths[widest] -= min(excess, max(1, widths[widest] - second), widths[widest] - least[widest])
    return widths


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
    """The same spaces, and a space for whatever else is white, such as the newline behind an output."""
    return text if text.isprintable() else _BREAK.sub(" ", text)
