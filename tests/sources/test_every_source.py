"""Every source keeps the promises that all of them make: see source_component.py."""

from __future__ import annotations

import asyncio
import subprocess
import time
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest

from agentsight_rx import sources
from agentsight_rx.events import Event, Origin, ProcessExec, ProcessExit, ProcessFork, Tick
from agentsight_rx.events.envelope import decode_envelope, encode_line
from agentsight_rx.sources import (
    AgentOptions,
    FileOptions,
    NetOptions,
    PlainHttpOptions,
    ProcessOptions,
    ReadlineOptions,
    ReplayOptions,
    Roots,
    StdioOptions,
    SystemOptions,
    Target,
    TlsOptions,
)
from agentsight_rx.store.spool import Header, Recorded, encode_segment
from tests.source_component import Scene, SourceCase, check_source

RECORDED = (
    encode_line(ProcessFork(Origin(1_000, 9), 7, 2)),
    b"no event",
    encode_line(Tick(Origin(2_000, 0))),
    encode_line(ProcessExec(Origin(3_000, 9), 7, 2, "/bin/ls", ("ls", "-l"), "/")),
    encode_line(ProcessExit(Origin(4_000, 9), 7, 2, 0)),
)


def segment_at(scene: Scene) -> Recorded:
    header = Header(host="host", sequence=1, first=1, run="a", product="1", python="3")
    events = [decode_envelope(msgspec.json.decode(line)) for line in RECORDED if line.startswith(b"{")]
    path = scene.path.with_name("0000000001.seg")
    path.write_bytes(encode_segment(header, events, ended=True))
    return Recorded("host", (str(path),))


def gone() -> Target:
    """A process that has ended."""
    ended = subprocess.Popen(["true"])
    ended.wait()
    return Target(ended.pid)


# The sources that load BPF programs look at one process of the test's own
LIVE = {
    "agents": SourceCase(
        lambda scene: sources.agents(AgentOptions(Roots(), Target(scene.pid))),
        "process",
        silent=True,
        refused=lambda _: sources.agents(AgentOptions(Roots(), gone())),
    ),
    "files": SourceCase(
        lambda scene: sources.files(FileOptions(Target(scene.pid))),
        "process",
        act=Scene.wake,
        refused=lambda _: sources.files(FileOptions(gone())),
    ),
    "net": SourceCase(
        lambda scene: sources.net(NetOptions(Target(scene.pid))),
        "process",
        act=Scene.wake,
        refused=lambda _: sources.net(NetOptions(gone())),
    ),
    "plain_http": SourceCase(
        lambda scene: sources.plain_http(PlainHttpOptions(Target(scene.pid))),
        "tcp",
        act=Scene.wake,
        refused=lambda _: sources.plain_http(PlainHttpOptions(gone())),
    ),
    "process": SourceCase(
        lambda scene: sources.process(ProcessOptions(Target(scene.pid))),
        "process",
        act=Scene.wake,
        refused=lambda _: sources.process(ProcessOptions(gone())),
    ),
    "readline": SourceCase(
        lambda scene: sources.readline(ReadlineOptions(Target(scene.pid))),
        "process",
        silent=True,
        refused=lambda _: sources.readline(ReadlineOptions(gone())),
    ),
    "stdio": SourceCase(
        lambda scene: sources.stdio(StdioOptions(Target(scene.pid))),
        "stdio",
        act=Scene.wake,
        refused=lambda _: sources.stdio(StdioOptions(gone())),
    ),
    "tls": SourceCase(
        lambda scene: sources.tls(TlsOptions(Target(scene.pid))),
        "ssl",
        silent=True,
        refused=lambda _: sources.tls(TlsOptions(gone())),
    ),
}


class _Ticks:
    """A reader of a user: an event each time it is polled."""

    def open(self) -> None:
        pass

    def poll(self, timeout: float, /) -> list[ProcessFork]:
        time.sleep(timeout)
        return [forked()]

    def lost(self) -> list[ProcessFork]:
        return []

    def close(self) -> list[ProcessFork]:
        return []


def forked() -> ProcessFork:
    return ProcessFork(Origin(time.monotonic_ns(), 9), 7, 2)


def event_of(line: str) -> Event:
    return decode_envelope(msgspec.json.decode(line))


async def forks() -> AsyncIterator[ProcessFork]:
    while True:
        yield forked()
        await asyncio.sleep(0.01)


CASES = {
    "from_async_iterable": SourceCase(lambda _: sources.from_async_iterable(forks), "process"),
    "from_events": SourceCase(lambda _: sources.from_events([forked(), forked()]), "process", ends=True),
    "from_lines": SourceCase(
        lambda scene: sources.from_lines(scene.file(*RECORDED), event_of),
        "process",
        ends=True,
        refused=lambda scene: sources.from_lines(f"{scene.path}.missing", event_of),
    ),
    "from_reader": SourceCase(lambda _: sources.from_reader(_Ticks, live=True), "process"),
    "replay": SourceCase(
        lambda scene: sources.replay(ReplayOptions((scene.file(*RECORDED),))),
        "process",
        ends=True,
        refused=lambda scene: sources.replay(ReplayOptions((scene.file(*RECORDED), f"{scene.path}.missing"))),
    ),
    "spooled": SourceCase(
        lambda scene: sources.spooled(segment_at(scene)),
        "process",
        ends=True,
        refused=lambda scene: sources.spooled(Recorded("host", (f"{scene.path}.missing",))),
    ),
    "system": SourceCase(
        lambda scene: sources.system(SystemOptions(Target(scene.pid), interval=0.01)),
        "system",
        refused=lambda _: sources.system(SystemOptions(gone())),
    ),
}


def test_no_source_is_missing() -> None:
    """
    `hooks` forks a process, which a test with threads may not: tests/sources/test_hooks.py follows real programs. Entries of
    `transcripts` are in the order of reading, which no other source shares: tests/sources/session_files/test_source.py.
    """
    made = {name for name in sources.__all__ if not isinstance(getattr(sources, name), type)}
    assert made == CASES.keys() | LIVE.keys() | {"hooks", "transcripts"}


@pytest.mark.parametrize("name", CASES)
def test_source(name: str, tmp_path: Path) -> None:
    check_source(CASES[name], tmp_path)


@pytest.mark.live
@pytest.mark.parametrize("name", LIVE)
def test_source_that_loads_a_bpf_program(name: str, tmp_path: Path) -> None:
    check_source(LIVE[name], tmp_path)
