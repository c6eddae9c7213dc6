"""Rows of several recordings -> the same, each once, where two recorders saw it at the same time."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple, TypeVar

from .alert_shapes import AlertLine
from .picture import WHOLE
from .rail import RailRow

__all__ = ["alerts_once", "sessions_once"]

T = TypeVar("T")

_SLACK_MS = 1000  # two recorders measure the time of day apart


class _Seen(NamedTuple):
    """What a recording has of something with an id: from when to when, and how much."""

    id: str
    recording: str
    start_ms: int
    end_ms: int
    much: tuple[int, ...]


def sessions_once(rows: Iterable[RailRow], /) -> list[RailRow]:
    """
    `record` and `watch` beside it each have all of a session in their own store. Where the times overlap it counts once, as the
    recording with more turns has it. A session that was continued later counts in each. So does what has no session.
    """
    return _once(
        rows,
        lambda row: _Seen(
            f"{WHOLE}{row.recording}" if row.id == WHOLE else row.id,
            row.recording,
            row.start_ms,
            row.end_ms,
            (row.turns, row.tokens, -row.start_ms),
        ),
    )


def alerts_once(lines: Iterable[AlertLine], /) -> list[AlertLine]:
    """The same for alerts: the one with more deeds."""
    return _once(
        lines,
        lambda line: _Seen(
            line.id, line.recording, line.at_ms, max(line.at_ms, line.last_ms), (line.count, line.proven, -line.at_ms)
        ),
    )


def _once(found: Iterable[T], seen: Callable[[T], _Seen]) -> list[T]:
    rows = [(seen(each), each) for each in found]
    by_id: dict[str, list[_Seen]] = {}
    for one, _ in rows:
        by_id.setdefault(one.id, []).append(one)
    kept = {one for some in by_id.values() for one in _fullest(some)}
    return [each for one, each in rows if one in kept]


def _fullest(some: list[_Seen]) -> list[_Seen]:
    """Of sessions that overlap in time, and come from different recordings, the one with most."""
    kept: list[_Seen] = []
    for one in sorted(some, key=lambda each: each.much, reverse=True):
        if not any(one.recording != other.recording and _overlap(one, other) for other in kept):
            kept.append(one)
    return kept


def _overlap(one: _Seen, other: _Seen) -> bool:
    return one.start_ms <= other.end_ms + _SLACK_MS and other.start_ms <= one.end_ms + _SLACK_MS
