"""Events -> one compact JSON envelope a line on a text stream."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import BinaryIO

from ..envelope import encode_line
from ..events import Tick
from ..loss import Ledger
from ..sink import Output, Sink
from ..view import AnyRow

__all__ = ["console"]


def console(*, to: BinaryIO | None = None) -> Sink:
    """Write every event to `to` (by default standard output), flushed after each batch."""
    return Sink("console", lambda ledger: _ConsoleWriter(ledger, to or sys.stdout.buffer))


class _ConsoleWriter:
    def __init__(self, _: Ledger, to: BinaryIO) -> None:
        self._to = to

    def write(self, batch: Sequence[Output], /) -> None:
        lines = lines_of(batch)
        if lines:
            self._to.write(lines)
            self._to.flush()

    def flush(self) -> None:
        pass

    def close(self) -> None:
        pass


def lines_of(batch: Sequence[Output]) -> bytes:
    """The JSON lines of the events in `batch`; rows and ticks are left out, as they were not captured."""
    return b"".join(encode_line(item) + b"\n" for item in batch if not isinstance(item, AnyRow | Tick))
