"""A store -> what `report` shows of a capture: calls with their tools and processes, totals, losses."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import Struct

from ..events import Event
from ..loss import Entry
from ..state import Store
from .rows import CallRow, ProcessRow, ToolRow
from .tables import AUDIT, BLIND_SPOTS, CALLS, LOSSES, PROCESSES, RUNS, SEGMENTS, TOKENS, TOOLS, Recording
from .tally import Tally

__all__ = ["Report", "Turn", "read_events", "read_report"]


class Turn(Struct, frozen=True):
    """One call of a model and the tools that it asked for."""

    call: CallRow
    tools: tuple[ToolRow, ...]


class Report(Struct, frozen=True):
    """Everything that `report` shows. `losses` are the unintended ones; `filtered` counts the events that filters left out."""

    runs: tuple[Recording, ...]
    tally: Tally
    turns: tuple[Turn, ...]
    processes: tuple[ProcessRow, ...]
    losses: tuple[Entry, ...]
    filtered: int

    @property
    def cut_off(self) -> tuple[Recording, ...]:
        """Recordings without an orderly end: still running, or killed."""
        return tuple(run for run in self.runs if not run.ended)

    @property
    def complete(self) -> bool:
        return not self.losses and not self.cut_off


def read_report(store: Store) -> Report:
    """Read a store, also while it is being written."""
    tally = Tally()
    calls = [row for _, row in store.scan(CALLS)]
    tools = [row for _, row in store.scan(TOOLS)]
    processes = [row for _, row in store.scan(PROCESSES)]
    for rows in (
        calls,
        [row for _, row in store.scan(TOKENS)],
        tools,
        processes,
        [row for _, row in store.scan(AUDIT)],
        [row for _, row in store.scan(BLIND_SPOTS)],
    ):
        tally.add(rows)
    asked: dict[str, list[ToolRow]] = {}
    for tool in tools:
        asked.setdefault(tool.llm_call_id, []).append(tool)
    losses = [entry for _, entry in store.scan(LOSSES)]
    return Report(
        tuple(run for _, run in store.scan(RUNS)),
        tally,
        turns=tuple(Turn(call, tuple(asked.get(call.id, ()))) for call in calls),
        processes=tuple(sorted(processes, key=lambda row: (row.start_timestamp_ms or 0, row.pid))),
        losses=tuple(entry for entry in losses if not entry.reason.intended),
        filtered=sum(entry.count for entry in losses if entry.by_filter),
    )


def read_events(store: Store) -> Iterator[Event]:
    """The event log, a segment at a time."""
    number = 0
    while True:
        found = store.scan(SEGMENTS, start=number, limit=1)
        if not found:
            return
        key, segment = found[0]
        yield from segment.events
        number = int(key[0]) + 1
