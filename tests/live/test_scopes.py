"""Which processes are watched when several selections are given: the same ones for every source."""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from agentsight_rx import sources
from agentsight_rx.core.stream import Stream
from agentsight_rx.events import FileEvent, NetEvent, ProcessExit, StdioChunk, SystemSample, TlsChunk
from agentsight_rx.sources import FileOptions, NetOptions, ProcessOptions, StdioOptions, SystemOptions, Target, TlsOptions
from agentsight_rx.sources.target import seeds
from tests.live.capture import PATIENCE_S, running, started, until

pytestmark = pytest.mark.live

ROOT = Path(__file__).parents[2]

# GATE NOTES: notes its pid, waits for the gate, and does something that each source sees; then waits to be seen by the sampler.
WORK = """
import os, socket, sys, time
from pathlib import Path
gate, notes = map(Path, sys.argv[1:3])
from benchmarks.tls_worker import connected
(notes / str(os.getpid())).touch()
while not (gate / "go").exists():
    time.sleep(0.01)
Path("/proc/self/comm").read_text()
reader, writer = os.pipe()
if os.fork() == 0:
    os.read(reader, 5)
    while not (gate / "end").exists():
        time.sleep(0.01)
    os._exit(0)
os.write(writer, b"hello")
socket.create_server(("127.0.0.1", 0))
client, server = connected()
client.write(b"hello")
server.read(5)
(notes / str(os.getpid())).rename(notes / f"{os.getpid()}-done")
os.wait()
"""

_NUMBERS = itertools.count()

Source = Callable[[Target], Stream[Any]]
SOURCES: dict[str, tuple[Source, type]] = {
    "process": (lambda target: sources.process(ProcessOptions(target)), ProcessExit),
    "files": (lambda target: sources.files(FileOptions(target)), FileEvent),
    "net": (lambda target: sources.net(NetOptions(target)), NetEvent),
    "stdio": (lambda target: sources.stdio(StdioOptions(target)), StdioChunk),
    "tls": (lambda target: sources.tls(TlsOptions(target)), TlsChunk),
    "system": (lambda target: sources.system(SystemOptions(target, 0.1)), SystemSample),
}


class Stage:
    """Three programs: `agent` and `other` below one shell, and another `agent` outside of it."""

    def __init__(self, shell: int, folder: Path, gate: Path) -> None:
        self.shell = shell
        self._folder = folder
        self._gate = gate

    def pids(self, who: str) -> set[int]:
        return {int(each.name.partition("-")[0]) for each in (self._folder / who).iterdir()}

    def go(self) -> None:
        (self._gate / "go").touch()

    def is_done(self) -> bool:
        done = list(self._folder.glob("*/*-done"))
        return len(done) == 3

    def end(self) -> None:
        (self._gate / "end").touch()


@pytest.fixture
def agent(tmp_path: Path) -> str:
    """A name that no other process has."""
    name = f"agent-{os.getpid() % 10_000:04}-{next(_NUMBERS):03}"
    for each in (name, f"x{name}"):
        (tmp_path / each).symlink_to(sys.executable)
    return name


@contextmanager
def staged(tmp_path: Path, agent: str) -> Generator[Stage]:
    for who in ("inside", "other", "outside"):
        (tmp_path / who).mkdir()
    (tmp_path / "work.py").write_text(WORK)

    def command(name: str, who: str) -> str:
        return f"{tmp_path / name} {tmp_path}/work.py {tmp_path} {tmp_path / who}"

    env = {**os.environ, "PYTHONPATH": f"{ROOT}:{':'.join(sys.path)}"}
    script = f"{command(agent, 'inside')} & {command(f'x{agent}', 'other')} & wait"
    with started(["/bin/sh", "-c", script], env) as shell, started(command(agent, "outside").split(), env):
        stage = Stage(shell.pid, tmp_path, tmp_path)
        until(lambda: all(stage.pids(who) for who in ("inside", "other", "outside")))
        try:
            yield stage
        finally:
            stage.go()
            stage.end()
            until(stage.is_done)


@pytest.mark.parametrize("name", SOURCES)
def test_a_pid_and_a_name_must_both_fit(name: str, tmp_path: Path, agent: str) -> None:
    source, kind = SOURCES[name]
    with staged(tmp_path, agent) as stage:
        target = Target(stage.shell, (agent,))
        (inside,) = stage.pids("inside")
        with running(source(target)) as (run, kept):
            stage.go()
            until(stage.is_done)
            if name == "system":
                until(lambda: kept.of(SystemSample))
            stage.end()
            if name == "process":
                until(lambda: inside in {event.origin.pid for event in kept.of(ProcessExit)})
            run.stop()
        seen = {event.origin.pid for event in kept.of(kind)}
    assert inside in seen
    children = seen - {inside}  # a child of the agent's is one of the agent's
    assert not children & (stage.pids("other") | stage.pids("outside") | {stage.shell})
    assert len(children) <= 1


