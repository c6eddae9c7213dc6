"""Streams of answers that go on, the time -> AnswerProgress: what each said since the one before."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from msgspec.structs import replace

from ...events import AnswerProgress
from ...llm import news
from .event_stream import EventStream

__all__ = ["progress_of"]

_EVERY_NS = 200_000_000


def progress_of(streams: Iterable[EventStream], now_ns: int, /) -> Iterator[AnswerProgress]:
    """Of each stream that said something, at most each 200 ms. Only what came since is read: no byte is decoded twice."""
    for stream in streams:
        done = stream.progress
        if now_ns - done.at_ns < _EVERY_NS:
            continue
        stream.drain()
        if stream.heard == done.heard or stream.reader is None:
            continue
        done.heard = stream.heard
        pieces = news(stream.reader.draft, done.reported)
        if pieces:
            done.at_ns, done.number = now_ns, done.number + 1
            origin, later_ns = stream.about.origin, stream.last_ns - stream.about.origin.time_ns
            at = replace(origin, time_ns=stream.last_ns, wall_ns=origin.wall_ns + later_ns if origin.wall_ns else 0)
            yield AnswerProgress(at, stream.about.exchange, done.number, pieces)
