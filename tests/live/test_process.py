"""Processes of every kind: the events agree with waitpid for each of them."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Set
from pathlib import Path

import pytest

from agentsight_rx import operators as op
from agentsight_rx import sources
from agentsight_rx.events import ProcessExec, ProcessExit, ProcessFork
from agentsight_rx.events.loss import Entry, Reason
from agentsight_rx.sources import ProcessOptions, Target
from agentsight_rx.sources.kernel import tracker as loading
from agentsight_rx.sources.target import Found
from agentsight_rx.sources.target import found as all_found
from tests.live.capture import PATIENCE_S, running, started, until, workload

pytestmark = pytest.mark.live

PROCESSES = 101


def test_fork_exec_and_exit_of_each_process_are_exact(tmp_path: Path) -> None:
    with workload("process_workload", tmp_path) as program:
        graph = sources.process(ProcessOptions(Target(program.pid))).pipe(op.normalize())
        with running(graph) as (run, kept):
            truth = [json.loads(line) for line in program.run()]
            summary = run.stop()
    assert summary.complete, (summary.ledger.unintended(), summary.failures)
    assert len(truth) == PROCESSES
    forks = {event.origin.pid: event for event in kept.of(ProcessFork)}
    execs = {event.origin.pid: event for event in kept.of(ProcessExec)}
    exits = {event.origin.pid: event for event in kept.of(ProcessExit)}
    assert [len(forks), len(execs), len(exits)] == [len(kept.of(kind)) for kind in (ProcessFork, ProcessExec, ProcessExit)]
    for pid, status, argv in truth:
        assert forks[pid].ppid == program.pid
        assert exits[pid].exit_code == (os.waitstatus_to_exitcode(status) if os.WIFEXITED(status) else None)
        assert exits[pid].signal == (os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0)
        if argv is not None:
            assert list(execs[pid].argv) == argv
            assert execs[pid].filename == argv[0]
            assert execs[pid].cwd == os.getcwd()
            assert execs[pid].start_ns == forks[pid].start_ns == exits[pid].start_ns
    assert exits[program.pid].exit_code == 0


@pytest.mark.parametrize("user", [None, 54321], ids=["seen", "unseen"])
def test_a_command_that_we_start_is_seen_or_is_a_loss(user: int | None, tmp_path: Path) -> None:
    """Here what hides it is a condition that it does not meet; every cause that is counted nowhere else has the same end."""
    with workload("process_workload", tmp_path) as program:
        options = ProcessOptions(Target(program.pid, uid=user), launched=True)
        with running(sources.process(options)) as (run, kept):
            program.run()
            ledger = run.stop().ledger
    assert (user is not None) == (not kept.of(ProcessExit))
    assert ledger.unintended() == ([] if user is None else [Entry("process", Reason.UNSEEN, 1)])


@pytest.mark.parametrize(
    ("environment", "home"),
    [
        ({"A": "1", "HOME": "/srv/users/ada"}, "/srv/users/ada"),
        ({"HOMER": "/x", "XHOME": "/y", "HOME": "/srv/a", "Z": "1"}, "/srv/a"),
        ({"LONG": "x" * 300 + "HOME=/wrong", "EDGE": "y" * 250 + "HOME=/wrong", "HOME": "/srv/b"}, "/srv/b"),
        ({str(number): "v" for number in range(200)} | {"HOME": "/srv/c"}, "/srv/c"),
        ({"HOME": "/root"}, ""),
        ({"HOME": "/srv/" + "a" * 300}, ""),
        ({"A": "1"}, ""),
        ({}, ""),
    ],
)
def test_the_home_of_a_program_is_what_its_environment_says(environment: dict[str, str], home: str, tmp_path: Path) -> None:
    script = f"while [ ! -e {tmp_path}/go ]; do read -t 0.01 x <> {tmp_path}/no; done; exec /bin/true"
    os.mkfifo(tmp_path / "no")
    with (
        started(["/bin/bash", "-c", script], env=environment) as shell,
        running(sources.process(ProcessOptions(Target(shell.pid)))) as (run, kept),
    ):
        (tmp_path / "go").touch()
        shell.wait(PATIENCE_S)
        run.stop()
    (event,) = [event for event in kept.of(ProcessExec) if event.filename == "/bin/true"]
    assert (home, os.getcwd()) == (event.home, event.cwd)


def test_arguments_beyond_4_kib_are_counted(tmp_path: Path) -> None:
    script = f"until [ -e {tmp_path}/go ]; do sleep 0.01; done; /bin/true {'y' * 6000}"
    with started(["/bin/sh", "-c", script]) as shell:
        with running(sources.process(ProcessOptions(Target(shell.pid)))) as (run, kept):
            (tmp_path / "go").touch()
            shell.wait(PATIENCE_S)
            run.stop()
        (event,) = [event for event in kept.of(ProcessExec) if event.filename == "/bin/true"]
    assert event.argv[0] == "/bin/true"
    assert len("/bin/true") + 1 + len(event.argv[1]) + event.argv_lost == len("/bin/true") + 1 + 6000 + 1


USES = """
import json, resource, sys, threading, time
held = bytearray(60 << 20)
held[::4096] = b"x" * len(held[::4096])
def work():
    end = time.thread_time() + 0.2
    while time.thread_time() < end:
        pass
