"""The fold gives equal rows however its events come, keeps what happens at once apart, and reads any JSON."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from agentsight_rx.core.engine import Engine, Site
from agentsight_rx.events import Event, FileEvent, HttpRequest
from agentsight_rx.operators import materialize
from agentsight_rx.store.fold.fold import FoldState
from agentsight_rx.store.rows.kinds import process_id
from agentsight_rx.view import AuditRow, CallRow, Fold, HttpRow, Output, ProcessRow, Row, SessionRow, TokenRow
from property_tests.cuts import batches_of
from property_tests.fold_strategies import SideBySide, fold_events, side_by_side
from property_tests.hostile_json import hostile_calls


def folded(events: Iterable[Event], fold: Fold | None = None) -> list[Row]:
    fold = fold or Fold()
    rows = [row for event in events for row in fold.add(event)]
    return rows + fold.finish()


def restarted(fold: Fold) -> Fold:
    """Another one that goes on from the state, as it is kept in a store."""
    kept = msgspec.msgpack.encode(fold.snapshot())
    twin = Fold()
    twin.restore(msgspec.msgpack.decode(kept, type=FoldState))
    return twin


def last(rows: Iterable[Row]) -> dict[str, Any]:
    """What is known in the end, by kind and id."""
    return {f"{type(row).__name__} {row.id}": row for row in rows}


@given(fold_events().flatmap(lambda events: st.tuples(st.just(events), batches_of(events))))
def test_any_batching_gives_equal_rows(scene: tuple[list[Event], list[Sequence[Event]]]) -> None:
    events, batches = scene
    operator = materialize()
    kernel = operator.kernel(Site(Engine(), operator.name))
    made: list[Output] = [item for batch in batches for item in kernel.feed(list(batch))]
    whole = Fold()
    assert [item for event in events for item in (event, *whole.add(event))] == made


@settings(max_examples=200)
@given(fold_events().flatmap(lambda events: st.tuples(st.just(events), batches_of(events))))
def test_a_restart_at_any_event_gives_equal_rows(scene: tuple[list[Event], list[Sequence[Event]]]) -> None:
    events, runs = scene
    fold, rows = Fold(), list[Row]()
    for run in runs:
        fold = restarted(fold)
        rows += [row for event in run for row in fold.add(event)]
    assert folded(events) == rows + fold.finish()


@settings(deadline=None)
@given(fold_events())
def test_a_restart_behind_every_event_gives_equal_rows(events: list[Event]) -> None:
    fold, rows = Fold(), list[Row]()
    for event in events:
        rows += fold.add(event)
        fold = restarted(fold)
    assert folded(events) == rows + fold.finish()


@given(side_by_side())
def test_calls_at_the_same_time_never_mix(scene: SideBySide) -> None:
    found = last(folded(scene.events))
    sizes = {event.exchange: len(event.body) for event in scene.events if isinstance(event, HttpRequest)}
    assert sizes
    for call in scene.calls:
        row: CallRow = found[f"CallRow {call.id}"]
        assert (f"number {call.number}", f"claude-{call.number}") == (row.prompt, row.model)
        http: HttpRow = found[f"HttpRow http-{call.id.removeprefix('llm-')}"]
        assert (call.id, row.session_id) == (http.call_id, http.session_id)
        if not call.answered:
            assert ("aborted", "", 0) == (row.status, row.text, row.total_tokens)
            assert f"TokenRow token-{call.id}" not in found
            continue
        assert ("complete", f"number {call.number}", f"msg_{call.number}") == (row.status, row.text, row.response_id)
        assert (call.number, 2 * call.number) == (row.input_tokens, row.output_tokens)
        cost: TokenRow = found[f"TokenRow token-{call.id}"]
        assert (row.input_tokens, row.output_tokens, row.pid) == (cost.input_tokens, cost.output_tokens, cost.pid)


@given(side_by_side())
def test_a_session_counts_its_own_calls_alone(scene: SideBySide) -> None:
    found = last(folded(scene.events))
    for pid in {call.connection.pid for call in scene.calls}:
        own = [call for call in scene.calls if call.connection.pid == pid]
        session: SessionRow = found[f"SessionRow session of {pid}"]
        answered = [call.number for call in own if call.answered]
        assert (len(own), sum(answered), 2 * sum(answered)) == (session.calls, session.input_tokens, session.output_tokens)
        assert {call.id for call in own} == {row.id for row in found.values() if _is_call_of(row, session)}
        assert set(range(1, len(own) + 1)) == {row.turn for row in found.values() if _is_call_of(row, session)}


def _is_call_of(row: Row, session: SessionRow) -> bool:
    return isinstance(row, CallRow) and row.session_id == session.id


@given(side_by_side())
def test_programs_that_have_the_same_pid_in_turn_never_mix(scene: SideBySide) -> None:
    rows = folded(scene.events)
    starts = {
        event.path: process_id(event.origin.pid, event.start_ns) for event in scene.events if isinstance(event, FileEvent)
    }
    effects = {row.target: row.process_id for row in rows if isinstance(row, AuditRow) and row.audit_type == "file"}
    assert starts == effects
    programs = {row.id: row for row in rows if isinstance(row, ProcessRow)}
    assert starts == {row.argv[-1]: row.id for row in programs.values()}


@settings(deadline=None)
@given(hostile_calls(), side_by_side())
def test_hostile_json_never_breaks_the_fold(hostile: list[Event], usual: SideBySide) -> None:
    fold, rows = Fold(), list[Row]()
    for event in hostile:
        rows += fold.add(event)
        fold = restarted(fold)
    rows += folded(usual.events, fold)
    msgspec.msgpack.encode(rows)
    msgspec.json.encode(rows)
    found = last(rows)
    for call in usual.calls:
        row: CallRow = found[f"CallRow {call.id}"]
        assert (f"number {call.number}", f"number {call.number}" * call.answered) == (row.prompt, row.text)
