"""Events with their Ticks -> closed segments in the folder of this host, that `replay` and `cluster run` read."""

from __future__ import annotations

import time
from collections.abc import Sequence

from ..core.errors import SinkError, SpoolError
from ..core.files import why
from ..core.sink import Sink, Unwritten
from ..events import Tick
from ..store.spool import SpoolOptions, SpoolWriter
from ..view import AnyRow, Output


def spool(options: SpoolOptions, *, owner: tuple[int, int] | None = None) -> Sink[Output]:
    """
    Write every event, without rows, to `options.folder`. It wants the Ticks: the graph has to mark them (`TraceOptions.ticks`).
    Flushed events survive a kill of this process; a flush comes every 250 ms.
    """
    return Sink("spool", lambda _: _SpoolSink(options, owner), wants=frozenset({Tick}), is_watched=lambda: False)


class _SpoolSink:
    def __init__(self, options: SpoolOptions, owner: tuple[int, int] | None) -> None:
        self._folder = options.folder
        try:
            self._writer = SpoolWriter(options, owner=owner, offset=lambda: time.time_ns() - time.monotonic_ns())
        except SpoolError as error:
            raise SinkError(str(error)) from error

    def write(self, batch: Sequence[Output], /) -> None:
        events = [item for item in batch if not isinstance(item, AnyRow)]
        if events:
            try:
                self._writer.write(events)
            except OSError as error:
                raise self._unwritten(error) from error

    def flush(self) -> None:
        try:
            self._writer.flush()
        except OSError as error:
            raise self._unwritten(error) from error

    def close(self) -> None:
        try:
            self._writer.close()
        except OSError as error:
            raise self._unwritten(error) from error

    def _unwritten(self, error: OSError) -> Unwritten:
        return Unwritten(f"{self._folder} cannot be written: {why(error, self._folder)}", count=self._writer.lost())
