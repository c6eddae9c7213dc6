"""This machine and this user -> each way to see what agents do: whether it works here, or why not and what to do."""

from __future__ import annotations

from collections.abc import Sequence

from ...core.messages import program
from ...sources.hooks.source import why_not
from ...store.reasons import HOOKS_MISS
from .checks import Check
from .trial import Outcome, can_record

__all__ = ["can_record_at_all", "ways"]

_KERNEL, _HOOKS, _RECORDINGS = "the kernel", "breakpoints", "recordings"


def ways(machine: Sequence[Check], outcomes: Sequence[Outcome], /) -> list[Check]:
    """The kernel, breakpoints, recordings, in the order in which `record` and the demo try them."""
    return [_kernel(machine, outcomes), _hooks(), _recordings()]


def can_record_at_all(found: Sequence[Check], /) -> bool:
    """Whether `record` starts in one of these ways."""
    return any(each.ok for each in found if each.name != _RECORDINGS)


def _kernel(machine: Sequence[Check], outcomes: Sequence[Outcome]) -> Check:
    without = f"`{program()} watch`, `service` and `trace` of other users' processes need it"
    if can_record(outcomes):
        return Check(_KERNEL, True, f"`{program()} record` by the kernel, which sees every program")
    wrong = next((each for each in machine if not each.ok), None)
    seen = f"{wrong.name}: {wrong.seen}" if wrong is not None else "no source of it works"
    return Check(_KERNEL, False, seen, without, wrong.remedy if wrong is not None else "")


def _hooks() -> Check:
    why = why_not()
    if not why:
        return Check(_HOOKS, True, f"`{program()} record --by hooks` needs no right; {HOOKS_MISS}")
    seen, _, remedy = why.partition(": ")
    return Check(_HOOKS, False, seen, f"`{program()} record` needs the kernel then", remedy)


def _recordings() -> Check:
    return Check(_RECORDINGS, True, f"`{program()} report`, `serve`, `replay` and `top` need no right, nor does `demo`")
