"""Events and other values -> one line of compact JSON each, on a text stream."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import BinaryIO, cast, get_args

import msgspec

from ..core.sink import Sink
from ..events import Event, Tick
from ..events.envelope import encode_line
from ..view import AnyRow
from .lines import LineFile

__all__ = ["ConsoleWriter", "console"]


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
