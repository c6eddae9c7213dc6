"""`watch`: agents of this test, inside a control group of this test, are found, read and let go, and nothing else is."""

from __future__ import annotations

import os
from collections.abc import Generator
from pathlib import Path

import pytest

from agentsight_rx.events.loss import Reason
from agentsight_rx.graphs import trace as trace_graph
from agentsight_rx.sources import Roots
from agentsight_rx.store.rows.tables import CALLS, PROCESSES, RUNS, SESSIONS
from agentsight_rx.store.state import LmdbStore
from agentsight_rx.view import ProcessRow
from tests.live.capture import running, until
from tests.live.watched import Scene, calls_of, is_open, links, options, scene_in

pytestmark = pytest.mark.live


@pytest.fixture
def scene(tmp_path: Path) -> Generator[Scene]:
    with scene_in(tmp_path) as scene:
        yield scene


def test_agents_are_read_from_their_start_and_let_go_at_their_end(scene: Scene) -> None:
    roots = Roots()
    bystander = scene.start(inside=False)
    with running(trace_graph(options(scene, roots))) as (run, kept):
        before, threads = links(), len(os.listdir("/proc/self/task"))
        assert not any("uprobe" in each for each in before), "no probe is attached"
        bystander.asks()
        for round_ in range(2):
            agent = scene.start()
            until(lambda: is_open(run))
            assert {agent.pid} == roots.pids
            agent.asks()
            bystander.asks()
            agent.asks()
            until(lambda round_=round_: len(calls_of(kept)) == 2 * (round_ + 1))  # type: ignore[misc]
            agent.ends()
            until(lambda: links() == before)
        until(lambda: len(os.listdir("/proc/self/task")) <= threads)
        summary = run.stop()
    assert summary.failures == ()
    assert summary.ledger.unintended() == []
    rows = calls_of(kept)
    assert {"claude"} == {row.agent for row in rows.values()}
    assert 2 == len({row.session_id for row in rows.values()}), "each agent is a session"
    assert bystander.pid not in {row.pid for row in rows.values()}
    mine = [row for row in kept.rows(ProcessRow) if row.agent == "claude"]
    assert 2 == len({row.id for row in mine})
    assert {"view"} == {row.view_source for row in mine}, "the start of each was seen"


def test_two_agents_at_once_and_one_that_ran_before(scene: Scene) -> None:
    roots = Roots()
    older = scene.start("codex")
    with running(trace_graph(options(scene, roots))) as (run, kept):
        until(lambda: is_open(run))
        younger = scene.start("claude")
        until(lambda: younger.pid in roots.pids)
        older.asks()
        younger.asks()
        older.ends()
        younger.asks()
        until(lambda: len(calls_of(kept)) == 3)
        younger.ends()
        run.stop()
    rows = calls_of(kept).values()
    assert [("claude", 2), ("codex", 1)] == [(name, sum(row.agent == name for row in rows)) for name in ("claude", "codex")]
    tools = {row.argv for row in kept.rows(ProcessRow) if row.argv[:1] == ("/bin/echo",)}
    assert {("/bin/echo", "tool", "0"), ("/bin/echo", "tool", "1")} == tools


def test_a_pause_lets_all_of_them_go_and_its_end_takes_them_up_again(scene: Scene) -> None:
    roots, paused = Roots(), list[bool]()
    with running(trace_graph(options(scene, roots, paused=lambda: bool(paused)))) as (run, kept):
        before = links()  # while no agent runs, or a source is just being opened
        agent = scene.start()
        until(lambda: is_open(run))
        agent.asks()
        until(lambda: len(calls_of(kept)) == 1)
        paused.append(True)
        until(lambda: links() == before)
        agent.asks()
        paused.clear()
        until(lambda: is_open(run))
        agent.asks()
        until(lambda: len(calls_of(kept)) == 2)
        summary = run.stop()
    assert [1] == [entry.count for entry in summary.ledger.entries() if entry.reason is Reason.PAUSED]


def test_the_command_records_into_one_store_and_goes_on_with_it(scene: Scene) -> None:
    store = scene.directory / "machine.lmdb"
    for number in (1, 2):
        recorder = scene.record(store)
        agent = scene.start()
        recorder.reads(agent.known)
        agent.asks()
        agent.ends()
        recorder.ends()
        assert recorder.process.returncode == 0, recorder.said
        kept = LmdbStore.open(store, readonly=True)
        assert number == len(kept.scan(RUNS)) == len(kept.scan(SESSIONS)) == len(kept.scan(CALLS))
        assert all(row.session_id for _, row in kept.scan(CALLS))
        assert number == sum(row.agent == "claude" for _, row in kept.scan(PROCESSES))
        kept.close()
