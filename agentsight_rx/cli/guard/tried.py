"""agentsight-rx guard test: the alerts that rules would have made on recordings, before they are switched on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from msgspec import Struct

from ...core.errors import StoreError
from ...core.messages import program, say
from ...events.loss import Entry, Reason
from ...policy.rules.guard.compiled import judge_of
from ...policy.rules.guard.danger import DANGER
from ...policy.rules.guard.deeds import (
    DEEDS,
    CallDeed,
    FileDeed,
    LeftDeed,
    NetDeed,
    ProcessDeed,
    PromptDeed,
    ToolDeed,
    UnreadDeed,
)
from ...policy.rules.guard.values import Rules, shortened
from ...runtime.recording.guard_file import hosts_in, priced_by
from ...runtime.recording.judged import judged
from ...runtime.recording.price_file import load_prices
from ...store.reasons import FILE_SAYS, lost_words
from ...store.rows.gaps import sentence_of
from ...store.rows.kinds import SAID
from ...store.rows.tables import SESSIONS, STAGES
from ...store.state import LmdbStore, Store
from ...store.words import plural
from ...view import AlertRow
from ...view.queries.reading import rows_of
from ...view.queries.sessions.health import read_health
from ..flags.filters import Form
from ..flags.guard import given_rules
from ..places.stores import newest_store, recorded
from ..program.errors import write_line
from ..report.shown.ask import write_json
from ..report.shown.screen import Column, Columns, Line, Prose, Screen, Whole, render, table
from .rules_list import RulesFile, Suggested, suggested

# -- gaps ----------------------------------------------------------------------------------------------------------
# A recording and rules -> what these rules could not have seen there: sources that were off, programs not read, losses.


Kinds = frozenset[type[Any]]

_ALL: Kinds = frozenset(DEEDS.values())
_SAID: Kinds = frozenset((PromptDeed, ToolDeed, CallDeed))  # what an agent's own file has
_UNSAID, _ASKED = _ALL - _SAID, _SAID | {ProcessDeed}
_TALK: Kinds = frozenset((NetDeed, ToolDeed, CallDeed, PromptDeed, LeftDeed))
# What is seen by a source of the kernel, and what it is called where it was off
_SEEN_BY: dict[str, tuple[str, Kinds]] = {
    "files": ("files", frozenset((FileDeed, LeftDeed))),
    "process": ("processes", frozenset((ProcessDeed,))),
    "tls": ("TLS", _TALK | {UnreadDeed}),
    "net": ("connections", frozenset((NetDeed, UnreadDeed))),
}


class Gap(Struct, frozen=True):
    """A part of a recording that was not seen, and the rules that need it."""

    recording: str
    what: str
    rules: tuple[str, ...]


class Needs:
    """Which rules need what to be seen. Rules that are off are left out."""

    def __init__(self, rules: Rules) -> None:
        judge = judge_of(rules)
        self._kinds = {rule.name: judge.kinds_of(rule) for rule in rules.rules if rule.do != "off"}
        by_asking = {rule.name for rule in rules.rules if DANGER in rule.when and self._kinds.get(rule.name, _ALL) <= _ASKED}
        self.unsaid = tuple(name for name in self.among(_UNSAID) if name not in by_asking)  # not in an agent's own file

    def among(self, kinds: Kinds) -> tuple[str, ...]:
        return tuple(name for name, own in self._kinds.items() if own & kinds)


def needing_a_recording(store: Store, rules: Rules) -> tuple[str, ...]:
    """The rules that cannot be judged by an agent's own file, where the store has nothing else; none of a recording."""
    return Needs(rules).unsaid if read_health(store).seen_by == SAID else ()


def gaps_in(store: Store, recording: Path, needs: Needs) -> Iterator[Gap]:
    """Without gaps that concern no rule."""
    for what, kinds in _gaps(store):
        if rules := needs.unsaid if what == FILE_SAYS else needs.among(kinds):
            yield Gap(recording.name, what, rules)


