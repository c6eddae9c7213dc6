"""An exception of a function in a graph -> the error of the run, with the event that the function was given."""

from __future__ import annotations

from types import FrameType
from typing import cast

from .errors import GraphError

__all__ = ["graph_error"]

_ON_NEXT = "on_next"


def graph_error(error: Exception, operator: str) -> GraphError:
    """The error of a run, where this operator ended its graph by it."""
    return GraphError(operator, _kind_given(error), error)


def _kind_given(error: Exception) -> str:
    """The type of the event that came into the operator: the first argument of its `on_next`. Empty: a timer called it."""
    at = error.__traceback__
    while at is not None:
        if _ON_NEXT in at.tb_frame.f_code.co_name:
            return _kind_of(_first_argument(at.tb_frame))
        at = at.tb_next
    return ""


def _kind_of(given: object) -> str:
    """Of an event with its number, or one of each stream, the first."""
    if not isinstance(given, tuple):
        return type(given).__name__
    some = cast("tuple[object, ...]", given)
    return _kind_of(some[0]) if some else "tuple"


def _first_argument(frame: FrameType) -> object:
    names = [name for name in frame.f_code.co_varnames[: frame.f_code.co_argcount] if name != "self"]
    return frame.f_locals.get(names[0]) if names else None
