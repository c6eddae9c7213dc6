"""The health of a recording -> whether it is whole, as the head of the page and the rail say it."""

from __future__ import annotations

from itertools import islice

from msgspec import Struct

from ..queries.gaps import missing_things
from ..queries.health import Health

__all__ = ["Wholeness", "wholeness_of"]

_FIRST_SAID = 2


class Wholeness(Struct, frozen=True, omit_defaults=True):
    """
    `state`: whole, so_far (nothing is missing yet), not_whole. `said` names the first things that are missing; `records` came
    out of the kernel, 0: not counted.
    """

    state: str
    missing: int = 0
    said: tuple[str, ...] = ()
    records: int = 0


def wholeness_of(health: Health, /) -> Wholeness:
    """Of the whole recording, since a loss in it may concern any of its sessions."""
    if not health.missing:
        return Wholeness("so_far" if health.live else "whole")
    things = missing_things(
        health.blind_spots,
        health.losses,
        calls_cut=health.calls_cut,
        commands_unseen=health.commands_unseen,
        unended=len(health.unended),
        beginnings=health.beginnings,
        rules_error=health.rules_error,
    )
    return Wholeness("not_whole", health.missing, tuple(each.what for each in islice(things, _FIRST_SAID)))
