"""The running kernel -> whether it has may_goto, by which the verifier looks at one turn of a loop instead of at each."""

from __future__ import annotations

import os
from functools import cache
from struct import pack

from .syscall import TRACEPOINT, load_program

__all__ = ["has_may_goto"]

# Instructions: operation, registers, offset, value (Documentation/bpf/standardization/instruction-set.rst)
_SET, _MAY_GOTO, _EXIT = 0xB7, 0xE5, 0x95


@cache
def has_may_goto() -> bool:
    """Linux has it since 6.9; asked by a program that uses it."""
    code = b"".join(pack("<BBhi", *each) for each in ((_SET, 0, 0, 0), (_MAY_GOTO, 0, 1, 0), (_SET, 0, 0, 1), (_EXIT, 0, 0, 0)))
    try:
        os.close(load_program("turns", TRACEPOINT, code))
    except OSError:
        return False
    return True
