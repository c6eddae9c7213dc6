"""Standard streams that are closed, or whose encoding lacks characters -> streams that take every message."""

from __future__ import annotations

import codecs
import locale
import os
import sys
from collections.abc import Mapping
from typing import Literal, TextIO

import typer

__all__ = ["mend_streams", "write_line"]

_SIGNS: Mapping[str, str] = {
    "·": "-",
    "…": "...",
    "–": "-",
    "→": "->",
    "×": "x",
}  # of our messages, where an encoding lacks them


def mend_streams() -> None:
    """
    Call it before anything opens a file. In a locale that is not UTF-8 the program starts again in UTF-8 mode (PEP 540), since
    paths, files and /proc have UTF-8 whatever the locale is. A stream that the invoker closed leads nowhere: else the next file
    that is opened would get its number, and our messages. It stays closed for the programs that we start.
    """
    if not sys.flags.utf8_mode and codecs.lookup(locale.getencoding()).name != "utf-8":
        os.execv(sys.executable, [sys.executable, "-X", "utf8", *sys.orig_argv[1:]])
    codecs.register_error(__name__, _in_ascii)
    sys.stdin = _mended(0, sys.stdin, "r")
    sys.stdout = _mended(1, sys.stdout, "w")
    sys.stderr = _mended(2, sys.stderr, "w")


def _mended(number: int, stream: TextIO | None, mode: Literal["r", "w"]) -> TextIO:
    try:
        os.fstat(number)
    except OSError:
        os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)  # gets the lowest free number, which is this one
        stream = None
    made: TextIO = stream or open(number, mode, encoding="utf-8", closefd=False)  # noqa: SIM115 - for the life of the program
    reconfigure = getattr(made, "reconfigure", None)  # io.TextIOWrapper, as all three are but in tests
    if mode == "w" and reconfigure is not None:
        reconfigure(errors=__name__)
    return made


def _in_ascii(error: UnicodeError) -> tuple[str, int]:
    """Signs of our messages become ASCII, other characters and halves of surrogate pairs a question mark."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return "".join(_SIGNS.get(sign, "?") for sign in error.object[error.start : error.end]), error.end


def write_line(line: str) -> None:
    """A line of standard output. A reader that goes away, such as `head`, ends the command; typer would make it a failure."""
    try:
        sys.stdout.write(f"{line}\n")
    except BrokenPipeError:
        raise typer.Exit from None
