"""A spool and a place for output -> which segments of each host are to be analysed, behind which."""

from __future__ import annotations

from collections.abc import Callable

from msgspec import Struct

from ...core.errors import SpoolError
from ...core.messages import say
from ...core.start import regex
from ...store.spool import sequence_of
from .job import Settings, Task
from .notes import ShipRefused
from .place import Place, own_pins
from .shipping import Shipper

# -- following -----------------------------------------------------------------------------------------------------
# A Shipper -> pass after pass until the end is asked for; where the other place cannot be used, ever longer waits.


_EVERY_S = 2.0  # a look at a spool that did not change takes 0.1 ms; nothing is asked of the other place without a new segment
_FIRST_S, _LONGEST_S = 1.0, 60.0


def follow(shipper: Shipper, waited: Callable[[float], bool], say: Callable[[str], None] = say) -> None:
    """
    Ship what there is, and what comes. `waited(seconds)` waits so long and returns whether the end was asked for. Raises
    ShipRefused.
    """
    failed, failure = 0.0, ""
    while True:
        try:
            shipper.run()
            if failed:
                say("shipping goes on")
            failed, failure = 0.0, ""
        except ShipRefused:
            raise
        except SpoolError as error:
            if str(error) != failure:  # once for each reason, however long it holds
                failure = str(error)
                say(f"{failure}; trying again until it works")
            failed = min(2 * failed or _FIRST_S, _LONGEST_S)
        if waited(failed or _EVERY_S):
            return


# ------------------------------------------------------------------------------------------------------------------------


_DONE = regex(r"(\d{10})\.done")


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
