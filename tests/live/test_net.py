"""A program does a known list of operations on sockets: the events are that list, entry by entry."""

from __future__ import annotations

import errno
import json
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from agentsight_rx import operators as op
from agentsight_rx import sources
from agentsight_rx.events import NetEvent
from agentsight_rx.sources import NetOptions, Target
from tests.live.capture import running, workload
from tests.live.net_workload import REFUSED

pytestmark = pytest.mark.live


def test_every_operation_is_emitted_with_both_addresses_and_outcome(tmp_path: Path) -> None:
    with workload("net_workload", tmp_path, str(tmp_path)) as program:
        graph = sources.net(NetOptions(Target(program.pid))).pipe(op.normalize())
        with running(graph) as (run, kept):
            truth = [json.loads(line) for line in program.run()]
            summary = run.stop()
    assert summary.complete, summary.failures
    events = kept.of(NetEvent)
    expected = _summed((tuple(line[:8]), 1, line[8]) for line in truth)
    seen = _summed(
        (
            (
                each.action,
                each.family,
                each.protocol,
                each.local,
                each.peer,
                -1 if each.action == "accept" and each.family != "unix" else each.port,
                each.error,
                each.local_port,
            ),
            each.count,
            each.size,
        )
        for each in events
    )
    assert list(expected) == list(seen)
    assert expected == seen
    assert {each.origin.pid for each in events} == {program.pid}
    assert len({each.start_ns for each in events}) == 1
    assert all((each.latency_ns > 0) == (each.action == "connect") for each in events)
    again = [each for each in events if each.port == events[-1].port and each.action == "connect"]
    assert sum(each.count for each in again) == REFUSED
    assert len(again) < REFUSED / 10


def test_a_pending_connect_is_reported_as_in_progress_at_the_end(tmp_path: Path) -> None:
    script = f"""\
import os, socket, time
while not os.path.exists("{tmp_path}/go"): time.sleep(0.01)
server = socket.create_server(("127.0.0.1", 0), backlog=0)
waits = socket.create_connection(server.getsockname())
client = socket.socket()
client.setblocking(False)
client.connect_ex(server.getsockname())
print(server.getsockname()[1], flush=True)
time.sleep(60)
"""
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True) as client:
        assert client.stdout is not None
        try:
            with running(sources.net(NetOptions(Target(client.pid)))) as (run, kept):
                (tmp_path / "go").touch()
                port = int(client.stdout.readline())
                run.stop()
        finally:
            client.kill()
    connects = [(each.peer, each.port, each.error) for each in kept.of(NetEvent) if each.action == "connect"]
    assert [("127.0.0.1", port, 0), ("127.0.0.1", port, errno.EINPROGRESS)] == connects


def _summed(entries: Iterable[tuple[Any, int, int]]) -> dict[Any, tuple[int, int]]:
    """Operation -> its count and its bytes."""
    sums: dict[Any, tuple[int, int]] = {}
    for key, count, size in entries:
        before = sums.get(key, (0, 0))
        sums[key] = before[0] + count, before[1] + size
    return sums
