"""
Machine code for our page in a traced program (x86-64, Intel SDM volume 2): where its threads make system calls, and do what
stood below a breakpoint.

The page begins with an int3, to which functions that are watched return. Then comes a table, a bit for each number of a call
of interest, and then the slots. So no thread has to step, other threads never miss a breakpoint, and one that is in a call when
we leave goes on as if nothing had been there.
"""

from __future__ import annotations

from typing import NamedTuple

__all__ = [
    "FIRST",
    "INT3",
    "JUMP_SIZE",
    "NOP",
    "PAGE_SIZE",
    "SLOT",
    "TABLE_AT",
    "CallSlot",
    "call_slot",
    "copy_of",
    "jump_to",
    "table_of",
]

INT3, NOP = b"\xcc", b"\x90"
PAGE_SIZE, SLOT, TABLE_AT, FIRST = 64 << 10, 64, 64, 128
JUMP_SIZE = 5
_NUMBERS = 512  # of system calls
_JUMP = b"\xff\x25\0\0\0\0"  # jmp [rip], and the address behind it
_SYSCALL = b"\x0f\x05"
_REACH = 1 << 31  # of a jump with 32 bits


class CallSlot(NamedTuple):
    """
    `code` for one system call instruction. A thread makes the call at `passes`, or at `calls` to stop behind it, at the int3 at
    `behind`. With a filter it comes to the beginning by itself, and stops at `wanted` for a call of interest alone.
    """

    code: bytes
    passes: int
    calls: int
    behind: int
    wanted: int = -1


def call_slot(place: int, back: int, *, lead: bytes = b"", table: int = 0) -> CallSlot:
    """
    The slot at the address `place`, from which a thread goes on at `back`. `lead` are the instructions in front of the system
    call that it does first; then it asks the `table`, where there is one.
    """
    pass_by = _SYSCALL + _JUMP + back.to_bytes(8, "little")
    if not table:
        return CallSlot(pass_by + _SYSCALL + INT3 + b"\xeb\xed", passes=0, calls=16, behind=18)
    at = len(lead)
    code = lead + b"\x3d" + (_NUMBERS - 1).to_bytes(4, "little")  # cmp eax, 511
    code += b"\x77\x09"  # ja: pass
    code += b"\x0f\xa3\x05" + (table - (place + at + 14)).to_bytes(4, "little", signed=True)  # bt [rip + table], eax
    code += b"\x72\x10"  # jc: wanted
    code += pass_by + INT3 + _SYSCALL + INT3 + b"\xeb\xec"
    return CallSlot(code, passes=at + 16, calls=at + 33, behind=at + 35, wanted=at + 32)


def table_of(numbers: frozenset[int]) -> bytes:
    """A bit for each number."""
    return sum(1 << number for number in numbers if number < _NUMBERS).to_bytes(_NUMBERS // 8, "little")


def jump_to(place: int, target: int) -> bytes | None:
    """At the address `place`, over the 5 bytes there; None where the target is too far away."""
    distance = target - (place + JUMP_SIZE)
    if not -_REACH <= distance < _REACH:
        return None
    return b"\xe9" + distance.to_bytes(4, "little", signed=True)


def copy_of(code: bytes, address: int) -> bytes:
    """What does the same as the one instruction at this address, in any other place: also a jump over a distance."""
    behind = address + len(code)
    back = _JUMP + behind.to_bytes(8, "little")
    near = code[:1] == b"\x0f" and 0x80 <= code[1] <= 0x8F
    if not near and not 0x70 <= code[0] <= 0x7F and code[:1] not in (b"\xe9", b"\xeb"):
        return code + back
    distance = int.from_bytes(code[-4 if len(code) > 2 else -1 :], "little", signed=True)
    away = _JUMP + (behind + distance).to_bytes(8, "little")
    if code[:1] in (b"\xe9", b"\xeb"):
        return away
    condition = 0x70 | code[1] & 15 if near else code[0]
    return bytes((condition, len(back))) + back + away
