"""Values, what matters most first -> the answer of a report that shows the first of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

from msgspec.structs import replace

from ...view.queries import Selection
from .ask import Ask
from .screen import Line, Screen, Whole
from .words import count

__all__ = ["show_first", "unlimited"]

T = TypeVar("T")


def show_first(ask: Ask, values: Sequence[T], lines: Callable[[Sequence[T], Screen], Iterable[Line]], /, *, most: int) -> None:
    """As JSON a value a line, all of them unless there is a limit; as text the first `most`, and how to see the others."""
    limit = None if ask.flags.show_all else ask.flags.limit or (None if ask.as_json else most)
    shown = values[:limit]
    if ask.as_json:
        ask.write(shown)
        return
    ask.write_lines(lines(shown, ask.screen))
    if not values:
        ask.write_lines([ask.nothing("of that kind")])
    elif len(shown) < len(values):
        ask.write_lines(["", Whole(f"{count(len(values) - len(shown))} more; all of them: {ask.command} --all")])


def unlimited(ask: Ask) -> Selection:
    """The whole selection: the limit is for the rows that are made of it."""
    return replace(ask.selection, limit=None)
