"""Single instructions; property_tests/test_x86_code_properties.py compares with another decoder."""

from __future__ import annotations

import pytest

from agentsight_rx.sources.tls.stacks.x86_code import Instruction, Memory, Register, is_emulated, read_instruction

AX, CX, DX, BX, SP, DI, R8, R12 = Register.AX, Register.CX, Register.DX, Register.BX, Register.SP, Register.DI, Register.R8, 12
SOME = (
    ("f3 0f 1e fa", Instruction(size=4, name="endbr64")),
    ("90", Instruction(size=1, name="nop")),
    ("66 66 2e 0f 1f 84 00 00 00 00 00", Instruction(size=11, name="nop")),
    ("55", Instruction(size=1, name="push", first=5, wide=True)),
    ("41 54", Instruction(size=2, name="push", first=R12, wide=True)),
    ("41 5c", Instruction(size=2, name="pop", first=R12, wide=True)),
    ("48 83 ec 18", Instruction(size=4, name="sub", first=SP, number=24, wide=True)),
    ("48 81 c4 00 01 00 00", Instruction(size=7, name="add", first=SP, number=256, wide=True)),
    ("83 c8 ff", Instruction(size=3, name="or", first=AX, number=-1)),
    ("31 c0", Instruction(size=2, name="xor", first=AX, second=AX)),
    ("45 33 c0", Instruction(size=3, name="xor", first=R8, second=R8)),
    ("85 d2", Instruction(size=2, name="test", first=DX, second=DX)),
    ("48 89 e1", Instruction(size=3, name="mov", first=CX, second=SP, wide=True)),
    ("8b 04 24", Instruction(size=3, name="mov", first=AX, second=Memory(SP, 0))),
    ("89 44 24 08", Instruction(size=4, name="mov", first=Memory(SP, 8), second=AX)),
    ("64 48 8b 04 25 28 00 00 00", Instruction(size=9, name="mov", first=AX, second=Memory(None, 0), wide=True)),
    ("64 48 2b 14 25 28 00 00 00", Instruction(size=9, name="sub", first=DX, second=Memory(None, 0), wide=True)),
    ("48 8d 4c 24 08", Instruction(size=5, name="lea", first=CX, second=Memory(SP, 8), wide=True)),
    ("48 8d 15 51 b8 09 00", Instruction(size=7, name="lea", first=DX, second=Memory(None, 0x9B851), wide=True)),
    ("48 8d 84 c7 10 00 00 00", Instruction(size=8, name="lea", first=AX, second=Memory(None, 16), wide=True)),
    ("48 63 d2", Instruction(size=3, name="movsxd", first=DX, second=DX, wide=True)),
    ("b8 ff ff ff ff", Instruction(size=5, name="mov", first=AX, number=-1)),
    ("48 c7 c0 fe ff ff ff", Instruction(size=7, name="mov", first=AX, number=-2, wide=True)),
    ("0f 48 c2", Instruction(size=3, name="cmov", first=AX, second=DX, condition="s")),
    ("0f 4f 44 24 08", Instruction(size=5, name="cmov", first=AX, second=Memory(SP, 8), condition="g")),
    ("a8 80", Instruction(size=2, name="test", number=-128)),
    ("a9 00 01 00 00", Instruction(size=5, name="test", number=256)),
    ("f6 85 84 00 00 00 02", Instruction(size=7, name="test", number=2)),
    ("f7 c7 00 01 00 00", Instruction(size=6, name="test", number=256)),
    ("0f 44 c2", Instruction(size=3, name="cmov", first=AX, second=DX, condition="")),
    ("78 2f", Instruction(size=2, name="j", target=10 + 2 + 0x2F, condition="s")),
    ("7e fe", Instruction(size=2, name="j", target=10, condition="le")),
    ("0f 8f 00 00 00 00", Instruction(size=6, name="j", target=16, condition="g")),
    ("0f 84 00 01 00 00", Instruction(size=6, name="j", target=10 + 6 + 256, condition="")),
    ("eb fe", Instruction(size=2, name="jmp", target=10)),
    ("e9 fb ff ff ff", Instruction(size=5, name="jmp", target=10)),
    ("e8 00 00 00 00", Instruction(size=5, name="call", target=15)),
    ("c3", Instruction(size=1, name="ret")),
)


@pytest.mark.parametrize(("code", "expected"), SOME, ids=[code for code, _ in SOME])
@pytest.mark.parametrize("behind", ["", "c3", "ff ff ff"])
def test_an_instruction_is_read_whatever_stands_behind_it(code: str, expected: Instruction, behind: str) -> None:
    assert expected == read_instruction(bytes(10) + bytes.fromhex(code) + bytes.fromhex(behind), 10)


@pytest.mark.parametrize("code", [code for code, _ in SOME])
def test_an_instruction_that_is_cut_off_is_not_read_as_itself(code: str) -> None:
    whole = bytes.fromhex(code)
    for size in range(len(whole)):
        read = read_instruction(whole[:size], 0)
        assert read is None or read.size <= size


@pytest.mark.parametrize(
    "code",
    [
        "",
        "0f 05",  # syscall
        "ff e0",  # jmp rax
        "ff d0",  # call rax
        "f3 c3",  # rep ret
        "64 55",  # push with a prefix that means nothing
        "64 48 8d 04 24",  # lea with one
        "41 90",  # xchg r8, rax
        "8d c0",  # lea of a register is none
        "63 d2",  # movsxd of 32 bits
        "c7 f8 00 00 00 00",  # xbegin
        "f0 0f c1 47 20",  # lock xadd
        "f7 d8",  # neg eax
        "0f 0b",  # ud2
        "66 " * 16 + "90",  # longer than an instruction may be
    ],
)
def test_what_is_not_known_is_not_read(code: str) -> None:
    assert read_instruction(bytes.fromhex(code), 0) is None


@pytest.mark.parametrize("code", ["55", "41 57", "90", "78 00", "0f 85 00 00 00 00", "eb 00", "e9 00 00 00 00"])
def test_the_kernel_emulates_pushes_nops_and_jumps(code: str) -> None:
    assert is_emulated(bytes.fromhex(code))


@pytest.mark.parametrize("code", ["", "41", "0f", "f3 0f 1e fa", "48 83 ec 08", "c3", "5d", "e8 00 00 00 00", "41 5c", "ff e0"])
def test_a_call_and_all_others_do_not_count(code: str) -> None:
    assert not is_emulated(bytes.fromhex(code))
