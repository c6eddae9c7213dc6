"""The HTTP exchanges of a store -> each with the turn whose call it is."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from msgspec.structs import asdict

from ...store.rows.kinds import HttpRow
from .causes import Causes

__all__ = ["Exchange", "exchanges_of", "is_counted"]


class Exchange(HttpRow, frozen=True, tag="http_exchange", omit_defaults=True):
    """One exchange. `turn` is the number of its call in the session; 0: it is no call of a model, or one that is passed on."""

    turn: int = 0
    duration_ms: int | None = None


def exchanges_of(rows: Iterable[HttpRow], causes: Causes) -> Iterator[Exchange]:
    """The exchanges, in the order of the rows, each once."""
    for row in rows:
        if not is_counted(row, causes):
            continue
        took = None if row.end_timestamp_ms is None else max(0, row.end_timestamp_ms - row.timestamp_ms)
        yield Exchange(**asdict(row), turn=causes.turn(row.call_id), duration_ms=took)


def is_counted(row: HttpRow, causes: Causes) -> bool:
    """False: it is the server's end of an exchange whose client was seen too."""
    return row.twin is None and (row.call_id is None or row.is_passed_on or causes.is_call(row.call_id))
