"""Live, a replay, a run that goes on, any cutting and a cluster have the same alerts, however late a reader is."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from agentsight_rx.core.engine import EngineState
from agentsight_rx.errors import SpoolError
from agentsight_rx.events import Event
from agentsight_rx.graphs import TraceOptions
from agentsight_rx.policy.rules.guard.compiled import Judge
from agentsight_rx.policy.rules.guard.deeds import CallDeed, Deed, FileDeed, LeftDeed, NetDeed, ProcessDeed, ToolDeed
from agentsight_rx.policy.rules.guard.file import built_in_rules
from agentsight_rx.policy.rules.guard.values import Rules
from agentsight_rx.runtime.cluster.job import Settings, settings_of
from agentsight_rx.runtime.cluster.output import Analysis
from agentsight_rx.runtime.cluster.place import LocalPlace
from agentsight_rx.store.fold.fold import FoldState
from agentsight_rx.store.fold.guard.state import GuardState, Memory
from agentsight_rx.view import AlertRow, Fold, Output, Row
from property_tests.continuing import Continued, contents, events_of
from property_tests.lanes import delayed, final_rows, lane_of, schedules
from property_tests.loud_rules import BOTH, LOUD, QUIET, priced
from property_tests.strategies import batches_of
from property_tests.test_cluster_properties import anything, through_a_segment
from property_tests.test_ties_properties import differing, moment_of, scenes
from tests.guarded import Chained

SOME = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
JUDGES = (Judge(built_in_rules()), Judge(QUIET), Judge(LOUD))
GUARDED = TraceOptions(redaction_key=b"k" * 32, host="web1", guard=LOUD, priced=priced)


def folded(events: Sequence[Event], rules: Rules = LOUD) -> list[Row]:
    fold = Fold(rules, priced=priced)
    return [row for event in events for row in fold.add(event)] + fold.finish()


@SOME
@given(scenes, st.data())
def test_however_late_a_reader_is_the_alerts_are_the_same_in_the_end(events: list[Event], data: st.DataObject) -> None:
    delays = data.draw(schedules(dict.fromkeys(map(lane_of, events))), "delays")
    arrivals = [event for _, event in delayed(events, delays, time=moment_of)]
    assert differing(final_rows(folded(events)), final_rows(folded(arrivals))) == {}


@settings(SOME, max_examples=60)
@given(scenes, st.data())
def test_a_restart_changes_no_alert(events: list[Event], data: st.DataObject) -> None:
    delays = data.draw(schedules(dict.fromkeys(map(lane_of, events))), "delays")
    arrivals = [event for _, event in delayed(events, delays, time=moment_of)]
    fold, rows = Fold(LOUD, priced=priced), list[Row]()
    for event in arrivals:
        rows += fold.add(event)
        twin = Fold(LOUD, priced=priced)
        twin.restore(msgspec.msgpack.decode(msgspec.msgpack.encode(fold.snapshot()), type=FoldState))
        fold = twin
    assert folded(arrivals) == rows + fold.finish()


@SOME
@given(scenes)
def test_a_guard_changes_no_other_row(events: list[Event]) -> None:
    fold = Fold()
    without = final_rows([row for event in events for row in fold.add(event)] + fold.finish())
    found = final_rows(folded(events))
    assert without == {place: row for place, row in found.items() if not isinstance(row, AlertRow)}


@SOME
@given(scenes)
def test_a_rule_has_the_same_alerts_alone_and_beside_rules_that_everything_breaks(
    events: list[Event],
) -> None:
    assert _quiet_alerts(folded(events, QUIET)) == _quiet_alerts(folded(events, BOTH))


def _quiet_alerts(rows: list[Row]) -> list[AlertRow]:
    names = {rule.name for rule in QUIET.rules}
    found = [row for row in final_rows(rows).values() if isinstance(row, AlertRow) and row.rule in names]
    return [replace(row, number=0, sha256="") for row in sorted(found, key=lambda row: row.id)]


texts = st.sampled_from(
    ["", "a", "/w/a", "~/.ssh/id_rsa", "/home/ada/.ssh/id_rsa", "rm", "delete", "none", "paste.example", "x.a"]
)
deeds: st.SearchStrategy[Deed] = st.one_of(
    st.builds(FileDeed, st.none(), texts, st.sampled_from(["read", "write", "rename"]), error=st.integers(0, 2)),
    st.builds(NetDeed, st.none(), texts, st.booleans(), sent=st.integers(0, 20), named=st.booleans()),
    st.builds(ProcessDeed, st.none(), texts, texts),
    st.builds(ToolDeed, st.none(), st.integers(0, 4), st.booleans()),
    st.builds(CallDeed, st.none(), st.floats(0, 30), st.integers(0, 200), day_cost=st.floats(0, 200)),
    st.builds(LeftDeed, st.none(), texts, texts, by_content=st.booleans()),
)
chains = st.builds(Chained, agent=texts, workspace=texts, program=texts, argv=texts, own=st.booleans())


@settings(max_examples=500)
@given(deeds, chains)
def test_a_deed_that_breaks_a_rule_was_possible_without_its_chain_and_what_is_known_later(deed: Deed, chain: Chained) -> None:
    for judge in JUDGES:
        if judge.broken(replace(deed, chain=chain)):
            assert judge.possible(type(deed))(deed)
            if isinstance(deed, NetDeed):
                assert judge.possible(NetDeed)(NetDeed(deed.chain, deed.host, new=True))


changes = st.lists(st.tuples(st.sampled_from(["put", "use", "drop"]), st.sampled_from("abcd"), st.integers(0, 3)), max_size=8)


@given(changes, changes)
def test_a_table_goes_back_to_what_it_was_whatever_happened_to_it(before: Any, after: Any) -> None:
    memory, twin = Memory(), Memory()
    for each in before:
        _change(memory, *each)
    state = memory.snapshot()
    twin.restore(msgspec.msgpack.decode(msgspec.msgpack.encode(state), type=GuardState))
    assert memory.snapshot().hosts == twin.snapshot().hosts
    for each in after:
        _change(memory, *each)
    memory.restore(state)
    assert twin.snapshot().hosts == memory.snapshot().hosts
    assert list(twin.hosts.items()) == list(memory.hosts.items())


def _change(memory: Memory, change: str, key: str, value: int) -> None:
    if change == "put":
        memory.hosts.put(key, str(value))
    elif change == "use":
        memory.hosts.use(key)
    else:
        memory.hosts.drop(key)


batches = st.lists(st.tuples(st.integers(1, 40), st.booleans()), max_size=6)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(batches, st.booleans()), max_size=3))
def test_a_run_that_goes_on_has_the_alerts_of_one_run(runs: list[tuple[list[tuple[int, bool]], bool]]) -> None:
    with TemporaryDirectory() as folder:
        whole, path = Path(folder) / "whole.lmdb", Path(folder) / "run.lmdb"
        Continued(whole, events_of(4), LOUD).end()
        for run, ended in runs:
            continued = Continued(path, events_of(4), LOUD)
            for items, flushed in run:
                continued.send(items)
                if flushed:
                    continued.flush()
            (continued.stop if ended else continued.cut_off)()
        Continued(path, events_of(4), LOUD).end()
        expected: dict[str, Any] = contents(whole)
        assert expected["alerts"]
        assert expected == contents(path)


def analysed(segments: Sequence[Sequence[Event]], options: TraceOptions) -> list[Output]:
    """Each segment in an analysis of its own, behind the state of the one before, as msgpack."""
    out: list[Output] = []
    kept: bytes | None = None
    for segment in map(through_a_segment, segments):
        state = None if kept is None else msgspec.msgpack.decode(kept, type=EngineState)
        analysis = Analysis(options, out.extend, state)
        analysis.push(segment)
        kept = msgspec.msgpack.encode(analysis.snapshot())
    analysis = Analysis(options, out.extend, None if kept is None else msgspec.msgpack.decode(kept, type=EngineState))
    analysis.end()
    return out


@settings(SOME, max_examples=40)
@given(st.one_of(anything, scenes), st.data())
def test_segments_of_any_size_give_the_alerts_of_one(events: list[Event], data: st.DataObject) -> None:
    segments = data.draw(batches_of(events), "segments")
    one, many = analysed([events], GUARDED), analysed(segments, GUARDED)
    assert [row for row in one if isinstance(row, AlertRow)] == [row for row in many if isinstance(row, AlertRow)]
    assert one == many


def test_a_cluster_judges_by_the_rules_of_its_settings() -> None:
    made = Settings(redaction_key="00" * 32, guard=LOUD)
    read = msgspec.json.decode(msgspec.json.encode(made), type=Settings)
    assert LOUD == read.options("web1").guard
    with TemporaryDirectory() as folder:
        place = LocalPlace(folder)
        assert LOUD == settings_of(place, guard=LOUD).guard == settings_of(place).guard
        with pytest.raises(SpoolError, match="was begun with other rules: leave --guard out"):
            settings_of(place, guard=built_in_rules())
