"""Simulated hosts whose clocks are hours apart -> their spools: calls, raw records, programs, files, Ticks, late events."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from msgspec.structs import replace

from agentsight_rx.events import Event, HttpRequest, HttpResponse, Origin, SseMessage, Tick
from agentsight_rx.runtime.cluster import Settings, Task, plan_of, settings_of
from agentsight_rx.runtime.cluster.job import SETTINGS
from agentsight_rx.runtime.cluster.place import LocalPlace
from agentsight_rx.store.spool import Header, encode_segment, segment_name
from benchmarks.recording import traffic
from property_tests.continuing import events_of

__all__ = ["HOSTS", "contents", "events_at", "segments_of", "spool_at", "tasks_of"]

HOSTS = ("web1", "web2", "db1", "edge+0of2")
_HOUR_NS = 3600 * 10**9
_WALL_NS = 1_800_000_000 * 10**9


def events_at(hour: int, turns: int = 3) -> list[Event]:
    """What one host records: parsed events, and raw records that are still to be parsed, with its own clock."""
    raw = list(traffic(2))
    events: list[Event] = [*events_of(turns), *raw]
    events.sort(key=lambda event: event.origin.time_ns)
    shifted = [_shifted(event, hour * _HOUR_NS) for event in events]
    late = shifted.pop(len(shifted) // 3)  # it comes when time is past it already
    tick_ns = shifted[len(shifted) // 2].origin.time_ns
    return [*shifted[: len(shifted) // 2], Tick(Origin(tick_ns, 0)), late, *shifted[len(shifted) // 2 :]]


def _shifted(event: Event, shift_ns: int) -> Event:
    origin = event.origin
    time_ns = origin.time_ns + shift_ns
    moved = replace(event, origin=replace(origin, time_ns=time_ns, wall_ns=_WALL_NS + time_ns))
    if isinstance(moved, HttpRequest | HttpResponse | SseMessage) and moved.end_ns:
        return replace(moved, end_ns=moved.end_ns + shift_ns)
    return moved


def segments_of(key: str, events: Sequence[Event], *, size: int = 40, run: str = "a", first: int = 1) -> list[bytes]:
    """The segments of one recording, `size` events each."""
    host, _, part = key.partition("+")
    number, _, parts = part.partition("of")
    pieces = [events[at : at + size] for at in range(0, len(events), size)]
    return [
        encode_segment(
            Header(
                host=host,
                part=int(number or 0),
                parts=int(parts or 1),
                sequence=first + place,
                first=first,
                run=run,
                product="1.0",
                python="3.13",
            ),
            piece,
            ended=place == len(pieces) - 1,
            block=4,  # so that an attempt can be ended behind so few
        )
        for place, piece in enumerate(pieces)
    ]


def spool_at(folder: Path, *, hosts: Sequence[str] = HOSTS, turns: int = 3, size: int = 40) -> Path:
    """A spool of so many hosts, each an hour behind the one before."""
    for hour, key in enumerate(hosts):
        (folder / key).mkdir(parents=True)
        for place, content in enumerate(segments_of(key, events_at(hour, turns), size=size)):
            (folder / key / segment_name(1 + place)).write_bytes(content)
    return folder


def tasks_of(spool: Path, out: Path) -> list[Task]:
    """What is to be done, host by host."""
    place = LocalPlace(str(out))
    return [task for tasks in plan_of(LocalPlace(str(spool)), place, given(out)).tasks.values() for task in tasks]


def given(out: Path) -> Settings:
    """The same settings in every place that has none, so that results can be compared."""
    return settings_of(LocalPlace(str(out)), redaction_key=None if (out / SETTINGS).exists() else b"k" * 32)


def contents(out: Path) -> dict[str, bytes]:
    """All that a run left, apart from states that are not needed any more, which some attempt removes."""
    found = {str(path.relative_to(out)): path.read_bytes() for path in sorted(out.rglob("*")) if path.is_file()}
    return {name: content for name, content in found.items() if not name.endswith((".state", ".part"))}
