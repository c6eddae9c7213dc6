"""One recording in a spool -> its events, with the losses between its segments."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ...core.errors import CaptureError
from ...core.messages import say
from ...core.stream import Stream, origin
from ...events import Event, time_of

if TYPE_CHECKING:
    from ...store.spool import Recorded

__all__ = ["spooled"]


def spooled(recorded: Recorded) -> Stream[Event]:
    """
    Every event of the recording in order, with its Ticks. A segment that is cut or wrong is skipped as a whole, counted and
    reported by its name.
    """
    return origin("replay", lambda: _SpoolReader(recorded), time_of=time_of, options=recorded.key)


class _SpoolReader:
    def __init__(self, recorded: Recorded, say: Callable[[str], None] = say) -> None:
        self._recorded = recorded
        self._say = say
        self._batches: Iterator[list[Event]] = iter(())

    def open(self) -> None:
        for path in self._recorded.paths:
            if not Path(path).is_file():
                raise CaptureError(f"{path} cannot be read: it is no file")
        self._batches = self._events()

    def poll(self, timeout: float, /) -> Sequence[Event] | None:
        return next(self._batches, None)

    def _events(self) -> Iterator[list[Event]]:
        from ...store.spool import SegmentBroken, Track, read_segment, sequence_of

        track = Track(sequence=self._recorded.before)
        for path in map(Path, self._recorded.paths):
            try:
                content = path.read_bytes()
            except OSError as error:
                raise CaptureError(f"{path} cannot be read: {error.strerror}") from error
            try:
                segment = read_segment(content, self._recorded.key, sequence_of(path.name))
            except SegmentBroken as error:
                self._say(f"{path} is skipped: {error}")
                yield [track.skipped(sequence_of(path.name) or 0, size=len(content), why=str(error))]
                continue
            if gap := track.gap(segment.header):
                yield list(gap)
            yield from segment.batches()
            if cut := track.passed(segment.header, segment.footer):
                yield list(cut)
        following = self._recorded.next
        if track.run and following is not None:
            yield [track.broke_off(following)]

    def lost(self) -> Sequence[Event]:
        return ()

    def close(self) -> Sequence[Event]:
        return ()
