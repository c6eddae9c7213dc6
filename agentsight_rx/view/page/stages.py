"""The health of a recording -> what is missing with its reason and what to do, and the way from the kernel to this page."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from msgspec import Struct

from ...loss import Entry, Reason
from ..blind_spots import advice_of, sentence_of
from ..log import read_event_count
from ..queries.health import Health
from ..words import plural
from .head import Wholeness, wholeness_of
from .picture import Picture
from .reads import Read, reads_of

__all__ = ["HealthPage", "Missing", "Stage", "Unknown", "health_of"]

_WHY = {
    Reason.KERNEL_LOST: "The buffer in the kernel was full.",
    Reason.QUEUE_FULL: "More came than could be handled.",
    Reason.TRUNCATED: "It is longer than what is kept.",
    Reason.MALFORMED: "It is not as its protocol has it.",
    Reason.EVICTED: "Too much was under way at once.",
    Reason.SINK_FAILED: "It could not be written.",
    Reason.UNREADABLE: "Its TLS could not be read.",
    Reason.BUG: "An error in this program: please report it.",
}
_DO = {
    Reason.KERNEL_LOST: "Leave out what you do not need, such as --no-files.",
    Reason.QUEUE_FULL: "Record fewer programs, or leave out what you do not need.",
    Reason.SINK_FAILED: "Make room on the disk, or limit the store by --max-size.",
    Reason.UNREADABLE: "agentsight-rx doctor says what it finds in the program.",
}
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


class Stage(Struct, frozen=True, omit_defaults=True):
    """
    One place on the way. `arrived` came through it, of `before`; `kept` is their ratio. `lost` went away, `asked` was left out
    because a filter asked for it. None: not counted there.
    """

    id: str
    name: str
    what: str
    arrived: int | None = None
    before: int | None = None
    kept: float | None = None
    lost: int = 0
    asked: int = 0
    size: int = 0
    why: tuple[str, ...] = ()


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
    """Of the whole recording: what was lost in it may be of any session."""
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
            f"{sentence_of(spot)}. What it asked its model and what came back is not here; its processes, files and hosts are.",
            "connections",
            advice[:1].upper() + advice[1:] + ".",
            since_ms=spot.timestamp_ms,
            pid=spot.pid,
        )
    if health.calls_cut:
        what = f"{plural(health.calls_cut, 'call')} {'is' if health.calls_cut == 1 else 'are'} not whole"
        yield Missing(
            what, "Some of the bytes were not captured, so texts or counts may be short.", "calls", tab="conversation"
        )
    for each in health.losses:
        size = f", {each.size:,} bytes" if each.size else ""
        yield Missing(
            f"{each.count:,} lost at {each.stage}{size}",
            _WHY.get(each.reason, each.reason.value),
            _stage_of(each),
            _DO.get(each.reason, ""),
        )
    for run in health.unended:
        yield Missing(
            "The recording has no orderly end",
            "It was killed: nothing is known of what came after.",
            "store",
            since_ms=run.committed_ms,
        )


def _stage_of(entry: Entry) -> str:
    name = entry.stage.rpartition("/")[2].partition("#")[0]
    if entry.by_filter:
        return "filters"
    if entry.reason is Reason.KERNEL_LOST:
        return "kernel"
    if entry.reason is Reason.QUEUE_FULL:
        return "queue"
    if entry.reason is Reason.SINK_FAILED or name in ("store", "memory"):
        return "store"
    return "connections" if entry.reason is Reason.UNREADABLE else "protocols"


def _stages(picture: Picture) -> Iterator[Stage]:
    """From the store backwards: what arrived at a stage is what is in the store with what later stages lost."""
    health, stored = picture.health, read_event_count(picture.store)
    by_stage: dict[str, list[Entry]] = {}
    for entry in picture.losses:
        if entry.by_filter or not entry.reason.intended:
            by_stage.setdefault(_stage_of(entry), []).append(entry)
    way = (
        ("kernel", "Kernel", "records taken out of the buffers of the probes"),
        ("queue", "Reading", "events handed to the engine in time"),
        ("protocols", "Protocols", "events whose bytes could be followed"),
        ("filters", "Filters", "events that you asked for"),
        ("store", "Store", "events in this recording"),
    )
    counts = {id: sum(each.count for each in by_stage.get(id, ())) for id, _, _ in way}
    arrived = stored + sum(counts.values())
    for id, name, what in way:
        before, arrived = arrived, arrived - counts[id]
        yield _stage(id, name, what, entries=by_stage.get(id, []), counts=(arrived, before))
    read = sum(use.connections for use in health.tls_uses)
    unread = sum(spot.connections for spot in health.blind_spots)
    why = tuple(sentence_of(spot) for spot in health.blind_spots[:4])
    yield Stage(
        "connections",
        "TLS connections",
        "followed in plaintext",
        read,
        read + unread,
        kept=_ratio(read, read + unread),
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
        kept=_ratio(whole, health.calls),
        lost=health.calls_cut,
        why=cut,
    )


def _stage(id: str, name: str, what: str, *, entries: Sequence[Entry], counts: tuple[int, int]) -> Stage:
    arrived, before = counts
    gone = sum(each.count for each in entries)
    return Stage(
        id,
        name,
        what,
        arrived,
        before,
        kept=_ratio(arrived, before),
        lost=0 if id == "filters" else gone,
        asked=gone if id == "filters" else 0,
        size=sum(each.size for each in entries),
        why=tuple(
            f"{each.count:,} at {each.stage}. {'Asked for, not lost.' if each.by_filter else _WHY.get(each.reason, '')}"
            for each in entries[:6]
        ),
    )


def _ratio(arrived: int, before: int) -> float | None:
    return round(arrived / before, 6) if before else None
