"""Events of several readers, each of which is late as it likes -> the order in which an engine takes them."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence
from typing import Any

from hypothesis import strategies as st

from agentsight_rx.events import (
    BlindSpot,
    BodyPart,
    Event,
    FileEvent,
    HttpRequest,
    HttpResponse,
    NetEvent,
    ProcessExec,
    ProcessExit,
    ProcessFork,
    ProcessSeen,
    Readline,
    RpcMessage,
    SseMessage,
    TcpTraffic,
    TlsClose,
    TlsUse,
    time_of,
)
from agentsight_rx.store.rows.kind import key_of, table_of
from agentsight_rx.view import Row, RowGone

__all__ = ["DELAY_MOST_NS", "delayed", "final_rows", "lane_of", "schedules"]

DELAY_MOST_NS = 5_000_000_000
_WIRE = (HttpRequest, HttpResponse, SseMessage, BodyPart, TlsClose, TlsUse, BlindSpot, TcpTraffic)
_PROCESS = (ProcessFork, ProcessExec, ProcessExit, ProcessSeen)

Delays = dict[Hashable, list[int]]  # of each lane: how late it is, from each tenth of its events on


def lane_of(event: Event) -> str:
    """The reader that it comes from."""
    if isinstance(event, _WIRE):
        connection = event.origin.connection
        return "plain" if connection is not None and connection.plain else "tls"
    if isinstance(event, _PROCESS):
        return "process"
    kinds: dict[type[Any], str] = {FileEvent: "file", NetEvent: "net", RpcMessage: "stdio", Readline: "readline"}
    return kinds.get(type(event), "other")


_delays = st.one_of(st.just(0), st.integers(0, 60_000_000), st.integers(0, DELAY_MOST_NS), st.just(DELAY_MOST_NS))


def schedules(lanes: Iterable[Hashable]) -> st.SearchStrategy[Delays]:
    """How late each lane is, in stretches."""
    return st.fixed_dictionaries({lane: st.lists(_delays, min_size=1, max_size=4) for lane in lanes})


def delayed(
    events: Sequence[Event],
    delays: Delays,
    *,
    lane: Callable[[Event], Hashable] = lane_of,
    time: Callable[[Event], int] = time_of,
) -> list[tuple[int, Event]]:
    """When each event comes, in that order: none passes another one of its lane."""
    lanes: dict[Hashable, list[Event]] = {}
    for event in events:
        lanes.setdefault(lane(event), []).append(event)
    arrivals: list[tuple[int, Event]] = []
    for name, own in lanes.items():
        late, came_ns = delays.get(name, [0]), 0
        for place, event in enumerate(own):
            came_ns = max(came_ns, time(event) + late[place * len(late) // len(own)])
            arrivals.append((came_ns, event))
    return sorted(arrivals, key=lambda arrival: arrival[0])


def final_rows(rows: Iterable[Row]) -> dict[Any, Row]:
    """What a store has in the end, by table and key."""
    kept: dict[Any, Row] = {}
    for row in rows:
        if isinstance(row, RowGone):
            kept.pop((table_of(row.row).name, key_of(row.row)), None)
        else:
            kept[table_of(row).name, key_of(row)] = row
    return kept
