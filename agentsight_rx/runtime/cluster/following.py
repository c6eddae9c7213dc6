"""A Shipper -> pass after pass until the end is asked for; where the other place cannot be used, ever longer waits."""

from __future__ import annotations

from collections.abc import Callable

from ...core.errors import SpoolError
from ...core.messages import say
from .notes import ShipRefused
from .shipping import Shipper

__all__ = ["follow"]

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
