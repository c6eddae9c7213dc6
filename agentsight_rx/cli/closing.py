"""The summary of a recording, its store -> the lines behind it: what it did, in numbers, its gaps, and where to look."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import StoreError
from ..prices import Prices
from ..say import program
from ..state import LmdbStore
from ..view.queries.gaps import missing_things
from ..view.queries.outcome import Outcome, read_outcome
from ..view.rows.beginnings import beginnings_of
from ..view.words import plural
from .prices import load_prices
from .report.call_words import numbers_said
from .report.words import took
from .stores import given_store
from .text import completeness_of, empty_sources, filter_line

if TYPE_CHECKING:  # a report has nothing that runs
    from ..runtime import Summary

__all__ = ["closing_lines", "outcome_of"]

_NAMED = 2  # things that are missing, of which the line says what they are
_COLUMN = 38  # where the second hint of the last line begins


def closing_lines(summary: Summary, store: Path | None, /, *, who: str, filters: bool = False) -> Iterator[str]:
    """
    `store`: None where nothing was stored; then all that is missing is listed, since no report can be asked. `who` names the
    recorded program, in the words of the person, where no agent is known. `filters`: the user gave rules.
    """
    yield from map(filter_line, summary.filters if filters else ())
    outcome = None if store is None else outcome_of(store, since_ms=summary.ledger.began_ms)
    if outcome is None or store is None:
        yield f"{who}, {took(round(summary.seconds * 1000))}: nothing that can be read was stored"
        yield from completeness_of(summary)
        return
    yield f"{_name(outcome) or who}, {took(round(summary.seconds * 1000))}: {outcome.verdict.line}"
    yield from _numbers(outcome) if outcome.calls else empty_sources(summary)
    given = given_store(store)
    yield from _missing(summary, given)
    report = f"report: {program()} report{given and f' --db {given}'}"
    yield f"{report:<{_COLUMN}}  page: {program()} serve{given and f' {given}'}"


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


def _numbers(outcome: Outcome) -> Iterator[str]:
    tokens = outcome.asked_tokens, outcome.cached_tokens, outcome.output_tokens
    said = numbers_said(outcome.calls, tokens, outcome.cost, outcome.models)
    yield f"of the newest {said}" if outcome.cut else said


def _missing(summary: Summary, given: str) -> Iterator[str]:
    """Nothing, or how many things, with the first of them; what went wrong with a destination is whole: no report has it."""
    tally, ledger = summary.tally, summary.ledger
    things = [*summary.failures]
    found = missing_things(
        list(tally.blind_spots.values()),
        ledger.unintended(),
        calls_cut=tally.totals.calls_cut,
        commands_unseen=tally.totals.commands_unseen,
        beginnings=beginnings_of(tally.older.values(), tally.tls_uses.values()),
    )
    things += [each.said for each in found]
    if not things:
        yield "nothing is missing"
        return
    named = things[: max(_NAMED, len(summary.failures))]
    yield f"{plural(len(things), 'thing is', 'things are')} missing: {'; '.join(named)}"
    yield f"all of it: {program()} report health{given and f' --db {given}'}"
