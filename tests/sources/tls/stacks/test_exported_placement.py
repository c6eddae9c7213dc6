"""Places where the same calls are seen at less cost."""

from __future__ import annotations

from pathlib import Path
from struct import pack

import pytest

from agentsight_rx.sources.tls.stacks.exported import Work, work_of
from agentsight_rx.sources.tls.stacks.finding import Finding, Hook
from agentsight_rx.sources.tls.stacks.x86_code import Register
from tests.sources.tls.stacks import Maker, called, one
from tests.sources.tls.stacks.machine_code import Part, assembled

WORK, OTHER = 0x400, 0x500
CX, R8 = Register.CX, Register.R8

ENTER, LEAVE = "48 83 ec 08", "48 83 c4 08 c3"  # sub rsp, 8; add rsp, 8; ret
NOT_BELOW_0 = "31 d2 85 c0 0f 48 c2"  # xor edx, edx; test eax, eax; cmovs eax, edx
CALL = ("e8", "work")

READ_EX: tuple[Part, ...] = ("f3 0f 1e fa", ENTER, CALL, NOT_BELOW_0, LEAVE)  # as in Debian 13 and in node 20
# endbr64; sub rsp, 24; test edx, edx; js; lea rcx, [rsp+8]; movsxd rdx, edx; call; test eax, eax; jle; mov eax, [rsp+8]
READ: tuple[Part, ...] = (
    "48 83 ec 18 85 d2", ("0f 88", "negative"), "48 8d 4c 24 08 48 63 d2", CALL, "85 c0", ("0f 8e", "end"), "8b 44 24 08",
    "end:", "48 83 c4 18 c3",
    "negative:", ("e8", "other"), "b8 ff ff ff ff", ("e9", "end"),
)  # fmt: skip
MOVING_READ: tuple[Part, ...] = (  # cmovg eax, [rsp+8] in place of the second jump
    "48 83 ec 18 85 d2", ("0f 88", "negative"), "48 8d 4c 24 08 48 63 d2", CALL, "85 c0 0f 4f 44 24 08",
    "end:", "48 83 c4 18 c3",
    "negative:", ("e8", "other"), "b8 ff ff ff ff", ("e9", "end"),
)  # fmt: skip
LATE_READ: tuple[Part, ...] = (  # another call comes first: object and buffer are in rbx and rbp meanwhile
    "55 53 48 89 fb 48 89 f5", ENTER, ("e8", "other"), "48 89 df 48 89 ee 48 8d 0c 24", CALL,
    "85 c0 7e 03 8b 04 24 5a 5b 5d c3",
)  # fmt: skip
# As in OpenSSL 4: another call comes first on one path, and what it leaves is on the stack meanwhile
SAVING_READ: tuple[Part, ...] = (
    "41 54 55 48 89 fd 48 83 ec 28 48 85 ff", ("0f 84", "plain"), "8b 07 a8 80", ("0f 85", "quic"),
    "plain:", "85 d2", ("0f 88", "negative"),
    "work_on:", "48 8d 4c 24 18 48 63 d2 48 89 ef", CALL, "85 c0 7e 04 8b 44 24 18",
    "end:", "48 83 c4 28 5d 41 5c c3",
    "quic:", "89 54 24 0c 48 89 34 24", ("e8", "other"), "8b 54 24 0c 48 8b 34 24 49 89 c4 85 d2", ("0f 89", "work_on"),
    "negative:", ("e8", "other"), "c7 85 b4 00 00 00 01 00 00 00 b8 ff ff ff ff", ("e9", "end"),
)  # fmt: skip
# READ with a guard value on the stack, which a call that does not return complains about, and with 0 as fourth argument
GUARDED_WRITE: tuple[Part, ...] = (
    "f3 0f 1e fa 48 83 ec 18 64 48 8b 04 25 28 00 00 00 48 89 44 24 08 31 c0 85 d2", ("0f 88", "negative"),
    "31 c9 48 63 d2 49 89 e0", CALL, "85 c0", ("0f 8e", "end"), "8b 04 24",
    "end:", "48 8b 54 24 08 64 48 2b 14 25 28 00 00 00", ("0f 85", "smashed"), "48 83 c4 18 31 d2 c3",
    "negative:", ("e8", "other"), "83 c8 ff", ("e9", "end"),
    "smashed:", ("e8", "other"),
)  # fmt: skip


def body(*parts: Part) -> bytes:
    return assembled(*parts, work=WORK, other=OTHER)


