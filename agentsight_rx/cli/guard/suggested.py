"""Alerts -> the entries of `allow` that would remove the most of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence

from msgspec import Struct

from ...policy.rules.guard.compiled import allow_text
from ...policy.rules.guard.values import Allow
from ...view import AlertRow
from ...view.queries.decided import allowing, folder_entry, host_entry

__all__ = ["Suggested", "entry_of", "suggested"]

_ALERTS_LEAST, _SESSIONS_LEAST = 5, 3
# A credential is never suggested: who reads one on purpose writes the entry
_NEVER = frozenset({"reads-secret", "secret-left", "secret-in-prompt", "dangerous-command", "budget", "loop"})


class Suggested(Struct, frozen=True):
    """An entry for one rule, and how many of its alerts it removes."""

    rule: str
    entry: Allow
    removes: int

    @property
    def text(self) -> str:
        """As it stands below [rule.NAME]."""
        return f"allow.append = [{allow_text(self.entry)}]"


def suggested(rows: Sequence[AlertRow], /) -> list[Suggested]:
    """For each rule the entry of its most frequent host or folder, where many sessions have it. They hide nothing else."""
    found: list[Suggested] = []
    for rule in dict.fromkeys(row.rule for row in rows):
        mine = [row for row in rows if row.rule == rule]
        if rule in _NEVER:
            continue
        for make in (host_entry, folder_entry):
            best = _most_frequent(mine, make)
            if best is not None:
                found.append(Suggested(rule, best, sum(make(row) == best for row in mine)))
                break
    return found


def entry_of(row: AlertRow, /) -> str:
    """The line below [rule.NAME] that would allow the deed of an alert; empty where no entry can."""
    entry = allowing(row)
    return f"allow.append = [{allow_text(entry)}]" if entry is not None else ""


def _most_frequent(rows: Iterable[AlertRow], make: Callable[[AlertRow], Allow | None]) -> Allow | None:
    entries = [(entry, row.session_id) for row in rows if (entry := make(row)) is not None]
    counted = Counter(entry for entry, _ in entries).most_common(1)
    if not counted or counted[0][1] < _ALERTS_LEAST:
        return None
    entry = counted[0][0]
    return entry if len({session for each, session in entries if each == entry}) >= _SESSIONS_LEAST else None
