"""The way to a writer: it never waits, starts the process again, and says what did not come through."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Generator
from contextlib import suppress
from pathlib import Path

import pytest

from agentsight_rx.events import Event, Loss, Readline
from agentsight_rx.events.loss import Reason
from agentsight_rx.runtime.service.users import pipe as module
from agentsight_rx.runtime.service.users.pipe import Frames, Pipe, frame
from agentsight_rx.testing import Scene

PATIENCE_S = 60.0
KEEPS = "import sys; open(sys.argv[1], 'ab').write(sys.stdin.buffer.read())"  # all of its input into a file, at its end


class Writers:
    """Starts processes that keep their input, one file each. `now_s` is the time of the pipe."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.now_s, self.running = folder, 100.0, list[subprocess.Popen[bytes]]()
        self.fails = ""

    def start(self) -> subprocess.Popen[bytes]:
        if self.fails:
            raise PermissionError(1, self.fails)
        words = [sys.executable, "-c", KEEPS, str(self.folder / str(len(self.running)))]
        self.running.append(subprocess.Popen(words, stdin=subprocess.PIPE))
        return self.running[-1]

    def pipe(self) -> Pipe:
        return Pipe(self.start, lambda: self.now_s)

    def came(self, number: int = 0) -> list[Event]:
        return Frames().feed((self.folder / str(number)).read_bytes())


@pytest.fixture
def writers(tmp_path: Path) -> Generator[Writers]:
    made = Writers(tmp_path)
    yield made
    for process in made.running:
        process.kill()
        process.communicate()


def until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        os.sched_yield()


def pushed(pipe: Pipe) -> bool:
    pipe.push()
    return True


def lines(count: int, text: str = "x") -> list[Event]:
    scene = Scene()
    return [scene.add(Readline(scene.origin(7, "bash", 1000), f"{text} {number}")) for number in range(count)]


def test_the_process_starts_with_the_first_events_and_gets_all_of_them(writers: Writers) -> None:
    pipe, sent = writers.pipe(), lines(9)
    pipe.push()
    assert [] == writers.running
    assert (False, True) == (pipe.is_running, pipe.is_idle)
    pipe.put(sent[:4])
    assert not pipe.is_idle
    pipe.push()
    pipe.put(sent[4:])
    assert pipe.is_running
    until(pipe.finish)
    assert sent == writers.came()
    assert "" == pipe.failure


def test_the_end_waits_for_room_unless_something_is_missing(writers: Writers) -> None:
    for whole in (True, False):
        pipe = writers.pipe()
        pipe.put(lines(1))
        pipe.push()
        process = writers.running[-1]
        os.kill(process.pid, signal.SIGSTOP)
        pipe.put(lines(3000, "x" * 1000))
        pipe.push()
        pipe.end(whole=whole)
        os.kill(process.pid, signal.SIGCONT)
        while whole and not pipe.finish():
            os.sched_yield()
        process.wait(PATIENCE_S)
        frames = Frames()
        frames.feed((writers.folder / str(len(writers.running) - 1)).read_bytes())
        assert whole == frames.ended


def test_a_full_pipe_gets_the_last_word_later(writers: Writers) -> None:
    pipe, sent = writers.pipe(), lines(1)
    pipe.put(sent)
    pipe.push()
    (process,) = writers.running
    os.kill(process.pid, signal.SIGSTOP)
    assert process.stdin is not None
    with suppress(BlockingIOError):
        while True:
            os.write(process.stdin.fileno(), frame(()))
    pipe.end()
    os.kill(process.pid, signal.SIGCONT)
    until(pipe.finish)
    assert sent == writers.came()


def test_the_end_of_a_process_that_is_gone_is_no_error(writers: Writers) -> None:
    pipe = writers.pipe()
    pipe.put(lines(1))
    pipe.push()
    writers.running[0].kill()
    writers.running[0].wait()
    pipe.end()
    assert pipe.finish()


