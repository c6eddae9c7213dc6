"""The health of a recording -> whether it is whole, as the head of the page and the rail say it."""

from __future__ import annotations

from itertools import islice

from msgspec import Struct

from ...store.reasons import HOOKS_SEE
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
    hooked: str = ""  # seen by breakpoints: what these see


def wholeness_of(health: Health, /) -> Wholeness:
    """Of a recording, or of the runs that a session went through: a loss in them may concern it."""
    hooked = HOOKS_SEE if health.hooked else ""
    if not health.missing:
        return Wholeness("so_far" if health.live else "whole", hooked=hooked)
    things = islice(missing_things(health.gaps), _FIRST_SAID)
    return Wholeness("not_whole", health.missing, tuple(each.what for each in things), hooked=hooked)
