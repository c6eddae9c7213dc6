"""An alert of two joined branches: live, and in replays of what that run recorded, cut into batches of any size."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from agentsight_rx import TraceOptions, op, trace
from agentsight_rx.core.engine import Engine
from agentsight_rx.core.stream import of
from agentsight_rx.events import Event, time_of
from agentsight_rx.graphs import recorded
from agentsight_rx.sources import ProcessOptions, Target, TlsOptions
from tests.live.capture import PATIENCE_S, running, started
from tests.live.peers import fake_llm

pytestmark = pytest.mark.live

EXAMPLES = Path(__file__).parents[2] / "examples"
COMMAND = "echo pushed"


def test_the_alerts_of_a_replay_are_those_of_the_live_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", [str(EXAMPLES), *sys.path])
    example: Any = import_module("command_after_prompt")
    seen: list[Any] = []

    def note(item: Any) -> Any:
        seen.append(item)
        return item

    gate = tmp_path / "go"
    waits = f"until [ -e {gate} ]; do sleep 0.1; done; exec {sys.executable} -m agentsight_rx.runtime.demo.agent 'Push it.'"
    with fake_llm(tmp_path, "--tool-command", COMMAND) as peer:
        env = {"ANTHROPIC_BASE_URL": peer.base_url, "ANTHROPIC_API_KEY": "none", "SSL_CERT_FILE": str(peer.ca_file)}
        with started(["/bin/sh", "-c", waits], {"PATH": "/usr/bin:/bin", **env}) as process:
            target = Target(process.pid)
            options = TraceOptions(tls=TlsOptions(target), process=ProcessOptions(target), ticks=True)
            with running(example.alerts(trace(options).pipe(op.change(note)), COMMAND)) as (run, kept):
                gate.touch()
                assert process.wait(PATIENCE_S) == 0
                assert run.stop().error is None
    (alert,) = kept.items
    assert alert.endswith(f"s after 'Push it.': {COMMAND}")
    events = [item for item in seen if isinstance(item, Event)]
    assert [_replayed(example, events, size) for size in (1, 7, 300)] == [[alert]] * 3


def _replayed(example: Any, events: Sequence[Event], size: int) -> list[str]:
    batches = [events[at : at + size] for at in range(0, len(events), size)]
    found: list[str] = []
    engine = Engine()
    example.alerts(recorded(of(*batches, time_of=time_of), TraceOptions()), COMMAND).subscribe(found.append, scheduler=engine)
    engine.run_inline()
    return found
