"""The probes prove themselves by a trial in another process; a trial that is no proof is said and done again, ever later."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentsight_rx.cli.doctor import trial as module
from agentsight_rx.cli.doctor.trial import Outcome, Proof
from tests.live.capture import until

GOOD = Outcome("tls", opened=True, seen=True)
UNSEEN = Outcome("files", opened=True, seen=False)
NOT_HERE = Outcome("readline", opened=True, seen=False, why="there is no bash")
REFUSED = Outcome("net", opened=False, seen=False, why="CAP_BPF is missing")


class Machine:
    """Trials that say this, one after the other, on a clock of its own."""

    def __init__(self, *said: bytes) -> None:
        self.said, self.now_s, self.started = list(said), 0.0, list[float]()
        self.proof = Proof(self._start, lambda: self.now_s)

    def _start(self) -> subprocess.Popen[bytes]:
        self.started.append(self.now_s)
        words = [sys.executable, "-S", "-c", "import sys; print(sys.argv[1], end='')", self.said.pop(0).decode()]
        return subprocess.Popen(words, stdout=subprocess.PIPE)

    def looks(self) -> bool:
        """Starts a trial where one is due, and waits for its end."""
        self.proof.look()
        running = vars(self.proof)["_running"]
        if running is None:
            return False
        until(lambda: running.poll() is not None)
        return self.proof.look()


def said(*outcomes: Outcome) -> bytes:
    lines: list[object] = [{"name": "system", "ok": True}, *outcomes, {"can_record": True}]
    return b"\n".join(map(msgspec.json.encode, lines))


def test_a_trial_that_saw_everything_is_a_proof() -> None:
    machine = Machine(said(GOOD, NOT_HERE, REFUSED))
    assert machine.proof.age_s is None
    assert machine.looks()
    machine.now_s = 7.0
    assert machine.proof.look()
    assert 7.0 - machine.started[0] == machine.proof.age_s
    assert 1 == len(machine.started)
    machine.proof.end()


@pytest.mark.parametrize(
    ("outcomes", "why"),
    [
        ([GOOD, UNSEEN], "what a program of its own did was not seen by files"),
        ([REFUSED], "nothing can be captured"),
        (None, "the trial of the probes ended without a result"),
    ],
)
def test_another_one_is_none_and_is_done_again_ever_later(
    outcomes: Sequence[Outcome] | None, why: str, capsys: pytest.CaptureFixture[str]
) -> None:
    bad = b"Traceback" if outcomes is None else said(*outcomes)
    machine = Machine(*[bad] * 9, said(GOOD))
    while not machine.looks():
        machine.now_s += 1.0
    gaps = [after - before for before, after in zip(machine.started, machine.started[1:], strict=False)]
    assert [10, 20, 40, 80, 160, 320, 600, 600, 600] == gaps
    assert f"the probes have not proved themselves: {why}; the next trial is in 10 s\n" in capsys.readouterr().err


def test_a_trial_that_runs_is_stopped() -> None:
    started: list[subprocess.Popen[bytes]] = []

    def start() -> subprocess.Popen[bytes]:
        started.append(subprocess.Popen([sys.executable, "-S", "-c", "input()"], stdin=subprocess.PIPE, stdout=subprocess.PIPE))
        return started[-1]

    proof = Proof(start)
    assert not proof.look()
    assert not proof.look()
    proof.end()
    assert started[0].returncode == -9
    assert started[0].stdin is not None
    started[0].stdin.close()


@given(st.lists(st.sampled_from([GOOD, UNSEEN, NOT_HERE, REFUSED]), max_size=4))
def test_no_source_that_was_opened_is_left_unproven(outcomes: list[Outcome]) -> None:
    why = vars(module)["_why_not"](said(*outcomes))
    assert (not why) == (UNSEEN not in outcomes and any(each.opened for each in outcomes))


def test_the_trial_is_doctor_in_another_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/bin/echo")
    with Proof()._start() as started:  # pyright: ignore[reportPrivateUsage]
        assert started.stdout is not None
        assert b"-m agentsight_rx doctor --json\n" == started.stdout.read()
