"""Events of several users -> each user's own through a process of theirs, and no word of another's."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Generator, Sequence
from pathlib import Path

import pytest

from agentsight_rx.core.sink import SinkThread
from agentsight_rx.events import AnswerProgress, Event, Loss, Readline, Tick
from agentsight_rx.events.loss import Ledger, Reason
from agentsight_rx.runtime.service.users import sink as module
from agentsight_rx.runtime.service.users.pipe import Frames
from agentsight_rx.runtime.service.users.places import Reader
from agentsight_rx.runtime.service.users.sink import UsersSink, users
from agentsight_rx.testing import Scene
from agentsight_rx.view import Fold, Row
from tests.runtime.service.users.test_pipe import KEEPS, until

A, B, GROUP = 1001, 1002, Reader(9, 27, shared=True)


class Made:
    """A sink whose processes keep what they get, a file each."""

    def __init__(self, folder: Path, *, groups: tuple[Reader, ...] = (), without: int = 0) -> None:
        self.folder, self.ledger, self.now_s = folder, Ledger(), 100.0
        self.started: list[tuple[str, subprocess.Popen[bytes]]] = []
        self.sink = UsersSink(self.start, self.ledger, own=lambda uid: uid != without, groups=groups, clock=lambda: self.now_s)

    def start(self, reader: Reader) -> subprocess.Popen[bytes]:
        words = [sys.executable, "-c", KEEPS, str(self.folder / reader.name)]
        process = subprocess.Popen(words, stdin=subprocess.PIPE)
        self.started.append((reader.name, process))
        return process

    def flushed(self) -> bool:
        self.sink.flush()
        return True

    def ends(self) -> dict[str, list[Event]]:
        """What each reader got."""
        self.sink.close()
        for _, process in self.started:
            process.wait(60)
        return {path.name: Frames().feed(path.read_bytes()) for path in sorted(self.folder.iterdir())}


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A busy machine may start a program in many seconds. The clock of a sink here stands still, so this is no wait."""
    monkeypatch.setattr(module, "_END_S", 120.0)


@pytest.fixture
def made(tmp_path: Path) -> Generator[Made]:
    each = Made(tmp_path)
    yield each
    for _, process in each.started:
        process.kill()
        process.communicate()


def scene() -> Scene:
    """Two users and root work at the same time."""
    found = Scene()
    actors = [found.process("claude", "x", uid=uid) for uid in (A, B, 0)]
    for actor in actors:
        actor.asks(f"words of {actor.origin().uid}")
    for actor in actors:
        actor.is_answered(f"answer to {actor.origin().uid}")
    return found


def rows_of(events: Sequence[Event]) -> list[Row]:
    fold = Fold()
    rows = [row for event in events for row in fold.add(event)]
    assert rows
    return rows


def of(uid: int, events: Sequence[Event]) -> list[Event]:
    return [each for each in events if each.origin.uid == uid]


def test_each_user_gets_the_own_events_in_order_and_a_group_gets_all(tmp_path: Path) -> None:
    made, events = Made(tmp_path, groups=(GROUP,)), scene().events
    for at in range(0, len(events), 4):
        made.sink.write(events[at : at + 4])
    assert {"1001": of(A, events), "1002": of(B, events), "group-27": events} == made.ends()


def test_a_user_whose_recording_is_the_machines_gets_none(tmp_path: Path) -> None:
    made, events = Made(tmp_path, without=A), scene().events
    made.sink.write(events)
    assert {"1002": of(B, events)} == made.ends()


def test_rows_and_what_is_not_kept_go_to_no_one(made: Made) -> None:
    found = scene()
    origin = found.origin(1001, uid=A)
    made.sink.write([AnswerProgress(origin, 1, 1), Tick(origin), *rows_of(found.events)])
    made.sink.flush()
    assert [] == made.started


def test_a_loss_of_the_machine_is_told_to_those_it_may_concern_and_says_of_no_one(made: Made) -> None:
    found = scene()
    made.sink.write(of(A, found.events))
    loss = found.loses("tls", 3)
    made.sink.write([Loss(loss.origin, "tls", Reason.KERNEL_LOST, 3, size=5, note="of claude of user 1002")])
    came = made.ends()
    assert {"1001"} == came.keys(), "no other user's agent runs"
    assert Loss(loss.origin, "tls", Reason.KERNEL_LOST, 3, size=5) == came["1001"][-1]


