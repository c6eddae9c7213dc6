"""What a recorder does every few seconds."""

from __future__ import annotations

import os
import socket
import time
from pathlib import Path

import pytest

from agentsight_rx.cli.watch.beat import Beat, Kept
from agentsight_rx.core.stream import of
from agentsight_rx.loss import Reason
from agentsight_rx.runtime import Run, run_to_end
from agentsight_rx.service.bounds import Limits, Memory
from agentsight_rx.service.notify import Notifier
from agentsight_rx.sources import Roots
from agentsight_rx.view import CallRow
from agentsight_rx.view.rows.tally import Tally
from agentsight_rx.view.rows.uses import Use, Uses


def test_it_measures_each_ten_seconds_and_says_what_is_going_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now_s, measured = [100.0], list[Memory]()

    def measure() -> Memory:
        measured.append(Memory(3 << 20, 5 << 20))
        return measured[-1]

    monkeypatch.setattr(time, "monotonic", lambda: now_s[0])
    roots = Roots()
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiver, Run(of(list[int]())) as run:
        receiver.bind(str(tmp_path / "notify"))
        environment = {"NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "9000000"}
        beat = Beat(roots, Limits(1 << 40), Notifier(environment), measure)
        assert 3.0 == beat(run)
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


def test_its_figures_are_those_of_the_run(tmp_path: Path) -> None:
    store = tmp_path / "run.lmdb"
    beat = Beat(Roots(), Limits(7), measure=lambda: Memory(1, 2, 3))
    kept = Kept(store, 9, "abc", lambda: True)
    assert (False, False) == (beat.figures(kept).well, beat.figures(kept).begun)
    tally = Tally(Uses(lambda _: None))
    with Run(of([CallRow("llm-1", 1, model="m", status="complete", end_timestamp_ms=2, total_tokens=1)]), tally=tally) as run:
        run.wait()
        beat(run)
        assert (None, None) == (beat.figures(kept).store_bytes, beat.figures(kept).proved_s)
        store.write_bytes(b"12345")
        beat.proved_s = 17.0
        figures = beat.figures(kept)
        assert (True, True, Memory(1, 2, 3), 7) == (figures.well, figures.paused, figures.memory, figures.memory_limit)
        assert (5, 9, "abc", 17.0) == (figures.store_bytes, figures.store_limit, figures.rules, figures.proved_s)
        assert ({("m", "unknown"): Use(1, unpriced=1)}, 0) == (figures.uses, figures.sources_missing)
        assert run.ledger is figures.ledger
        assert {"engine": 0.0} == figures.queues
    beat.exit_status = 75
    assert not beat.figures(kept).well


def test_a_run_over_its_limit_ends_in_order(capsys: pytest.CaptureFixture[str]) -> None:
    beat = Beat(Roots(), Limits(1), measure=lambda: Memory(2 << 20))
    summary = run_to_end(Run(of(list[int]())), beat=beat)
    assert "memory limit" == summary.ended_by or summary.ended_by in ("end of input", "graph")
    assert 75 == beat.exit_status
    assert (
        "memory is 2 MB, 0 MB of it in the kernel, and the limit is 0 MB: this recorder ends in order"
        in capsys.readouterr().err
    )