def test_events_behind_the_end_start_another_one(writers: Writers) -> None:
    pipe, sent = writers.pipe(), lines(4)
    pipe.put(sent[:2])
    pipe.push()
    pipe.end()
    pipe.put(sent[2:])
    until(lambda: pushed(pipe) and len(writers.running) == 2)
    until(pipe.finish)
    assert [sent[:2], sent[2:]] == [writers.came(0), writers.came(1)]


@pytest.mark.parametrize("more", [True, False])
def test_a_stopped_process_costs_a_limited_memory_and_a_loss_that_is_told(
    writers: Writers, monkeypatch: pytest.MonkeyPatch, *, more: bool
) -> None:
    monkeypatch.setattr(module, "_HELD_MOST", 4 << 20)
    pipe, sent = writers.pipe(), lines(3000, "x" * 1000)
    pipe.put(sent[:1])
    pipe.push()
    os.kill(writers.running[0].pid, signal.SIGSTOP)
    for _ in range(8):  # 24 MB, and the kernel takes one
        pipe.put(sent)
        pipe.push()
    assert pipe._held < 8 << 20  # pyright: ignore[reportPrivateUsage]
    assert "its writer takes nothing" == pipe.failure
    os.kill(writers.running[0].pid, signal.SIGCONT)
    until(lambda: pushed(pipe) and pipe.is_idle)
    assert "" == pipe.failure
    if more:
        pipe.put(sent[:1])
    until(pipe.finish)
    came = writers.came()
    (loss,) = [event for event in came if isinstance(event, Loss)]
    assert (Reason.QUEUE_FULL, 0) == (loss.reason, loss.origin.pid)
    assert 8 * 3000 + 1 + more == loss.count + len(came) - 1, "seen and counted is all that was given"
    assert loss == came[-1 - more], "it is said where there is room again, at the end at least"


def test_the_gap_of_an_ended_process_is_told_to_the_next_one(writers: Writers) -> None:
    pipe, sent = writers.pipe(), lines(3)
    pipe.put(sent[:1])
    pipe.push()
    writers.running[0].kill()
    writers.running[0].wait()
    pipe.push()
    pipe.put(sent[1:])
    writers.now_s += 10
    until(pipe.finish)
    loss, *came = writers.came(1)
    assert isinstance(loss, Loss)
    assert (1, Reason.QUEUE_FULL) == (loss.count, loss.reason)
    assert sent[1:] == came


def test_the_rest_of_a_record_does_not_go_to_the_next_process(writers: Writers) -> None:
    pipe, sent = writers.pipe(), lines(3000, "x" * 1000)
    pipe.put(sent)
    pipe.push()
    assert not pipe.is_idle, "the record is larger than the pipe"
    writers.running[0].kill()
    writers.running[0].wait()
    pipe.push()
    pipe.put(sent[:2])
    writers.now_s += 10
    until(pipe.finish)
    assert [Loss, Readline, Readline] == [type(event) for event in writers.came(1)]


def test_what_cannot_be_started_is_said_and_tried_again(writers: Writers) -> None:
    pipe, sent = writers.pipe(), lines(1)
    writers.fails = "Operation not permitted"
    pipe.put(sent)
    pipe.push()
    assert "Operation not permitted" == pipe.failure
    assert pipe.finish(), "to wait would not help"
    writers.fails = ""
    writers.now_s += 9
    pipe.push()
    assert not pipe.is_running
    writers.now_s += 1
    until(pipe.finish)
    assert sent == writers.came()
    assert "" == pipe.failure


def test_failures_in_a_row_wait_at_most_five_minutes(writers: Writers) -> None:
    pipe = writers.pipe()
    writers.fails = "no"
    pipe.put(lines(1))
    due: list[float] = []
    for _ in range(8):
        pipe.push()
        due.append(pipe._due_s - writers.now_s)  # pyright: ignore[reportPrivateUsage]
        writers.now_s += due[-1]
    assert [10.0, 20.0, 40.0, 80.0, 160.0, 300.0, 300.0, 300.0] == due
