"""A run, a recording or a session -> its gaps. Every sentence about missing things is made of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from msgspec import Struct

from ...events.loss import Entry, Reason
from .beginnings import Beginning, beginnings_of
from .kinds import BlindSpotRow
from .tables import Recording
from .tally import Tally

__all__ = ["Gaps", "LeftRunning", "gaps_of", "left_running", "unsaid"]


class LeftRunning(Struct, frozen=True):
    """So many processes that the recorded command left go on behind the end of the capture, Unix time in ms."""

    processes: int
    since_ms: int


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
    left: tuple[LeftRunning, ...] = ()
    unended: tuple[Recording, ...] = ()
    beginnings: tuple[Beginning, ...] = ()
    rules_error: str = ""
    failures: tuple[str, ...] = ()

    @property
    def count(self) -> int:
        """How many things are missing."""
        several = (self.blind_spots, self.losses, self.left, self.unended, self.beginnings, self.failures)
        single = (self.calls_cut, self.calls_unfinished, self.commands_unseen, self.rules_error)
        return sum(map(len, several)) + sum(map(bool, single))


def unsaid(entries: Iterable[Entry], blind_spots: tuple[BlindSpotRow, ...], /) -> tuple[Entry, ...]:
    """The unintended losses, except where a blind spot says them with names, and of processes that go on."""
    said = (Reason.LEFT_RUNNING, Reason.UNREADABLE) if blind_spots else (Reason.LEFT_RUNNING,)
    return tuple(each for each in entries if not each.reason.intended and each.reason not in said)


def left_running(entries: Iterable[Entry], since_ms: int, /) -> Iterator[LeftRunning]:
    """`entries` of a run, and when it ended."""
    return (LeftRunning(each.count, since_ms) for each in entries if each.reason is Reason.LEFT_RUNNING)


def gaps_of(
    tally: Tally, entries: Sequence[Entry], /, *, failures: tuple[str, ...] = (), live: bool = False, ended_ms: int = 0
) -> Gaps:
    """Of one run, which ended then. `live`: it goes on, and so do the calls without an answer."""
    totals, spots = tally.totals, tuple(tally.blind_spots.values())
    return Gaps(
        blind_spots=spots,
        losses=unsaid(entries, spots),
        calls_cut=totals.calls_cut,
        calls_unfinished=totals.calls_unfinished - (totals.calls_open if live else 0),
        commands_unseen=totals.commands_unseen,
        left=tuple(left_running(entries, ended_ms)),
        beginnings=tuple(beginnings_of(tally.older.values(), tally.tls_uses.values())),
        rules_error=tally.rules_error,
        failures=failures,
    )
