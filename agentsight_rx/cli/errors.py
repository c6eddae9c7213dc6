"""Errors -> one sentence on standard error and an exit status, never a traceback."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import typer

from ..errors import AgentsightError

__all__ = ["flushed", "shown"]

_GONE = (errno.EPIPE, errno.EIO)  # the reader of a pipe or a terminal went away

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
        print(f"Error: {error}", file=sys.stderr)
        return error.exit_status
    except OSError as error:
        if error.errno in _GONE:
            return 0
        if error.errno != errno.ENOSPC:
            raise
        return _failed(error)
    except KeyboardInterrupt:
        return 130
    except Exception as error:
        if not isinstance(error, _Failure):
            raise
        if type(error).__name__ == "NoArgsIsHelpError":
            print(error, file=sys.stderr)
            return 2
        print(_message(error, argv), file=sys.stderr)
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
            if error.errno not in _GONE:
                status = status or _failed(error)
    return status


def _failed(error: OSError) -> int:
    print(f"Error: cannot write to the standard output: {error.strerror}", file=sys.stderr)
    return 1


def _message(error: Exception, argv: Sequence[str]) -> str:
    text = f"Error: {getattr(error, 'format_message', error.__str__)()}"
    name: object = getattr(error, "option_name", None)
    place = next((index for index, word in enumerate(argv) if word.partition("=")[0] == name), None)
    if place is None:
        return text
    before = " ".join(("agentsight-rx", *argv[:place]))
    return f"{text}\n  {' '.join(('agentsight-rx', *argv))}\n  {' ' * (len(before) + 1)}{'^' * len(str(name))}"
