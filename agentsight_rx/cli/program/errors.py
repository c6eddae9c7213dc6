"""Errors -> one sentence on standard error and an exit status, never a traceback."""

from __future__ import annotations

import codecs
import errno
import locale
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Literal, TextIO

import typer

from ...core.errors import AgentsightError
from ...core.files import NO_SPACE, READER_GONE, why
from ...core.messages import show

# -- colour --------------------------------------------------------------------------------------------------------
# The environment -> may a terminal be given colours?


def has_colour(env: Mapping[str, str]) -> bool:
    """https://no-color.org, and terminals that know no escape sequences."""
    return not env.get("NO_COLOR") and (env.get("TERM") or "dumb") != "dumb"


# ------------------------------------------------------------------------------------------------------------------------


_FULL = NO_SPACE | {errno.EFBIG}

# typer has its own click since 0.26; its public BadParameter leads to the classes of either
_WrongUse = typer.BadParameter.__mro__[1]
_Failure = typer.BadParameter.__mro__[2]


def shown(run: Callable[[], int | None], argv: Sequence[str]) -> int:
    """Run the program and return its exit status; an error becomes one line, a wrong option is marked."""
    try:
        return run() or 0
    except typer.Exit as ended:
        return int(ended.exit_code)
    except typer.Abort:
        return 130
    except AgentsightError as error:
        show(f"Error: {error}")
        return error.exit_status
    except OSError as error:
        if error.filename is not None:
            show(f"Error: {error.filename} cannot be used: {why(error, error.filename)}")
            return 1
        if error.errno in READER_GONE:
            return 0
        if error.errno not in _FULL:
            raise
        return _failed(error)
    except KeyboardInterrupt:
        return 130
    except Exception as error:
        if not isinstance(error, _Failure):
            raise
        if type(error).__name__ == "NoArgsIsHelpError":
            show(str(error))
            return 2
        show(_message(error, argv))
        return 2 if isinstance(error, _WrongUse) else 1


def flushed(status: int) -> int:
    """
    Write out buffered output, and return the exit status. A reader or a terminal that went away changes nothing; any other
    failure, as of a full disk, is an error of its own. Left to the interpreter, all of them would be exit status 120.
    """
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError as error:
            with Path(os.devnull).open("wb") as nothing:
                os.dup2(nothing.fileno(), stream.fileno())
            if error.errno not in READER_GONE:
                status = status or _failed(error)
    return status


def _failed(error: OSError) -> int:
    show(f"Error: cannot write to the standard output: {error.strerror}")
    return 1


def _message(error: Exception, argv: Sequence[str]) -> str:
    text = f"Error: {getattr(error, 'format_message', error.__str__)()}"
    name: object = getattr(error, "option_name", None)
    place = next((index for index, word in enumerate(argv) if word.partition("=")[0] == name), None)
    if place is None:
        return text
    before = " ".join(("agentsight-rx", *argv[:place]))
    return f"{text}\n  {' '.join(('agentsight-rx', *argv))}\n  {' ' * (len(before) + 1)}{'^' * len(str(name))}"


# -- streams -------------------------------------------------------------------------------------------------------
# Standard streams that are closed, or whose encoding lacks characters -> streams that take every message.


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
