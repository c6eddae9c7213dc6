"""An exception inside an operator: whose it is, and what a run does about it."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Sequence
from functools import partial

from msgspec import Struct

from ..events import Origin

_PACKAGE = __name__.partition(".")[0]


class Bug(Struct, frozen=True):
    """
    What failed in an operator, which went on behind it. `event` is the kind of event that a function was given, "" at a step of
    time, and `origin` where that came from, if it says so. `error` has no secrets. `where` is the line that raised, ""
    where Python does not say it, as of StopIteration. `count` events and `size` bytes that were held are lost by it.
    """

    operator: str
    event: str
    origin: Origin | None
    error: str
    where: str
    count: int
    size: int


class Halted(BaseException):
    """Inside a kernel: the graph ends at this event, by an error of its author. What came before it is still emitted."""


def bug_of(operator: str, error: Exception, event: object, lost: tuple[int, int], redact: Callable[[str], str]) -> Bug:
    """`lost`: events and bytes."""
    origin = getattr(event, "origin", None)
    return Bug(
        operator=operator,
        event="" if event is None else type(event).__name__,
        origin=origin if isinstance(origin, Origin) else None,
        error=redact(f"{type(error).__name__}: {error}"),
        where=where(error),
        count=lost[0],
        size=lost[1],
    )


def where(error: BaseException) -> str:
    """The line that raised it."""
    frames = traceback.extract_tb(error.__traceback__)
    return f"{frames[-1].filename}:{frames[-1].lineno}" if frames else ""


def are_ours(authors: Sequence[object]) -> bool:
    """Whether all these functions and classes are of this package, and not of the author of a graph."""
    return all(map(_is_ours, authors))


def _is_ours(author: object) -> bool:
    while isinstance(author, partial):
        author = author.func
    known = getattr(author, "ours", None)  # of an operator
    if isinstance(known, bool):
        return known
    module: str | None = getattr(author, "__module__", None)
    return module is not None and module.partition(".")[0] == _PACKAGE
