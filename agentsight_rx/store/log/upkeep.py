"""
A store -> without what retention takes out; a store of an earlier schema version -> the same rows as the next one has them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import replace
from itertools import islice

from msgspec import Struct

from ..rows.kind import ROW_TABLES, put, rows_before
from ..rows.tables import EXCHANGES, HEADS, LOG, REMOVED, SEGMENTS, Head, Removed
from ..state import Delete, Put, Store, Table, Upgrade, Write, pages
from .parts import LogReader, LogWriter

# -- retention -----------------------------------------------------------------------------------------------------
# A store and limits of age and size -> the store without older data, and a note of the removed data.


_BATCH = 1000  # rows that are removed in one transaction
_SEGMENTS = 64  # segments: their messages are looked at
_TRIGGER, _GOAL = 0.8, 0.7  # of the size: a file that is full of holes is larger than what is in it
_STEP = 0.05  # of the segments that are there are removed before the size is looked at again


class Retention(Struct, frozen=True):
    """What a store keeps: rows and events of the last `keep_ms`, at most `most_bytes`. None: no limit."""

    keep_ms: int | None = None
    most_bytes: int | None = None


def retain(store: Store, retention: Retention, log: LogWriter, *, now_ms: int) -> bool:
    """
    Remove data over the limits, oldest first: segments of the event log, rows that were over by then, and contents that no
    segment names any more. True if anything was. The segment and the pack that are open stay.

    It is done in transactions of limited size, each of which leaves a store that can be read.
    """
    before_ms = 0
    if retention.keep_ms is not None:
        before_ms = now_ms - retention.keep_ms
        _remove(store, log, before_ms, _old(store, log, before_ms))
    most = retention.most_bytes
    if most is not None and store.used() > most * _TRIGGER:
        while store.used() > most * _GOAL:
            oldest = _oldest(store, log)
            if not oldest:
                break
            before_ms = max(before_ms, *(head.last_ms + 1 for _, head in oldest))
            _remove(store, log, before_ms, oldest)
    return before_ms > 0


def _old(store: Store, log: LogWriter, before_ms: int) -> list[tuple[int, Head]]:
    return [(number, head) for number, head in _closed(store, log) if head.last_ms < before_ms]


def _oldest(store: Store, log: LogWriter) -> list[tuple[int, Head]]:
    """Some segments, the oldest first: an import begins with the newest files, so their numbers are in no order of time."""
    found = sorted(_closed(store, log), key=lambda each: each[1].last_ms)
    return found[: int(len(found) * _STEP) + 1]


def _closed(store: Store, log: LogWriter) -> Iterator[tuple[int, Head]]:
    return ((int(key[0]), head) for key, head in pages(store, HEADS, stop=log.open))


def _remove(store: Store, log: LogWriter, before_ms: int, segments: list[tuple[int, Head]]) -> None:
    named = Counter(pack for _, head in pages(store, HEADS) for pack in head.packs)  # by so many segments
    named[log.packs.open] += 1
    for at in range(0, len(segments), _SEGMENTS):
        part = segments[at : at + _SEGMENTS]
        named.subtract(pack for _, head in part for pack in head.packs)
        gone = [pack for pack, segments in named.items() if not segments]
        for pack in gone:
            del named[pack]
        removal = log.packs.forget(gone)
        noted = store.get(REMOVED, 0) or Removed(0)
        note = Removed(max(noted.before_ms, before_ms), noted.events + sum(head.events for _, head in part))
        store.commit([*_without(store, part), *removal, Put(REMOVED, 0, note)])
    for rows in _batches(Delete(table, key, row) for table, key, row in rows_before(store, before_ms)):
        noted = store.get(REMOVED, 0) or Removed(0)
        store.commit([*rows, Put(REMOVED, 0, Removed(max(noted.before_ms, before_ms), noted.events))])


def _without(store: Store, segments: list[tuple[int, Head]]) -> Iterator[Write]:
    reader = LogReader(store)
    for number, _ in segments:
        part = store.get(LOG, number)
        for key, position in reader.messages(number, part) if part is not None else ():
            if store.get(EXCHANGES, key) == position:  # else a later revision took its place
                yield Delete(EXCHANGES, key)
        yield Delete(LOG, number)
        yield Delete(HEADS, number)


def _batches(writes: Iterator[Write]) -> Iterator[list[Write]]:
    while batch := list(islice(writes, _BATCH)):
        yield batch


# ------------------------------------------------------------------------------------------------------------------------


_PAGE = 1000  # rows that are read at once
_UNUSED = (
    "llm_calls/model",
    "llm_calls/host",
    "tool_calls/name",
    "process_nodes/program",
    "http_exchanges/host",
    "sessions/agent",
)
_PACKED = (*(table for table in ROW_TABLES if table.packed), EXCHANGES)


def _indexed(store: Store) -> None:
    """1 -> 2: rows get indexes and are cut to previews, each content is kept once."""
    for table in ROW_TABLES:
        page = store.scan(table, limit=_PAGE)
        while page:
            store.commit([put(row) for _, row in page])
            page = store.scan(table, start=(*page[-1][0], 0), limit=_PAGE)
    log = LogWriter(store)
    while found := store.scan(SEGMENTS, limit=1):
        key, segment = found[0]
        store.commit([*log.append(segment.events), Delete(SEGMENTS, key)])
        log.keep()


def _packed(store: Store) -> None:
    """2 -> 3: rows of packed tables are compressed together and found without index entries; unused indexes are gone."""
    indexes = [Table(name, int) for name in _UNUSED] + [table.index(name) for table in _PACKED for name in table.indexes]
    for index in indexes:
        while entries := store.scan(index, limit=_PAGE):
            store.commit([Delete(index, key) for key, _ in entries])
    for table in _PACKED:
        single = replace(table, packed=False)
        while page := store.scan(single, limit=_PAGE):
            store.commit([Delete(single, key) for key, _ in page])
            store.commit([Put(table, key, row) for key, row in page])


UPGRADES: Mapping[int, Upgrade] = {1: _indexed, 2: _packed}
