"""Events -> segments in the folders of a host, one for each part."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Sequence

from msgspec import Struct

from ...events import Event, Loss, Origin, Tick
from ...events.loss import Reason
from .folder import Parts, SpoolOptions
from .part_writer import PartWriter
from .segment import Footer, Header

# -- track ---------------------------------------------------------------------------------------------------------
# Segments of one host in order -> the losses between them: missing ones, unreadable ones, recordings without an end.


_STAGE = "spool"


class Track(Struct, array_like=True):
    """
    Where a reader of one host stands: the recording it is in ("" for none), the segment that it read last (0 for none), and
    when its last event was. The same calls in the same order give the same losses, whoever reads.
    """

    run: str = ""
    sequence: int = 0
    time_ns: int = 0
    wall_ns: int = 0

    def is_new(self, header: Header) -> bool:
        """This segment begins another recording while one is open."""
        return bool(self.run) and header.run != self.run

    def broke_off(self, header: Header) -> Loss:
        """The open recording has no end, and `header` begins another: what it wrote behind its last segment is lost."""
        self.run = ""
        return self._loss(1, f"the recording before segment {header.first} of {header.host} has no end")

    def gap(self, header: Header) -> list[Loss]:
        """The segments that are missing before this one; before the first one, only segments of its own recording."""
        missing = header.sequence - (self.sequence or header.first - 1) - 1
        if missing <= 0:
            return []
        return [self._loss(missing, f"{missing} of the segments before {header.sequence} of {header.host} are missing")]

    def passed(self, header: Header, footer: Footer) -> list[Loss]:
        """The segment was read."""
        self.run = "" if footer.ended else header.run
        self.sequence = header.sequence
        if footer.last_ns:
            self.time_ns, self.wall_ns = footer.last_ns, footer.last_ns + header.wall_offset_ns
        if not footer.cut:
            return []
        return [self._loss(1, f"segment {header.sequence} of {header.host} ends where its recorder was killed")]

    def skipped(self, sequence: int, *, size: int, why: str) -> Loss:
        """The segment of that number is there and cannot be read; those before it may be missing."""
        missing = max(0, sequence - self.sequence - 1) if self.sequence else 0
        self.sequence = sequence
        return self._loss(1 + missing, f"segment {sequence}: {why}", reason=Reason.MALFORMED, size=size)

    def _loss(self, count: int, note: str, *, reason: Reason = Reason.UNREADABLE, size: int = 0) -> Loss:
        origin = Origin(self.time_ns, 0, wall_ns=self.wall_ns or 1)  # 0 would be taken from the clock
        return Loss(origin, _STAGE, reason=reason, count=count, size=size, note=note)


# ------------------------------------------------------------------------------------------------------------------------


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
