"""Counts of losses, commit by commit -> when each was counted; calls -> which are whole; the gaps of a session in counts."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, TypeAlias

from msgspec import Struct
from msgspec.structs import replace

from ...events.loss import Entry, Reason
from .kinds import CallRow

CallState: TypeAlias = Literal["pending", "whole", "unfinished", "cut"]

_JOINED_MS = 60_000  # losses that are no further apart are one
# Why a call is not whole where nothing was lost: a peer, a process or the capture ended it
_ENDED = frozenset(
    {"closed", "process_ended", "capture_end", "timeout", "no_end_mark", "reset", "cancelled", "goaway", "upgraded"}
)
_SPANS = 100  # of one stage and reason: behind each so many, losses twice as far apart are one


class LossTime(Struct, frozen=True):
    """What one stage of a run lost for one reason between two times (Unix time, ms), as its losses were counted."""

    stage: str
    reason: Reason
    from_ms: int
    to_ms: int
    count: int
    size: int = 0


class SessionGaps(Struct, frozen=True):
    """
    Of one session: calls of which a part was not captured, commands that came back and of which no process was found, calls
    without the end of their answer, and how many of these have no answer yet.
    """

    calls_cut: int = 0
    commands_alone: int = 0
    calls_unfinished: int = 0
    calls_open: int = 0

    def __add__(self, other: SessionGaps) -> SessionGaps:
        return SessionGaps(
            self.calls_cut + other.calls_cut,
            self.commands_alone + other.commands_alone,
            self.calls_unfinished + other.calls_unfinished,
            self.calls_open + other.calls_open,
        )

    def __neg__(self) -> SessionGaps:
        return SessionGaps(-self.calls_cut, -self.commands_alone, -self.calls_unfinished, -self.calls_open)


def state_of_call(row: CallRow, /) -> CallState:
    """`cut`: a part of it was not captured. `unfinished`: it ended before its answer did. A call that failed is whole."""
    if row.status == "pending":
        return "pending"
    if row.status not in ("partial", "aborted"):
        return "whole"
    return "unfinished" if row.status == "aborted" or row.reason in _ENDED else "cut"


# What the state of a call adds to the gaps of its session
GAPS_OF_STATE: dict[CallState, SessionGaps | None] = {
    "pending": SessionGaps(calls_unfinished=1, calls_open=1),
    "whole": None,
    "unfinished": SessionGaps(calls_unfinished=1),
    "cut": SessionGaps(calls_cut=1),
}


class LossClock:
    """
    The unintended losses of one run, whose counts only grow, so that a loss has a time within a run of months. The spans of one
    stage and reason become some hundreds at most.
    """

    def __init__(self) -> None:
        self._counted: dict[tuple[str, Reason], Entry] = {}
        self._spans: dict[tuple[str, Reason], tuple[int, LossTime]] = {}  # how many, and the newest

    def grown(self, entries: Iterable[Entry], since_ms: int, now_ms: int) -> list[LossTime]:
        """The spans of what was counted between these times; one that is joined to the span before has its begin."""
        found: list[LossTime] = []
        for entry in entries:
            key = entry.stage, entry.reason
            before = self._counted.get(key) or Entry(entry.stage, entry.reason, 0)
            count, size = entry.count - before.count, entry.size - before.size
            if not entry.reason.intended and (count or size):
                found.append(self._joined(LossTime(*key, from_ms=min(since_ms, now_ms), to_ms=now_ms, count=count, size=size)))
        return found

    def _joined(self, new: LossTime) -> LossTime:
        spans, last = self._spans.get((new.stage, new.reason), (0, None))
        if last is None or new.from_ms - last.to_ms > _JOINED_MS << spans // _SPANS:
            return new
        return replace(last, to_ms=new.to_ms, count=last.count + new.count, size=last.size + new.size)

    def keep(self, entries: Iterable[Entry], spans: Iterable[LossTime]) -> None:
        """These entries, and the spans that `grown` made of them, are stored."""
        self._counted.update({(entry.stage, entry.reason): entry for entry in entries})
        for span in spans:
            count, last = self._spans.get((span.stage, span.reason), (0, None))
            is_new = last is None or last.from_ms != span.from_ms
            self._spans[span.stage, span.reason] = count + is_new, span
