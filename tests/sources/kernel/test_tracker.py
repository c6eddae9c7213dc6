"""One set of watched processes for all sources of a target, on the real kernel."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from collections.abc import Generator
from contextlib import closing, contextmanager
from functools import partial
from itertools import combinations
from typing import Any

import pytest
import reactivex as rx
from reactivex import operators as ops

from agentsight_rx import sources
from agentsight_rx.core.errors import CaptureError
from agentsight_rx.events import FileEvent, Loss, NetEvent, ProcessExec, ProcessExit, ProcessFork, StdioChunk, TlsChunk
from agentsight_rx.sources import ProcessOptions, Target
from agentsight_rx.sources.kernel import tracker
from agentsight_rx.sources.kernel.program import Program
from agentsight_rx.sources.kernel.tracker import Tracker
from agentsight_rx.sources.names import Names
from agentsight_rx.sources.process import PROCESS_FIELDS
from tests.live.capture import running
from tests.live.kernel_sources import KERNEL_SOURCES

pytestmark = pytest.mark.live

TRACKERS = tracker._TRACKERS  # pyright: ignore[reportPrivateUsage]

# Of everything some: a child with a pipe, a file that is written, moved and removed, and HTTP on a connection
WORK = """
import http.client, http.server, os, subprocess, sys, threading
sys.stdin.readline()
http.server.SimpleHTTPRequestHandler.log_message = lambda *_: None
server = http.server.HTTPServer(("127.0.0.1", 0), http.server.SimpleHTTPRequestHandler)
threading.Thread(target=server.serve_forever, daemon=True).start()
place = sys.argv[1]
os.chdir(place)
for number in range(3):
    with open(f"{place}/one{number}", "w") as file:
        file.write("x" * 100)
    os.rename(f"{place}/one{number}", f"{place}/two{number}")
    subprocess.run(["/bin/cat", f"{place}/two{number}"], stdout=subprocess.PIPE, check=True)
    connection = http.client.HTTPConnection("127.0.0.1", server.server_port)
    connection.request("GET", f"/two{number}")
    assert len(connection.getresponse().read()) == 100
    connection.close()
    os.unlink(f"{place}/two{number}")
