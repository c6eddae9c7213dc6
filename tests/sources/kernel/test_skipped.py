"""A program that the kernel skips, since its CPU is in the middle of the same one: it is counted, on the real kernel."""

from __future__ import annotations

import os
from contextlib import closing
from struct import pack

import pytest

from agentsight_rx.sources.kernel import loaded as loading
from agentsight_rx.sources.kernel.loaded import THIS_RUN, Function, Image, Loaded
from agentsight_rx.sources.kernel.syscall import RAW_TRACEPOINT, run_once

NAME = "raw_tracepoint__bpf_trace_printk"


def printing(runs: int) -> bytes:
    """r1 = the text "\\n" on the stack, r2 = 2; call bpf_trace_printk, which itself is a tracepoint; return this_run()."""
    last = (0x85, 0, 0, THIS_RUN) if runs > 1 else (0xB7, 0, 0, 0)
    steps = [
        (0x7A, 10, -8, 10), (0xBF, 10 << 4 | 1, 0, 0), (0x07, 1, 0, -8), (0xB7, 2, 0, 2), (0x85, 0, 0, 6), last, (0x95, 0, 0, 0)
    ]  # fmt: skip
    return b"".join(pack("<BBhi", *step) for step in steps)


class Model:
    """What the kernel does where each run of a program comes to its own tracepoint again, which it allows three times."""

    def __init__(self, runs: int) -> None:
        self.skipped, self.active, self.lost = [0] * runs, [False] * runs, 0

    def happens(self) -> None:
        seen = False
        for run, active in enumerate(self.active):
            if active:
                self.skipped[run] += 1
                continue
            self.active[run] = seen = True
            self.happens()
            self.active[run] = False
        self.lost += not seen


@pytest.mark.live
@pytest.mark.parametrize(("runs", "deepest", "counts"), [(1, 0, True), (2, 1, True), (2, 0, False)])
def test_an_event_that_no_run_of_a_program_saw_is_counted(
    runs: int, deepest: int, counts: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Unless too few runs were ever in the middle at once."""

    def was(_: Loaded) -> int:
        return deepest

    monkeypatch.setattr(Loaded, "_deepest", was)
    code, model = printing(runs), Model(runs)
    image = Image((), (Function(NAME, code, ()), Function("prints", code, ())), runs)
    with closing(Loaded(image)) as loaded:
        triggers = [loaded.load("prints", RAW_TRACEPOINT, run=run) for run in loaded.runs]
        assert [run_once(trigger) for trigger in triggers] == [*range(runs)]
        attached = loaded.attach_raw()
        try:
            assert loaded.skipped() == 0
            run_once(triggers[0])
            model.happens()
            assert min(model.skipped) >= model.lost > 0
            assert loaded.skipped() == (min(model.skipped) if counts else 0)
        finally:
            for fd in attached:
                os.close(fd)


@pytest.mark.live
def test_a_program_may_be_loaded_while_they_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    """By another source, which is still being opened."""
    image = Image((), tuple(Function(name, printing(1), ()) for name in ("first", "second")), 1)
    with closing(Loaded(image)) as loaded:

        def load_another(_: int) -> int:
            return loaded.load("second", RAW_TRACEPOINT) * 0

        loaded.load("first", RAW_TRACEPOINT)
        monkeypatch.setattr(loading, "skipped_runs", load_another)
        assert {"first": 0} == loaded.skips()
        assert {"first": 0, "second": 0} == loaded.skips()
