"""What a recorder does every few seconds."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import msgspec
import pytest

from agentsight_rx.cli.doctor.trial import Outcome, Proof
from agentsight_rx.cli.watch.heartbeat import Beat, Kept, Reloading
from agentsight_rx.core.stream import of
from agentsight_rx.events import Origin, RulesLoaded
from agentsight_rx.events.loss import Reason
from agentsight_rx.runtime.recording.guard_file import LoadedRules
from agentsight_rx.runtime.run import Run, run_to_end
from agentsight_rx.runtime.service.bounds import Limits, Memory, Notifier
from agentsight_rx.sources import Roots
from agentsight_rx.store.rows.tally import Tally
from agentsight_rx.store.rows.uses import Use, Uses
from agentsight_rx.view import CallRow
from tests.live.capture import until


def test_it_measures_each_ten_seconds_and_says_what_is_going_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now_s, measured = [100.0], list[Memory]()
    proven = Outcome("tls", opened=True, seen=True)

    def measure() -> Memory:
        measured.append(Memory(3 << 20, 5 << 20))
        return measured[-1]

    monkeypatch.setattr(time, "monotonic", lambda: now_s[0])
    roots = Roots()
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiver, Run(of(list[int]())) as run:
        receiver.bind(str(tmp_path / "notify"))
        environment = {"NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "9000000"}
        proof = Proof(lambda: trial(proven))
        beat = Beat(roots, Limits(1 << 40), Notifier(environment), measure, proof=proof)
        assert 0.5 == beat(run)
        assert b"STATUS=the probes have not proved themselves yet; 0 agents run;" in receiver.recv(4096)
        until(lambda: vars(proof)["_running"].poll() is not None)
        beat(run)
        assert b"STATUS=0 agents run; memory 8 MB, 5 of it in the kernel; nothing is lost\nREADY=1" in receiver.recv(4096)
        roots.add(os.getpid())
        run.ledger.meter("tls").lose(Reason.KERNEL_LOST, 1200)
        now_s[0] += 9.9
        beat(run)
        assert receiver.recv(4096).startswith(b"STATUS=1 agent runs; memory 8 MB, 5 of it in the kernel; 1,200 lost")
        now_s[0] += 0.2
        beat(run)
        beat.ends()
        assert 2 == len(measured)
    assert 0 == beat.exit_status


def trial(*outcomes: Outcome) -> subprocess.Popen[bytes]:
    """One that says so."""
    said = b"\n".join(map(msgspec.json.encode, outcomes))
    return subprocess.Popen([sys.executable, "-S", "-c", "import sys; print(sys.argv[1])", said], stdout=subprocess.PIPE)


def reloading() -> Reloading:
    """Of two, the second was refused, and the guard has its rules all the same."""

    class Rules(LoadedRules):
        def __init__(self) -> None:
            self.sha256, self.error = "abc", ""

        def again(self) -> RulesLoaded:
            self.error = "guard.toml:1: no" if made.reloads else ""
            return RulesLoaded(Origin(0, 0), "guard.toml", error=self.error)

    made = Reloading(Rules(), lambda: "def")
    for _ in range(2):
        made.ask()
        made.read_asked()
    return made


def test_what_is_loaded_is_in_its_status(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiver, Run(of(list[int]())) as run:
        receiver.bind(str(tmp_path / "notify"))
        notifier = Notifier({"NOTIFY_SOCKET": str(tmp_path / "notify")})
        beat = Beat(Roots(), Limits(), notifier, Memory, reloading(), proof=Proof(trial))
        beat(run)
        beat.ends()
        said = receiver.recv(4096).decode().splitlines()[0]
    assert said.endswith("; rules abc; agents.toml def; what was loaded before holds, since guard.toml:1: no")


def test_its_figures_are_those_of_the_run(tmp_path: Path) -> None:
    store = tmp_path / "run.lmdb"
    beat = Beat(Roots(), Limits(7), measure=lambda: Memory(1, 2, 3), reloading=reloading())
    kept = Kept(store, 9, lambda: True)
    assert (False, False) == (beat.figures(kept).well, beat.figures(kept).begun)
    tally = Tally(Uses(lambda _: None))
    with Run(of([CallRow("llm-1", 1, model="m", status="complete", end_timestamp_ms=2, total_tokens=1)]), tally=tally) as run:
        run.wait()
        beat(run)
        assert (None, None) == (beat.figures(kept).store_bytes, beat.figures(kept).proved_s)
        store.write_bytes(b"12345")
        figures = beat.figures(kept)
        assert (True, True, Memory(1, 2, 3), 7) == (figures.well, figures.paused, figures.memory, figures.memory_limit)
        assert (5, 9, "abc", "def") == (figures.store_bytes, figures.store_limit, figures.rules, figures.agents_file)
        assert (2, 1) == (figures.reloads, figures.reloads_refused)
        assert ({("m", "unknown"): Use(1, unpriced=1)}, 0) == (figures.uses, figures.sources_missing)
        assert run.ledger is figures.ledger
        assert {"engine": 0.0} == figures.queues
    beat.exit_status = 75
    assert not beat.figures(kept).well


def test_over_the_soft_limit_content_is_shed_until_it_is_below(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    now_s, sizes = [100.0], [80 << 20, 90 << 20, 90 << 20, 50 << 20, 50 << 20]
    monkeypatch.setattr(time, "monotonic", lambda: now_s[0])
    with Run(of(list[int]())) as run:
        beat, shed = Beat(Roots(), Limits(100 << 20), measure=lambda: Memory(sizes.pop(0))), list[int]()
        monkeypatch.setattr(run, "shed", shed.append)
        while sizes:
            beat(run)
            now_s[0] += 10.0
        assert 0 == beat.figures(Kept(Path("none"))).shed_from_bytes
    assert [0, 65_536, 8_192, 65_536, 0] == shed
    assert [
        "agentsight-rx: memory is 90 MB, and the soft limit is 85 MB: large contents are shed, and counted",
        "agentsight-rx: memory is 50 MB, and the soft limit is 85 MB: all contents are taken again",
    ] == [line for line in capsys.readouterr().err.splitlines() if "soft limit" in line]
    assert 0 == beat.exit_status


def test_a_run_over_its_limit_ends_in_order(capsys: pytest.CaptureFixture[str]) -> None:
    beat = Beat(Roots(), Limits(1), measure=lambda: Memory(2 << 20))
    summary = run_to_end(Run(of(list[int]())), beat=beat)
    assert "memory limit" == summary.ended_by or summary.ended_by in ("end of input", "graph")
    assert 75 == beat.exit_status
    assert (
        "memory is 2 MB, 0 MB of it in the kernel, and the limit is 0 MB: this recorder ends in order"
        in capsys.readouterr().err
    )
