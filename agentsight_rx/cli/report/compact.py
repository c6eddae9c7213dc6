"""agentsight-rx report compact: give the free space inside a store back to the disk."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import Struct

from ...store.state import compact as compacted
from .ask import Ask
from .screen import Line, Whole
from .words import data_size

__all__ = ["Compacted", "compact"]


class Compacted(Struct, frozen=True):
    """A file, and its bytes before and after."""

    path: str
    before: int
    after: int


def compact(ask: Ask) -> None:
    """Give the free space inside a store, as --max-size leaves it, back to the disk. No process may have it open."""
    done = Compacted(str(ask.path), *compacted(ask.path))
    if ask.as_json:
        ask.write([done])
    else:
        ask.write_lines(_lines(done))


def _lines(done: Compacted) -> Iterator[Line]:
    yield Whole(f"{done.path}: {data_size(done.before)} before, {data_size(done.after)} now")
