"""SessionRow, Recording -> Interruption: sessions that went on while nothing was recorded, in the words of a report."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence

from msgspec import Struct

from ..words import plural, took
from .kinds import SessionRow
from .tables import Recording

__all__ = ["Interruption", "interruptions_of"]


class Interruption(Struct, frozen=True):
    """The gaps between recordings that one session went through: how many, how long in all, and the longest in Unix ms."""

    session_id: str
    who: str
    pid: int
    gaps: int
    total_ms: int
    since_ms: int
    until_ms: int
    killed: bool  # at least one of the recorders before them had no orderly end

    @property
    def what(self) -> str:
        gaps = "" if self.gaps == 1 else f" in {plural(self.gaps, 'gap')}"
        return f"{self.who} {self.pid} went on for {took(self.total_ms)}{gaps} while nothing was recorded"

    @property
    def why(self) -> str:
        return "the recorder was killed" if self.killed else "the recorder was started anew"


class _Gap(Struct, frozen=True):
    since_ms: int
    until_ms: int
    killed: bool


def interruptions_of(sessions: Iterable[SessionRow], recordings: Sequence[Recording], /) -> Iterator[Interruption]:
    """
    Of each session that began before a gap and did something behind it. `recordings` are all of one store, in their order. A
    session of which nothing was seen behind a gap may have ended in it.
    """
    gaps = list(_gaps(recordings))
    if not gaps:
        return
    begun, over = [gap.since_ms for gap in gaps], [gap.until_ms for gap in gaps]
    for row in sessions:
        hit = gaps[bisect_right(begun, row.start_timestamp_ms) : bisect_left(over, row.end_timestamp_ms or 0)]
        if hit:
            longest = max(hit, key=_length)
            yield Interruption(
                row.id,
                row.who,
                row.pid or 0,
                gaps=len(hit),
                total_ms=sum(map(_length, hit)),
                since_ms=longest.since_ms,
                until_ms=longest.until_ms,
                killed=any(gap.killed for gap in hit),
            )


def _length(gap: _Gap) -> int:
    return gap.until_ms - gap.since_ms


def _gaps(recordings: Sequence[Recording]) -> Iterator[_Gap]:
    """In order, none over another: between the last commit of one that captured anything, and the begin of the next one."""
    since_ms, killed = 0, False
    for run in recordings:
        if not run.seconds:
            continue
        if since_ms and run.started_ms > since_ms:
            yield _Gap(since_ms, run.started_ms, killed)
        since_ms, killed = max(since_ms, run.committed_ms), not run.ended
