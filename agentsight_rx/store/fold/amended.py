"""The rows of some events before and after one came late -> those to emit, so that who keeps rows has the newer ones."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TypeAlias

from ..rows.kinds import AnyRow, AuditRow, KeptRow, Row, RowGone
from ..rows.tables import key_of
from ..state import Key

__all__ = ["Place", "Rows", "amended", "place_of"]

Place: TypeAlias = tuple[type[AnyRow], Key]
Rows: TypeAlias = dict[Place, Row]  # the newest of each kind and key; a RowGone where it was removed


def place_of(row: Row, /) -> Place:
    kept = row.row if type(row) is RowGone else row
    return type(kept), key_of(kept)


def amended(was: Rows, now: Rows, known: Callable[[KeptRow], KeptRow | None], /) -> Iterator[Row]:
    """`known`: what the views know of what a row is about, where no event of these says anything of it any more."""
    for place, row in was.items():
        if not isinstance(row, RowGone) and place not in now:
            before = known(row)
            if before is None or place_of(before) != place:
                yield RowGone(row)
            elif before != row:
                yield from _instead(row, before)
    for place, row in now.items():
        old = was.get(place)
        if old == row:
            continue
        if old is None or isinstance(old, RowGone) or isinstance(row, RowGone):
            yield row
        else:
            yield from _instead(old, row)


def _instead(old: KeptRow, row: KeptRow) -> Iterator[Row]:
    """A row replaces the older row of its key. Lines of the audit trail are counted, so that the old one goes first."""
    if isinstance(row, AuditRow):
        yield RowGone(old)
    yield row
