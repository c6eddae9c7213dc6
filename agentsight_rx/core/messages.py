"""A sentence -> standard error: messages for the person who runs the program, held back while a command owns the terminal."""

from __future__ import annotations

import io
import os
import re
import shlex
import shutil
import sys
import unicodedata
from collections.abc import Callable, Generator
from contextlib import contextmanager, redirect_stderr, suppress
from pathlib import Path
from threading import Lock
from typing import TextIO

from rich.cells import cell_len, set_cell_size

from .files import create_private

_NAME, _SCRIPT = "agentsight-rx", "run.sh"
_LINES_MOST = 1000  # that are held; more only count


def program() -> str:
    """This program as the person typed it, for hints that can be typed too: its name where PATH finds it, else its path."""
    typed = sys.argv[0]
    if os.path.basename(typed) not in (_NAME, _SCRIPT):
        return _NAME  # python -m, a test, a program that uses ours
    return _NAME if shutil.which(_NAME) == typed else shlex.quote(typed)


def say(text: str) -> None:
    """Write one line; standard output is for events."""
    show(f"agentsight-rx: {text}")


def detail(text: str) -> None:
    """Write one line about what goes as it should; inside `brief` not on a terminal."""
    if not (_is_brief and sys.stderr.isatty()):
        say(text)


def speak_into(log: Path) -> None:
    """All that this process says goes into a file, which is made anew: nothing of it comes to the terminal or the journal."""
    fd = create_private(log)
    for each in (1, 2):
        os.dup2(fd, each)
    os.close(fd)


_is_brief = False


@contextmanager
def brief() -> Generator[None]:
    """Inside, a terminal gets no details: it belongs to a command, and two lines of ours are enough there."""
    global _is_brief
    before, _is_brief = _is_brief, True
    try:
        yield
    finally:
        _is_brief = before


def show(text: str) -> None:
    """Write lines as they are. A terminal that is gone is no error."""
    with suppress(OSError):
        sys.stderr.write(f"{text}\n")  # at once, so that two threads do not mix their lines
        sys.stderr.flush()


@contextmanager
def holding(log: TextIO | None = None) -> Generator[None]:
    """
    Inside, nothing that Python code writes to standard error reaches it: neither `say` nor a warning nor a traceback. It goes
    to `log` at once, or without one to standard error at the end. Any thread may write.
    """
    held = _Held(log)
    try:
        with redirect_stderr(held):
            yield
    finally:
        held.release()


@contextmanager
def passing() -> Generator[Callable[[str], None]]:
    """
    Inside, a line about the work under way: each call replaces it, other messages come above it, and at the end it is gone. On
    a terminal alone; elsewhere, and on one that cannot clear a line, nothing is written.
    """
    terminal = sys.stderr
    if not terminal.isatty() or os.environ.get("TERM", "dumb") in ("", "dumb"):
        yield lambda _: None
        return
    line = _Passing(terminal)
    try:
        with redirect_stderr(line):
            yield line.replace
    finally:
        line.replace("")


class _Passing(io.TextIOBase):
    """A terminal whose last line is ours."""

    def __init__(self, terminal: TextIO) -> None:
        self._terminal = terminal
        self._lock = Lock()
        self._line = ""

    def writable(self) -> bool:
        return True

    def isatty(self) -> bool:
        return True

    def replace(self, line: str) -> None:
        with self._lock:
            self._put(f"\r\x1b[K{self._cut(line)}")
            self._line = line

    def write(self, text: str, /) -> int:
        with self._lock:
            self._put(f"\r\x1b[K{text}{self._cut(self._line) if text.endswith(chr(10)) else ''}")
        return len(text)

    def _put(self, text: str) -> None:
        with suppress(OSError):
            self._terminal.write(text)
            self._terminal.flush()

    def _cut(self, line: str) -> str:
        """So that it takes one line."""
        try:
            columns = os.get_terminal_size(self._terminal.fileno()).columns or 80  # 0: it does not say
        except OSError:
            columns = 80
        return line[: max(1, columns - 1)]


class _Held(io.TextIOBase):
    """Text that goes to `log`, or waits for the end."""

    def __init__(self, log: TextIO | None) -> None:
        self._log = log
        self._ends_on = sys.stderr if log is None else None
        self._lock = Lock()
        self._text = io.StringIO()
        self._lines = 0
        self._more = 0

    def writable(self) -> bool:
        return True

    def write(self, text: str, /) -> int:
        with self._lock:
            if self._log is not None:
                with suppress(OSError):
                    self._log.write(text)
                    self._log.flush()
            elif self._lines < _LINES_MOST:
                self._lines += text.count("\n")
                self._text.write(text)
            else:
                self._more += text.count("\n")
        return len(text)

    def isatty(self) -> bool:
        """Whether a terminal gets it in the end."""
        return self._ends_on is not None and self._ends_on.isatty()

    def release(self) -> None:
        with self._lock:
            text, self._text = self._text.getvalue(), io.StringIO()
        if text:
            show(text.removesuffix("\n"))
        if self._more:
            say(f"{self._more} more lines were written meanwhile; --log FILE keeps all")


# -- terminal text -------------------------------------------------------------------------------------------------
# Captured text -> text for a terminal: one line, harmless, cut to so many cells.


_BREAK = re.compile(r"\s*[^\S ]\s*")  # white space that is more than spaces
_TO_THE_LEFT = frozenset({"R", "AL", "AN"})  # bidirectional classes (UAX 9)
_MARK = "\u200e"  # takes no cell; text and numbers behind it stay where they are
_KEPT = frozenset({_MARK, "\u200c", "\u200d"})  # joiners too, where they join letters of a script or parts of an emoji
_NO_JOINER = re.compile(r"(?<![^\u0000-\u024f\u2000-\u206f])[\u200c\u200d]|[\u200c\u200d](?![^\u0000-\u024f\u2000-\u206f])")


def clean(text: str) -> str:
    """One line, and nothing that a terminal obeys: control and formatting characters become a replacement character."""
    return harmless(_BREAK.sub(" ", text).strip())


def harmless(text: str) -> str:
    """The text with its spaces, without anything that a terminal obeys. Text from right to left moves nothing behind it."""
    if text.isascii() and text.isprintable():
        return text
    shown = "".join(char if char.isprintable() or char in _KEPT else "\ufffd" for char in _NO_JOINER.sub("\ufffd", text))
    ends = not shown.endswith(_MARK) and any(unicodedata.bidirectional(char) in _TO_THE_LEFT for char in shown)
    return shown + _MARK if ends else shown


def fit(text: str, cells: int, *, middle: bool = False) -> str:
    """At most so many cells: a longer text ends in `…` behind a whole word, or has it in the `middle`, as a path does."""
    if cell_len(text) <= cells:
        return text
    if cells < 2:
        return "…"[: max(cells, 0)]
    if not middle:
        begin = set_cell_size(text, cells - 1)
        words = begin.rpartition(" ")[0] if text[len(begin) : len(begin) + 1].strip() else begin
        return (words if cell_len(words) * 2 >= cells else begin).rstrip() + "…"
    first = (cells - 1) // 3
    end = text[len(text) - (cells - 1 - first) :]
    while cell_len(end) > cells - 1 - first:
        end = end[1:]
    return set_cell_size(text, first) + "…" + end


def padded(text: str, cells: int, *, right: bool = False) -> str:
    """So many cells, or more where the text is longer. `right`: numbers, which end in one column."""
    pad = " " * max(0, cells - cell_len(text))
    return pad + text if right else text + pad
