"""A recording and rules -> what these rules could not have seen there: sources that were off, programs not read, losses."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from msgspec import Struct

from ...events.loss import Entry, Reason
from ...policy.rules.guard.compiled import judge_of
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
from ...policy.rules.guard.values import Rules
from ...store.reasons import lost_words
from ...store.rows.blind_spots import sentence_of
from ...store.rows.tables import STAGES
from ...store.state import Store
from ...store.words import plural
from ...view.queries.health import read_health
from ..report.screen import Line, Prose

__all__ = ["Gap", "Needs", "gap_lines", "gaps_in"]

Kinds = frozenset[type[Any]]

_ALL: Kinds = frozenset(DEEDS.values())
_TALK: Kinds = frozenset((NetDeed, ToolDeed, CallDeed, PromptDeed, LeftDeed))
# What is seen by a source of the kernel, and what it is called where it was off
_SEEN_BY: dict[str, tuple[str, Kinds]] = {
    "files": ("files", frozenset((FileDeed, LeftDeed))),
    "process": ("processes", frozenset((ProcessDeed,))),
    "tls": ("TLS", _TALK | {UnreadDeed}),
    "net": ("connections", frozenset((NetDeed, UnreadDeed))),
}


class Gap(Struct, frozen=True):
    """What was not seen in a recording, and the rules that therefore say nothing of it."""

    recording: str
    what: str
    rules: tuple[str, ...]


class Needs:
    """Which rules need what to be seen. Rules that are off are left out."""

    def __init__(self, rules: Rules) -> None:
        judge = judge_of(rules)
        self._kinds = {rule.name: judge.kinds_of(rule) for rule in rules.rules if rule.do != "off"}

    def among(self, kinds: Kinds) -> tuple[str, ...]:
        return tuple(name for name, own in self._kinds.items() if own & kinds)


def gaps_in(store: Store, recording: Path, needs: Needs) -> Iterator[Gap]:
    """Without gaps that concern no rule."""
    yield from (Gap(recording.name, what, rules) for what, kinds in _gaps(store) if (rules := needs.among(kinds)))


def _gaps(store: Store) -> Iterator[tuple[str, Kinds]]:
    health, stages = read_health(store), {_name(count.stage) for _, count in store.scan(STAGES)}
    if stages & _SEEN_BY.keys():  # else it is not known what was on, as where a recording was replayed
        for source, (name, kinds) in _SEEN_BY.items():
            if source not in stages:
                yield f"it was recorded without {name}", kinds
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