def test_what_was_dropped_on_the_way_here_is_told(made: Made) -> None:
    found = scene()
    events = of(A, found.events)
    made.sink.write(events[:2])
    made.ledger.shared("to users").lose(Reason.QUEUE_FULL, 4)
    made.ledger.shared("materialize").lose(Reason.BUG, 1)
    made.ledger.shared("to store").lose(Reason.QUEUE_FULL, 9)
    made.sink.write(events[2:])
    losses = [each for each in made.ends()["1001"] if isinstance(each, Loss)]
    assert [("to users", 5)] == [(each.stage, each.count) for each in losses]


def test_a_writer_ends_when_its_user_is_quiet_and_starts_again(made: Made) -> None:
    found = scene()
    events = of(A, found.events)
    made.sink.write(events[:2])
    made.now_s += 599
    made.sink.flush()
    made.now_s += 2
    until(lambda: made.flushed() and made.started[0][1].poll() is not None)
    made.sink.flush()
    made.sink.write(events[2:])
    assert events == made.ends()["1001"]
    assert ["1001", "1001"] == [name for name, _ in made.started]


def test_the_number_of_writers_is_limited_and_a_quiet_one_makes_room(made: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_RUNNING_MOST", 1)
    events = scene().events
    made.sink.write(of(A, events))
    made.sink.write(of(B, events))
    assert ["1001"] == [name for name, _ in made.started]
    made.now_s += 61
    until(lambda: made.flushed() and len(made.started) == 2)
    assert {"1001": of(A, events), "1002": of(B, events)} == made.ends()


def test_the_number_of_known_users_is_limited(made: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    made.sink._users.most = 1  # pyright: ignore[reportPrivateUsage]
    events = scene().events
    made.sink.write(of(A, events))
    made.sink.write(of(B, events))
    until(lambda: made.started[0][1].poll() is not None)
    assert {"1001": of(A, events), "1002": of(B, events)} == made.ends()


def test_a_failure_is_said_once_and_its_end_too(
    made: Made, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    start = made.start

    def refuse(_: Reader) -> subprocess.Popen[bytes]:
        raise PermissionError(1, "Operation not permitted")

    made.sink._start = refuse  # pyright: ignore[reportPrivateUsage]
    made.sink.write(of(A, scene().events))
    made.sink.flush()
    made.sink._start = start  # pyright: ignore[reportPrivateUsage]
    made.now_s += 10
    made.sink.flush()
    assert [
        "agentsight-rx: the recording of user 1001 waits: Operation not permitted",
        "agentsight-rx: the recording of user 1001 goes on",
    ] == capsys.readouterr().err.splitlines()
    made.ends()


def test_a_writer_that_does_not_end_is_left_alone_in_time(
    made: Made, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(module, "_END_S", 0.0)
    made.sink.write(of(A, scene().events))
    process = made.started[0][1]
    process.send_signal(19)  # SIGSTOP
    made.sink.close()
    assert "the writer of user 1001 has not ended after 0 s" in capsys.readouterr().err
    process.send_signal(18)  # SIGCONT
    assert 0 == process.wait(60)


def test_it_is_a_sink_of_a_run(tmp_path: Path) -> None:
    made, events, ledger = Made(tmp_path), scene().events, Ledger()
    opened: list[bool] = []
    thread = SinkThread(users(made.start, own=lambda _: True, ready=lambda: opened.append(True)), ledger)
    assert [] == opened
    thread.open()
    thread.start()
    thread.put(events)
    thread.close()
    thread.end(60)
    assert ledger.complete
    assert [True] == opened
    assert {"1001", "1002"} == made.ends().keys()


def test_a_line_of_root_is_no_users(made: Made) -> None:
    found = Scene()
    made.sink.write([found.add(Readline(found.origin(7, "bash", 0), "su - a"))])
    assert {} == made.ends()
