"""A store -> the newest lines about files of its audit trail, where no read costs the line of a write."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from heapq import merge
from itertools import islice

from ....store.rows.kind import weight_of
from ....store.rows.kinds import AuditRow
from ....store.rows.tables import AUDIT
from ....store.state import Store
from ..reading import newest_first, selected
from ..selection import Selection
from .file_fates import Fates, Lives, effect_of

# Bytes in memory
_CHANGES_SIZE = 8_000_000  # lines that changed a file, or were refused: 7,000
_OTHERS_SIZE = 12_000_000  # 11,000
_LOOKED_MOST = 250_000  # lines that are looked at: one second
_COUNTED_MOST = 100_000  # lines of a store whose written files are counted
_LATE_MS = 60_000  # a line may come so long after its time, and a tool may be named in it
_CHANGES = frozenset({"written", "removed", "moved", "refused"})


def changed(row: AuditRow, /) -> bool:
    """The line changed a file, or was refused."""
    return effect_of(row) in _CHANGES


def count_written(store: Store, is_meant: Callable[[AuditRow], bool], /) -> int | None:
    """How many files these lines of a store wrote, as `report files` counts them; None: the store has too many lines."""
    read = [0]
    lives = Lives(store, _counted(store, read))
    if read[0] > _COUNTED_MOST:
        return None
    fates = Fates(_COUNTED_MOST)
    for row in _counted(store, read):
        if changed(row) and is_meant(row):
            fates.note(row)
    return sum(fate.kind(lives) == "written" for fate in fates)


def _counted(store: Store, read: list[int]) -> Iterator[AuditRow]:
    for read[0], row in enumerate(islice(selected(store, AUDIT, Selection(), kind="file"), _COUNTED_MOST + 1), 1):
        yield row


class FileLines:
    """
    The newest lines of a store about files, in two rooms: lines that changed a file or were refused, and the others.
    `has_changes`: no line of the first was left out; `has_all`: no line at all.

    Sizes are bytes of lines. Reading again keeps the changes that were read before, and looks for newer ones alone.
    """

    def __init__(self, *, changes_size: int | None = None, others_size: int | None = None) -> None:
        sizes = (changes_size, _CHANGES_SIZE), (others_size, _OTHERS_SIZE)
        self._sizes = [size if given is None else given for given, size in sizes]
        self._changes = _Room(0)
        self.has_changes = self.has_all = True

    def read(self, store: Store) -> list[AuditRow]:
        """Oldest first."""
        known, had_changes = self._known(store)
        known_ms = known[0].timestamp_ms - _LATE_MS if known else 0
        self._changes, others = map(_Room, self._sizes)
        has_come = self._look(newest_first(store, AUDIT, Selection(), kind="file"), others, known_ms)
        for row in known if has_come else ():
            if row.timestamp_ms < known_ms:
                self._changes.add(row)
        self.has_changes = has_come and had_changes and not self._changes.full
        self.has_all = self.has_changes and not others.full
        rooms = self._changes.lines[::-1], others.lines[::-1]
        return list(merge(*rooms, key=lambda row: (row.timestamp_ms, row.id)))

    def _known(self, store: Store) -> tuple[list[AuditRow], bool]:
        """The changes that were read, and whether these were all; none where retention removed some of them."""
        lines = self._changes.lines
        are_stored = bool(lines) and store.get(AUDIT, (lines[-1].timestamp_ms, lines[-1].id)) is not None
        return (lines, self.has_changes) if are_stored else ([], True)

    def _look(self, newest: Iterator[AuditRow], others: _Room, known_ms: int) -> bool:
        """True where it came to the lines that are known, or to the end."""
        for at, row in enumerate(newest):
            is_known = row.timestamp_ms < known_ms
            if others.full and is_known:
                return True
            if at >= _LOOKED_MOST or (others.full and self._changes.full):
                return False
            if not changed(row):
                others.add(row)
            elif not is_known:
                self._changes.add(row)
        return True


class _Room:
    """The first lines that come, as long as they weigh at most so much. `full`: one did not fit."""

    def __init__(self, size: int) -> None:
        self.lines: list[AuditRow] = []
        self.full = False
        self._left = size

    def add(self, row: AuditRow) -> None:
        self._left -= weight_of(row)
        self.full |= self._left < 0 and bool(self.lines)
        if not self.full:
            self.lines.append(row)
