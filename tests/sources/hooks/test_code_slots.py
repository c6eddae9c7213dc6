"""Machine code for our page: run for real, in memory of this process."""

from __future__ import annotations

import ctypes
import mmap
import os
import platform
from typing import Any

import capstone
import pytest

from agentsight_rx.sources.hooks.code import JUMP_SIZE, SLOT, call_slot, copy_of, jump_to, table_of

GETPID, GETPPID = 39, 110
pytestmark = pytest.mark.skipif(platform.machine() != "x86_64", reason="it is code of x86-64")


class Code:
    """Memory that may be run: bytes are put at an offset, and called as a function that returns a long."""

    def __init__(self) -> None:
        self._map = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
        self.address = ctypes.addressof(ctypes.c_char.from_buffer(self._map))

    def put(self, offset: int, code: bytes) -> int:
        self._map[offset : offset + len(code)] = code
        return self.address + offset

    def call(self, address: int, *arguments: int) -> int:
        function: Any = ctypes.CFUNCTYPE(ctypes.c_long, *(ctypes.c_long for _ in arguments))(address)
        return int(function(*arguments))


RET = b"\xc3"


def number(value: int) -> bytes:
    return b"\xb8" + value.to_bytes(4, "little")  # mov eax, value


def names(code: bytes, address: int = 0) -> list[str]:
    decoder: Any = capstone.Cs(capstone.CS_ARCH_X86, capstone.CS_MODE_64)
    return [name for _, _, name, _ in decoder.disasm_lite(code, address)]


def test_a_call_of_no_interest_is_made_without_a_stop() -> None:
    code = Code()
    table = code.put(64, table_of(frozenset({2, 257})))
    back = code.put(1024, RET)
    slot = call_slot(code.address + 512, back, lead=number(GETPID), table=table)
    code.put(512, slot.code)
    assert os.getpid() == code.call(code.address + 512)


def test_a_number_beyond_the_table_is_of_no_interest() -> None:
    code = Code()
    table = code.put(64, b"\xff" * 64)
    back = code.put(1024, RET)
    slot = call_slot(code.address + 512, back, lead=number(5000), table=table)
    code.put(512, slot.code)
    assert code.call(code.address + 512) == -38  # ENOSYS


def test_a_call_of_interest_comes_to_an_int3() -> None:
    code = Code()
    table = code.put(64, table_of(frozenset({GETPID})))
    slot = call_slot(code.address + 512, code.put(1024, RET), lead=number(GETPID), table=table)
    assert slot.code[slot.wanted] == 0xCC
    assert slot.code[slot.behind] == 0xCC
    code.put(512, slot.code)
    code.put(512 + slot.wanted, b"\x90")  # as it is once we have left: all of it goes on as if nothing were there
    code.put(512 + slot.behind, b"\x90")
    assert os.getpid() == code.call(code.address + 512)


@pytest.mark.parametrize("which", ["passes", "calls"])
def test_a_slot_without_a_table_makes_the_call_both_ways(which: str) -> None:
    code = Code()
    slot = call_slot(code.address + 512, code.put(1024, RET))
    code.put(512, slot.code)
    code.put(512 + slot.behind, b"\x90")
    target = code.address + 512 + int(getattr(slot, which))
    start = code.put(256, number(GETPPID) + b"\xff\x25\0\0\0\0" + target.to_bytes(8, "little"))  # jmp target
    assert os.getppid() == code.call(start)


def test_a_slot_has_room_for_the_longest_code() -> None:
    slot = call_slot(1 << 40, 1 << 40, lead=b"\x90" * 9, table=(1 << 40) + 64)
    assert len(slot.code) <= SLOT
    assert len(copy_of(b"\x0f\x86\0\0\0\0", 1 << 40)) <= SLOT


@pytest.mark.parametrize("condition", range(16))
@pytest.mark.parametrize("near", [True, False])
def test_a_copy_of_a_jump_goes_where_the_jump_went(condition: int, near: bool) -> None:
    """For each condition and several comparisons: the jump in its place and its copy elsewhere return the same."""
    code = Code()
    distance = 64
    jump = bytes((0x0F, 0x80 | condition)) + distance.to_bytes(4, "little") if near else bytes((0x70 | condition, distance))
    compare = b"\x48\x39\xf7"  # cmp rdi, rsi
    start = code.put(256, compare + jump + number(1) + RET)
    place = start + len(compare)
    code.put(place + len(jump) + distance - code.address, number(2) + RET)
    copied = code.put(1024, compare + copy_of(jump, place))
    for pair in ((1, 1), (1, 2), (2, 1), (-1, 1), (1, -1), (0, 0), (-(1 << 63), 1), (3, -(1 << 63))):
        assert code.call(start, *pair) == code.call(copied, *pair)


def test_a_copy_of_an_ordinary_instruction_goes_on_behind_the_original() -> None:
    code = Code()
    push = b"\x53"  # push rbx
    start = code.put(256, push + b"\x5b" + number(7) + RET)
    copied = code.put(1024, copy_of(push, start))
    assert code.call(copied) == 7


def test_a_jump_that_does_not_reach_is_none() -> None:
    assert jump_to(0x400000, 0x7F0000000000) is None
    assert jump_to(1 << 40, (1 << 40) + 1000) is not None
    assert len(jump_to(1 << 40, (1 << 40) - 1000) or b"") == JUMP_SIZE
    assert names(jump_to(1 << 40, (1 << 40) + 1000) or b"") == ["jmp"]