def _gaps(store: Store) -> Iterator[tuple[str, Kinds]]:
    health, stages = read_health(store), {_name(count.stage) for _, count in store.scan(STAGES)}
    if stages & _SEEN_BY.keys():  # else it is not known what was on, as where a recording was replayed
        for source, (name, kinds) in _SEEN_BY.items():
            if source not in stages:
                yield f"it was recorded without {name}", kinds
    if health.seen_by == SAID:
        yield FILE_SAYS, _UNSAID
    for spot in health.blind_spots:
        yield f"could not be read: {sentence_of(spot)}", _TALK
    parts = health.calls_cut + health.calls_unfinished
    if parts:
        yield f"of {plural(parts, 'call')} a part is missing", frozenset((PromptDeed, ToolDeed, CallDeed, LeftDeed))
    for entry in health.losses:
        yield lost_words(entry), _lost(entry)
    for begun in health.beginnings:
        yield begun.said, _TALK
    for left in health.left:
        yield f"{plural(left.processes, 'process', 'processes')} went on behind its end", _ALL
    if health.unended:
        yield "it has no orderly end, and nothing is known after that", _ALL


def _lost(entry: Entry) -> Kinds:
    if entry.reason in (Reason.QUEUE_FULL, Reason.SINK_FAILED):
        return _ALL
    _, kinds = _SEEN_BY.get(_name(entry.stage), ("", _TALK))
    return kinds


def _name(stage: str) -> str:
    """Of a stage in the ledger, which may be one of several with one name, as in `files#2`."""
    return stage.partition("#")[0]


def gap_lines(gaps: Iterable[Gap], rules: int) -> Iterator[Line]:
    """A line for each, the recordings one after the other. `rules`: so many are on."""
    recording = ""
    for gap in gaps:
        if gap.recording != recording:
            recording = gap.recording
            yield recording
        whom = "every rule" if len(gap.rules) == rules else ", ".join(gap.rules)
        yield Prose(f"{gap.what}: {whom}", mark="  ! ")


# ------------------------------------------------------------------------------------------------------------------------


_DAY_MS = 86_400_000
_TARGETS = 10
_TOO_FEW = "none to suggest"
_NO_GAPS = "no gaps: all that the rules are about was recorded, as far as the kernel shows it"


class Tried(Struct, frozen=True):
    """What came of one rule: its alerts, of these the ones that no suggested entry removes, the days, the targets."""

    rule: str
    do: str
    alerts: int
    left: int
    days: int
    targets: tuple[tuple[str, int], ...]
    entry: str = ""


def columns_of(*, suggest: bool) -> Columns[Tried]:
    """The columns; with `suggest` also what entries would leave."""
    return (
        Column("rule", lambda each: each.rule),
        Column("does", lambda each: each.do),
        Column("alerts", lambda each: str(each.alerts), right=True),
        Column("left", lambda each: str(each.left) if suggest else "", right=True),
        Column("days", lambda each: str(each.days or ""), right=True),
        Column("most frequent target", _target, flexible=True, middle=True),
        Column("entry", lambda each: each.entry or (_TOO_FEW if suggest and each.alerts else ""), flexible=True),
    )


