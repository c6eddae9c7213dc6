"""Alerts -> the entries of `allow` that would remove the most of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence

from msgspec import Struct

from ...rules.guard.compiled import allow_text
from ...rules.guard.lists import shortened
from ...rules.guard.values import Allow
from ...view import AlertRow

__all__ = ["Suggested", "entry_of", "suggested"]

_ALERTS_LEAST, _SESSIONS_LEAST = 5, 3
# A credential is never suggested: who reads one on purpose writes the entry
_NEVER = frozenset({"reads-secret", "secret-left", "secret-in-prompt", "dangerous-command", "budget", "loop"})

_ABOUT_WHAT_LEFT = frozenset({"secret-left", "secret-in-prompt"})


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
        for make in (_host, _folder):
            best = _most_frequent(mine, make)
            if best is not None:
                found.append(Suggested(rule, best, sum(make(row) == best for row in mine)))
                break
    return found


def entry_of(row: AlertRow, /) -> str:
    """The entry that would allow what an alert is about; empty for what left, and for what has no entry."""
    if row.rule in _ABOUT_WHAT_LEFT:
        return ""
    entry = _host(row) or _folder(row)
    return f"allow.append = [{allow_text(entry)}]" if entry is not None else ""


def _most_frequent(rows: Iterable[AlertRow], make: Callable[[AlertRow], Allow | None]) -> Allow | None:
    entries = [(entry, row.session_id) for row in rows if (entry := make(row)) is not None]
    counted = Counter(entry for entry, _ in entries).most_common(1)
    if not counted or counted[0][1] < _ALERTS_LEAST:
        return None
    entry = counted[0][0]
    return entry if len({session for each, session in entries if each == entry}) >= _SESSIONS_LEAST else None


def _host(row: AlertRow) -> Allow | None:
    return Allow(host=row.host) if row.host else None


def _folder(row: AlertRow) -> Allow | None:
    if not row.target.startswith("/"):
        return None
    path = shortened(row.target)
    return Allow(path=f"{path}*" if path.endswith("/") else path)
