"""Errors -> one sentence on standard error and an exit status, never a traceback."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import typer

from ..core.errors import AgentsightError
from ..core.files import NO_SPACE, READER_GONE, why
from ..core.messages import show

__all__ = ["flushed", "shown"]

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
