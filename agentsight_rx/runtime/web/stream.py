"""What changes -> one stream of events for a client: which recording has something new, or the rows themselves."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import msgspec
from sse_starlette import ServerSentEvent
from starlette.concurrency import run_in_threadpool

from ...core.bounded import Recent
from ...sinks.web import Feed
from ...view.page import PageError
from ...view.snapshot.schema import Completeness, value_of
from .pictures import Pictures

_BEAT_S = 0.075  # how often a stream looks for rows: too short a wait to notice, and long enough for batches
_FILES_S = 0.5  # how often it looks at files
_LIST_S = 2.0  # and at which files there are
_OPEN_MOST = 2000  # answers of which it knows what was sent: twice as many as a feed keeps
_OTHERS_S = 2.0  # and at others than the one that is open
_WRITTEN_MOST = 8  # recordings that are looked at while they are written
_SETTLED_S = 0.4  # behind the end of a run: by then the store has committed all that was written before
_LAST_S = 1.5  # how long a page may take to read what came last


class Stopped:
    """`now` is set where the server ends, so that streams end by themselves. `open` counts the streams of changes."""

    def __init__(self) -> None:
        self.now = False
        self.open = 0


async def rows(feed: Feed, after: int) -> AsyncIterator[ServerSentEvent]:
    """
    `rows` with an id, `completeness` when it changes, `gap` where rows were evicted, `end`.

    Each stream polls the feed, so the writer neither wakes nor waits for readers. A reader that is slower than the rows come
    misses the evicted ones and gets a `gap`.
    """
    sent: Completeness | None = None
    while True:
        ended = feed.ended  # read first: rows from before the end are sent before the end
        stretch = feed.after(after)
        if stretch.gone:
            yield _event("gap", {"count": stretch.gone}, after + stretch.gone)
        if stretch.rows:
            yield _event("rows", [{"type": row.__struct_config__.tag, **value_of(row)} for row in stretch.rows], stretch.last)
        after = stretch.last
        now = feed.completeness()
        if now != sent:
            sent = now
            yield _event("completeness", now)
        more = after != feed.last
        if ended and not more:
            yield _event("end", {})
            return
        await asyncio.sleep(0 if more else _BEAT_S)


async def changes(pictures: Pictures, feed: Feed | None, stopped: Stopped, *, open_now: str) -> AsyncIterator[ServerSentEvent]:
    """
    `changed` where a commit came into the recording that is open, with its version as id; `alert` where one came; `list` where
    there are other recordings, or they go on; `gone` where it cannot be read, `end` where the run has ended. The page then
    requests the news, as much as it shows. `answer` has what a call that goes on said meanwhile. Behind `end` it stays open
    while the page reads what came last.
    """
    stopped.open += 1
    try:
        async for event in _changes(pictures, feed, stopped, open_now=open_now):
            yield event
    finally:
        stopped.open -= 1


async def _changes(pictures: Pictures, feed: Feed | None, stopped: Stopped, *, open_now: str) -> AsyncIterator[ServerSentEvent]:
    version: int | None = None
    listed: object = None
    was_gone = False
    next_list = next_others = 0.0
    others: tuple[int, ...] = ()
    now: list[tuple[str, bool]] = []
    written: list[str] = []
    alerts = feed.alerts if feed is not None else 0
    seen: Recent[str, int] = Recent(_OPEN_MOST)  # pieces of open answers
    clock = asyncio.get_running_loop().time
    ended_s: float | None = None
    while not stopped.now:
        if ended_s is None and feed is not None and feed.ended:
            ended_s = clock()
        ended = ended_s is not None and clock() >= ended_s + _SETTLED_S
        if open_now:
            try:
                found = await run_in_threadpool(pictures.version, open_now)
            except PageError as error:
                if not was_gone:
                    yield _event("gone", {"recording": open_now, "error": str(error)})
                was_gone = True
            else:
                if found != version or was_gone:
                    yield _event("changed", {"recording": open_now, "version": found}, found)
                version, was_gone = found, False
        if feed is not None and feed.alerts != alerts:
            alerts = feed.alerts
            yield _event("alert", {"count": alerts})
        if feed is not None and open_now:
            said = feed.said(seen)
            for each in said:
                yield _event("answer", each)
            for each in said:
                seen.put(each.call, each.first + len(each.pieces))
        if clock() >= next_list:
            next_list = clock() + _LIST_S
            now = [(each.id, each.being_written) for each in await run_in_threadpool(pictures.recordings.listed)]
            known, written = written, [id for id, being_written in now if being_written and id != open_now][:_WRITTEN_MOST]
            if known != written:
                others = await run_in_threadpool(pictures.versions, written)
            if now != listed:
                listed = now
                yield _event("list", {"recordings": len(now)})
        if written and clock() >= next_others:
            versions = await run_in_threadpool(pictures.versions, written)
            if versions != others:
                others, next_others = versions, clock() + (_OTHERS_S if open_now else 0.0)
                yield _event("list", {"recordings": len(now)})
        if ended:
            yield _event("end", {})
            await asyncio.sleep(_LAST_S)
            return
        await asyncio.sleep(_BEAT_S if feed is not None else _FILES_S)


def _event(name: str, value: object, number: int | None = None) -> ServerSentEvent:
    return ServerSentEvent(
        msgspec.json.encode(value).decode(), event=name, id=None if number is None else str(number), sep="\n"
    )
