"""A trajectory: the atif package reads it, and every turn of the session is in it, whole."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest
from atif import Step, Trajectory

from agentsight_rx.llm.prices import Prices
from agentsight_rx.policy.rules.guard.file import built_in_rules
from agentsight_rx.store.rows.kinds import SessionRow
from agentsight_rx.store.rows.tables import SESSIONS
from agentsight_rx.store.state import Store
from agentsight_rx.view.exports.atif import atif
from agentsight_rx.view.queries.reading import newest_session
from tests.cli.report.story import Story, recorded, small_story, text, tool
from tests.cli.report.story import result as output
from tests.guarded import leaking, stored
from tests.view.exports.stores import opened


def written(store: Store) -> bytes:
    session = newest_session(store)
    assert session is not None
    return b"".join(atif(store, session, Prices()))


def trajectory(path: Path, story: Story) -> Trajectory:
    with opened(recorded(path / "x.lmdb", story)) as store:
        return Trajectory.model_validate_json(written(store))


@pytest.fixture(scope="module")
def read(tmp_path_factory: pytest.TempPathFactory) -> Trajectory:
    return trajectory(tmp_path_factory.mktemp("store"), small_story())


def agent_steps(read: Trajectory) -> list[Step]:
    return [step for step in read.steps if step.source == "agent"]


def test_the_steps_are_the_turns_of_the_session(read: Trajectory) -> None:
    assert [step.source for step in read.steps] == ["user", "agent", "agent", "agent", "agent"]
    assert read.steps[0].message == "Invoice totals are off by one cent for orders with discounts"
    assert read.steps[-1].message == "Done: the rounding is in one place."
    assert (read.schema_version, read.session_id, read.agent.name) == ("ATIF-v1.8", "5e5510", "claude")


def test_a_tool_has_its_result_and_what_ran_for_it(read: Trajectory) -> None:
    step = agent_steps(read)[0]
    assert step.tool_calls is not None
    assert step.observation is not None
    (asked,), (got,) = step.tool_calls, step.observation.results
    assert (asked.function_name, asked.arguments) == ("Bash", {"command": "pytest tests/test_invoice.py -q"})
    assert (asked.extra or {})["exit_code"] == 1
    assert (got.source_call_id, got.extra) == ("t1", {"is_error": True})
    assert str(got.content).startswith("FAILED tests/test_invoice.py")


def test_tokens_of_all_steps_are_the_sum(read: Trajectory) -> None:
    metrics = agent_steps(read)[0].metrics
    assert metrics is not None
    assert (metrics.prompt_tokens, metrics.cached_tokens, metrics.completion_tokens) == (18_200, 12_000, 640)
    assert read.final_metrics is not None
    assert read.final_metrics.total_completion_tokens == sum(
        each.metrics.completion_tokens or 0 for each in agent_steps(read) if each.metrics
    )
    assert read.final_metrics.total_steps == len(read.steps)


def test_texts_are_whole(tmp_path: Path) -> None:
    story = Story()
    story.asks(text("x" * 5000), answer=[text("y" * 5000), tool("t1", "Bash", command="z" * 5000)])
    story.asks(output("t1", "w" * 5000))
    steps = trajectory(tmp_path, story).steps
    assert [len(step.message) for step in steps] == [5000, 5000, 0]
    assert len(str(steps[1].observation.results[0].content if steps[1].observation else "")) == 5000


def test_results_of_a_step_that_was_not_seen_are_a_step_of_the_system(tmp_path: Path) -> None:
    story = Story()
    story.asks(output("before", "42"), answer=[text("So 42.")])
    steps = trajectory(tmp_path, story).steps
    assert [step.source for step in steps] == ["system", "agent"]
    assert steps[0].observation is not None
    assert steps[0].observation.results[0].extra == {"tool_call_id": "before"}


def test_a_call_that_failed_is_a_step_that_says_so(tmp_path: Path) -> None:
    story = Story()
    story.asks(text("go"), status=529)
    last = trajectory(tmp_path, story).steps[-1]
    assert (last.message, (last.extra or {})["status"], last.metrics) == ("", "error", None)


def test_a_sub_session_is_inside_once_whatever_its_rows_say(tmp_path: Path) -> None:
    """Two sessions that name each other would never end."""
    main, other = small_story(), Story(session="00d", pid=99, began_s=30)
    other.asks(text("look"), answer=[text("seen")])
    path = recorded(tmp_path / "x.lmdb", main, other)
    rows: dict[str, SessionRow] = {}
    with opened(path) as store:
        rows = {row.id: row for _, row in store.scan(SESSIONS)}

    class Looped:
        """The store, with sessions that are inside of each other."""

        def __init__(self, real: Store) -> None:
            self._real = real

        def __getattr__(self, name: str) -> Any:
            return getattr(self._real, name)

        def scan(self, table: Any, **more: Any) -> Any:
            found = self._real.scan(table, **more)
            if table is not SESSIONS:
                return found
            inside = {"5e5510": "00d", "00d": "5e5510"}
            return [(key, msgspec.structs.replace(row, parent_session_id=inside[row.id])) for key, row in found]

    with opened(path) as store:
        looped: Any = Looped(store)
        read = Trajectory.model_validate_json(b"".join(atif(looped, rows["5e5510"], Prices())))
    assert [(each.trajectory_id, each.subagent_trajectories) for each in read.subagent_trajectories or []] == [("00d", None)]


def test_alerts_of_the_session_are_extra(tmp_path: Path, read: Trajectory) -> None:
    with opened(stored(tmp_path / "run.lmdb", leaking().events, built_in_rules())) as store:
        found = Trajectory.model_validate_json(written(store))
    alerts = (found.extra or {})["alerts"]
    assert ["reads-secret", "secret-left", "new-host", "unsandboxed"] == [each["rule"] for each in alerts]
    assert alerts[1]["sentence"].startswith("claude read ~/.ssh/id_ed25519, and a part of it left")
    assert "alerts" not in (read.extra or {})
