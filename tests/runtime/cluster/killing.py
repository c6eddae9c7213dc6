"""
A job that ends processes inside a segment, by kill -9, and keeps a record of every attempt.

A process ends itself, or one whose number the test has written into the record.
"""

from __future__ import annotations

import os
import secrets
import signal
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import msgspec
from msgspec import Struct

from agentsight_rx.runtime.cluster import Done, Task, segment

__all__ = ["RECORD", "Attempts", "Kill", "attempts", "check_hit", "job", "plan", "started_by_us"]

RECORD = "AGENTSIGHT_TEST_KILLS"


class Kill(Struct, frozen=True):
    """
    Who ends where: in the segment of this key and number, at this place of `segment`, behind so many events. `whom`: worker
    (the process of the job), tree (its parent too), scheduler, driver.
    """

    key: str
    sequence: int
    where: str
    count: int = 0
    whom: str = "worker"


class Attempts(Struct):
    """What the record says: attempts that began, those that ended, and the kills that were done."""

    started: list[str]
    ended: list[str]
    kills: int

    @property
    def hit(self) -> int:
        """Attempts that began and did not end: a kill hit each of them."""
        return len(set(self.started) - set(self.ended))


def plan(record: Path, kills: Sequence[Kill]) -> None:
    """What is to be killed from now on."""
    record.mkdir(exist_ok=True)
    for number, kill in enumerate(kills):
        (record / f"kill-{secrets.token_hex(4)}-{number}").write_bytes(msgspec.json.encode(kill))


def started_by_us(record: Path, **pids: int) -> None:
    """Processes that a kill may end, by what they are: scheduler, driver, or any other name for the parents of workers."""
    record.mkdir(exist_ok=True)
    for name, pid in pids.items():
        (record / f"pid-{name}").write_text(str(pid))


def attempts(record: Path) -> Attempts:
    def named(begin: str) -> list[str]:
        return [path.name.removeprefix(begin) for path in record.glob(f"{begin}*")]

    return Attempts(named("started-"), named("ended-"), len(named("done-")))


def job(task: Task) -> Done:
    """`segment`, with a record and the kills of the plan."""
    record = Path(os.environ[RECORD])
    attempt = f"{task.key}-{task.sequence}-{os.getpid()}-{secrets.token_hex(4)}"
    (record / f"started-{attempt}").write_bytes(b"")
    done = segment(task, partial(_at, record, task))
    (record / f"ended-{attempt}").write_bytes(b"")
    return done


def check_hit(record: Path, kills: int) -> None:
    """The kills of the plan were done, and each hit an attempt in the middle."""
    found = attempts(record)
    assert kills == found.kills, "a kill of the plan was not done"
    assert found.hit >= kills, "a kill hit no attempt that had begun and was not committed"


def _at(record: Path, task: Task, where: str, count: int) -> None:
    for path in record.glob("kill-*"):
        kill = msgspec.json.decode(path.read_bytes(), type=Kill)
        if (kill.key, kill.sequence, kill.where) == (task.key, task.sequence, where) and count >= kill.count:
            try:
                path.rename(record / f"done-{path.name}")  # each once
            except FileNotFoundError:
                continue
            _end(record, kill.whom)


def _end(record: Path, whom: str) -> None:
    if whom == "tree":
        parent = os.getppid()
        assert parent in {int(path.read_text()) for path in record.glob("pid-*")}
        os.kill(parent, signal.SIGKILL)
    elif whom != "worker":
        os.kill(int((record / f"pid-{whom}").read_text()), signal.SIGKILL)
    os.kill(os.getpid(), signal.SIGKILL)
