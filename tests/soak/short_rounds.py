"""The short form of ./test.sh --soak: a recorder that runs always, through each accident, by counts alone."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path

import pytest

from tests.live.watched import Scene, scene_in
from tests.soak import rows

pytestmark = pytest.mark.live


@pytest.fixture
def scene(tmp_path: Path) -> Generator[Scene]:
    with scene_in(tmp_path) as scene:
        yield scene


def test_while_no_agent_runs_nothing_is_attached_whatever_starts(scene: Scene) -> None:
    assert all(figure.kept or "processor" in figure.what for figure in rows.quiet(scene, rate=200, seconds=2))


def test_behind_many_agents_everything_is_as_before(scene: Scene) -> None:
    assert list(rows.many(scene, runs=6, at_once=3))


def test_a_recorder_that_is_killed_goes_on_with_the_session(scene: Scene) -> None:
    assert list(rows.killed(scene, times=1))


def test_what_happens_while_a_recorder_stands_still_is_seen_or_counted(scene: Scene) -> None:
    assert list(rows.stopped(scene, seconds=2, programs=300))


@pytest.mark.needs("disk")
def test_destinations_that_are_blocked_lose_what_is_counted_and_nothing_else(scene: Scene) -> None:
    assert list(rows.sinks(scene, seconds=1, programs=300))


def test_over_its_soft_limit_a_recorder_sheds_contents_and_nothing_else(scene: Scene) -> None:
    assert list(rows.shed(scene, calls=2))
