"""Recordings and the rules of a guard -> the alerts that these rules would have made, as a live run has them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain

from msgspec.structs import replace

from ...events import Event, HostsKnown, Origin, Witness
from ...policy.rules.guard.values import Rules
from ...store.fold.guard.talk import Priced
from ...store.log.reading import read_events_of_now
from ...store.rows.kinds import SEEN
from ...store.rows.tables import ALERTS, RUNS, is_said
from ...store.state import LmdbStore, Store
from ...view import AlertRow, Fold, Row, RowGone
from ...view.queries import Selection
from ...view.queries.alerts import newest_audits
from ...view.queries.sessions.once import Once, Place


def judged(
    store: Store, rules: Rules, /, *, priced: Priced | None = None, earlier: tuple[tuple[str, str], ...] = ()
) -> list[AlertRow]:
    """
    All alerts, oldest first. The log is folded once; the alerts that the store has are not looked at. A guarded
    recording has the hosts that were known then. `earlier` are the known hosts of a recording without a guard.
    """
    fold, found, source = Fold(rules, priced=priced), dict[str, AlertRow](), SEEN
    for event in _with_hosts(read_events_of_now(store), earlier):
        if isinstance(event, Witness):
            source = event.seen_by
        _take(found, fold.add(event), source)
    _take(found, fold.finish(), source)
    return sorted(found.values(), key=lambda row: (row.timestamp_ms, row.number))


def judged_once(stores: Sequence[LmdbStore], rules: Rules, /, *, priced: Priced | None = None) -> list[AlertRow]:
    """
    The alerts of all stores, oldest first, each store judged by itself. What one session did in several of them is one alert:
    that of a recording before that of the agent's own file.
    """
    said = [store for store in stores if is_said(run for _, run in store.scan(RUNS))]
    seen = [store for store in stores if store not in said]
    once = Once([Place(store) for store in (*seen, *said[1:])], Place(said[0]) if said else None)
    found = dict[tuple[str, str, str], AlertRow]()
    for store in (*seen, *said):
        for row in judged(store, rules, priced=priced):
            session = once.rows.get(row.session_id or "")
            where = session.id if session else row.session_id or row.id
            found.setdefault((row.rule, where, row.target), row)
    return sorted(found.values(), key=lambda row: row.timestamp_ms)


def had_guard(store: Store, /) -> bool:
    """Whether a capture into the store had a guard: its log says which hosts were known then, or that rules were loaded."""
    alerts, loaded = store.scan(ALERTS, limit=1), newest_audits(store, Selection(limit=1), "guard")
    if any(True for _ in chain(alerts, loaded)):
        return True
    return any(isinstance(event, HostsKnown) for event in read_events_of_now(store))  # of any of its runs


def _with_hosts(events: Iterator[Event], earlier: tuple[tuple[str, str], ...]) -> Iterator[Event]:
    first = next(events, None)
    if first is None:
        return
    if earlier and not isinstance(first, HostsKnown):
        yield HostsKnown(Origin(first.origin.time_ns, 0), earlier)
    yield first
    yield from events


def _take(found: dict[str, AlertRow], rows: list[Row], source: str) -> None:
    for row in rows:
        if isinstance(row, AlertRow):
            found[row.id] = row if source == SEEN else replace(row, view_source=source)
        elif isinstance(row, RowGone) and isinstance(row.row, AlertRow):
            found.pop(row.id, None)
