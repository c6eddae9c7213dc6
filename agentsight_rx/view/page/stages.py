"""The health of a recording -> its gaps with reasons and advice, and the way from the kernel to this page."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import Struct

from ...loss import Reason
from ..queries.gaps import UNSEEN_WHY, unseen_said
from ..queries.health import Health
from ..reasons import lost_words, sentence_why
from ..rows.blind_spots import advice_of, sentence_of
from ..rows.tables import STAGES
from ..words import plural
from .funnel import Stage, place_of, places_of, survived
from .picture import Picture
from .reads import Read, reads_of
from .wholeness import Wholeness, wholeness_of

__all__ = ["HealthPage", "Missing", "Stage", "Unknown", "health_of"]

_DO = {
    Reason.KERNEL_LOST: "Leave out what you do not need, such as --no-files.",
    Reason.QUEUE_FULL: "Record fewer programs, or leave out what you do not need.",
    Reason.SINK_FAILED: "Make room on the disk, or limit the store by --max-size.",
    Reason.UNREADABLE: "agentsight-rx doctor says what it finds in the program.",
    Reason.NOT_OPENED: "agentsight-rx doctor says what this machine needs.",
    Reason.OPENED_LATE: "Start the agent under agentsight-rx record, or keep another one running.",
    Reason.UNSEEN: "agentsight-rx doctor says what can be captured here.",
}
_BEFORE = "Start the agent under agentsight-rx record."
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
        tuple(_missing(health))[:_ROWS_MOST],
        tuple(_stages(picture)),
        reads=tuple(reads_of(picture)),
        unknown=tuple(
            Unknown(row.provider, row.field, row.count, row.first_call_id) for row in health.unknown_fields[:_ROWS_MOST]
        ),
        filters=tuple(f"{plural(each.count, 'message')} left out at {each.stage}" for each in picture.losses if each.by_filter),
        runs=tuple((run.started_ms, run.committed_ms, run.ended) for run in health.recordings),
        removed_before_ms=health.removed.before_ms if health.removed else 0,
    )


def _missing(health: Health) -> Iterator[Missing]:
    for spot in health.blind_spots:
        advice = advice_of(spot)
        yield Missing(
            f"{spot.comm} {spot.pid}: could not be read",
            f"{sentence_of(spot)}. Its requests and answers are not in the recording; its processes, files and hosts are.",
            "connections",
            advice[:1].upper() + advice[1:] + ".",
            since_ms=spot.timestamp_ms,
            pid=spot.pid,
        )
    if health.calls_cut:
        what = f"{plural(health.calls_cut, 'call')} {'is' if health.calls_cut == 1 else 'are'} incomplete"
        yield Missing(
            what, "Some of the bytes were not captured, so texts or counts may be short.", "calls", tab="conversation"
        )
    if health.commands_unseen:
        why = UNSEEN_WHY[:1].upper() + UNSEEN_WHY[1:] + "."
        yield Missing(unseen_said(health.commands_unseen), why, "process", tab="processes")
    for each in health.losses:
        size = f", {each.size:,} bytes" if each.size else ""
        yield Missing(
            f"{lost_words(each)}{size}",
            sentence_why(each.reason) or each.reason.value,
            place_of(each),
            _DO.get(each.reason, ""),
        )
    for begun in health.beginnings:
        yield Missing(begun.what, f"{begun.why[:1].upper()}{begun.why[1:]}.", "connections", _BEFORE, pid=begun.pid)
    for run in health.unended:
        yield Missing(
            "The recording has no orderly end",
            "It was killed: later events are unknown.",
            "store",
            since_ms=run.committed_ms,
        )


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
    whole = health.calls - health.calls_cut
    cut = (f"{plural(health.calls_cut, 'call')} cut",) if health.calls_cut else ()
    yield Stage(
        "calls",
        "Model calls",
        "seen to their end",
        whole,
        health.calls,
        kept=survived(whole, health.calls),
        lost=health.calls_cut,
        why=cut,
    )
