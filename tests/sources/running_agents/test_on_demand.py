"""A source that is open only while an agent runs: when it opens, what it emits, what is left of it."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import pytest
from msgspec.structs import replace

from agentsight_rx.core.engine import Engine
from agentsight_rx.core.hub import Wakes
from agentsight_rx.errors import CaptureError, Unavailable
from agentsight_rx.events import Loss, Origin, ProcessFork
from agentsight_rx.events.loss import Reason
from agentsight_rx.sources import ProcessOptions, Target
from agentsight_rx.sources.running_agents import on_demand
from agentsight_rx.sources.running_agents.choice import Roots
from agentsight_rx.sources.running_agents.on_demand import OnDemand, captured

EVENT = ProcessFork(Origin(1, 2), 1, 1)
LOST = Loss(Origin(1, 0), "process", Reason.KERNEL_LOST, 1)


class Source:
    """A reader, and what was done with it, in order."""

    def __init__(self, done: list[str], refusal: CaptureError | None = None) -> None:
        self._done = done
        self.refusal = refusal

    def open(self) -> None:
        self._done.append("open")
        if self.refusal is not None:
            raise self.refusal

    def poll(self, timeout: float, /) -> Sequence[Any] | None:
        self._done.append("poll")
        return [EVENT]

    def look_again(self) -> None:
        self._done.append("look")

    def lost(self) -> Sequence[Any]:
        return [LOST]

    def wake(self) -> None:
        self._done.append("wake")

    def close(self) -> Sequence[Any]:
        self._done.append("close")
        return [replace(EVENT, ppid=9)]


class Scene:
    """A source on demand, and what was done with the readers that it made."""

    def __init__(self) -> None:
        self.roots, self.done = Roots(), list[str]()
        self.refusals: list[CaptureError | None] = []
        self.source: OnDemand[Any] = OnDemand("process", self.roots, self.made)
        self.source.open()
        self.done.clear()

    def made(self) -> Source:
        return Source(self.done, self.refusals.pop() if self.refusals else None)

    def polled(self, times: int = 1) -> list[Any]:
        return [event for _ in range(times) for event in self.source.poll(0) or ()]


@pytest.fixture
def scene() -> Scene:
    return Scene()


def test_opening_it_opens_the_source_once_and_closes_it_again() -> None:
    done = list[str]()
    source: OnDemand[Any] = OnDemand("process", Roots(), lambda: Source(done))
    source.open()
    assert ["open", "close"] == done
    assert isinstance(source, Wakes)
    refused: OnDemand[Any] = OnDemand("process", Roots(), lambda: Source(done, Unavailable("no")))
    with pytest.raises(Unavailable):
        refused.open()
    assert ["open", "close"] == done[2:]


def test_nothing_is_open_while_no_agent_runs(scene: Scene) -> None:
    assert [] == scene.polled(3)
    assert [] == list(scene.source.lost()) == list(scene.source.close())
    assert not scene.source.is_open
    scene.source.wake()
    assert [] == scene.done


def test_it_is_open_while_one_runs_and_for_a_while_behind_it(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    scene.roots.add(os.getpid())
    assert [EVENT] == scene.polled(2)
    assert [LOST] == list(scene.source.lost())
    assert ["open", "poll"] == scene.done
    monkeypatch.setattr(Roots, "empty_s", 1.9)
    assert [EVENT] == scene.polled()
    monkeypatch.setattr(Roots, "empty_s", 2.1)
    assert [9] == [event.ppid for event in scene.polled()]
    monkeypatch.undo()
    scene.roots.clear()
    assert [] == scene.polled()
    assert ["open", "poll", "poll", "close"] == scene.done


def test_a_second_agent_has_it_look_again_and_a_later_one_opens_it_anew(scene: Scene) -> None:
    scene.roots.add(os.getpid())
    scene.polled(2)
    scene.roots.add(os.getppid())
    scene.polled(2)
    assert ["open", "poll", "wake", "look", "poll", "poll"] == scene.done
    scene.roots.clear()
    scene.polled(2)
    scene.roots.add(os.getpid())
    scene.polled(2)
    assert ["wake", "close", "open", "poll"] == scene.done[6:]


def test_what_the_machine_does_not_allow_is_counted_and_tried_with_the_next_agent(
    scene: Scene, capsys: pytest.CaptureFixture[str]
) -> None:
    scene.refusals.append(Unavailable("the kernel did not take it"))
    scene.roots.add(os.getpid())
    (loss,) = scene.polled(3)
    assert (Reason.NOT_OPENED, "process", "the kernel did not take it") == (loss.reason, loss.stage, loss.note)
    assert "NOT captured: process: the kernel did not take it" in capsys.readouterr().err
    assert ["open", "close"] == scene.done, "it is not tried again for the same agent"
    scene.roots.add(os.getppid())
    assert [EVENT] == scene.polled(2)


def test_it_ends_where_no_other_comes(scene: Scene) -> None:
    scene.roots.add(os.getpid())
    scene.polled(2)
    scene.roots.finish()
    assert [9] == [event.ppid for event in scene.polled()]
    assert scene.source.poll(0) is None


def test_only_a_source_of_agents_is_opened_on_demand() -> None:
    kinds: list[object] = [
        type(hub.reader)
        for target in (Target(os.getpid()), Target(roots=Roots()))
        for hub in _hubs(captured("process", ProcessOptions(target), lambda: Source([])))
    ]
    assert [Source, on_demand.OnDemand] == kinds


class _Outlet:
    """A subscriber that takes nothing."""

    singles = 0

    def on_batch(self, batch: Sequence[Any], /) -> None: ...
    def on_completed(self) -> None: ...
    def on_error(self, error: Exception, /) -> None: ...


def _hubs(stream: Any) -> list[Any]:
    engine = Engine()
    stream.attach(engine, _Outlet())
    return list(engine.hubs)


def test_a_source_that_opens_late_says_until_when_nothing_was_seen(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for took_s, late in ((1.9, False), (31.0, True)):
        scene = Scene()
        scene.roots.add(os.getpid(), started=True)
        clock = iter([100.0, 100.0 + took_s])
        with monkeypatch.context() as patch:
            patch.setattr("agentsight_rx.sources.running_agents.on_demand.time.monotonic", clock.__next__)
            found = scene.polled()
        losses = [event for event in found if isinstance(event, Loss)]
        assert late == ([Reason.OPENED_LATE] == [loss.reason for loss in losses])
        assert late == bool(losses)
        assert not late or losses[0].note.startswith("an agent ran for 31.0 s before this was open, at ")
        assert late == ("nothing was seen until then" in capsys.readouterr().err)


@pytest.mark.needs("root")
def test_what_is_opened_comes_before_others_of_a_busy_machine_and_only_then(monkeypatch: pytest.MonkeyPatch) -> None:
    scene, seen = Scene(), list[int]()
    opened = Source.open

    def noting(source: Source) -> None:
        seen.append(os.sched_getscheduler(0) & ~os.SCHED_RESET_ON_FORK)
        opened(source)

    monkeypatch.setattr(Source, "open", noting)
    before = os.sched_getscheduler(0)
    scene.roots.add(os.getpid(), started=True)
    scene.polled()
    assert ([os.SCHED_RR], before) == (seen, os.sched_getscheduler(0))
