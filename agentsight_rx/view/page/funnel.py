"""What each stage took in, and what it lost -> the places on the way from the kernel to the recording, the first one first."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from msgspec import Struct

from ...events.loss import Entry, Reason
from ...store.reasons import sentence_why
from ...store.rows.tables import StageCount

__all__ = ["Stage", "place_of", "places_of", "records_of", "survived"]

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
    name = _name(entry.stage)
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
        "filters": _seen(counts, {_name(each.stage) for each in lost.get("filters", ())} or {"filter_http"}),
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
    return sum(each.seen for each in counts if _name(each.stage) in _SOURCES and "/" not in each.stage)


def _seen(counts: Iterable[StageCount], names: Iterable[str]) -> int:
    wanted = set(names)
    return sum(each.seen for each in counts if _name(each.stage) in wanted)


def _name(stage: str) -> str:
    """Of `tls/parse_http#2` it is `parse_http`."""
    return stage.rpartition("/")[2].partition("#")[0]


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
