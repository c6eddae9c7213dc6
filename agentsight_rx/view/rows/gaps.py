"""A run, a recording or a session -> its gaps. Every sentence about missing things is made of them."""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import Struct

from ...loss import Entry, Reason
from .beginnings import Beginning, beginnings_of
from .kinds import BlindSpotRow
from .tables import Recording
from .tally import Tally

__all__ = ["Gaps", "gaps_of", "unsaid"]


class Gaps(Struct, frozen=True, kw_only=True):
    """
    `losses` are the unintended ones that no blind spot says with names, `unended` the runs without an orderly end.
    `rules_error` is why the newest rules of the guard could not be loaded. `failures` are of destinations.
    """

    blind_spots: tuple[BlindSpotRow, ...] = ()
    losses: tuple[Entry, ...] = ()
    calls_cut: int = 0
    calls_unfinished: int = 0  # without those that go on
    commands_unseen: int = 0
    unended: tuple[Recording, ...] = ()
    beginnings: tuple[Beginning, ...] = ()
    rules_error: str = ""
    failures: tuple[str, ...] = ()

    @property
    def count(self) -> int:
        """How many things are missing."""
        several = (self.blind_spots, self.losses, self.unended, self.beginnings, self.failures)
        single = (self.calls_cut, self.calls_unfinished, self.commands_unseen, self.rules_error)
        return sum(map(len, several)) + sum(map(bool, single))


def unsaid(entries: Iterable[Entry], blind_spots: tuple[BlindSpotRow, ...], /) -> tuple[Entry, ...]:
    """The unintended losses, except where a blind spot says them with names."""
    named = Reason.UNREADABLE if blind_spots else None
    return tuple(each for each in entries if not each.reason.intended and each.reason is not named)


def gaps_of(tally: Tally, entries: Iterable[Entry], /, *, failures: tuple[str, ...] = (), live: bool = False) -> Gaps:
    """Of one run. `live`: it goes on, and so do the calls without an answer."""
    totals, spots = tally.totals, tuple(tally.blind_spots.values())
    return Gaps(
        blind_spots=spots,
        losses=unsaid(entries, spots),
        calls_cut=totals.calls_cut,
        calls_unfinished=totals.calls_unfinished - (totals.calls_open if live else 0),
        commands_unseen=totals.commands_unseen,
        beginnings=tuple(beginnings_of(tally.older.values(), tally.tls_uses.values())),
        rules_error=tally.rules_error,
        failures=failures,
    )