def try_rules(
    *,
    stores: Annotated[
        list[Path] | None, typer.Argument(metavar="[STORE]...", help="Recordings; without one, all of yours.")
    ] = None,
    suggest: Annotated[bool, typer.Option("--suggest", help="Name entries that would remove many alerts.")] = False,
    show_all: Annotated[bool, typer.Option("--all", help="Rules without an alert, and all targets.")] = False,
    show_gaps: Annotated[bool, typer.Option("--gaps", help="What the rules could not have seen, and which.")] = False,
    rules: RulesFile = None,
    form: Form,
) -> None:
    """Try the rules on recordings: the alerts of each rule and day, and what they are about. Equal to a live run."""
    found = given_rules(rules, folder=Path.cwd())
    priced = priced_by(load_prices(None), found)
    places = stores or recorded() or [newest_store(None)]
    rows, sessions, read = list[AlertRow](), 0, 0
    earlier: dict[tuple[str, str], None] = {}  # hosts, by workspace
    gaps, needs = list[Gap](), Needs(found)
    for place in places:
        try:
            store = LmdbStore.open(place, readonly=True)
        except StoreError as error:
            if stores:
                raise
            say(f"left out: {error}")
            continue
        try:
            rows += judged(store, found, priced=priced, earlier=tuple(earlier))
            earlier.update(dict.fromkeys(hosts_in(store)))
            gaps += gaps_in(store, place, needs)
            sessions += sum(1 for _ in rows_of(store, SESSIONS))
            read += 1
        finally:
            store.close()
    if show_gaps:
        _write_gaps(gaps, found, form)
        return
    entries = suggested(rows) if suggest else []
    results = [each for each in _tried(rows, found, entries) if show_all or each.alerts]
    if form.as_json:
        for each in results:
            write_json(each)
        return
    screen = Screen()
    for line in _lines(results, rows, screen, (read, sessions), suggest=suggest, show_all=show_all):
        write_line(render(line, screen))
    for line in _gaps_said(gaps):
        write_line(render(line, screen))


def _write_gaps(gaps: Sequence[Gap], rules: Rules, form: Form) -> None:
    if form.as_json:
        for each in gaps:
            write_json(each)
        return
    screen = Screen()
    for line in gap_lines(gaps, sum(rule.do != "off" for rule in rules.rules)) if gaps else [_NO_GAPS]:
        write_line(render(line, screen))


def _gaps_said(gaps: Sequence[Gap]) -> Iterator[Line]:
    if gaps:
        rules = len({name for gap in gaps for name in gap.rules})
        where = plural(len({gap.recording for gap in gaps}), "recording has gaps", "recordings have gaps")
        yield f"{where}, so {plural(rules, 'rule')} may have missed something there: {program()} guard test --gaps"


def _tried(rows: Sequence[AlertRow], rules: Rules, entries: Sequence[Suggested]) -> Iterator[Tried]:
    for rule in rules.rules:
        mine = [row for row in rows if row.rule == rule.name and row.part_of is None]
        entry = next((each for each in entries if each.rule == rule.name), None)
        yield Tried(
            rule.name,
            rule.do,
            alerts=len(mine),
            left=len(mine) - (entry.removes if entry else 0),
            days=len({row.timestamp_ms // _DAY_MS for row in mine}),
            targets=tuple(Counter(shortened(row.target) for row in mine).most_common(_TARGETS)),
            entry=entry.text if entry else "",
        )


def _lines(
    results: Sequence[Tried],
    rows: Sequence[AlertRow],
    screen: Screen,
    read: tuple[int, int],
    *,
    suggest: bool,
    show_all: bool,
) -> Iterator[Line]:
    loud = [each for each in results if each.do in ("warn", "stop")]
    alerts, left = sum(each.alerts for each in loud), sum(each.left for each in loud)
    begin, end = min((row.timestamp_ms for row in rows), default=0), max((row.timestamp_ms for row in rows), default=0)
    days = (end - begin) // _DAY_MS + 1
    entries = sum(bool(each.entry) for each in results)
    with_entries = f"; with {plural(entries, 'entry', 'entries')} {_weekly(left, days)}" if entries else ""
    where = f"{plural(read[0], 'recording')}, {plural(read[1], 'session')}"
    yield f"{where}: {_weekly(alerts, days)} would have reached you{with_entries}"
    yield from table(columns_of(suggest=suggest), results, screen)
    if show_all:
        for each in results:
            for target, count in each.targets:
                yield Whole(f"{each.rule}  {count}  {target}", indent=2)
    for each in results:
        if each.entry:
            yield Whole(f"[rule.{each.rule}]\n{each.entry}", indent=1)


def _weekly(alerts: int, days: int) -> str:
    if days < 7:
        return plural(alerts, "alert")
    return f"{plural(round(alerts * 7 / days), 'alert')} a week"


def _target(each: Tried) -> str:
    target, count = each.targets[0] if each.targets else ("", 0)
    return f"{target}, {count}" if target else ""
