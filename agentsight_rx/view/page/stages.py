"""The health of a recording -> its gaps with reasons and advice, and the way from the kernel to this page."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

from msgspec import Struct

from ...store.rows.blind_spots import sentence_of
from ...store.rows.tables import STAGES
from ...store.words import plural
from ..queries.gaps import Missing as Thing
from ..queries.gaps import missing_things
from .funnel import Stage, place_of, places_of, survived
from .picture import Picture
from .reads import Read, reads_of
from .wholeness import Wholeness, wholeness_of

__all__ = ["HealthPage", "Missing", "Stage", "Unknown", "health_of"]

_ROWS_MOST = 200


class Missing(Struct, frozen=True, omit_defaults=True):
    """One thing that is missing: what, why, what to do, since when, and the process that it is of."""

    what: str
    why: str
    stage: str
    do: str = ""
    since_ms: int = 0
    pid: int = 0
    tab: str = ""


class Unknown(Struct, frozen=True):
    provider: str
    field: str
    count: int
    call: str


class HealthPage(Struct, frozen=True, omit_defaults=True):
    whole: Wholeness
    missing: tuple[Missing, ...]
    stages: tuple[Stage, ...]
    reads: tuple[Read, ...]
    unknown: tuple[Unknown, ...]
    filters: tuple[str, ...]
    runs: tuple[tuple[int, int, bool], ...]  # (start, last commit, ended)
    removed_before_ms: int = 0


def health_of(picture: Picture, /) -> HealthPage:
    """Of the whole recording: a loss in it may concern any session."""
    health = picture.health
    return HealthPage(
        wholeness_of(health),
        tuple(map(_missing, islice(missing_things(health.gaps), _ROWS_MOST))),
        tuple(_stages(picture)),
        reads=tuple(reads_of(picture)),
        unknown=tuple(
            Unknown(row.provider, row.field, row.count, row.first_call_id) for row in health.unknown_fields[:_ROWS_MOST]
        ),
        filters=tuple(f"{plural(each.count, 'message')} left out at {each.stage}" for each in picture.losses if each.by_filter),
        runs=tuple((run.started_ms, run.committed_ms, run.ended) for run in health.recordings),
        removed_before_ms=health.removed.before_ms if health.removed else 0,
    )


def _missing(thing: Thing) -> Missing:
    why, do = thing.sentences
    stage = thing.stage if thing.entry is None else place_of(thing.entry)
    why = f"{thing.detail}. {why}" if thing.detail else why
    return Missing(thing.sized, why, stage, do, since_ms=thing.since_ms, pid=thing.pid, tab=thing.tab)


def _stages(picture: Picture) -> Iterator[Stage]:
    yield from places_of(picture.losses, [count for _, count in picture.store.scan(STAGES)])
    health = picture.health
    read, unread = health.connections_read, health.connections_unread
    why = tuple(sentence_of(spot) for spot in health.blind_spots[:4])
    yield Stage(
        "connections",
        "TLS connections",
        "followed in plaintext",
        read,
        read + unread,
        kept=survived(read, read + unread),
        lost=unread,
        why=why,
    )
    lost = health.calls_cut + health.calls_unfinished
    ended = max(lost, health.calls - health.calls_open)
    states = (health.calls_cut, "cut"), (health.calls_unfinished, "unfinished")
    yield Stage(
        "calls",
        "Model calls",
        "seen to their end",
        ended - lost,
        ended,
        kept=survived(ended - lost, ended),
        lost=lost,
        why=tuple(f"{plural(count, 'call')} {name}" for count, name in states if count),
    )
