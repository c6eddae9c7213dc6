"""A graph of one's own over a traced program is killed with SIGKILL, and another run goes on with its state."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from msgspec import Struct
from msgspec.structs import replace

from agentsight_rx import Checkpointed, Machine, op, run, sinks, sources
from agentsight_rx.core.stream import Stream
from agentsight_rx.events import ProcessExec
from agentsight_rx.events.loss import Reason
from agentsight_rx.store.log.reading import read_events
from agentsight_rx.store.state import LmdbStore
from tests.live.capture import until

pytestmark = pytest.mark.live


class Total(Struct):
    commands: int = 0


class Numbered(Machine[ProcessExec, ProcessExec], Checkpointed[Total]):
    def __init__(self) -> None:
        self.state = Total()

    def feed(self, event: ProcessExec, /) -> list[ProcessExec]:
        self.state.commands += 1
        return [replace(event, argv=(*event.argv, f"is number {self.state.commands}"))]


PROGRAM = """
import sys
from pathlib import Path
from agentsight_rx import run, sinks
from tests.live.test_resume import commands_of

path = sys.argv[2]
run(commands_of(int(sys.argv[1])), [sinks.store(path)], resume=path, ready=lambda: print("ready", flush=True))
"""


def commands_of(pid: int) -> Stream[ProcessExec]:
    target = sources.ProcessOptions(sources.Target(pid=pid), ring_size=1 << 16)
    return sources.process(target).pipe(op.only(ProcessExec), op.each(Numbered))


def kept(path: Path) -> list[str]:
    if not path.exists():
        return []
    store = LmdbStore.open(path, readonly=True)
    try:
        return [" ".join(event.argv) for event in read_events(store) if isinstance(event, ProcessExec)]
    finally:
        store.close()


def test_what_was_traced_before_a_kill_and_behind_it_is_numbered_through(tmp_path: Path) -> None:
    path = tmp_path / "run.lmdb"
    with subprocess.Popen(["sh"], stdin=subprocess.PIPE, text=True, bufsize=1) as shell:
        assert shell.stdin is not None
        first = [sys.executable, "-c", PROGRAM, str(shell.pid), str(path)]
        with subprocess.Popen(first, stdout=subprocess.PIPE, text=True) as tracer:
            assert tracer.stdout is not None
            assert tracer.stdout.readline() == "ready\n"
            for number in range(3):
                shell.stdin.write(f"/bin/echo {number} >&2\n")
            until(lambda: len(kept(path)) == 3)
            tracer.kill()
        shell.stdin.write(f"/bin/echo unseen >&2; touch {tmp_path}/done\n")
        until((tmp_path / "done").exists)

        def go_on() -> None:
            assert shell.stdin is not None
            shell.stdin.write("/bin/echo 4 >&2\nexit\n")

        summary = run(commands_of(shell.pid), [sinks.store(path)], resume=path, ready=go_on)
    said = [f"/bin/echo {what} is number {number}" for number, what in enumerate((0, 1, 2, 4), 1)]
    assert kept(path) == said
    assert Reason.NOT_RUNNING in {entry.reason for entry in summary.ledger.unintended()}
    assert not summary.complete
