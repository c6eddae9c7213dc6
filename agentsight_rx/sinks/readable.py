"""Events and rows -> one line of text each, as wide as the terminal, for a person who watches."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from typing import BinaryIO, TypeVar

from rich.cells import cell_len

from ..core.sink import Sink
from ..core.terminal_text import clean, fit
from ..events.loss import Ledger
from .console import ConsoleWriter
from .event_lines import EventLines, Line

__all__ = ["readable"]

T = TypeVar("T")

_NARROWEST, _NARROW = 40, 72  # cells; below the second, columns are not aligned
_WHO, _WHAT = 17, 19  # cells; more where a name is longer
_COLOURS = {"failed": "\x1b[31m", "missing": "\x1b[33m"}
_PLAIN = "\x1b[0m"


def readable(*, width: int, colour: bool, to: BinaryIO | None = None) -> Sink[object]:
    """
    Print a line for each event to `to` (standard output), flushed a batch at a time: when, which process, what. A call of a
    model is two lines, its request and its answer. Text is cut at `width`, and control characters in it do nothing. With
    `colour` failures are red and gaps yellow.
    """
    cells = max(width, _NARROWEST)

    def opened(_: Ledger) -> ConsoleWriter:
        shown = EventLines()

        def lines_of(batch: Sequence[object]) -> list[bytes]:
            lines = (line for item in batch if (line := shown.of(item)) is not None)
            return [f"{layout(line, cells, colour=colour)}\n".encode(errors="replace") for line in lines]

        return ConsoleWriter(to or sys.stdout.buffer, lines_of)

    return Sink("terminal", opened)


def layout(line: Line, width: int, *, colour: bool) -> str:
    """The line in at most `width` cells."""
    what, tail = clean(line.what), clean(line.tail)
    before = f"{_clock(line.wall_ns)}  {_padded(clean(line.who), _WHO if width >= _NARROW else 0)}"
    shown = f"{line.sign}  {what}"
    room = width - cell_len(before) - cell_len(shown)
    rest = ""
    if line.text or tail:
        pad = " " * max(2, _WHAT + 3 - cell_len(shown) if width >= _NARROW else 0)
        ending = f"  {tail}" if tail and line.text else tail
        space = room - len(pad) - cell_len(ending)
        rest = f"{pad}{fit(clean(line.text), space, middle=line.is_path)}{ending}"
    start = f"{_COLOURS[line.state]}{shown}{_PLAIN}" if colour and line.state else shown
    return f"{before}{start}{fit(rest, room)}" if room > 0 else fit(f"{before}{shown}", width)


def _clock(wall_ns: int) -> str:
    if not wall_ns:
        return " " * 12
    seconds, ms = divmod(wall_ns // 1_000_000, 1000)
    return f"{time.strftime('%H:%M:%S', time.localtime(seconds))}.{ms:03}"


def _padded(text: str, cells: int) -> str:
    return text + " " * max(2, cells - cell_len(text))
