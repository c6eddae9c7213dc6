"""A store to rows of top: one a session, also while it is being written."""

from __future__ import annotations

from pathlib import Path

import pytest

from agentsight_rx.events import SystemSample
from agentsight_rx.llm.prices import Prices
from agentsight_rx.view.queries.top.stored import saved_rows
from agentsight_rx.view.queries.top.top import TopRow
from tests.cli.report.effects import effects
from tests.cli.report.story import AGENT, BEGAN_MS, Story, recorded, small_story
from tests.view.exports.stores import opened


def rows(path: Path, *, being_written: bool = False) -> list[TopRow]:
    with opened(path) as store:
        return saved_rows(store, Prices(), now_ms=BEGAN_MS + 60_000, being_written=being_written)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return effects(tmp_path_factory.mktemp("store") / "run.lmdb")


def test_a_session_has_what_it_did(store: Path) -> None:
    (row,) = rows(store)
    assert (row.session, row.agent, row.pid, row.state, row.evidence) == ("5e5510", "claude", AGENT, "failed", ("db",))
    assert (row.tools, row.execs, row.failures, row.tokens) == (3, 3, 2, 80_120)
    assert row.cost_usd == pytest.approx(0.09576)
    assert row.breakdown["processes"] == {"sh": 2, "claude": 1}
    assert row.breakdown["network"]["api.anthropic.com"] == 4
    assert row.failed[0].endswith("exit 1")


def test_one_that_is_being_written_is_live_until_its_agent_ends(tmp_path: Path) -> None:
    story = small_story()
    story.events.pop()  # the end of the agent
    live = recorded(tmp_path / "live.lmdb", story, ended=False)
    assert [(row.state, row.age_s) for row in rows(live, being_written=True)] == [("live", 59)]
    assert [row.state for row in rows(live)] == ["failed"]


def test_load_is_the_newest_of_a_live_one_and_the_most_of_a_saved_one(tmp_path: Path) -> None:
    story = small_story()
    story.events.pop()
    for percent, size in ((90.0, 100), (10.0, 300)):
        story.now_s += 1
        story.events.append(
            SystemSample(
                story.origin(AGENT, "claude"), percent, cores=2, cpu_seconds=1.0, rss_bytes=size << 20, vsz_bytes=0, threads=1,
                fds=1, read_bytes=0, written_bytes=0, processes=2,
            )
        )  # fmt: skip
    live = recorded(tmp_path / "live.lmdb", story, ended=False)
    assert [(row.cpu_percent, row.rss_mb) for row in rows(live, being_written=True)] == [(10.0, 300)]
    assert [(row.cpu_percent, row.rss_mb, row.processes) for row in rows(live)] == [(90.0, 300, 2)]


def test_sessions_do_not_mix(tmp_path: Path) -> None:
    other = Story(pid=99, comm="codex", session="00d", began_s=0.5)
    other.runs("codex exec", pid=99)
    other.asks({"type": "text", "text": "go"})
    found = {row.session: row for row in rows(recorded(tmp_path / "x.lmdb", small_story(), other))}
    assert {name: (row.execs, row.tools, row.failures) for name, row in found.items()} == {
        "5e5510": (3, 3, 2),
        "00d": (1, 0, 0),
    }


def test_a_recording_without_a_session_is_one_row(tmp_path: Path) -> None:
    story = Story()
    story.runs("ls -a", pid=50)
    story.ends(2, pid=50, comm="ls")
    (row,) = rows(recorded(tmp_path / "x.lmdb", story))
    assert (row.session, row.state, row.execs, row.failures) == ("db", "failed", 1, 1)


def test_a_recording_of_nothing_is_a_row_of_nothing(tmp_path: Path) -> None:
    with opened(recorded(tmp_path / "x.lmdb", Story())) as store:
        (row,) = saved_rows(store, Prices(), now_ms=BEGAN_MS)
    assert (row.session, row.execs, row.network, row.tokens, row.breakdown) == ("db", 0, 0, None, {})
