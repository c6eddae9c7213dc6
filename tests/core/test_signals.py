"""Signals that end a run."""

from __future__ import annotations

import os
import pty
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Generator
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentsight_rx.core.signals import EndRequest, asking_to_end
from tests.live.capture import until

ASLEEP = "S"  # the state in /proc/PID/task/TID/stat of a thread that waits
SAID = "from agentsight_rx.core.signals import how_to_end; print(how_to_end())"


@pytest.fixture(autouse=True)
def _handlers() -> Generator[None]:  # pyright: ignore[reportUnusedFunction]
    before = signal.getsignal(signal.SIGHUP)
    yield
    signal.signal(signal.SIGHUP, before)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_each_of_them_asks_for_the_end(number: signal.Signals) -> None:
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    reasons: list[str] = []
    before = signal.getsignal(number)
    with asking_to_end(reasons.append):
        signal.raise_signal(number)
    assert [number.name] == reasons
    assert signal.getsignal(number) == before


def test_a_hangup_may_mean_something_else() -> None:
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    reasons, hangups = list[str](), list[int]()
    with asking_to_end(reasons.append, hangup=lambda: hangups.append(1)):
        signal.raise_signal(signal.SIGHUP)
        signal.raise_signal(signal.SIGTERM)
    assert (["SIGTERM"], [1]) == (reasons, hangups)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
@pytest.mark.parametrize("timeout_s", [None, 600.0])
def test_a_signal_ends_a_wait_that_it_does_not_interrupt(number: signal.Signals, timeout_s: float | None) -> None:
    """As where the kernel gives it to another thread, or where it comes just before the wait."""
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    end, main = EndRequest(), threading.get_native_id()

    def elsewhere() -> None:
        until(lambda: Path(f"/proc/self/task/{main}/stat").read_text().rpartition(")")[2].split()[0] == ASLEEP)
        signal.pthread_kill(threading.get_ident(), number)

    other = threading.Thread(target=elsewhere)
    with asking_to_end(end.ask):
        other.start()
        assert end.wait(timeout_s) == number.name
        other.join()
    assert end.reason == number.name


@given(st.lists(st.sampled_from(["SIGTERM", "duration", "graph"])))
def test_the_first_reason_stays(reasons: list[str]) -> None:
    end = EndRequest()
    for reason in reasons:
        end.ask(reason)
    first = next(iter(reasons), "")
    assert [end.wait(0), end.reason, end.wait(0), end.wait(1e-9)] == [first] * 4


def test_a_hang_up_that_the_invoker_ignored_stays_ignored() -> None:
    signal.signal(signal.SIGHUP, signal.SIG_IGN)  # as nohup does
    reasons: list[str] = []
    with asking_to_end(reasons.append):
        signal.raise_signal(signal.SIGHUP)
    assert [] == reasons


@pytest.mark.parametrize("in_front", [True, False])
def test_the_key_is_named_only_where_its_signal_reaches_us(in_front: bool) -> None:
    pid, terminal = pty.fork()
    if not pid:  # the first process of a terminal; what it starts is in front, or in a group of its own behind it
        done = subprocess.run([sys.executable, "-c", SAID], process_group=None if in_front else 0, check=False)
        os._exit(done.returncode)
    said = b""
    with suppress(OSError):  # EIO: the terminal has ended
        while data := os.read(terminal, 4096):
            said += data
    os.close(terminal)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    assert re.fullmatch(rb"Ctrl-C" if in_front else rb"kill \d+", said.strip())


def test_without_a_terminal_it_is_a_signal() -> None:
    with subprocess.Popen([sys.executable, "-c", SAID], stdout=subprocess.PIPE, text=True, start_new_session=True) as process:
        assert process.communicate()[0] == f"kill {process.pid}\n"
