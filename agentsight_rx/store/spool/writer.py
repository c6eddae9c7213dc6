"""Events -> segments in the folders of a host, one for each part."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Sequence

from ...events import Event, Tick
from .options import SpoolOptions
from .part_writer import PartWriter
from .parts import Parts

__all__ = ["SpoolWriter"]


class SpoolWriter:
    """
    One recording into a spool. Raises SpoolError on opening where the folder cannot be used, and OSError where a write fails:
    `lost` says how many events that costs.
    """

    def __init__(
        self,
        options: SpoolOptions,
        *,
        owner: tuple[int, int] | None = None,
        clock: Callable[[], float] = time.monotonic,
        offset: Callable[[], int] = lambda: 0,
        run: str | None = None,
    ) -> None:
        named = run or secrets.token_hex(8)
        self._parts = Parts(options.parts)
        self._writers: list[PartWriter] = []
        try:
            for part in range(options.parts):
                self._writers.append(PartWriter(options, part, owner=owner, clock=clock, offset=offset, run=named))
        except BaseException:
            for writer in self._writers:
                writer.unlock()
            raise

    def write(self, events: Sequence[Event], /) -> None:
        if len(self._writers) == 1:
            self._writers[0].write(events)
            return
        shares: list[list[Event]] = [[] for _ in self._writers]
        for event in events:
            if isinstance(event, Tick):  # the time of the host is that of all its parts
                for share in shares:
                    share.append(event)
            else:
                shares[self._parts.of(event)].append(event)
        errors: list[OSError] = []
        for writer, share in zip(self._writers, shares, strict=True):
            try:
                writer.write(share)
            except OSError as error:
                errors.append(error)
        if errors:
            raise errors[0]

    def flush(self) -> None:
        """Written events survive the end of this process; a segment that is old enough is closed."""
        for writer in self._writers:
            writer.flush()

    def lost(self) -> int:
        """Events that were handed over since the last call and are in no segment."""
        return sum(writer.take_lost() for writer in self._writers)

    def close(self, *, ended: bool = True) -> None:
        """Close the open segment; `ended`: as the end of the recording."""
        try:
            for writer in self._writers:
                writer.close(ended=ended)
        finally:
            for writer in self._writers:
                writer.unlock()
