"""A store of an earlier schema version -> the same rows as the next one has them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from ..rows.tables import EXCHANGES, ROW_TABLES, SEGMENTS, put
from ..state import Delete, Put, Store, Table, Upgrade
from .parts import LogWriter

__all__ = ["UPGRADES"]

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