@pytest.mark.parametrize(
    ("parts", "size_argument", "size_in"),
    [
        (READ_EX, 3, CX),
        (READ_EX, 4, R8),
        (READ, None, CX),
        (GUARDED_WRITE, None, R8),
        (("49 89 c8 31 c9", ENTER, CALL, NOT_BELOW_0, LEAVE), 3, R8),  # SSL_write_ex without SSL_write_ex2: mov r8, rcx
        ((ENTER, CALL, "ba 00 00 00 00 85 c0 0f 49 d0 89 d0", LEAVE), 3, CX),  # mov edx, 0; test; cmovns edx, eax; mov eax, edx
        (("55 53", CALL, "5b 5d c3"), 3, CX),
        (MOVING_READ, None, CX),
        ((ENTER, CALL, "85 c0", ("0f 89", "end"), "31 c0", "end:", LEAVE), 3, CX),
        ((ENTER, CALL, "85 c0", ("0f 8f", "end"), ("e8", "other"), "31 c0", "end:", LEAVE), 3, CX),
        (LATE_READ, None, CX),
        (SAVING_READ, None, CX),
    ],
    ids=[
        "read_ex",
        "write_ex2",
        "read",
        "write with guard",
        "write_ex",
        "other move",
        "pushes",
        "moving read",
        "jump over 0",
        "report of an error",
        "a call before it",
        "a call between",
    ],
)
def test_the_function_that_does_the_work(parts: tuple[Part, ...], size_argument: int | None, size_in: int) -> None:
    assert work_of(body(*parts), size_argument) == Work(WORK, frozenset({size_in}))


@pytest.mark.parametrize(
    "parts",
    [
        (),
        (ENTER, CALL, NOT_BELOW_0),  # its end is missing
        (ENTER, CALL, NOT_BELOW_0, "c3"),  # the stack is not as it was
        (ENTER, CALL, "83 c0 01", LEAVE),  # add eax, 1: another result
        (ENTER, CALL, "31 d2 85 c0 0f 4f c2", LEAVE),  # cmovg: 0 replaces what is above 0
        (ENTER, CALL, "31 d2 85 c0 0f 44 c2", LEAVE),  # cmove: 0 may replace what is above 0
        (ENTER, CALL, "31 d2 85 c9 0f 48 c2", LEAVE),  # the test is of another register
        (ENTER, CALL, "ba 01 00 00 00 85 c0 0f 48 c2", LEAVE),  # 1 in place of an error
        (ENTER, CALL, CALL, NOT_BELOW_0, LEAVE),
        (ENTER, CALL, "85 c0", ("0f 88", "end"), "31 c0", "end:", LEAVE),  # js: 0 where it is not below 0
        (ENTER, CALL, "85 c0", ("0f 8e", "end"), ("e8", "other"), "end:", LEAVE),  # the result of another function
        (ENTER, ("e8", "other"), CALL, NOT_BELOW_0, LEAVE),  # its arguments are not those of the function
        (ENTER, "48 89 f7", CALL, NOT_BELOW_0, LEAVE),  # mov rdi, rsi: another object
        (ENTER, "31 f6", CALL, NOT_BELOW_0, LEAVE),  # xor esi, esi: another buffer
        (ENTER, "31 c9", CALL, NOT_BELOW_0, LEAVE),  # xor ecx, ecx: the size goes nowhere
        (ENTER, "ff d0", CALL, NOT_BELOW_0, LEAVE),  # call rax: it is not known where to
        (ENTER, "85 d2", ("0f 84", "end"), CALL, "end:", NOT_BELOW_0, LEAVE),  # a result without the call
        (ENTER, "85 d2", ("0f 84", "end"), CALL, "end:", "31 c0", LEAVE),  # never above 0
        (ENTER, "85 d2", ("0f 84", "two"), CALL, LEAVE, "two:", ("e8", "other"), LEAVE),  # two that do the work
        (ENTER, "again:", CALL, "85 c0", ("0f 85", "again"), LEAVE),
        (ENTER, CALL, "85 c0", ("0f 84", "work"), LEAVE),  # it jumps into the other function
        (("e9", "work"),),
        ("48 83 e4 f0", CALL, LEAVE),  # and rsp, -16: the stack is not known any more
    ],
)
def test_what_is_not_proven_is_not_moved(parts: tuple[Part, ...]) -> None:
    assert work_of(body(*parts), 3) is None


@pytest.mark.parametrize(
    "slot",
    ["8b 44 24 04", "8b 03"],  # mov eax, [rsp+4]; mov eax, [rbx]
)
def test_the_size_is_returned_from_where_it_was_stored(slot: str) -> None:
    assert work_of(body(*(slot if part == "8b 44 24 08" else part for part in READ)), None) is None


