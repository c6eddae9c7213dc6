"""Functions that may be the wanted ones -> a Finding: each role needs exactly one."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from .bounds import WAYS, FunctionOf
from .finding import Finding
from .scan import Scan, hook

__all__ = ["Roles", "by_bounds", "with_callers"]

Roles = Mapping[str, Mapping[int, str]]  # shape -> address of a function that may be it -> the evidence


def by_bounds(
    scan: Scan, stack: str, method: str, roles_of: Callable[[FunctionOf], Roles], *, optional: frozenset[str] = frozenset()
) -> Finding:
    """
    The finding by the first way to see the bounds of functions that leaves exactly one candidate for each role. A role that is
    `optional` may have none: the compiler puts a function that is called once into its caller. Two candidates end the search,
    since a way that sees one there may have taken both for one function.
    """
    failures: list[str] = []
    for way, bounds in WAYS.items():
        scan.check()
        roles = roles_of(bounds(scan))
        roles = {role: found for role, found in roles.items() if found or role not in optional}
        wrong = [f"{len(found)} candidates for {role} (1 is needed)" for role, found in roles.items() if len(found) != 1]
        if not wrong:
            return _finding(scan, stack, method, roles, way)
        if any(roles.values()) or not failures:
            failures.append(f"the texts of {stack} are there, but {' and '.join(wrong)}")
        if any(len(found) > 1 for found in roles.values()):
            break
    return Finding(stack, method, failure=failures[-1])


def _finding(scan: Scan, stack: str, method: str, roles: Roles, way: str) -> Finding:
    functions = [(role, address, why) for role, found in roles.items() for address, why in found.items()]
    hooks = [hook(scan.image, role, address) for role, address, _ in functions]
    return Finding(
        stack,
        method,
        hooks=tuple(each for each in hooks if each is not None),
        evidence=tuple(
            f"{role} is the function at {address:#x} (bounds from {way}): {why}" for role, address, why in functions
        ),
    )


def with_callers(scan: Scan, found: Mapping[int, str]) -> Mapping[int, str]:
    """
    The candidates that are called at all, if there are several: a linker may keep functions that the program does not use.
    """
    if len(found) < 2:
        return found
    called = scan.code.called(found)
    return {address: why for address, why in found.items() if address in called}
