"""
Machine code of x86-64 -> an instruction with which functions mostly begin and end; None for any other.

Encoding: Intel 64 and IA-32 Architectures Software Developer's Manual, volume 2, chapter 2 and appendix A. Capstone is not
asked: its import takes 33 ms, and the functions of libssl are read at each start.
"""

from __future__ import annotations

from msgspec import Struct
from msgspec.structs import replace

_ARITHMETIC = ("add", "or", "adc", "sbb", "and", "sub", "xor", "cmp")
_UNWRITTEN = frozenset({"cmp", "test", "push", "nop"})  # do not change their first operand
_CONDITIONS = {8: "s", 9: "ns", 14: "le", 15: "g"}  # those that say whether a number is above 0
_ENDBR64 = b"\xf3\x0f\x1e\xfa"
_FS = 0x64
_FILLING = (0x66, 0x2E)  # prefixes of a long nop
_LONGEST = 15  # bytes of an instruction


class Register:
    """Numbers of registers, as instructions have them."""

    AX, CX, DX, BX, SP, BP, SI, DI, R8, R9, R14 = 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 14
    COUNT = 16


class Memory(Struct, frozen=True):
    """The place at register `base` + `offset`; base None where it is found in any other way."""

    base: int | None
    offset: int


Operand = int | Memory | None  # a register by its number, or a place in memory


class Instruction(Struct, frozen=True, kw_only=True):
    """
    `size` is in bytes. `name` is the name in the manual; jumps and moves on a condition are `j` and `cmov`, and `condition` is
    s, ns, le or g, or empty for any other. `number` is a constant operand. `target` is where a jump or call goes, counted as
    the place of the instruction is.
    """

    size: int
    name: str
    first: Operand = None
    second: Operand = None
    number: int | None = None
    target: int | None = None
    condition: str | None = None
    wide: bool = False  # operands of 64 bits, else 32, and then the upper half of a register becomes 0

    @property
    def to(self) -> int | None:
        """The register that it writes. That push, pop, call and ret change rsp comes on top."""
        return self.first if isinstance(self.first, int) and self.name not in _UNWRITTEN else None


def read_instruction(code: bytes, at: int) -> Instruction | None:
    """The instruction at this place, if it is known here and whole."""
    try:
        found = _read(code, at)
    except IndexError:
        return None
    return found if found is not None and at + found.size <= len(code) else None


def is_emulated(code: bytes) -> bool:
    """
    Whether the kernel emulates the instruction that begins here under a probe (arch/x86/kernel/uprobes.c), and so does not step
    through a copy of it: push, nop, and jumps to a fixed place. It emulates call too, which does not count: a kernel may do it
    without the shadow stack of a process that has one.
    """
    first, second = (*code[:2], 0, 0)[:2]
    return (
        0x50 <= first <= 0x57  # push
        or (first == 0x41 and 0x50 <= second <= 0x57)
        or 0x70 <= first <= 0x7F  # jump on a condition
        or (first == 0x0F and 0x80 <= second <= 0x8F)
        or first in (0x90, 0xE9, 0xEB)  # nop, jump
    )


def _read(code: bytes, at: int) -> Instruction | None:
    if code[at : at + 4] == _ENDBR64:
        return Instruction(size=4, name="endbr64")
    place = at
    while code[place] in _FILLING and place - at < _LONGEST:
        place += 1
    if place > at:
        return _with_size(_nop(code, place, 0), place - at)
    of_thread = code[place] == _FS
    place += of_thread
    rex = code[place] if code[place] & 0xF0 == 0x40 else 0
    place += bool(rex)
    if of_thread:
        return _with_size(_elsewhere(_with_operands(code, place, rex)), place - at)
    found = _with_operands(code, place, rex) or _nop(code, place, rex) or _without_operands(code, place, rex)
    found = _with_size(found, place - at)
    if found is None or found.target is None:
        return found
    return replace(found, target=at + found.size + found.target)


def _with_size(found: Instruction | None, more: int) -> Instruction | None:
    return replace(found, size=found.size + more) if found is not None and more else found


def _elsewhere(found: Instruction | None) -> Instruction | None:
    """The same in the memory of the thread, where its guard value for the stack is."""
    if found is None or found.name == "lea":
        return None
    if isinstance(found.first, Memory):
        return replace(found, first=Memory(None, 0))
    return replace(found, second=Memory(None, 0)) if isinstance(found.second, Memory) else None


# Each of these reads from the first byte behind the prefixes. A target is counted from the end of the instruction.


def _nop(code: bytes, at: int, rex: int) -> Instruction | None:
    if code[at] == 0x90 and not rex & 1:  # with it: an exchange of r8 and rax
        return Instruction(size=1, name="nop")
    if code[at] == 0x0F and code[at + 1] == 0x1F and not code[at + 2] & 0x38:
        return Instruction(size=2 + _operand(code, at + 2, rex)[0], name="nop")
    return None


