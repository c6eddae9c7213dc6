"""An agent -> what the fake server logged and what our probes saw of one run of it, compared."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from agentsight_rx import operators as op
from agentsight_rx.core.stream import of
from agentsight_rx.events import HttpEvent, HttpRequest, TlsChunk, TlsClose, time_of
from agentsight_rx.graphs import TraceOptions, trace, traced
from agentsight_rx.runtime.run import Summary
from agentsight_rx.sources import HookOptions, PlainHttpOptions, Target, TlsOptions, Tracing
from agentsight_rx.sources.hold import group
from agentsight_rx.sources.opened import hooked
from agentsight_rx.sources.tls.candidates import tls_candidates
from agentsight_rx.sources.tls.commands import resolve
from tests.agents.agent import Agent, Place
from tests.agents.compare import Size, differences, of_capture, of_server, size_of
from tests.agents.install import INSTALLED
from tests.live.capture import PATIENCE_S, Kept, running
from tests.live.peers import wire_server

__all__ = ["Result", "run_agent"]

_HELD = 'read -r _; exec "$@" </dev/null'  # a line on its input lets it start


@dataclass(frozen=True)
class Result:
    """One row. `differences` is empty where every byte is equal; `trouble` says why there is nothing to compare."""

    agent: Agent
    served: Size
    seen: Size
    proven: tuple[str, ...]  # files of which the hooks gave HTTP
    differences: tuple[str, ...]
    incomplete: tuple[str, ...]  # what the summary of the run says is missing
    trouble: str = ""

    @property
    def good(self) -> bool:
        return not (self.differences or self.trouble)


def run_agent(agent: Agent, *, by: str = "kernel") -> Result:
    """Run it once against a server of its own, and capture only its processes: by the kernel, or by hooks."""
    tracing = Tracing() if by == "hooks" else None  # a fork, so before any thread
    directory = INSTALLED / "runs" / agent.name
    shutil.rmtree(directory, ignore_errors=True)
    home = directory / "home"
    home.mkdir(parents=True)
    with wire_server(directory / "server", *agent.server) as peer:
        place = Place(peer, home)
        agent.prepare(place)
        command = agent.command(place)
        # As `record` does it, but for what it stores
        with group() as own, _held(command, place.env | agent.env(place), directory) as process:
            resolved = resolve(command[0])
            candidates = tuple(tls_candidates(*resolved.chain, *resolved.others))
            target, held = Target(process.pid), str(own.path) if own and own.add(process.pid) else ""
            tls = TlsOptions(target, candidates=candidates, group=held)
            options = TraceOptions(tls=tls, plain_http=PlainHttpOptions(target), raw=True, remove_auth=False)
            hooks = HookOptions(process.pid, ("tls", "process"))
            graph = trace(options) if tracing is None else traced(hooked(options, hooks, tracing), options)
            with running(graph) as (run, kept):
                status = _release(process)
                summary = run.stop()
    served, events = of_server(peer), _parsed(kept)
    seen = of_capture(events)
    calls = sum(1 for said in served if said.status or said.sent)
    trouble = ""
    if status or calls < agent.calls:
        trouble = f"exit status {status}, {calls} of {agent.calls} calls: see {directory / 'output'}"
    return Result(
        agent,
        size_of(served),
        size_of(seen),
        _proven(events),
        tuple(differences(served, seen)),
        _incomplete(summary),
        trouble,
    )


@contextmanager
def _held(command: Sequence[str], env: dict[str, str], directory: Path) -> Generator[subprocess.Popen[bytes]]:
    """The command in a process that waits for `_release`, in `directory`/home; its output goes to `directory`/output."""
    with (
        (directory / "output").open("wb") as output,
        subprocess.Popen(
            ["/bin/sh", "-c", _HELD, "sh", *command],
            cwd=directory / "home",
            env=env,
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=output,
        ) as process,
    ):
        try:
            yield process
        finally:
            process.kill()


def _release(process: subprocess.Popen[bytes]) -> int:
    """Let it start; returns its exit status."""
    assert process.stdin is not None
    process.stdin.write(b"\n")
    process.stdin.close()
    return process.wait(PATIENCE_S)


def _parsed(kept: Kept) -> list[HttpEvent]:
    events: list[HttpEvent] = []
    records = kept.of(TlsChunk, TlsClose)
    of(records, time_of=time_of).pipe(op.parse_http(), op.decode_content()).subscribe(events.append)
    return events


def _proven(events: Sequence[HttpEvent]) -> tuple[str, ...]:
    connections = [event.origin.connection for event in events if isinstance(event, HttpRequest)]
    return tuple(sorted({Path(connection.library).name for connection in connections if connection}))


def _incomplete(summary: Summary) -> tuple[str, ...]:
    return tuple(f"{entry.stage}: {entry.reason.value} {entry.count:,}" for entry in summary.ledger.unintended())
