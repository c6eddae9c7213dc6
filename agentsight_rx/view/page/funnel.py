"""What each stage took in, and what it lost -> the places on the way from the kernel to the recording, the first one first."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice

from msgspec import Struct
from msgspec.structs import replace

from ...events.loss import Entry, Reason, stage_name
from ...store.reasons import sentence_why
from ...store.rows.gaps import sentence_of
from ...store.rows.kinds import UnknownRow
from ...store.rows.tables import STAGES, StageCount
from ...store.words import plural
from ..queries.sessions.gaps import Missing as Thing
from ..queries.sessions.gaps import missing_things
from ..queries.sessions.health import Health
from .counts import Read, Wholeness, reads_of, wholeness_of
from .picture import Picture

_SOURCES = frozenset({"tls", "plain_http", "process", "files", "net", "readline", "stdio", "system", "replay"})
_STORES = ("store", "memory")
_SHOWN = 6


class Stage(Struct, frozen=True, omit_defaults=True):
    """
    One place on the way. `before` came to it, `arrived` got through; `kept` is their ratio. `lost` went away, `asked` was left
    out because a filter asked for it. None: not counted there.
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


def place_of(entry: Entry, /) -> str:
    """The id of the place where this was lost."""
    name = stage_name(entry.stage)
    if entry.by_filter:
        return "filters"
    if entry.reason in (Reason.KERNEL_LOST, Reason.NOT_OPENED, Reason.OPENED_LATE, Reason.UNSEEN):
        return "kernel"
    if entry.reason is Reason.UNREADABLE:
        return "connections"
    if name in _STORES or name.removeprefix("to ") in _STORES:
        return "store"
    if name.startswith("to ") or entry.reason is Reason.SINK_FAILED:
        return "others"
    return "queue" if entry.reason in (Reason.QUEUE_FULL, Reason.SHED) else "protocols"


def places_of(entries: Sequence[Entry], counts: Sequence[StageCount], /) -> Iterator[Stage]:
    """Of all runs of a recording. A recording of an older release has no counts: its losses are known, but not their share."""
    lost: dict[str, list[Entry]] = {}
    for entry in entries:
        if entry.reason is Reason.LEFT_RUNNING:
            continue  # behind the end nothing came
        if entry.by_filter or not entry.reason.intended:
            lost.setdefault(place_of(entry), []).append(entry)
    gone = {place: sum(each.count for each in some) for place, some in lost.items()}
    read = records_of(counts)
    # what a reader could not hand over is counted where it waited, what the kernel could not is counted by the kernel
    into = {
        "kernel": read + gone.get("queue", 0) + gone.get("kernel", 0),
        "queue": read + gone.get("queue", 0),
        "protocols": read,
        "filters": _seen(counts, {stage_name(each.stage) for each in lost.get("filters", ())} or {"filter_http"}),
        "store": _seen(counts, {f"to {name}" for name in _STORES}),
        "others": _seen(counts, {each.stage for each in counts if each.stage.startswith("to ")} - {"to store", "to memory"}),
    }
    way = (
        ("kernel", "Kernel", "records read from the kernel"),
        ("queue", "Reading", "records that reached the engine in time"),
        ("protocols", "Protocols", "records that could be parsed"),
        ("filters", "Filters", "messages that the filters let pass"),
        ("store", "Store", "events and rows written to this recording"),
        ("others", "Other destinations", "events and rows handed to each"),
    )
    for id, name, what in way:
        if id != "others" or gone.get(id):
            yield _place(id, name, what, entries=lost.get(id, ()), before=into[id] if counts else None)


def records_of(counts: Iterable[StageCount], /) -> int:
    """How many records came out of the kernel, or out of a file that is replayed."""
    return sum(each.seen for each in counts if stage_name(each.stage) in _SOURCES and "/" not in each.stage)


def _seen(counts: Iterable[StageCount], names: Iterable[str]) -> int:
    wanted = set(names)
    return sum(each.seen for each in counts if stage_name(each.stage) in wanted)


def _place(id: str, name: str, what: str, *, entries: Sequence[Entry], before: int | None) -> Stage:
    gone = sum(each.count for each in entries)
    arrived = None if before is None else max(0, before - gone)
    return Stage(
        id,
        name,
        what,
        arrived,
        before,
        kept=survived(arrived, before),
        lost=0 if id == "filters" else gone,
        asked=gone if id == "filters" else 0,
        size=sum(each.size for each in entries),
        why=tuple(
            f"{each.count:,} at {each.stage}. {'Left out on request.' if each.by_filter else sentence_why(each.reason)}"
            for each in entries[:_SHOWN]
        ),
    )


def survived(arrived: int | None, before: int | None, /) -> float | None:
    """Which part got through; None where nothing came or it was not counted."""
    return None if arrived is None or not before else round(arrived / before, 6)


# -- stages --------------------------------------------------------------------------------------------------------
# The health of a recording -> its gaps with reasons and advice, and the way from the kernel to this page.


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


class HealthPage(Struct, frozen=True, omit_defaults=True):
    whole: Wholeness
    missing: tuple[Missing, ...]
    stages: tuple[Stage, ...]
    reads: tuple[Read, ...]
    unknown: tuple[UnknownRow, ...]
    filters: tuple[str, ...]
    runs: tuple[tuple[int, int, bool], ...]  # (start, last commit, ended)
    removed_before_ms: int = 0


def whole_in(picture: Picture, health: Health, /) -> Wholeness:
    """With what the recording counted."""
    counts = [count for _, count in picture.store.scan(STAGES)]
    return replace(wholeness_of(health), records=records_of(counts), counted=bool(counts))


def health_of(picture: Picture, /) -> HealthPage:
    """Of the whole recording: a loss in it may concern any session."""
    health = picture.health
    return HealthPage(
        whole_in(picture, health),
        tuple(map(_missing, islice(missing_things(health.gaps), _ROWS_MOST))),
        tuple(_stages(picture)),
        reads=tuple(reads_of(picture)),
        unknown=health.unknown_fields[:_ROWS_MOST],
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