def test_a_name_that_appears_later_counts_where_the_pid_fits(tmp_path: Path, agent: str) -> None:
    script = f"until [ -e {tmp_path}/go ]; do sleep 0.01; done; /bin/true early; {tmp_path / agent} -c pass; /bin/true late"
    with (
        started(["/bin/sh", "-c", script]) as shell,
        running(sources.process(ProcessOptions(Target(shell.pid, (agent,))))) as (run, kept),
    ):
        (tmp_path / "go").touch()
        subprocess.run([tmp_path / agent, "-c", "pass"], check=True)
        shell.wait(60)
        assert run.wait(60) == "end of input"  # its source ended: none is left that could fit
        run.stop()
    assert [agent] == [event.origin.comm for event in kept.of(ProcessExit)]


def test_without_children_the_process_itself_must_have_the_name(tmp_path: Path, agent: str) -> None:
    with staged(tmp_path, agent) as stage:
        (inside,) = stage.pids("inside")
        assert [] == list(seeds(Target(stage.shell, (agent,), children=False)))
        assert [inside] == list(seeds(Target(inside, (agent,), children=False)))
        assert [inside] == list(seeds(Target(stage.shell, (agent,))))
        assert stage.pids("inside") | stage.pids("outside") == set(seeds(Target(comms=(agent,))))
        session = os.getsid(stage.shell)
        assert stage.pids("inside") | stage.pids("outside") == set(seeds(Target(comms=(agent,), session=session)))
        assert [] == list(seeds(Target(comms=(agent,), session=inside)))


@pytest.mark.parametrize("name", SOURCES)
def test_a_process_that_ended_and_was_not_waited_for_is_no_process(name: str) -> None:
    with subprocess.Popen(["/bin/true"]) as process:
        until(lambda: Path(f"/proc/{process.pid}/stat").read_text().split()[2] == "Z")
        source, _ = SOURCES[name]
        with running(source(Target(process.pid))) as (run, _):
            assert run.wait(PATIENCE_S) == "end of input"


def test_samples_are_of_the_user_and_the_group_that_were_asked_for(tmp_path: Path) -> None:
    command = ["/bin/sleep", "60"]
    with started(command) as one, subprocess.Popen(command, user=65534) as other:
        try:
            with running(sources.system(SystemOptions(Target(uid=65534), 0.1))) as (run, kept):
                until(lambda: kept.of(SystemSample))
                run.stop()
        finally:
            other.kill()
    pids = {event.origin.pid for event in kept.of(SystemSample)}
    assert other.pid in pids
    assert one.pid not in pids


@pytest.mark.parametrize("words", [["--ssl"], ["--process", "--files", "--system"]], ids=" ".join)
def test_a_name_that_no_process_has_is_said_at_the_end(words: list[str], tmp_path: Path, agent: str) -> None:
    with started([str(tmp_path / agent), "-c", "import time; time.sleep(60)"]):
        program = [sys.executable, "-m", "agentsight_rx", "trace", *words, "--comm", f"{agent}x,{agent}", "--for", "500ms"]
        done = subprocess.run(program, capture_output=True, text=True, check=True)
    said = [line for line in done.stderr.splitlines() if "no process is named" in line]
    (line,) = said
    begin, _, near = line.partition("; near: ")
    assert begin.endswith(f"no process is named {agent}x")
    assert agent in near.split(", ")  # beside those of other tests that run now


def test_a_name_that_ran_in_between_is_no_missing_one(tmp_path: Path, agent: str) -> None:
    with running(sources.process(ProcessOptions(Target(comms=(agent, "doesnotexist"))))) as (run, _):
        subprocess.run([tmp_path / agent, "-c", "pass"], check=True)
        notes = run.stop().notes
    assert ["no process is named doesnotexist"] == [note.partition(";")[0] for note in notes]


def test_a_name_outside_of_the_other_selections_is_said(tmp_path: Path, agent: str) -> None:
    with (
        started([str(tmp_path / agent), "-c", "import time; time.sleep(60)"]),
        started(["/bin/sleep", "60"]) as other,
        running(sources.process(ProcessOptions(Target(other.pid, (agent,))))) as (run, _),
    ):
        notes = run.stop().notes
    assert (f"a process is named {agent}, but none that fits the other selections too",) == notes
