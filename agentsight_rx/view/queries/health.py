"""Store -> its gaps, and how its TLS was read."""

from __future__ import annotations

from typing import TypeVar

from msgspec import Struct

from ...loss import Entry, Reason
from ...state import Store, Table
from ..rows.beginnings import Beginning, beginnings_of
from ..rows.kinds import BlindSpotRow, TlsUseRow, UnknownRow
from ..rows.tables import BLIND_SPOTS, LOSSES, REMOVED, RUNS, SESSIONS, TLS_USES, UNKNOWN, Recording, Removed
from ..rows.weights import newest_fitting, weight_of
from .audit import rules_error
from .gaps import missing_things
from .reading import read_totals, rows_of

__all__ = ["Health", "read_health"]

R = TypeVar("R", BlindSpotRow, TlsUseRow)


class Health(Struct, frozen=True):
    """
    Everything that makes a recording less than whole. `losses` are the unintended ones; `filtered` counts the messages that
    filters left out, which is no gap. `unended` are recordings without an orderly end, `live` those being written.
    """

    complete: bool
    missing: (
        int  # how many things: blind spots, kinds of losses, cut calls, commands without processes, ends that were not seen
    )
    calls: int
    calls_cut: int
    calls_unfinished: int
    blind_spots: tuple[BlindSpotRow, ...]
    losses: tuple[Entry, ...]
    unended: tuple[Recording, ...]
    live: tuple[Recording, ...]
    unknown_fields: tuple[UnknownRow, ...]
    filtered: int
    tls_uses: tuple[TlsUseRow, ...]
    recordings: tuple[Recording, ...]
    removed: Removed | None = None  # what retention took out, since it was older or too much
    commands_unseen: int = 0  # that came back, and whose processes were not found though processes were watched
    beginnings: tuple[Beginning, ...] = ()  # of agents and connections that are older than the capture
    connections_read: int = 0
    connections_unread: int = 0
    rules_error: str = ""  # why the newest rules of the guard could not be loaded


def read_health(store: Store, /, *, being_written: bool = False, size: int = 1 << 60) -> Health:
    """
    `being_written`: a process has the store open to write, so its newest recording goes on. `size`: about how many bytes of
    blind spots, and of uses of TLS, are kept; all of them count.
    """
    runs = tuple(run for _, run in store.scan(RUNS))
    entries = [entry for _, entry in store.scan(LOSSES)]
    blind = _first(store, BLIND_SPOTS, size)
    unread = [row.connections for row in rows_of(store, BLIND_SPOTS)]
    totals = read_totals(store)
    # what could not be read is said by its blind spot, with names
    losses = tuple(each for each in entries if not each.reason.intended and not (blind and each.reason is Reason.UNREADABLE))
    live = tuple(run for run in runs[-1:] if being_written and not run.ended)
    unended = tuple(run for run in runs if not run.ended and run not in live)
    beginnings = tuple(beginnings_of(rows_of(store, SESSIONS), rows_of(store, TLS_USES)))
    error = rules_error(store)
    things = missing_things(
        blind,
        losses,
        calls_cut=totals.calls_cut,
        commands_unseen=totals.commands_unseen,
        unended=len(unended),
        beginnings=beginnings,
        rules_error=error,
    )
    missing = sum(1 for _ in things) + len(unread) - len(blind)
    return Health(
        not missing,
        missing,
        calls=totals.calls,
        calls_cut=totals.calls_cut,
        calls_unfinished=totals.calls_unfinished,
        blind_spots=blind,
        losses=losses,
        unended=unended,
        live=live,
        unknown_fields=tuple(row for _, row in store.scan(UNKNOWN)),
        filtered=sum(each.count for each in entries if each.by_filter),
        tls_uses=_first(store, TLS_USES, size),
        recordings=runs,
        removed=store.get(REMOVED, 0),
        beginnings=beginnings,
        commands_unseen=totals.commands_unseen,
        connections_read=sum(use.connections for use in rows_of(store, TLS_USES)),
        connections_unread=sum(unread),
        rules_error=error,
    )


def _first(store: Store, table: Table[R], size: int) -> tuple[R, ...]:
    rows, _ = newest_fitting(rows_of(store, table), size, weight_of)
    return tuple(reversed(rows))  # as they lie
