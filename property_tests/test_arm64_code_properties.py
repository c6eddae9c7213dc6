"""The search in arm64 code finds the references and calls that another decoder of its instructions sees."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from struct import pack
from tempfile import TemporaryFile
from typing import Any
from unittest.mock import patch

import capstone
from hypothesis import given, settings
from hypothesis import strategies as st

from agentsight_rx.sources.kernel.machine import MACHINES
from agentsight_rx.sources.tls.stacks import code as module
from agentsight_rx.sources.tls.stacks import elf
from agentsight_rx.sources.tls.stacks.code import Arm64Code
from agentsight_rx.sources.tls.stacks.elf import Image

TEXTS, CODE = 0x40_0000, 0x1234_0000  # addresses of constants and of code
HEADERS = 64 + 2 * 56
APART = 24  # instructions from adrp to its add

targets = st.integers(-3, 300).map(lambda each: CODE + 4 * each) | st.sampled_from([CODE - (1 << 27), CODE + (1 << 27) - 4])
texts = st.integers(0, 0x2FFF).map(lambda each: TEXTS + each)
registers = st.integers(0, 30)
commands = st.lists(
    st.one_of(
        st.tuples(st.just("word"), st.integers(0, (1 << 32) - 1)),
        st.tuples(st.sampled_from(["bl", "b"]), targets),
        st.tuples(st.just("adrp"), texts, registers),
        st.tuples(st.just("add"), texts, registers, registers),
        st.tuples(st.just("nop"), st.integers(1, 30)),
    ),
    max_size=40,
)


def assembled(lines: list[Any]) -> bytes:
    words: list[int] = []
    for line in lines:
        here = CODE + 4 * len(words)
        match line:
            case ("word", word):
                words.append(word)
            case ("nop", count):
                words += [0xD503201F] * count
            case ("bl" | "b" as name, target):
                words.append((0x94000000 if name == "bl" else 0x14000000) | ((target - here) // 4 & 0x3FFFFFF))
            case ("adrp", text, register):
                pages = text // 4096 - here // 4096
                words.append(0x90000000 | (pages & 3) << 29 | (pages >> 2 & 0x7FFFF) << 5 | register)
            case ("add", text, to, register):
                words.append(0x91000000 | text % 4096 << 10 | register << 5 | to)
            case _:
                raise AssertionError(line)
    return pack(f"<{len(words)}I", *words)


@contextmanager
def opened(code: bytes) -> Generator[Image]:
    head = pack("<16sHHIQQQIHHHHHH", b"\x7fELF\x02\x01\x01", 2, 183, 1, 0, 64, 0, 0, 64, 56, 2, 64, 0, 0)
    head += pack("<IIQQQQQQ", 1, 4, HEADERS, TEXTS, TEXTS, 0x3000, 0x3000, 4096)
    head += pack("<IIQQQQQQ", 1, 5, HEADERS + 0x3000, CODE, CODE, len(code), len(code), 4096)
    with TemporaryFile() as file:
        file.write(head + bytes(0x3000) + code)
        file.flush()
        with patch.object(elf, "MACHINE", MACHINES["aarch64"]):
            image = Image(file, "program")
        assert image.readable
        yield image


def decoded(code: bytes) -> list[tuple[int, str, list[Any]]]:
    decoder: Any = capstone.Cs(capstone.CS_ARCH_ARM64, capstone.CS_MODE_LITTLE_ENDIAN)
    decoder.detail = True
    found: list[tuple[int, str, list[Any]]] = []
    for at in range(0, len(code), 4):
        each = next(decoder.disasm(code[at : at + 4], CODE + at), None)
        found.append((CODE + at, each.mnemonic if each else "", list(each.operands) if each else []))
    return found


def references(code: bytes, low: int, high: int) -> list[tuple[int, int]]:
    every = decoded(code)
    found: set[tuple[int, int]] = set()
    for index, (_, name, operands) in enumerate(every):
        if name != "adrp":
            continue
        for place, later, others in every[index + 1 : index + APART]:
            whole = later == "add" and len(others) == 3 and others[2].type == capstone.arm64.ARM64_OP_IMM
            if whole and others[2].shift.value == 0 and others[1].reg == operands[0].reg and is_wide(code, place):
                target = operands[1].imm + others[2].imm
                found |= {(place, target)} if low <= target < high else set()
    return sorted(found)


def test_a_reference_and_a_call_are_found() -> None:
    code = assembled([("bl", CODE + 8), ("adrp", TEXTS + 0x1010, 3), ("nop", 9), ("add", TEXTS + 0x1010, 4, 3)])
    with opened(code) as image:
        searched = Arm64Code(image, lambda: None)
        assert [(CODE + 44, TEXTS + 0x1010)] == searched.references([(TEXTS + 0x1000, TEXTS + 0x1020)])
        assert [CODE + 8] == searched.called_between(CODE, CODE + 48)


def is_wide(code: bytes, place: int) -> bool:
    """Of 64 bits, and not the form that sets flags or shifts."""
    word = int.from_bytes(code[place - CODE :][:4], "little")
    return word >> 22 == 0x91000000 >> 22


@settings(max_examples=300, deadline=None)
@given(commands, st.integers(0, 0x2FFF), st.integers(1, 64), st.integers(25, 60))
def test_references_are_those_that_another_decoder_sees(lines: list[Any], at: int, size: int, piece: int) -> None:
    code = assembled(lines)
    low, high = TEXTS + at, TEXTS + at + size
    with opened(code) as image, patch.object(module, "_PIECE", 4 * piece):
        assert references(code, low, high) == Arm64Code(image, lambda: None).references([(low, high)])


@settings(max_examples=300, deadline=None)
@given(commands, st.integers(25, 60))
def test_calls_are_those_that_another_decoder_sees(lines: list[Any], piece: int) -> None:
    code = assembled(lines)
    every = [(name, operands[0].imm) for _, name, operands in decoded(code) if name in ("bl", "b")]
    inside = range(CODE, CODE + len(code), 4)
    with opened(code) as image, patch.object(module, "_PIECE", 4 * piece):
        searched = Arm64Code(image, lambda: None)
        assert sorted({to for name, to in every if name == "bl"} & {*inside}) == searched.called_between(CODE, CODE + len(code))
        assert {to for _, to in every} & {*inside} == searched.called(inside)
