"""Whose past is read when, by how many processes at once, and what is said where one cannot be."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from agentsight_rx.core.errors import UnwritableError
from agentsight_rx.runtime.service.users import past as module
from agentsight_rx.runtime.service.users.past import Keeps, Left, Pasts, Task, people
from agentsight_rx.runtime.service.users.places import Reader, kept_past, kept_pasts, make_place
from tests.live.capture import until


class Machine:
    """Users whose processes end as they shall: with a number, or with their standard input where it is None."""

    def __init__(self, *uids: int, known: bool = True, retention: None = None) -> None:
        self.now_s = 0.0
        self.ends: dict[int, int | None] = dict.fromkeys(uids, Left.KEPT)
        self.tasks: list[tuple[int, Task]] = []
        self.places: list[int] = []
        self.processes: list[subprocess.Popen[bytes]] = []
        self.known = known
        keeps = Keeps(self.place, lambda reader: Path(f"/there/{reader.uid}") if self.known else None, retention, no_uids=(7,))
        self.pasts = Pasts(self._start, keeps, [Reader(uid, uid, f"/home/{uid}") for uid in uids], lambda: self.now_s)

    def place(self, reader: Reader) -> Path:
        self.places.append(reader.uid)
        return Path(f"/made/{reader.uid}")

    def _start(self, reader: Reader, task: Task) -> subprocess.Popen[bytes]:
        self.tasks.append((reader.uid, task))
        end = self.ends[reader.uid]
        words = ["cat"] if end is None else ["sh", "-c", f"kill -{-end} $$" if end < 0 else f"exit {end}"]
        self.processes.append(subprocess.Popen(words, stdin=subprocess.PIPE))
        return self.processes[-1]

    def goes_on(self, seconds: float, *running: int, step_s: float = 1.0, paused: bool = False) -> None:
        until_s = self.now_s + seconds
        while self.now_s < until_s:
            self.now_s += step_s
            self.pasts.look(running, paused=paused)
            for process in self.processes:
                if process.args != ["cat"] or (process.stdin is not None and process.stdin.closed):
                    process.wait()

    @property
    def alive(self) -> int:
        return sum(process.poll() is None for process in self.processes)


@pytest.fixture
def machines() -> Iterator[list[Machine]]:
    made = list[Machine]()
    yield made
    for machine in made:
        machine.pasts.close()
        for process in machine.processes:
            with suppress(OSError):
                process.kill()
            process.wait()


def test_each_user_is_looked_at_once_and_then_every_six_hours(machines: list[Machine]) -> None:
    machines.append(machine := Machine(*range(2001, 2051)))
    machine.goes_on(120)
    assert [*range(2001, 2051)] == sorted(uid for uid, _ in machine.tasks)
    assert "past of 50 users kept up" == machine.pasts.said
    machine.goes_on(6 * 3600 - 200, step_s=60)
    assert 50 == len(machine.tasks)
    machine.goes_on(300)
    assert 100 == len(machine.tasks)
    assert not any(task.stays for _, task in machine.tasks)


def test_at_most_two_run_at_once_and_users_whose_agents_run_take_turns(machines: list[Machine]) -> None:
    machines.append(machine := Machine(*(active := (2001, 2002, 2003, 2004, 2005))))
    machine.ends = dict.fromkeys(active)
    most = 0
    for _ in range(400):
        machine.goes_on(1, *active)
        most = max(most, machine.alive)
    assert 2 == most
    assert {*active} == {uid for uid, _ in machine.tasks}, "each has had a turn"
    assert all(task.stays for _, task in machine.tasks)


def test_one_follows_while_an_agent_of_the_user_runs_and_a_minute_longer(machines: list[Machine]) -> None:
    machines.append(machine := Machine(2001))
    machine.ends[2001] = None
    machine.goes_on(600, 2001)
    assert (1, 1) == (len(machine.tasks), machine.alive)
    machine.goes_on(50)
    assert 1 == machine.alive
    machine.goes_on(20)
    until(lambda: not machine.alive)
    machine.goes_on(3600, step_s=60)
    assert 1 == len(machine.tasks)


def test_an_agent_that_starts_is_followed_within_a_minute_of_the_last_look(machines: list[Machine]) -> None:
    machines.append(machine := Machine(2001))
    machine.goes_on(30)
    machine.ends[2001] = None
    machine.goes_on(60, 2001)
    assert [False, True] == [task.stays for _, task in machine.tasks]


def test_a_place_is_made_for_users_with_session_files_alone(machines: list[Machine]) -> None:
    machines.append(machine := Machine(2001, 2002, known=False))
    machine.ends = {2001: Left.NOTHING, 2002: Left.FOUND}
    machine.goes_on(5)
    machine.ends[2002] = Left.KEPT
    machine.goes_on(60)
    assert [2002] == [*dict.fromkeys(machine.places)]
    assert "" == next(task.store for uid, task in machine.tasks if uid == 2001)
    assert {"", "/made/2002"} == {task.store for uid, task in machine.tasks if uid == 2002}
    assert "past of 1 user kept up" == machine.pasts.said


def _homeless(uid: int) -> Reader:
    return Reader(uid, uid)


def test_users_that_are_left_out_or_have_no_home_are_not_read(machines: list[Machine], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "user_reader", _homeless)
    machines.append(machine := Machine(7))
    machine.goes_on(30, 7, 8)
    assert [] == machine.tasks


def test_nothing_begins_in_a_pause(machines: list[Machine]) -> None:
    machines.append(machine := Machine(2001))
    machine.goes_on(30, paused=True)
    assert [] == machine.tasks
    machine.goes_on(5)
    assert 1 == len(machine.tasks)


@pytest.mark.parametrize("left", [each for each in Left if each in module.WHY])
def test_why_a_past_is_not_kept_up_is_said_once(
    left: Left, machines: list[Machine], capsys: pytest.CaptureFixture[str]
) -> None:
    machines.append(machine := Machine(2001))
    machine.ends[2001] = left
    machine.goes_on(25 * 3600, step_s=30)
    said = capsys.readouterr().err.splitlines()
    assert [f"agentsight-rx: past of user 2001 is not kept up: {module.WHY[left]}"] == said
    assert len(machine.tasks) > 1, "it is tried again"
    assert "past of 0 users kept up, of 1 not" == machine.pasts.said
    machine.ends[2001] = Left.KEPT
    machine.goes_on(7 * 3600, step_s=30)
    assert "agentsight-rx: past of user 2001 is kept up again\n" == capsys.readouterr().err


def test_a_number_that_no_one_gave_it_is_a_process_that_did_not_start(
    machines: list[Machine], capsys: pytest.CaptureFixture[str]
) -> None:
    machines.append(machine := Machine(2001))
    machine.ends[2001] = 77
    machine.goes_on(5)
    assert "its process does not start" in capsys.readouterr().err


def test_what_cannot_be_started_hurts_no_other_user(machines: list[Machine], capsys: pytest.CaptureFixture[str]) -> None:
    machines.append(machine := Machine(2001, 2002, 2003))
    start, place = vars(machine.pasts)["_start"], machine.place

    def starts(reader: Reader, task: Task) -> subprocess.Popen[bytes]:
        if reader.uid == 2001:
            raise PermissionError(13, "Permission denied")
        found: subprocess.Popen[bytes] = start(reader, task)
        return found

    def places(reader: Reader) -> Path:
        if reader.uid == 2002:
            raise UnwritableError("/users/2002 is to be a directory of user 2002, and it is not: move it away")
        return place(reader)

    machine.known = False
    machine.ends[2002] = machine.ends[2003] = Left.FOUND
    vars(machine.pasts)["_start"] = starts
    vars(machine.pasts)["_keeps"] = Keeps(places, lambda _: None)
    machine.goes_on(20)
    said = capsys.readouterr().err
    assert "past of user 2001 is not kept up: [Errno 13] Permission denied" in said
    assert "past of user 2002 is not kept up: /users/2002 is to be a directory" in said
    assert 2003 in machine.places


@pytest.mark.needs("root")
def test_people_have_numbers_from_1000_on_or_a_past(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    users = tmp_path / "users"
    for uid in (1, 61001):
        make_place(Reader(uid, uid), users)
        kept_past(Reader(uid, uid), users).touch()
    found = {reader.uid for reader in people(users)}
    assert 1 in found, "a system user whose agent was seen before"
    assert not found & {0, 65534, 61001}
    assert f"user 61001 is gone; their past stays in {users}/61001" in capsys.readouterr().err
    assert 2 == len(kept_pasts(users))
    assert [] == kept_pasts(tmp_path / "nowhere")
    assert os.geteuid() == 0
