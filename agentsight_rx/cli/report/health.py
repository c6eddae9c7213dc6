"""agentsight-rx report health: the gaps of a recording, why, and how TLS was read."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from ...view.queries.gaps import RULES_SAID, UNSEEN_WHY, unseen_said
from ...view.queries.health import Health, read_health
from ...view.reasons import lost_words, why
from ...view.rows.blind_spots import advice_of, sentence_of
from ..text import tls_lines
from .ask import Ask, report_called
from .screen import Line, Prose, Screen, Span
from .words import data_size, moment, plural

__all__ = ["gaps_of", "health", "missing_said"]


def health(ask: Ask) -> None:
    """Missing data: traffic that could not be read, losses, unknown fields; and how TLS was read."""
    found = read_health(ask.store, being_written=ask.being_written)
    if ask.as_json:
        ask.write([found])
        return
    ask.write_lines(_lines(found, ask.screen))


def missing_said(found: Health, /) -> Span:
    """`nothing is missing`, or of how many things something is."""
    if not found.missing:
        return Span("nothing is missing" + (" so far: it is being recorded" if found.live else ""))
    return Span(f"{plural(found.missing, 'thing is', 'things are')} missing", "missing")


def gaps_of(found: Health, screen: Screen, /) -> Iterator[tuple[str, str]]:
    """Each thing that is missing, and what to do about it, or why."""
    for spot in found.blind_spots:
        yield f"could not be read: {sentence_of(spot)}", advice_of(spot)
    if found.calls_cut:
        yield f"{plural(found.calls_cut, 'call')} cut: some of their bytes are missing", f"{report_called('calls')} --failed"
    if found.commands_unseen:
        yield unseen_said(found.commands_unseen), UNSEEN_WHY
    for entry in found.losses:
        lost = f", {data_size(entry.size)}" if entry.size else ""
        yield f"{lost_words(entry)}{lost}", why(entry.reason)
    for each in found.beginnings:
        yield each.what, each.why
    if found.rules_error:
        yield f"{RULES_SAID}: {found.rules_error}", "mend the file: it is loaded again at once"
    for run in found.unended:
        yield f"no orderly end: nothing is known after {moment(run.committed_ms, screen.now_ms)}", "it was killed"


def _lines(found: Health, screen: Screen) -> Iterable[Line]:
    yield missing_said(found)
    for what, advice in gaps_of(found, screen):
        yield Prose(what, mark="  ! ")
        if advice:
            yield Prose(advice, mark="    ")
    unread = [
        f"{row.provider}: {row.field}, in {plural(row.count, 'call')}, first in {row.first_call_id}"
        for row in found.unknown_fields
    ]
    yield from _section("fields that could not be read", unread)
    if found.calls_unfinished:
        yield ""
        yield f"{plural(found.calls_unfinished, 'call')} ended before the answer did: a peer, a process or the capture ended it"
    if found.filtered:
        yield ""
        yield f"{plural(found.filtered, 'message')} left out by filters"
    if found.removed is not None:
        yield ""
        before = moment(found.removed.before_ms, screen.now_ms)
        yield Prose(f"removed, as --keep and --max-size ask: {plural(found.removed.events, 'event')} before {before}")
    uses = tls_lines(found.tls_uses)
    if uses:
        yield ""
        yield from uses


def _section(title: str, lines: Sequence[str]) -> Iterator[Line]:
    if lines:
        yield ""
        yield Span(title, "title")
        yield from (f"  {line}" for line in lines)
