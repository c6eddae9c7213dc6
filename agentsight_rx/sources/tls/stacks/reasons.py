"""
A source file's name in error messages -> the functions that refer to it, each with its error reasons.

BoringSSL and aws-lc report an error by a call with (library, 0, reason, file, line) as constants. The reasons are numbers of
their public headers, so the set of reasons of a function identifies it, in each version and each way to compile it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from msgspec import Struct

from .bounds import FunctionOf
from .instructions import ARGUMENTS, Body
from .scan import Scan

__all__ = ["Reporter", "references_to", "reporters"]

_REASON_MOST = 65_535
_BODY_MOST = 1 << 16


class Reporter(Struct, frozen=True):
    """A function that reports errors, with their reasons and the functions that it calls or jumps to."""

    address: int
    reasons: frozenset[int]
    called: frozenset[int]


def references_to(scan: Scan, places: Iterable[int]) -> list[tuple[int, int]]:
    """(place in code, target) of what refers to the texts around these places."""
    ranges = [(scan.text_at(place)[0], place + 1) for place in places]  # whichever part of it is the text of the code
    return scan.code.references(ranges) if ranges else []


def reporters(scan: Scan, references: Iterable[tuple[int, int]], function_of: FunctionOf) -> list[Reporter]:
    """The functions around the references. A reference in no known function does not count."""
    by_function: defaultdict[tuple[int, int], list[int]] = defaultdict(list)
    for place, _ in references:
        function = function_of(place)
        if function is not None:
            by_function[function].append(place)
    found: list[Reporter] = []
    for (start, end), places in sorted(by_function.items()):
        scan.check()
        body = Body(scan.image.at(start, min(end - start, _BODY_MOST)), start)
        reasons = frozenset(reason for place in places for reason in _reasons(body, place))
        found.append(Reporter(start, reasons, called=frozenset(to for to in body.called() if not start < to < end)))
    return found


def _reasons(body: Body, place: int) -> set[int]:
    """
    The reason is the argument before the file. It is the third of five, or the second of four where the compiler left out the
    unused one.
    """
    index = body.around(place)
    if index is None:
        return set()
    register, call = body.argument(index), body.next_call(index)
    if call is None or register not in ARGUMENTS[2:4]:
        return set()
    reasons = body.constants(ARGUMENTS[ARGUMENTS.index(register) - 1], call)
    return {reason for reason in reasons if 0 < reason <= _REASON_MOST}
