"""A spool and a place for output -> which segments of each host are to be analysed, behind which."""

from __future__ import annotations

import re

from msgspec import Struct

from ...core.errors import SpoolError
from ...store.spool import sequence_of
from .commit import own_pins
from .job import Task
from .place import Place
from .settings import Settings

__all__ = ["Plan", "committed", "plan_of"]

_DONE = re.compile(r"(\d{10})\.done")


class Plan(Struct):
    """
    The tasks of each key, in order, each behind the one before it. `late` counts segments that came after later ones of their
    host were analysed: they are not in the result.
    """

    tasks: dict[str, list[Task]]
    done: int = 0
    late: int = 0

    @property
    def left(self) -> int:
        return sum(map(len, self.tasks.values()))


def plan_of(spool: Place, out: Place, settings: Settings) -> Plan:
    """Raises SpoolError where there is no segment at all."""
    plan = Plan({})
    pins = own_pins()
    for key in spool.folders():
        there = sorted(number for name in spool.names(key) if (number := sequence_of(name)) is not None)
        finished = committed(out, key)
        before = finished[-1] if finished else 0
        plan.done += len(finished)
        plan.late += len([number for number in there if number < before and number not in finished])
        tasks: list[Task] = []
        for number in there:
            if number > before:
                tasks.append(
                    Task(
                        spool=spool.url,
                        out=out.url,
                        key=key,
                        sequence=number,
                        before=tasks[-1].sequence if tasks else before,
                        settings=settings,
                        pins=pins,
                    )
                )
        if tasks:
            plan.tasks[key] = tasks
    if not plan.left and not plan.done:
        raise SpoolError(f"{spool.url} holds no segments: give the folder of `--spool`, with a folder for each host in it")
    return plan


def committed(out: Place, key: str) -> list[int]:
    """The segments of a key that are committed, in order."""
    return sorted(int(found[1]) for name in out.names(key) if (found := _DONE.fullmatch(name)))
