"""The summary of a run, its store -> the lines at its end: what it did, in numbers, its gaps, and where to look."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from ...core.errors import StoreError
from ...core.messages import program
from ...llm.prices import Prices
from ...runtime.recording.price_file import load_prices
from ...store.reasons import HOOKS_SEE
from ...store.rows.kinds import HOOKED, SEEN
from ...store.state import LmdbStore
from ...store.words import took
from ...view.queries.alerts import reportable
from ...view.queries.sessions.gaps import missing_said, missing_things
from ...view.queries.sessions.verdict import Outcome, read_outcome
from ..places.stores import given_store
from ..report.call_words import numbers_said
from ..report.shown.alert_words import flag_said
from ..text import did_said, empty_sources, filter_line, gap_lines, states_said, tls_lines

if TYPE_CHECKING:  # a report has nothing that runs
    from ...runtime.run import Summary


_NAMED = 2  # things that are missing, of which the line says what they are
_ALERTS = 3
_COLUMN = 38  # where the second hint of the last line begins


def closing_lines(
    summary: Summary, store: Path | None, /, *, since_ms: int | None, who: str = "", verb: str = "", filters: bool = False
) -> Iterator[str]:
    """
    The end of record, trace, replay and demo. `who` names the program, in the words of the person, where no agent is known;
    `verb` stands before the name. `filters`: the user gave rules. The rows of the store from `since_ms` on are of this run;
    None: it has others too. Then, and where nothing was stored, the counts of the run say what it did. Without a store all that
    is missing is listed, since no report can be asked.
    """
    yield from map(filter_line, summary.filters if filters else ())
    tally, totals = summary.tally, summary.tally.totals
    outcome = None if store is None or since_ms is None else outcome_of(store, since_ms=since_ms)
    name = " ".join(filter(None, (verb, (_name(outcome) if outcome else "") or who)))
    lasted_ms = (outcome.duration_ms if outcome else 0) or round(summary.seconds * 1000)
    yield f"{name}, {took(lasted_ms)}: {outcome.verdict.line if outcome else did_said(totals)}"
    if outcome is not None and outcome.calls:
        yield from _numbers(outcome, states_said(totals))
    elif outcome is None and totals.calls:
        tokens = totals.asked_tokens, totals.cache_read_tokens, totals.output_tokens
        yield numbers_said(totals.calls, tokens, None, totals.models, states=states_said(totals))
    yield from empty_sources(summary)
    gaps = summary.gaps
    hooked = any(meter.stage == "hooks" for meter in summary.ledger)
    number = missing_said(gaps.count, seen_by=HOOKED if hooked else SEEN)
    if store is not None and outcome is None and since_ms is not None:
        yield f"nothing that can be read was stored in {store}"
        store = None
    if hooked:
        yield f"seen {HOOKS_SEE}"
    yield from _alerts(summary, store)
    if store is None:
        yield f"{number}:" if gaps.count else number
        yield from gap_lines(gaps)
        yield from tls_lines(tally.tls_uses.values())
        return
    given = given_store(store)
    if not gaps.count:
        yield number
    else:  # what went wrong with a destination is whole: no report has it
        named = [each.said for each in islice(missing_things(gaps), max(_NAMED, len(gaps.failures)))]
        yield f"{number}: {'; '.join(named)}"
        yield f"all of it: {program()} report health{given and f' --db {given}'}"
    report = f"report: {program()} report{given and f' --db {given}'}"
    yield f"{report:<{_COLUMN}}  page: {program()} serve{given and f' {given}'}"


def _alerts(summary: Summary, store: Path | None) -> Iterator[str]:
    """The newest alerts of the guard, without the notes."""
    rows = reportable(summary.tally.alerts.values())
    for row in rows[-_ALERTS:]:
        yield f"{flag_said(row)} {row.sentence} ({row.rule}, {row.name})"
    if len(rows) > _ALERTS:
        given = "" if store is None else given_store(store)
        yield f"{len(rows) - _ALERTS} more alerts: {program()} report alerts{given and f' --db {given}'}"


def outcome_of(store: Path, /, *, since_ms: int, prices: Prices | None = None) -> Outcome | None:
    """Of the run that began then; None where the store cannot be read."""
    try:
        kept = LmdbStore.open(store, readonly=True)
        try:
            return read_outcome(kept, prices or load_prices(None), since_ms=since_ms)
        finally:
            kept.close()
    except StoreError:
        return None


def _name(outcome: Outcome) -> str:
    session = outcome.session
    return (session.agent or session.program or session.comm or "") if session else ""


def _numbers(outcome: Outcome, states: str) -> Iterator[str]:
    tokens = outcome.asked_tokens, outcome.cached_tokens, outcome.output_tokens
    said = numbers_said(outcome.calls, tokens, outcome.cost, outcome.models, states=states)
    yield f"of the newest {said}" if outcome.cut else said
