"""
agentsight-rx report list and health: the recordings of this user and of the machine's recorder, and whether one is complete.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path, PurePath

from msgspec import Struct
from msgspec.structs import replace

from ...core.errors import StoreError
from ...core.messages import program
from ...store.reasons import HOOKS_SEE
from ...store.rows.kinds import HOOKED
from ...store.state import LmdbStore, is_being_written
from ...store.words import amount, count, data_size, plural
from ...view.queries.choosing import Held, read_held
from ...view.queries.sessions.gaps import agreement_said, missing_things
from ...view.queries.sessions.gaps import missing_said as count_said
from ...view.queries.sessions.health import Health, read_health
from ..places.stores import imported, recorded
from ..text import tls_lines
from .shown.ask import Ask
from .shown.screen import Cell, Column, Columns, Line, Prose, Screen, Span, Whole, table
from .shown.words import listed, moment

# -- health --------------------------------------------------------------------------------------------------------
# agentsight-rx report health: the gaps of a recording, why, and how TLS was read.


def health(ask: Ask) -> None:
    """Missing data: traffic that could not be read, losses, unknown fields; and how TLS was read."""
    found = read_health(ask.store, being_written=ask.being_written, twins=ask.twins)
    if ask.as_json:
        ask.write([found])
        return
    ask.write_lines(_lines(found, ask.screen))


def missing_said(found: Health, /) -> Span:
    """`nothing is missing`, or of how many things something is."""
    return Span(count_said(found.missing, live=bool(found.live), seen_by=found.seen_by), "missing" if found.missing else "")


def agreement_of(found: Health, /) -> Iterator[Line]:
    """How far the agents' own files say the same, where they were imported."""
    if found.agreement is not None:
        yield Prose(agreement_said(found.agreement))


def gaps_of(found: Health, screen: Screen, /) -> Iterator[tuple[str, str]]:
    """Each thing that is missing; and why, and what to do about it."""
    for each in missing_things(found.gaps):
        what, more = each.lines
        since = f": nothing is known after {moment(each.since_ms, screen.now_ms)}" if each.stage == "store" else ""
        yield what + since, more


def _lines(found: Health, screen: Screen) -> Iterable[Line]:
    yield missing_said(found)
    yield from agreement_of(found)
    if found.seen_by == HOOKED:
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


# ------------------------------------------------------------------------------------------------------------------------


_NEWEST = 30


class Recorded(Struct, frozen=True):
    """One file. `error` says why it cannot be read, and then the rest is unknown."""

    path: str
    bytes: int
    changed_ms: int
    being_written: bool
    held: Held | None = None
    error: str | None = None


def columns_of(now_ms: int) -> Columns[Recorded]:
    """The columns; of a file that cannot be read, `what` says why."""
    return (
        Column("recorded", lambda row: moment((row.held and row.held.started_ms) or row.changed_ms, now_ms)),
        Column("calls", lambda row: count(row.held.calls) if row.held else "", right=True),
        Column("tokens", lambda row: amount(row.held.tokens) if row.held else "", right=True),
        Column("size", lambda row: data_size(row.bytes), right=True),
        Column("what", _what, flexible=True),
        Column("file", lambda row: PurePath(row.path).name, middle=True),
    )


def recordings(ask: Ask) -> None:
    """The recordings in your data directory, behind the imported sessions, or the one of --db; the newest last."""
    past = None if ask.flags.db else imported()
    files = [*([past] if past else []), *(path for path in recorded(ask.flags.db) if path != past)]
    limit = None if ask.flags.show_all else ask.flags.limit or (None if ask.as_json else _NEWEST)
    shown = files if limit is None else files[-limit:]
    found = (_recorded(path) for path in shown)
    if ask.as_json:
        ask.write(found)
        return
    rows = list(found)
    if files:
        ask.write_lines([Whole(f"in {' and '.join(dict.fromkeys(str(path.parent) for path in files))}")])
    ask.write_lines(table(columns_of(ask.now_ms), rows, ask.screen))
    if not rows:
        own = f"`{program()} import` reads what agents wrote down themselves"
        ask.write_lines([Prose(f"no recording; make one with `{program()} record -- COMMAND`; {own}")])
    elif len(shown) < len(files):
        ask.write_lines(["", f"the newest {len(shown)}; all of them: {program()} report list --all"])


def _recorded(path: Path) -> Recorded:
    at = path.stat()
    found = Recorded(
        str(path), at.st_blocks * 512, changed_ms=at.st_mtime_ns // 1_000_000, being_written=is_being_written(path)
    )
    try:
        store = LmdbStore.open(path, readonly=True)
        try:
            held = read_held(store)
        finally:
            store.close()
    except StoreError as error:
        return replace(found, error=str(error))
    return replace(found, held=held)


def _what(row: Recorded) -> Cell:
    held = row.held
    if held is None:
        return Span((row.error or "").removeprefix(row.path).strip(), "failed")
    what = held.title or listed(held.models, 3) or "no call of a model"
    if held.is_said:
        return f"{plural(held.sessions, 'imported session')}, of agents' own files"
    return what + ("" if held.ended else " (being recorded)" if row.being_written else " (no orderly end)")