"""


@contextmanager
def worker(place: str) -> Generator[subprocess.Popen[str]]:
    with subprocess.Popen([sys.executable, "-c", WORK, place], stdin=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def counted(event: Any) -> tuple[tuple[object, ...], int] | None:
    """
    What of an event is the same whenever the same work is done, and how much of it: no numbers of processes and no times, and
    of bytes how many, since a reader may get them in other parts.
    """
    match event:
        case ProcessExec():
            return ("exec", event.argv[:1]), 1
        case ProcessExit():
            return ("exit", event.exit_code, event.signal), 1
        case FileEvent() if "/one" in event.path or "/two" in event.path:
            return (event.action, os.path.basename(event.path), event.error), event.count
        case NetEvent():
            return (event.action, event.family, event.error), event.count
        case StdioChunk():
            return ("piped", event.origin.direction), len(event.data) + event.lost
        case TlsChunk():
            return ("http", event.origin.direction), len(event.data) + event.lost
        case Loss():
            return ("lost", event.stage, event.reason), event.count
        case _:
            return None


def _named(name: str, event: Any) -> tuple[str, Any]:
    return name, event


def emitted(names: tuple[str, ...], place: str) -> dict[str, Counter[tuple[object, ...]]]:
    """What these sources emit of the same work, each of them."""
    with worker(place) as work:
        target = Target(work.pid)
        marked = [KERNEL_SOURCES[name](target, True).pipe(ops.map(partial(_named, name))) for name in names]
        graph: Any = rx.merge(*marked)
        with running(graph) as (run, kept):
            print("go", file=work.stdin, flush=True)
            assert work.wait() == 0
            run.wait()
    found: dict[str, Counter[tuple[object, ...]]] = {name: Counter() for name in names}
    for name, event in kept.items:
        if (what := counted(event)) is not None:
            found[name][what[0]] += what[1]
    return found


def test_a_source_emits_the_same_beside_any_others_as_alone(tmp_path: Any) -> None:
    alone = {name: emitted((name,), str(tmp_path))[name] for name in KERNEL_SOURCES}
    assert all(alone[name] for name in ("process", "files", "net", "stdio", "plain_http"))
    for names in (tuple(KERNEL_SOURCES), ("files", "stdio"), ("stdio", "plain_http"), ("net", "process")):
        assert {name: alone[name] for name in names} == emitted(names, str(tmp_path))


def test_no_process_is_in_a_table_that_does_not_belong_to_the_target() -> None:
    """Others begin, run programs, write, connect and end meanwhile, and a child of the target too."""
    with subprocess.Popen(["/bin/cat"], stdin=subprocess.PIPE) as watched, closing(Tracker(Target(watched.pid))) as found:
        try:
            found.seed(Names())
            for _ in range(20):
                subprocess.run(["/bin/sh", "-c", "echo x | cat >/dev/null"], check=True)
            assert [watched.pid] == [each.pid for each in found.entries()]
        finally:
            watched.kill()
            watched.wait()
        assert [] == [*found.entries()]
        assert found.is_over()


def programs(target: Target, *stages: str) -> list[Program[int]]:
    """Of `readline` and `process`, which need no further files."""
    return [
        Program(stage, target, ring_size=1 << 16, decode=lambda view, at, size: None, fields=PROCESS_FIELDS) for stage in stages
    ]


def test_sources_of_a_target_share_its_tracker_until_the_last_one_ends() -> None:
    target = Target(os.getpid())
    first, beside = programs(target, "readline", "process")
    assert 1 == len(TRACKERS)
    (twin,) = programs(target, "readline")  # its place in the first one is taken
    (other,) = programs(Target(os.getppid()), "readline")
    assert 3 == len(TRACKERS)
    for program, left in ((first, 3), (other, 2), (twin, 1), (beside, 0)):
        program.close()
        assert left == len(TRACKERS)


def test_a_process_that_is_watched_already_is_one_that_ran_before_for_a_source_that_comes_later() -> None:
    target = Target(os.getpid())
    (first,) = programs(target, "readline")
    try:
        assert os.getpid() in first.seed()
        assert set() == first.seed()
        with subprocess.Popen(["/bin/cat"], stdin=subprocess.PIPE) as child:
            assert set() == first.seed()  # its begin was seen
            (later,) = programs(target, "process")
            assert 1 == len(TRACKERS)
            try:
                assert {os.getpid(), child.pid} <= later.seed()
            finally:
                later.close()
            child.kill()
    finally:
        first.close()


def test_a_source_that_cannot_be_opened_leaves_no_tracker() -> None:
    with pytest.raises(CaptureError):
        programs(Target(1 << 22), "readline")
    assert [] == TRACKERS


def test_every_source_has_a_place_before_the_last_one() -> None:
    slots = [tracker.slot_of(name) for name in KERNEL_SOURCES]
    assert all(one != other for one, other in combinations(slots, 2))
    assert max(slots) < 7 == tracker._LAST  # pyright: ignore[reportPrivateUsage]
    assert max(slots) == tracker.slot_of("plain_http")


# Each child has threads that all end at once
THREADS = """
import os, sys, threading
sys.stdin.readline()
for _ in range(400):
    child = os.fork()
    if not child:
        for _ in range(8):
            threading.Thread(target=threading.Event().wait, daemon=True).start()
        os._exit(0)
    os.waitpid(child, 0)
"""


def test_each_process_has_one_end_though_its_threads_end_at_the_same_time() -> None:
    with subprocess.Popen([sys.executable, "-c", THREADS], stdin=subprocess.PIPE, text=True) as work:
        target = Target(work.pid)
        with running(sources.process(ProcessOptions(target))) as (run, kept):
            print("go", file=work.stdin, flush=True)
            assert work.wait() == 0
            run.wait()
    assert 400 == len(kept.of(ProcessFork))
    assert {event.origin.pid for event in kept.of(ProcessFork)} | {work.pid} == {e.origin.pid for e in kept.of(ProcessExit)}
    assert 401 == len(kept.of(ProcessExit))
