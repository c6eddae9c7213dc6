"""The decoder and capstone read the same: in every function of the installed TLS libraries and libc, and in any bytes."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import capstone
from elftools.elf.elffile import ELFFile
from elftools.elf.sections import SymbolTableSection
from hypothesis import given, settings
from hypothesis import strategies as st

from agentsight_rx.sources.tls.libraries import system_libraries
from agentsight_rx.sources.tls.stacks.exported import work_of
from agentsight_rx.sources.tls.stacks.paths import behind_begin
from agentsight_rx.sources.tls.stacks.x86_code import Instruction, Register, is_emulated, read_instruction

checked = settings(max_examples=400, deadline=None)

_MORE = ("libcrypto.so.3", "libc.so.6", "libgnutls.so.30")
_LONGEST = 4096  # bytes of a function that are compared
_ADDRESS = 1 << 32  # where capstone is said that the code is, so that no target is below 0
_STACK = frozenset({"push", "pop", "call", "ret"})  # they change rsp besides what they write


def disassembled(code: bytes) -> list[tuple[int, Any]]:
    """(place, instruction) as capstone sees them, up to the first that it does not know."""
    decoder: Any = capstone.Cs(capstone.CS_ARCH_X86, capstone.CS_MODE_64)
    decoder.detail = True
    return [(each.address - _ADDRESS, each) for each in decoder.disasm(code, _ADDRESS)]


@cache
def functions() -> tuple[tuple[Path, int, int], ...]:
    """(file, place in it, size) of each function with a name."""
    found: list[tuple[Path, int, int]] = []
    libraries = system_libraries()
    beside = [libraries[0].parent / name for name in _MORE] if libraries else []
    for path in {path.resolve() for path in (*libraries, *beside) if path.exists()}:
        with path.open("rb") as file:
            table = ELFFile(file).get_section_by_name(".dynsym")
            assert isinstance(table, SymbolTableSection)
            found += [
                (path, int(symbol["st_value"]), int(symbol["st_size"]))
                for symbol in table.iter_symbols()
                if symbol["st_info"]["type"] == "STT_FUNC" and symbol["st_size"] and symbol["st_value"]
            ]
    return tuple(sorted(found))


@cache
def content(path: Path) -> bytes:
    return path.read_bytes()


def code_of(function: tuple[Path, int, int]) -> bytes:
    """Code of these libraries is at the same place in memory and in the file."""
    path, place, size = function
    return content(path)[place : place + min(size, _LONGEST)]


def _number(name: str) -> int | None:
    """The number of the register that this name is a part of."""
    names = ("ax", "cx", "dx", "bx", "sp", "bp", "si", "di")
    short = name.removeprefix("r").removeprefix("e")
    if short in names:
        return names.index(short)
    digits = short.rstrip("dwb")
    return int(digits) if digits.isdecimal() else None


def _agree(mine: Instruction, other: Any) -> None:
    assert other.size == mine.size
    mnemonic = str(other.mnemonic)
    name = {"movabs": "mov", "data16": "nop"}.get(mnemonic, mnemonic)
    if mine.condition is not None:
        assert name.startswith(mine.name)
        assert name != "jmp"
        assert mine.condition == (condition if (condition := name.removeprefix(mine.name)) in ("s", "ns", "le", "g") else "")
    else:
        assert name == mine.name
    if mine.target is not None:
        assert int(other.op_str, 16) == _ADDRESS + mine.target
    if name == "test":  # of a constant with eax: capstone says that it writes to eax
        assert mine.to is None
        return
    _, written = other.regs_access()
    numbers = {_number(other.reg_name(each)) for each in written} - {None}
    expected = {*((mine.to,) if mine.to is not None else ()), *((Register.SP,) if mine.name in _STACK else ())}
    assert numbers == expected


@given(st.deferred(lambda: st.sampled_from(functions())))
@checked
def test_functions_are_read_as_capstone_reads_them(function: tuple[Path, int, int]) -> None:
    code = code_of(function)
    known = 0
    for at, other in disassembled(code):
        mine = read_instruction(code, at)
        if mine is not None:
            known += 1
            _agree(mine, other)
            assert read_instruction(code[: at + other.size - 1], at) is None
    assert known or len(code) < 64


@given(st.binary(min_size=1, max_size=16))
@checked
def test_any_bytes_are_read_as_capstone_reads_them(code: bytes) -> None:
    mine = read_instruction(code, 0)
    if mine is None:
        return
    assert mine.size <= len(code)
    (_, other), *_ = disassembled(code)
    _agree(mine, other)


@given(st.deferred(lambda: st.sampled_from(functions())))
@checked
def test_the_first_emulated_place_is_reached_without_a_jump_and_leaves_its_registers(function: tuple[Path, int, int]) -> None:
    kept = frozenset({Register.DI, Register.SI})
    code = code_of(function)
    place = behind_begin(code, kept)
    if place is None:
        return
    assert is_emulated(code[place:])
    passed = [other for at, other in disassembled(code) if at < place]
    assert sum(other.size for other in passed) == place
    for other in passed:
        assert not other.mnemonic.startswith(("j", "call", "ret", "loop"))
        assert not kept & {_number(other.reg_name(each)) for each in other.regs_access()[1]}


@given(st.deferred(lambda: st.sampled_from(functions())), st.sampled_from([None, 3, 4]))
@checked
def test_what_does_the_work_is_called_directly(function: tuple[Path, int, int], size_argument: int | None) -> None:
    code = code_of(function)
    work = work_of(code, size_argument)
    if work is not None:
        calls = [other.op_str for _, other in disassembled(code) if other.mnemonic == "call"]
        assert hex(_ADDRESS + work.target) in calls
