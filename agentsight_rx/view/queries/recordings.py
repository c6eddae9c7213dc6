"""Store -> what one line of a list of recordings says of it."""

from __future__ import annotations

from msgspec import Struct

from ...store.rows.tables import RUNS
from ...store.state import Store
from .reading import newest_session, read_totals

__all__ = ["Held", "read_held"]


class Held(Struct, frozen=True):
    """What a store holds. `ended`: every recording into it was closed in order. `title` is the newest first prompt."""

    started_ms: int
    seconds: float
    ended: bool
    calls: int
    tokens: int
    sessions: int
    models: tuple[str, ...]
    title: str


def read_held(store: Store, /) -> Held:
    """It takes the same time for a store of any size."""
    runs = [run for _, run in store.scan(RUNS)]
    totals, newest = read_totals(store), newest_session(store)
    return Held(
        min((run.started_ms for run in runs), default=0),
        sum(run.seconds for run in runs),
        ended=all(run.ended for run in runs),
        calls=totals.calls,
        tokens=totals.total_tokens,
        sessions=totals.sessions,
        models=tuple(totals.models),
        title=newest.title if newest else "",
    )