def _without_operands(code: bytes, at: int, rex: int) -> Instruction | None:
    """Or with one register in the operation code."""
    first, wide = code[at], bool(rex & 8)
    register = first & 7 | (rex & 1) << 3
    if first & 0xF8 == 0x50:
        return Instruction(size=1, name="push", first=register, wide=True)
    if first & 0xF8 == 0x58:
        return Instruction(size=1, name="pop", first=register, wide=True)
    if first & 0xF8 == 0xB8:
        size = 8 if wide else 4
        return Instruction(size=1 + size, name="mov", first=register, number=_signed(code, at + 1, size), wide=wide)
    if first == 0x0F and code[at + 1] & 0xF0 == 0x80:
        return Instruction(size=6, name="j", target=_signed(code, at + 2, 4), condition=_CONDITIONS.get(code[at + 1] & 15, ""))
    if first & 0xF0 == 0x70:
        return Instruction(size=2, name="j", target=_signed(code, at + 1, 1), condition=_CONDITIONS.get(first & 15, ""))
    if first in (0xA8, 0xA9):
        more = 1 if first == 0xA8 else 4
        return Instruction(size=1 + more, name="test", number=_signed(code, at + 1, more), wide=wide)
    if first == 0xEB:
        return Instruction(size=2, name="jmp", target=_signed(code, at + 1, 1))
    if first in (0xE8, 0xE9):
        return Instruction(size=5, name="call" if first == 0xE8 else "jmp", target=_signed(code, at + 1, 4))
    return Instruction(size=1, name="ret") if first == 0xC3 else None


def _with_operands(code: bytes, at: int, rex: int) -> Instruction | None:
    """Two operands, of which one is a register or a constant and the other a register or in memory (a ModRM byte)."""
    first, wide = code[at], bool(rex & 8)
    if first == 0x0F:
        if code[at + 1] & 0xF0 != 0x40:
            return None
        size, register, other = _operand(code, at + 2, rex)
        condition = _CONDITIONS.get(code[at + 1] & 15, "")
        return Instruction(size=2 + size, name="cmov", first=register, second=other, condition=condition, wide=wide)
    if not _is_known(first, wide):
        return None
    size, register, other = _operand(code, at + 1, rex)
    size += 1
    if first in (0x81, 0x83, 0xC7):
        if first == 0xC7 and register & 7:
            return None
        name = "mov" if first == 0xC7 else _ARITHMETIC[register & 7]
        more = 1 if first == 0x83 else 4
        return Instruction(size=size + more, name=name, first=other, number=_signed(code, at + size, more), wide=wide)
    if first in (0xF6, 0xF7):
        more = 1 if first == 0xF6 else 4
        number = _signed(code, at + size, more)
        return Instruction(size=size + more, name="test", number=number, wide=wide) if not register & 7 else None
    if first == 0x8D and isinstance(other, int):
        return None
    name = _NAMES.get(first) or _ARITHMETIC[first >> 3]
    to_other = first in (0x85, 0x89) or (first < 0x40 and first & 7 == 1)
    to, source = (other, register) if to_other else (register, other)
    return Instruction(size=size, name=name, first=to, second=source, wide=wide)


_NAMES = {0x63: "movsxd", 0x85: "test", 0x89: "mov", 0x8B: "mov", 0x8D: "lea"}


def _is_known(first: int, wide: bool) -> bool:
    if first < 0x40:
        return first & 7 in (1, 3)
    return first in (0x81, 0x83, 0xC7, 0xF6, 0xF7) or (first in _NAMES and (wide or first != 0x63))


def _operand(code: bytes, at: int, rex: int) -> tuple[int, int, Operand]:
    """The ModRM byte at this place and what belongs to it: their size, the register, and the other operand."""
    byte = code[at]
    mode, low = byte >> 6, byte & 7
    register = byte >> 3 & 7 | (rex & 4) << 1
    base: int | None = low | (rex & 1) << 3
    if mode == 3:
        return 1, register, base
    size, offset_size = 1, (0, 1, 4)[mode]
    if low == 4:
        scaled = code[at + 1]
        size = 2
        base = scaled & 7 | (rex & 1) << 3
        if (scaled >> 3 & 7 | (rex & 2) << 2) != 4:
            base = None
        if not mode and scaled & 7 == 5:
            base, offset_size = None, 4
    elif low == 5 and not mode:  # relative to the next instruction
        base, offset_size = None, 4
    return size + offset_size, register, Memory(base, _signed(code, at + size, offset_size))


def _signed(code: bytes, at: int, size: int) -> int:
    return int.from_bytes(code[at : at + size], "little", signed=True)
