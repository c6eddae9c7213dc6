"""Bytes -> instructions, and what a register holds where a function is called: the constants that reach it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Any

from ....core.start import regex
from ...kernel.machine import MACHINE

Instruction = tuple[int, int, str, str]  # address, size, name, operands

PADDING = frozenset({"nop", "int3", "data16", "xchg"})
# Registers of the first six arguments, by their short names
ARGUMENTS = {"x86_64": ("di", "si", "dx", "cx", "r8", "r9"), "aarch64": ("x0", "x1", "x2", "x3", "x4", "x5")}[MACHINE.name]
# By a call, on either machine
_CLOBBERED = frozenset({"ax", "cx", "dx", "si", "di", "r8", "r9", "r10", "r11", *(f"x{each}" for each in range(19))})
_READ_ONLY = frozenset({"cmp", "test", "push", "call", "nop", "bt", "ucomiss", "ucomisd", "comiss", "comisd"})
ENDS = frozenset({"jmp", "ret", "ud2", "hlt"})  # the instruction behind it is only reached by jumps
_WRITE_ONLY = frozenset({"mov", "lea", "movabs", "movzx", "xor", "pop"})
_STEPS_MOST = 400  # of one walk back through a function

_WORD = regex(r"[a-z0-9]+")


def decode(code: bytes, address: int) -> Iterator[Instruction]:
    """
    What stands in these bytes, one instruction after the other. Each call has a decoder of its own (40 µs), since two threads
    may search at once.
    """
    import capstone

    is_arm = MACHINE.name == "aarch64"
    mode = (capstone.CS_ARCH_ARM64, capstone.CS_MODE_LITTLE_ENDIAN) if is_arm else (capstone.CS_ARCH_X86, capstone.CS_MODE_64)
    decoder: Any = capstone.Cs(*mode)
    decoder.skipdata = True
    found = decoder.disasm_lite(code, address)
    return map(_renamed, found) if is_arm else iter(found)


_NAMES = {"bl": "call", "blr": "call", "b": "jmp", "br": "jmp", "brk": "ud2", "udf": "int3", "movz": "mov"}
_TESTS = ("cbz", "cbnz", "tbz", "tbnz")
_ZERO = regex(r"\b[wx]zr\b")


def _renamed(instruction: Instruction) -> Instruction:
    """Calls, jumps, moves, stores and comparisons of arm64 have the names of x86-64."""
    at, size, name, operands = instruction
    if name.startswith("b.") or name in _TESTS:
        return at, size, "jcc", operands.rpartition("#")[2]
    if name.startswith(("st", "ccm", "cm")) or name == "tst":
        name = "cmp"
    return at, size, _NAMES.get(name, name), _ZERO.sub("0", operands).replace("#", "")


def _names() -> Iterator[tuple[str, str]]:
    for short in ("ax", "bx", "cx", "dx"):
        yield from ((name, short) for name in ("r" + short, "e" + short, short, short[0] + "l"))
    for short in ("si", "di", "bp", "sp"):
        yield from ((name, short) for name in ("r" + short, "e" + short, short, short + "l"))
    for number in range(8, 16):
        yield from ((f"r{number}{end}", f"r{number}") for end in ("", "d", "w", "b"))
    for number in range(31):
        yield from ((f"{size}{number}", f"x{number}") for size in "xw")


_REGISTERS = dict(_names())


class Body:
    """The instructions of one function."""

    def __init__(self, code: bytes, address: int) -> None:
        self.instructions = list(decode(code, address))
        self.index = {at: index for index, (at, *_) in enumerate(self.instructions)}
        self._sources: defaultdict[int, list[int]] = defaultdict(list)  # index of a target -> indices of the jumps to it
        for index, (_, _, name, operands) in enumerate(self.instructions):
            if name.startswith("j") and operands.startswith("0x"):
                target = self.index.get(int(operands, 16))
                if target is not None:
                    self._sources[target].append(index)

    def around(self, place: int) -> int | None:
        """The index of the instruction that has this place in it."""
        for start in range(place, place - 12, -1):
            index = self.index.get(start)
            if index is not None:
                at, size, *_ = self.instructions[index]
                return index if at <= place < at + size else None
        return None

    def called(self) -> set[int]:
        """The addresses that it calls or jumps to."""
        return {
            int(operands, 16)
            for _, _, name, operands in self.instructions
            if name in ("call", "jmp") and operands.startswith("0x")
        }

    def next_call(self, index: int) -> int | None:
        """The index of the first call from here on, along jumps."""
        for _ in range(24):
            if index >= len(self.instructions):
                return None
            _, _, name, operands = self.instructions[index]
            if name == "call":
                return index
            if name == "ret":
                return None
            if name == "jmp":
                target = self.index.get(int(operands, 16)) if operands.startswith("0x") else None
                if target is None:
                    return None
                index = target
            else:
                index += 1
        return None

    def argument(self, index: int) -> str | None:
        """The register to which this instruction brings an address, in the end: `push` and `pop` may be between."""
        _, _, name, operands = self.instructions[index]
        if name == "push":
            for _, _, later, to in self.instructions[index + 1 : index + 8]:
                if later == "pop":
                    return _REGISTERS.get(to)
            return None
        return _REGISTERS.get(operands.partition(",")[0])

    def constants(self, register: str, index: int) -> set[int]:
        """The constants that the register may hold before the instruction at this index."""
        found: set[int] = set()
        seen: set[tuple[str, int]] = set()
        work = [(register, index)]
        while work and len(seen) < _STEPS_MOST:
            wanted, at = work.pop()
            if (wanted, at) in seen:
                continue
            seen.add((wanted, at))
            work += [(wanted, source) for source in self._sources.get(at, ())]  # a jump changes no register
            if at == 0:
                continue
            if self.instructions[at - 1][2] not in ENDS:
                held, more = self._before(wanted, at - 1)
                found |= held
                work += more
        return found

    def _before(self, wanted: str, at: int) -> tuple[set[int], list[tuple[str, int]]]:
        """What this instruction gives the register: constants, and the register whose value it takes or leaves."""
        _, _, name, operands = self.instructions[at]
        to, _, value = operands.partition(", ")
        if name == "call":
            return set(), [] if wanted in _CLOBBERED else [(wanted, at)]
        if name in _READ_ONLY or name.startswith("j") or _REGISTERS.get(to) != wanted:
            return set(), [(wanted, at)]
        if name == "pop":
            return self._pushed(at), []
        if name in ("mov", "movabs"):
            number = _number(value)
            if number is not None:
                return {number}, []
            return set(), [(_REGISTERS[value], at)] if value in _REGISTERS else []
        return ({0} if name == "xor" and _REGISTERS.get(value) == wanted else set()), []

    def _pushed(self, at: int) -> set[int]:
        for _, _, name, operands in reversed(self.instructions[max(0, at - 8) : at]):
            if name == "push":
                number = _number(operands)
                return set() if number is None else {number}
        return set()


def _number(text: str) -> int | None:
    try:
        return int(text, 0)
    except ValueError:
        return None


def reads_before_write(register: str, instructions: Iterable[Instruction]) -> bool:
    """Whether a function uses this argument: it reads the register before it writes it or calls anything."""
    names = {name for name, short in _REGISTERS.items() if short == register}
    for _, _, name, operands in instructions:
        if name in ("call", "ret"):
            return False
        parts = [part.strip() for part in operands.split(",")]
        uses = [part for part in parts if names & set(_WORD.findall(part))]
        if not uses:
            continue
        written = parts[0] in names and name in _WRITE_ONLY
        return not (written and (name == "xor" or not any(names & set(_WORD.findall(part)) for part in parts[1:])))
    return False
