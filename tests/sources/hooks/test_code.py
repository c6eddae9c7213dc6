"""Where breakpoints are set in files: at whole instructions, and at every call of interest of the C library."""

from __future__ import annotations

import os
import re
import sys
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import capstone
import pytest
from elftools.elf.elffile import ELFFile

from agentsight_rx.sources.hooks.calls import OTHER
from agentsight_rx.sources.hooks.code import Code, Request, begin_of, code_of


def libc() -> str:
    return next(line.split()[-1] for line in Path("/proc/self/maps").read_text().splitlines() if re.search(r"/libc[.-]", line))


@cache
def searched(path: str) -> Code:
    return code_of(Request((0, 0, 0), path, path, True))


def functions(path: str) -> dict[str, tuple[int, int]]:
    """Address and size of the functions that have a name."""
    with open(path, "rb") as file:
        table: Any = ELFFile(file).get_section_by_name(".dynsym")
        return {each.name: (each["st_value"], each["st_size"]) for each in table.iter_symbols() if each["st_size"]}


def instructions(path: str, name: str) -> dict[int, str]:
    """The offsets in the file and the names of the instructions of a function."""
    address, size = functions(path)[name]
    with open(path, "rb") as file:
        elf = ELFFile(file)
        offset = next(iter(elf.address_offsets(address)))
        file.seek(offset)
        code = file.read(size)
    decoder: Any = capstone.Cs(capstone.CS_ARCH_X86, capstone.CS_MODE_64)
    return {at: mnemonic for at, _, mnemonic, _ in decoder.disasm_lite(code, offset)}


@pytest.mark.parametrize(
    ("name", "number"),
    [
        ("rename", 82),
        ("unlink", 87),
        ("unlinkat", 263),
        ("mkdir", 83),
        ("rmdir", 84),
        ("chdir", 80),
        ("bind", 49),
    ],
)
def test_a_call_of_the_c_library_is_found_where_it_is_made(name: str, number: int) -> None:
    inside = instructions(libc(), name)
    found = [offset for offset, known, _ in searched(libc()).sites if known == number and offset in inside]
    assert found
    assert all(inside[offset] == "syscall" for offset in found)


def test_every_place_in_a_named_function_is_a_whole_instruction() -> None:
    sites = {offset for offset, _, _ in searched(libc()).sites}
    for name in ("open64", "openat64", "connect", "accept4", "syscall", "read", "write", "close", "fork", "vfork", "clone"):
        inside = instructions(libc(), name)
        low, high = min(inside), max(inside)
        assert all(inside.get(offset) == "syscall" for offset in sites if low <= offset <= high)


def test_the_function_that_makes_any_call_is_found() -> None:
    inside = instructions(libc(), "syscall")
    assert [known for offset, known, _ in searched(libc()).sites if offset in inside] == [OTHER]


def test_the_bytes_of_a_system_call_inside_of_another_instruction_are_none(tmp_path: Path) -> None:
    """Programs of 100 MB have thousands of such bytes, and a breakpoint inside of an instruction would break them."""
    image = Path(sys.executable).read_bytes()
    path = os.path.realpath(sys.executable)
    decoder: Any = capstone.Cs(capstone.CS_ARCH_X86, capstone.CS_MODE_64)
    for offset, _, _ in searched(path).sites:
        assert [name for _, _, name, _ in decoder.disasm_lite(image[offset : offset + 2], 0)] == ["syscall"]


@pytest.mark.parametrize(
    ("code", "behind", "pushed"),
    [
        (b"\xf3\x0f\x1e\xfa\x41\x56", 4, 0),  # endbr64
        (b"\x41\x56\x55", 2, 8),  # push r14
        (b"\x55\x48\x89\xe5", 1, 8),  # push rbp
        (b"\x48\x85\xff\x74\x10", 3, 0),  # test rdi, rdi
        (b"\x48\x85\x3f\x74\x10", 0, 0),  # test [rdi], rdi
        (b"\x48\x89\xf7\xc3", 0, 0),  # mov rdi, rsi
        (b"\xc3", 0, 0),
    ],
)
def test_a_function_is_met_behind_a_first_instruction_that_keeps_its_arguments(code: bytes, behind: int, pushed: int) -> None:
    at = len(code) * 3

    def read(offset: int, size: int) -> bytes:
        return (bytes(at) + code)[offset : offset + size]

    image: Any = SimpleNamespace(read=read)
    assert (at + behind, pushed) == begin_of(image, at)


def test_a_file_that_is_no_program_has_nothing(tmp_path: Path) -> None:
    path = tmp_path / "text"
    path.write_text("no program")
    assert code_of(Request((1, 2, 3), str(path), str(path), True)) == Code((1, 2, 3), str(path))
    assert code_of(Request((1, 2, 3), str(path / "gone"), "gone", True)) == Code((1, 2, 3), "gone")
