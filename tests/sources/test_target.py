"""Which processes a target chooses, in the real /proc."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from agentsight_rx.sources import Roots
from agentsight_rx.sources.target import Target, found, roots, seeds

# Says it is ready, then does as each line of its input says: a child, a thread, a child of that thread
_FAMILY = """
import subprocess, sys, threading
kept = []
def child(): kept.append(subprocess.Popen(["sleep", "600"]))
def thread(work):
    done, end = threading.Event(), threading.Event()
    def run():
        work()
        done.set()
        end.wait()
    threading.Thread(target=run, daemon=True).start()
    done.wait()
for line in sys.stdin:
    {"child": child, "thread": lambda: thread(int), "child of a thread": lambda: thread(child)}[line.strip()]()
    print(*(each.pid for each in kept), flush=True)
for each in kept: each.kill()
"""


@pytest.mark.parametrize(
    "steps", [["child"], ["thread"], ["child of a thread"], ["thread", "child", "child of a thread", "child"]], ids=" + ".join
)
@pytest.mark.parametrize("children", [True, False])
def test_the_tree_of_a_process_is_whole_whoever_of_its_threads_started_a_child(steps: list[str], children: bool) -> None:
    command = [sys.executable, "-c", _FAMILY]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        chosen = Target(process.pid, children=children)
        assert [*seeds(chosen)] == [process.pid]
        for step in steps:
            process.stdin.write(f"{step}\n")
            process.stdin.flush()
            family = {process.pid, *map(int, process.stdout.readline().split())}
            assert {*seeds(chosen)} == (family if children else {process.pid})
        process.stdin.close()
    assert not [*seeds(chosen)]


def test_all_of_proc_is_read_only_where_a_process_may_have_descendants(monkeypatch: pytest.MonkeyPatch) -> None:
    listed: list[object] = []
    listdir = os.listdir

    def noted(place: str) -> list[str]:
        listed.append(place)
        return listdir(place)

    monkeypatch.setattr(os, "listdir", noted)
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        assert [*seeds(Target(process.pid))] == [process.pid]
        assert Path("/proc") not in listed
        assert process.pid in {*seeds(Target(os.getpid()))}
        assert Path("/proc") in listed
        assert process.stdin is not None
        process.stdin.close()


def test_agents_that_come_and_go_are_watched_with_what_they_started() -> None:
    """Of all that runs, only processes of this test are looked at."""
    chosen = Roots()
    mine = Target(roots=chosen)
    assert (False, False, 0, ["-DNEEDED=0", "-DTREE"]) == (mine.everything, mine.ends, mine.needed, mine.flags())
    assert [] == found(mine)
    with subprocess.Popen(["/bin/sh", "-c", "cat; true"], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as shell:
        assert shell.stdin is not None
        assert shell.stdout is not None
        shell.stdin.write(b"it runs\n")
        shell.stdin.flush()
        shell.stdout.readline()
        chosen.add(shell.pid)
        assert [True, True] == [mine.fits(each.met) for each in found(mine)]
        assert {shell.pid} == {each.parent for each in found(mine)} - {os.getpid()}
        assert [shell.pid] == list(roots(mine))
        assert not Target(roots=chosen, pid=os.getpid()).ends
        shell.stdin.close()
        shell.wait()
    chosen.drop_ended()
    assert [] == found(mine)