threads = [threading.Thread(target=work) for _ in range(2)]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
used = resource.getrusage(resource.RUSAGE_SELF)
print(json.dumps([used.ru_utime + used.ru_stime, used.ru_maxrss << 10]), flush=True)
"""


def test_an_end_says_what_the_process_used_with_all_its_threads(tmp_path: Path) -> None:
    script = f"until [ -e {tmp_path}/go ]; do sleep 0.01; done; {sys.executable} {tmp_path}/uses.py > {tmp_path}/out; /bin/true"
    (tmp_path / "uses.py").write_text(USES)
    with started(["/bin/sh", "-c", script]) as shell:
        with running(sources.process(ProcessOptions(Target(shell.pid)))) as (run, kept):
            (tmp_path / "go").touch()
            shell.wait(PATIENCE_S)
            run.stop()
        execs = {event.filename: event.origin.pid for event in kept.of(ProcessExec)}
        exits = {event.origin.pid: event for event in kept.of(ProcessExit)}
    seconds, memory = json.loads((tmp_path / "out").read_text())
    event = exits[execs[sys.executable]]
    assert seconds - 0.05 < event.cpu_ns / 1e9 < seconds + 1.0  # it also ends, and its last slice is not counted by all kernels
    assert abs(event.peak_bytes - memory) < 8 << 20  # the kernel counts pages in batches
    assert exits[execs["/bin/true"]].peak_bytes < 8 << 20
    assert exits[shell.pid].peak_bytes == 0  # its program began before the capture


def test_without_children_only_the_process_itself_is_seen(tmp_path: Path) -> None:
    script = f"until [ -e {tmp_path}/go ]; do sleep 0.01; done; /bin/true; exit 3"
    with (
        started(["/bin/sh", "-c", script]) as shell,
        running(sources.process(ProcessOptions(Target(shell.pid, children=False)))) as (run, kept),
    ):
        (tmp_path / "go").touch()
        shell.wait(PATIENCE_S)
        run.stop()
    assert {event.origin.pid for event in kept.items} == {shell.pid}


def test_a_name_a_session_and_a_user_select_processes(tmp_path: Path) -> None:
    script = f"until [ -e {tmp_path}/go ]; do sleep 0.01; done; exit 5"
    name = Path(f"{tmp_path}/agent-{os.getpid() % 10_000}")
    name.symlink_to("/bin/sh")
    shell = subprocess.Popen([str(name), "-c", script], start_new_session=True)
    try:
        for target in (
            Target(comms=(name.name, "no-such-name-at-all")),
            Target(session=shell.pid),
            Target(pid=shell.pid, uid=os.getuid()),
        ):
            with running(sources.process(ProcessOptions(target))):
                pass
        none = Target(pid=shell.pid, uid=os.getuid() + 1)
        with (
            running(sources.process(ProcessOptions(Target(comms=(name.name,))))) as (by_name, named),
            running(sources.process(ProcessOptions(Target(session=shell.pid)))) as (by_session, in_session),
            running(sources.process(ProcessOptions(none))) as (by_user, of_user),
        ):
            (tmp_path / "go").touch()
            shell.wait(PATIENCE_S)
            for run in (by_name, by_session, by_user):
                run.stop()
    finally:
        shell.kill()
    assert [event.exit_code for event in named.of(ProcessExit) if event.origin.pid == shell.pid] == [5]
    assert [event.exit_code for event in in_session.of(ProcessExit) if event.origin.pid == shell.pid] == [5]
    assert of_user.items == []


def test_two_thousand_short_processes_are_seen_once_each(tmp_path: Path) -> None:
    with (
        workload("bursts", tmp_path) as program,
        running(sources.process(ProcessOptions(Target(program.pid)))) as (run, kept),
    ):
        pids = [int(line) for line in program.run()]
        summary = run.stop()
    assert summary.complete, (summary.ledger.unintended(), summary.failures)
    assert len(pids) == 2010
    for kind, seen in ((ProcessFork, pids), (ProcessExit, [*pids, program.pid])):
        assert Counter(event.origin.pid for event in kept.of(kind)) == Counter(seen)
    programs = [event.argv for event in kept.of(ProcessExec)]
    assert Counter(programs) == Counter(("/bin/true", str(number)) for number in range(50) for _ in range(40))


def test_a_capture_that_begins_among_forks_misses_none_and_doubles_none(tmp_path: Path) -> None:
    log, stop = tmp_path / "pids", tmp_path / "stop"
    script = f"while [ ! -e {stop} ]; do /bin/true & echo $! >> {log}; wait; done"
    with started(["/bin/sh", "-c", script]) as shell:
        until(lambda: log.exists() and len(log.read_text().split()) > 10)
        with running(sources.process(ProcessOptions(Target(shell.pid)))) as (run, kept):
            before = len(log.read_text().splitlines())
            until(lambda: len(log.read_text().splitlines()) > before + 211)
            stop.touch()
            shell.wait(PATIENCE_S)
            summary = run.stop()
    pids = [int(line) for line in log.read_text().split()][before + 1 :]
    assert summary.complete, (summary.ledger.unintended(), summary.failures)
    for kind in (ProcessFork, ProcessExit):
        seen = Counter(event.origin.pid for event in kept.of(kind))
        assert [1] * len(pids) == [seen[pid] for pid in pids]
        assert set(seen.values()) == {1}


def _once_listed(monkeypatch: pytest.MonkeyPatch, act: Callable[[], object]) -> None:
    """Do this the first time that /proc was listed, before anything of the list is watched."""
    listed, done = all_found, list[object]()

    def found(target: Target, others: Set[int] = frozenset()) -> list[Found]:
        processes = listed(target, others)
        if not done:
            done.append(act())
        return processes

    monkeypatch.setattr(loading, "found", found)


def test_a_child_that_is_forked_behind_the_list_of_processes_is_watched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    go, forked = tmp_path / "go", tmp_path / "forked"
    script = f"until [ -e {go} ]; do sleep 0.01; done; sleep 3600 & echo $! > {forked}.new; mv {forked}.new {forked}; wait"
    with started(["/bin/sh", "-c", script]) as shell:

        def fork() -> None:
            go.touch()
            until(forked.exists)

        _once_listed(monkeypatch, fork)
        with running(sources.process(ProcessOptions(Target(shell.pid)))) as (run, kept):
            child = int(forked.read_text())
            os.kill(child, signal.SIGKILL)
            shell.wait(PATIENCE_S)
            run.wait()
            run.stop()
    assert [(child, signal.SIGKILL)] == [
        (event.origin.pid, event.signal) for event in kept.of(ProcessExit) if event.origin.pid == child
    ]


def test_a_program_that_begins_behind_the_list_of_processes_is_watched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    go, late = tmp_path / "go", tmp_path / "begins-late"
    shutil.copy("/bin/sleep", late)
    with started(["/bin/sh", "-c", f"until [ -e {go} ]; do sleep 0.01; done; exec {late} 3600"]) as shell:

        def execute() -> None:
            go.touch()
            until(lambda: Path(f"/proc/{shell.pid}/comm").read_text() == "begins-late\n")

        _once_listed(monkeypatch, execute)
        with running(sources.process(ProcessOptions(Target(comms=("begins-late",))))) as (run, kept):
            shell.kill()
            until(lambda: kept.of(ProcessExit))
            run.stop()
    assert [shell.pid] == [event.origin.pid for event in kept.of(ProcessExit)]
    assert [(str(late), "3600")] == [event.argv for event in kept.of(ProcessExec)]


def test_a_process_whose_ancestors_have_ended_is_still_followed(tmp_path: Path) -> None:
    script = (
        f"until [ -e {tmp_path}/go ]; do sleep 0.01; done; (sh -c '(sleep 0.3; /bin/true last; touch {tmp_path}/done) &') &"
    )
    with (
        started(["/bin/sh", "-c", script]) as shell,
        running(sources.process(ProcessOptions(Target(shell.pid)))) as (run, kept),
    ):
        (tmp_path / "go").touch()
        shell.wait(PATIENCE_S)
        until((tmp_path / "done").exists)
        run.wait()  # the source ends with the last process
        run.stop()
    assert [event.argv for event in kept.of(ProcessExec) if "last" in event.argv] == [("/bin/true", "last")]
