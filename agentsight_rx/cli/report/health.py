"""agentsight-rx report health: the gaps of a recording, why, and how TLS was read."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from ...store.reasons import HOOKS_SEE
from ...view.queries.gaps import missing_said as count_said
from ...view.queries.gaps import missing_things
from ...view.queries.health import Health, read_health
from ..text import tls_lines
from .ask import Ask
from .screen import Line, Prose, Screen, Span
from .words import moment, plural

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
    return Span(count_said(found.missing, live=bool(found.live), hooked=found.hooked), "missing" if found.missing else "")


def gaps_of(found: Health, screen: Screen, /) -> Iterator[tuple[str, str]]:
    """Each thing that is missing; and why, and what to do about it."""
    for each in missing_things(found.gaps):
        what, more = each.lines
        since = f": nothing is known after {moment(each.since_ms, screen.now_ms)}" if each.stage == "store" else ""
        yield what + since, more


def _lines(found: Health, screen: Screen) -> Iterable[Line]:
    yield missing_said(found)
    if found.hooked:
        yield Prose(f"seen {HOOKS_SEE}", mark="  ")
    for what, advice in gaps_of(found, screen):
        yield Prose(what, mark="  ! ")
        if advice:
            yield Prose(advice, mark="    ")
    unread = [
        f"{row.provider}: {row.field}, in {plural(row.count, 'call')}, first in {row.first_call_id}"
        for row in found.unknown_fields
    ]
    yield from _section("fields that could not be read", unread)
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
