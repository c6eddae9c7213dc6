"""A store -> what a test looks at: the calls with their tools and processes, the totals, the losses."""

from __future__ import annotations

from itertools import islice

from msgspec import Struct

from agentsight_rx.events.loss import Entry
from agentsight_rx.store.rows.kinds import BlindSpotRow, CallRow, ProcessRow, TlsUseRow, ToolRow
from agentsight_rx.store.rows.tables import (
    BLIND_SPOTS,
    CALLS,
    LOSSES,
    PROCESSES,
    REMOVED,
    RUNS,
    TLS_USES,
    TOOLS,
    Recording,
    Removed,
)
from agentsight_rx.store.rows.tally import Totals
from agentsight_rx.store.state import Store
from agentsight_rx.view.queries.reading import newest_programs, read_totals, rows_of

__all__ = ["Report", "Turn", "read_report"]


class Turn(Struct, frozen=True):
    """One call of a model and the tools that it asked for."""

    call: CallRow
    tools: tuple[ToolRow, ...]


class Report(Struct, frozen=True):
    """
    What a store says. `turns` are the newest calls, `programs` the newest programs that no tool started, and `processes` the
    rows that were looked at for them. `losses` are the unintended ones; `filtered` counts the events that filters left out.
    """

    runs: tuple[Recording, ...]
    totals: Totals
    turns: tuple[Turn, ...]
    processes: tuple[ProcessRow, ...]
    blind_spots: tuple[BlindSpotRow, ...]
    tls_uses: tuple[TlsUseRow, ...]
    losses: tuple[Entry, ...]
    filtered: int
    removed: Removed | None = None  # what retention took out

    @property
    def cut_off(self) -> tuple[Recording, ...]:
        """Recordings without an orderly end: still running, or killed."""
        return tuple(run for run in self.runs if not run.ended)

    @property
    def complete(self) -> bool:
        missing = self.totals.calls_cut or self.totals.calls_unfinished or self.totals.commands_unseen
        return not self.losses and not self.cut_off and not missing


def read_report(store: Store, *, newest: int | None = None) -> Report:
    """
    Read a store, also while it is being written: of calls and of processes the `newest` ones, or all of them. With a limit it
    takes the same time and memory for a store of any number of calls.
    """
    runs = tuple(run for _, run in store.scan(RUNS))
    losses = [entry for _, entry in store.scan(LOSSES)]
    return Report(
        runs,
        read_totals(store),
        turns=tuple(_turn(store, call) for call in _newest_calls(store, newest)),
        processes=_newest_processes(store, newest),
        blind_spots=tuple(row for _, row in store.scan(BLIND_SPOTS)),
        tls_uses=tuple(row for _, row in store.scan(TLS_USES)),
        losses=tuple(entry for entry in losses if not entry.reason.intended),
        filtered=sum(entry.count for entry in losses if entry.by_filter),
        removed=store.get(REMOVED, 0),
    )


def _newest_calls(store: Store, newest: int | None) -> list[CallRow]:
    if newest is None:
        return [call for call in rows_of(store, CALLS) if call.twin is None]
    found = (call for _, call in store.scan(CALLS, reverse=True, limit=2 * newest) if call.twin is None)
    return list(islice(found, newest))[::-1]


def _turn(store: Store, call: CallRow) -> Turn:
    """A call and its tools, whose ids begin with its own."""
    begin = f"tool-{call.id}-"
    return Turn(call, tuple(row for _, row in store.scan(TOOLS, start=begin, stop=begin[:-1] + ".")))


def _newest_processes(store: Store, newest: int | None) -> tuple[ProcessRow, ...]:
    if newest is None:
        return tuple(sorted(rows_of(store, PROCESSES), key=_began))
    return tuple(sorted(newest_programs(store, most=newest), key=_began))


def _began(row: ProcessRow) -> tuple[int, int]:
    return row.start_timestamp_ms or 0, row.pid
