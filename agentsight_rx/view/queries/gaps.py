"""The gaps of a recording, in counts -> a few words for each, the worst first."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from msgspec import Struct

from ...loss import Entry, Reason
from ..reasons import lost_words
from ..rows.beginnings import Beginning
from ..rows.blind_spots import connections_of, reason_of
from ..rows.kinds import BlindSpotRow
from ..words import plural

__all__ = ["RULES_SAID", "UNSEEN_WHY", "Missing", "missing_things", "unseen_said"]

# Why a command has no process, and what to do
UNSEEN_WHY = (
    "a shell of the agent may have run it without a program, or it ran in another place, such as a container; else its process "
    "started in a way that was not followed: report tools has its input, report processes what ran"
)


RULES_SAID = "the changed rules of the guard are wrong, and the earlier rules hold"


class Missing(Struct, frozen=True):
    """One thing: what it is, and why where that is known."""

    what: str
    why: str = ""

    @property
    def said(self) -> str:
        return f"{self.what}, {self.why}" if self.why else self.what


def missing_things(
    blind_spots: Sequence[BlindSpotRow],
    losses: Iterable[Entry],
    /,
    *,
    calls_cut: int = 0,
    commands_unseen: int = 0,
    unended: int = 0,
    beginnings: Iterable[Beginning] = (),
    rules_error: str = "",
) -> Iterator[Missing]:
    """
    Programs that could not be read, calls that were cut, commands whose processes were not found, losses that no filter was to
    make, runs without an orderly end, agents that ran before, rules of the guard that could not be loaded.
    """
    for spot in blind_spots:
        some = f"{connections_of(spot)} of " if spot.among else ""
        yield Missing(f"{some}{spot.comm} {spot.pid} could not be read", reason_of(spot))
    if calls_cut:
        yield Missing(f"{plural(calls_cut, 'call')} {'is' if calls_cut == 1 else 'are'} incomplete")
    if commands_unseen:
        yield Missing(unseen_said(commands_unseen))
    for entry in losses:
        unread = entry.reason is Reason.UNREADABLE and blind_spots  # said above, with names
        if not entry.reason.intended and not unread:
            yield Missing(lost_words(entry))
    for _ in range(unended):
        yield Missing("the recording has no orderly end")
    for begun in beginnings:
        yield Missing(begun.what, begun.why)
    if rules_error:
        yield Missing(RULES_SAID, rules_error)


def unseen_said(commands: int, /) -> str:
    """Of so many commands of a model no process was found."""
    return f"{plural(commands, 'command')} came back and no process of {'it' if commands == 1 else 'them'} was seen"
