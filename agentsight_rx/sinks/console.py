"""Events and other values -> lines on a text stream or in a file: compact JSON, or words for a person."""

from __future__ import annotations

import os
import select
import stat
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO, TypeVar, cast, get_args

import msgspec
from rich.cells import cell_len

from ..core.errors import SinkError
from ..core.files import READER_GONE, create_private, why
from ..core.messages import clean, fit
from ..core.sink import ReaderLeft, Sink, Unwritten
from ..events import Event, Tick
from ..events.envelope import encode_line
from ..events.loss import Ledger
from ..view import AnyRow
from .event_lines import EventLines, Line

# -- lines ---------------------------------------------------------------------------------------------------------
# Lines -> a file descriptor, whole lines only: what a full disk does not take is counted line by line.


class LineFile:
    """
    Lines, each with its LF, to `fd`; `name` is for messages. `cut`: of a regular file, a line that was written in part is
    removed again.
    """

    def __init__(self, fd: int, name: str, *, cut: bool) -> None:
        self._fd = fd
        self._name = name
        self._cut = cut and stat.S_ISREG(os.fstat(fd).st_mode)
        self._torn = False  # the last line was written in part

    def write(self, lines: Sequence[bytes]) -> None:
        """Raises Unwritten with the number of lines that are not in the file whole; the others are."""
        text = b"".join(lines)
        written = 0
        try:
            if self._torn:
                self._put(b"\n")
                self._torn = False
            while written < len(text):
                written += self._put(text[written:] if written else text)
        except OSError as error:
            whole = text.count(b"\n", 0, written)  # JSON has no LF inside
            whole += self._tear(written - text.rfind(b"\n", 0, written) - 1) and text.startswith(b"\n", written)
            reason = why(error, f"/proc/self/fd/{self._fd}")
            kind = ReaderLeft if error.errno in READER_GONE else Unwritten
            raise kind(f"{self._name} cannot be written: {reason}", count=len(lines) - whole) from error

    def _put(self, text: bytes) -> int:
        while True:
            try:
                return os.write(self._fd, text)
            except BlockingIOError:  # a pipe or terminal that another program made non-blocking
                select.select((), (self._fd,), ())

    def _tear(self, size: int) -> bool:
        """`size` bytes of a line were written; False if they were removed again."""
        if size and self._cut:
            os.ftruncate(self._fd, os.lseek(self._fd, -size, os.SEEK_CUR))
            return False
        self._torn = self._torn or size > 0
        return size > 0


# ------------------------------------------------------------------------------------------------------------------------


def console(*, to: BinaryIO | None = None) -> Sink[object]:
    """
    Print what a graph emits to `to` (standard output), flushed a batch at a time: an event as its envelope, any other value as
    JSON. Rows of the view and ticks are not printed.
    """
    return Sink("console", lambda _: ConsoleWriter(to or sys.stdout.buffer, lines_of))


class ConsoleWriter:
    """Writes what `lines_of` makes of each batch, flushed."""

    def __init__(self, to: BinaryIO, lines_of: Callable[[Sequence[object]], list[bytes]]) -> None:
        self._to = to
        self._lines_of = lines_of
        self._lines: LineFile | None = None
        to.flush()
        with suppress(OSError):  # io.UnsupportedOperation: bytes in memory
            self._lines = LineFile(to.fileno(), "standard output", cut=False)

    def write(self, batch: Sequence[object], /) -> None:
        lines = self._lines_of(batch)
        if not lines:
            return
        if self._lines is not None:
            self._lines.write(lines)
            return
        self._to.write(b"".join(lines))
        self._to.flush()

    def flush(self) -> None:
        pass

    def close(self) -> None:
        pass


def lines_of(batch: Sequence[object]) -> list[bytes]:
    """The JSON lines of what a graph emitted, but for rows and ticks, which are not events."""
    return [_line(item) + b"\n" for item in batch if not isinstance(item, AnyRow | Tick)]


def _line(item: object) -> bytes:
    """Values that JSON does not know are written as Python shows them."""
    return encode_line(cast("Event", item)) if type(item) in _EVENTS else _encoder.encode(item)


_EVENTS = frozenset(get_args(Event))
_encoder = msgspec.json.Encoder(enc_hook=repr)


# -- jsonl ---------------------------------------------------------------------------------------------------------
# Events -> a file of JSON envelopes, one a line, that `replay` reads back.


def jsonl(path: str | Path, *, owner: tuple[int, int] | None = None) -> Sink[object]:
    """Write every event to a new file at `path`: readable by its owner only, since it holds prompts and answers."""
    return Sink("jsonl", lambda _: _JsonlWriter(Path(path), owner))


class _JsonlWriter:
    def __init__(self, path: Path, owner: tuple[int, int] | None) -> None:
        try:
            self._fd = create_private(path, owner)
        except OSError as error:
            raise SinkError(f"{path} cannot be written: {why(error, path)}") from error
        self._lines = LineFile(self._fd, str(path), cut=True)

    def write(self, batch: Sequence[object], /) -> None:
        self._lines.write(lines_of(batch))

    def flush(self) -> None:
        pass

    def close(self) -> None:
        os.close(self._fd)


# -- readable ------------------------------------------------------------------------------------------------------
# Events and rows -> one line of text each, as wide as the terminal, for a person who watches.


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
