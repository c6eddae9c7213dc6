"""Programs that start and processes that run -> the agents among them. The processes are of these tests, and real."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Generator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from agentsight_rx.events import Loss, Origin, ProcessExec
from agentsight_rx.events.loss import Reason
from agentsight_rx.sources import AgentOptions, Choice, Roots, Target, agents
from agentsight_rx.sources.running import ancestors
from agentsight_rx.sources.running_agents import finder
from agentsight_rx.sources.running_agents.finder import AgentReader
from agentsight_rx.sources.target import MEMBER, Found, found

NAME = "claude"
# Prints its pid, starts another one of its name so many times, each inside the one before, and waits
PROGRAM = 'echo $$; if [ $2 -gt 0 ]; then (exec -a "$0" bash -c "$1" "$0" "$1" $(($2 - 1))); true; else read -r _; fi'
LOST = Loss(Origin(1, 0), "process", Reason.KERNEL_LOST, 1)


class Kernel:
    """Stands for the program in the kernel: what it reports, and whether all that it watches has ended."""

    def __init__(self, *arguments: Any, **more: Any) -> None:
        self.target: Target = arguments[1]
        self.reports: list[Any] = []
        self.is_over = self.is_closed = False

    def seed(self) -> set[int]:
        return set()

    def over(self) -> bool:
        return self.is_over

    def wait(self, timeout: float) -> bool:
        return bool(self.reports)

    def read(self) -> list[Any]:
        reports, self.reports = self.reports, []
        return reports

    def lost(self) -> list[Loss]:
        return [LOST]

    def wake(self) -> None:
        pass

    def close(self) -> None:
        self.is_closed = True


class Scene:
    """A reader over this kernel, for agents below this process, and programs that it may find."""

    def __init__(self, directory: Path, stack: ExitStack) -> None:
        self.directory, self._stack = directory, stack
        self.roots, self.is_paused = Roots(), False
        self.made: list[Kernel] = []

    def reader(self, choice: Choice = Choice(), target: Target = Target(os.getpid())) -> AgentReader:  # noqa: B008 (frozen)
        reader = AgentReader(AgentOptions(self.roots, target, choice, lambda: self.is_paused), self._kernel)
        reader.open()
        self._stack.callback(reader.close)
        return reader

    def _kernel(self, *arguments: Any, **more: Any) -> Any:
        self.made.append(Kernel(*arguments, **more))
        return self.made[-1]

    @property
    def kernel(self) -> Kernel:
        return self.made[-1]

    def start(self, name: str = NAME, depth: int = 0) -> list[int]:
        """Start a program of this name, and so many inside it; their pids, the outermost first."""
        process = subprocess.Popen(
            [name, "-c", PROGRAM, name, PROGRAM, str(depth)],
            executable="/bin/bash",
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=self.directory,
        )
        self._stack.callback(process.communicate)
        assert process.stdout is not None
        return [int(process.stdout.readline()) for _ in range(depth + 1)]


@pytest.fixture
def scene(tmp_path: Path) -> Generator[Scene]:
    with ExitStack() as stack:
        yield Scene(tmp_path, stack)


def executed(pid: int, comm: str = NAME, **more: Any) -> ProcessExec:
    origin = Origin(time.monotonic_ns(), pid, tid=pid, uid=more.pop("uid", 0), comm=comm)
    event = ProcessExec(origin, os.getpid(), start_ns=1, filename=f"/bin/{comm}", argv=(comm,), cwd="/", sid=0, argv_lost=0)
    return replace(event, **more)


def test_an_agent_that_starts_is_a_root_and_its_start_is_emitted(scene: Scene) -> None:
    reader, (pid,) = scene.reader(), scene.start("some-program")
    reader.poll(0)
    scene.kernel.reports = [executed(os.getpid(), "sh"), executed(pid), LOST]
    (event,) = list(reader.poll(0) or ())
    assert (pid, frozenset({pid})) == (event.origin.pid, scene.roots.pids)
    assert scene.roots.has_started(pid)


def test_its_next_program_is_emitted_until_the_process_source_does_so(scene: Scene) -> None:
    """`#!/usr/bin/env node`: the script runs first, then node in the same process."""
    reader, (pid,) = scene.reader(), scene.start("some-program")
    scene.kernel.reports = [executed(pid), executed(pid, "node")]
    assert [NAME, "node"] == [event.origin.comm for event in reader.poll(0) or ()]
    scene.roots.follow()
    scene.kernel.reports = [executed(pid, "node")]
    assert [] == list(reader.poll(0) or ())


def test_an_agent_inside_another_one_is_part_of_it(scene: Scene) -> None:
    reader, (outer, inner, innermost) = scene.reader(), scene.start("some-program", depth=2)
    scene.kernel.reports = [executed(outer), executed(inner), executed(innermost)]
    assert [outer] == [event.origin.pid for event in reader.poll(0) or ()]
    assert {outer} == scene.roots.pids
    assert [inner, outer, os.getpid()] == ancestors(innermost)[:3]


@pytest.mark.parametrize(
    "choice",
    [Choice(no_agents=(NAME,)), Choice(no_uids=(77,)), Choice(no_folders=("/srv",))],
    ids=["agent", "user", "folder"],
)
def test_what_is_excluded_is_not_a_root(scene: Scene, choice: Choice) -> None:
    reader, (pid,) = scene.reader(choice), scene.start("some-program")
    scene.kernel.reports = [executed(pid, uid=77, cwd="/srv/x")]
    assert [] == list(reader.poll(0) or ())
    assert frozenset() == scene.roots.pids


def test_a_process_that_has_ended_is_not_a_root(scene: Scene) -> None:
    reader = scene.reader()
    with subprocess.Popen(["true"]) as process:
        process.wait()
    scene.kernel.reports = [executed(process.pid)]
    assert [] == list(reader.poll(0) or ())
    assert [] == ancestors(process.pid)


def test_agents_that_run_already_are_found_the_outermost_of_each(scene: Scene) -> None:
    (outer, *_), (alone,), _ = scene.start(depth=2), scene.start("codex"), scene.start("some-program")
    reader = scene.reader()
    assert [] == list(reader.poll(0) or ())
    assert {outer, alone} == scene.roots.pids
    assert not scene.roots.has_started(outer), "it ran before"


def test_programs_that_a_person_names_are_found_and_excluded_ones_are_not(scene: Scene) -> None:
    (named,), _ = scene.start("some-program"), scene.start()
    scene.reader(Choice(comms=("some-program",), no_agents=(NAME,))).poll(0)
    assert {named} == scene.roots.pids
    scene.roots.clear()
    scene.reader(Choice(comms=("some-program",), no_folders=(str(scene.directory),))).poll(0)
    assert frozenset() == scene.roots.pids


def test_a_process_that_becomes_an_agent_is_found_by_a_later_look(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    now_s = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: now_s[0])
    reader, (pid,) = scene.reader(), scene.start("some-program")
    reader.poll(0)
    assert frozenset() == scene.roots.pids
    (late,) = scene.start()
    now_s[0] += 4.9
    reader.poll(0)
    assert frozenset() == scene.roots.pids, "a look costs some ms"
    now_s[0] += 0.2
    reader.poll(0)
    assert {late} == scene.roots.pids
    assert pid not in scene.roots.pids


def test_where_nothing_narrows_it_the_whole_machine_is_looked_at(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """/proc is that of this machine, and only processes of this test count."""
    (mine,) = scene.start()

    def of_this_test(target: Target) -> list[Any]:
        return [each for each in found(target) if each.pid == mine or os.getpid() in ancestors(each.pid)]

    monkeypatch.setattr(finder, "found", of_this_test)
    scene.reader(target=Target()).poll(0)
    assert {mine} == scene.roots.pids
    assert scene.kernel.target.comms, "the kernel reports some names alone"
    assert not scene.kernel.target.children


def test_while_it_is_paused_there_are_no_agents_and_the_gap_is_counted(scene: Scene) -> None:
    (pid,) = scene.start()
    reader = scene.reader()
    reader.poll(0)
    scene.is_paused = True
    (loss,) = list(reader.poll(0) or ())
    assert isinstance(loss, Loss)
    assert (Reason.PAUSED, "agents", "paused by the user, while 1 agent ran") == (loss.reason, loss.stage, loss.note)
    assert frozenset() == scene.roots.pids
    (other,) = scene.start("some-program")
    scene.kernel.reports = [executed(other)]
    assert [] == list(reader.poll(0) or ())
    scene.is_paused = False
    assert [] == list(reader.poll(0) or ())
    assert {pid} == scene.roots.pids, "it runs still"


def test_one_that_is_paused_from_the_begin_looks_at_nothing(scene: Scene) -> None:
    scene.start()
    scene.is_paused = True
    assert [Reason.PAUSED] == [loss.reason for loss in scene.reader().poll(0) or () if isinstance(loss, Loss)]
    assert frozenset() == scene.roots.pids


def test_it_ends_with_the_process_that_the_agents_are_below(scene: Scene) -> None:
    (pid,) = scene.start()
    reader = scene.reader()
    reader.poll(0)
    scene.kernel.is_over = True
    assert reader.poll(0) is not None, "an agent runs"
    os.kill(pid, 9)
    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
    assert reader.poll(0) is None
    assert [LOST] == list(reader.lost()) == list(reader.close())
    assert scene.kernel.is_closed
    assert scene.roots.over
    assert [] == list(reader.close()), "a second close changes nothing"


def test_a_process_that_ends_while_it_is_looked_at_is_no_agent(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    reader = scene.reader(target=Target())
    with subprocess.Popen(["true"]) as process:
        process.wait()

    def gone(_: Target) -> list[Found]:
        return [Found(process.pid, 1, MEMBER, "")]

    monkeypatch.setattr(finder, "found", gone)
    reader.poll(0)
    assert frozenset() == scene.roots.pids


def test_the_source_names_where_it_looks() -> None:
    assert "Target(pid=1," in agents(AgentOptions(Roots(), Target(1))).node().options