@pytest.mark.parametrize(("forks", "found"), [(3, Work(WORK, frozenset({CX}))), (11, None)])
def test_a_function_of_too_many_paths_is_given_up(forks: int, found: Work | None) -> None:
    """Each fork leaves one register as it was or not, so the states double."""
    parts: list[Part] = []
    registers = ("b8", "bb", "bd", *(f"41 {each:x}" for each in range(0xB8, 0xC0)))  # mov register, …
    for number, register in enumerate(registers[:forks]):
        parts += [("0f 84", f"a{number}"), register + "00 00 00 00", f"a{number}:"]
    assert work_of(body(*parts, CALL, "c3"), 3) == found


# -- in a file -------------------------------------------------------------------------------------------------------------

_LEAVE_EX = bytes.fromhex(NOT_BELOW_0 + LEAVE)
_SAVED = b"\x55\x5d\xc3"  # push rbp; pop rbp; ret


def with_openssl(maker: Maker, *, write: str = "work_of_write", begin: bytes = _SAVED) -> Maker:
    """The functions of OpenSSL that read and write, as symbols with their sizes. `write` is what SSL_write calls."""
    enter = bytes.fromhex(ENTER)
    sizes = {name: 4 + 5 + len(_LEAVE_EX) for name in ("SSL_read_ex", "SSL_write_ex")}
    plain = bytes.fromhex("48 83 ec 18 48 8d 4c 24 08")  # sub rsp, 24; lea rcx, [rsp+8]
    returned = bytes.fromhex("85 c0 7e 04 8b 44 24 08 48 83 c4 18 c3")  # test; jle; mov eax, [rsp+8]; add rsp, 24; ret
    maker.raw("SSL_read_ex", enter, called("work_of_read"), _LEAVE_EX)
    maker.raw("SSL_write_ex", enter, called("work_of_write"), _LEAVE_EX)
    maker.raw("SSL_read", plain, called("work_of_read"), returned)
    maker.raw("SSL_write", plain, called(write), returned)
    maker.raw("SSL_free", _SAVED)
    maker.raw("work_of_read", begin)
    maker.raw("work_of_write", begin)
    sizes |= {"SSL_read": len(plain) + 5 + len(returned), "SSL_write": len(plain) + 5 + len(returned), "SSL_free": 3}
    maker.made()
    table, texts = bytes(24), b"\0"
    for name, size in sizes.items():
        table += pack("<IBBHQQ", len(texts), 0x12, 0, 1, maker.places[name], size)
        texts += name.encode() + b"\0"
    symbols = maker.constant(table + texts)
    maker.dynamic = {5: symbols + len(table), 6: symbols, 10: len(texts)}
    return maker


def instead(finding: Finding) -> dict[str, Hook | None]:
    return {hook.shape: hook.instead for hook in finding.hooks}


def test_openssl_is_probed_where_the_work_is_done(tmp_path: Path) -> None:
    maker = with_openssl(Maker())
    finding = one(tmp_path, maker)
    read, write = Hook("SSL_read_ex", maker.places["work_of_read"]), Hook("SSL_write_ex", maker.places["work_of_write"])
    assert instead(finding) == {
        "SSL_read": read, "SSL_read_ex": read, "SSL_write": write, "SSL_write_ex": write, "SSL_free": None
    }  # fmt: skip
    free = Hook("SSL_free", maker.places["SSL_free"])
    assert set(finding.placed("cheap")) == {read, write, free}
    assert len(finding.placed("cheap")) == 3
    assert finding.placed("entry") == finding.hooks


def test_a_direction_is_moved_as_a_whole_or_not_at_all(tmp_path: Path) -> None:
    """Else a call of SSL_write_ex would be seen twice where SSL_write has other ways."""
    moved = instead(one(tmp_path, with_openssl(Maker(), write="work_of_read")))
    assert (moved["SSL_write"], moved["SSL_write_ex"]) == (None, None)
    assert moved["SSL_read"] is not None


def test_nothing_is_moved_to_where_it_costs_as_much(tmp_path: Path) -> None:
    finding = one(tmp_path, with_openssl(Maker(), begin=b"\x48\x89\xf8\xc3"))  # mov rax, rdi
    assert {hook.shape for hook in finding.hooks if hook.stepped} == {"SSL_read", "SSL_write", "SSL_read_ex", "SSL_write_ex"}
    assert not any(hook.instead for hook in finding.hooks)
