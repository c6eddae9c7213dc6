"""Go's crypto/tls: its methods by the table of functions."""

from __future__ import annotations

from pathlib import Path
from struct import pack

import pytest

from agentsight_rx.sources.tls.stacks.finding import Hook
from tests.sources.tls.stacks import Maker, found_in, one

WRITE, READ, CLOSE = (b"crypto/tls.(*Conn)." + name for name in (b"Write", b"Read", b"Close"))
MAGIC = b"\xf1\xff\xff\xff\0\0\x01\x08"
BODY = b"\x90\xc3\x90\xc3"  # nop; ret; nop; ret


def go(
    maker: Maker,
    *,
    names: tuple[bytes, ...] = (WRITE, READ, CLOSE),
    with_text: bool = True,
    magic: bytes = MAGIC,
    body: bytes = BODY,
) -> dict[bytes, int]:
    """Put a table with these functions into the file, among others; returns where each of them begins."""
    every = (b"runtime.first", *(b"main.other%d" % number for number in range(9)), *names, b"_rt0_amd64_linux", b"main.main")
    starts = {name: number * 16 for number, name in enumerate(every)}
    for name in every:
        maker.raw(name.decode(), body, b"\xcc" * (16 - len(body)))
    table = b"\0" + b"\0".join(every) + b"\0"
    at = {name: table.index(b"\0" + name + b"\0") + 1 for name in every}
    rows, details = b"", b""
    size = 8 * len(every) + 4
    for name in every:
        rows += pack("<II", starts[name], size + len(details))
        details += pack("<Ii", starts[name], at[name]) + bytes(8)
    rows += pack("<I", 16 * len(every))
    text = maker.base + 0x10000 if with_text else 0
    table_at = 72
    header = magic + pack("<8Q", len(every), 0, text, table_at, table_at, table_at, table_at, table_at + len(table))
    maker.constant(header + table + rows + details)
    return starts


@pytest.mark.parametrize("magic", [MAGIC, b"\xf0" + MAGIC[1:]])
@pytest.mark.parametrize("with_text", [True, False])
@pytest.mark.parametrize("base", [0, 0x400000])
def test_the_methods_are_found_with_their_returns(tmp_path: Path, base: int, with_text: bool, magic: bytes) -> None:
    maker = Maker(base=base)
    starts = go(maker, with_text=with_text, magic=magic)
    finding = one(tmp_path, maker)
    places = {hook.shape: (hook.offset - 0x10000, tuple(at - hook.offset for at in hook.returns)) for hook in finding.hooks}
    assert places == {
        "go_write": (starts[WRITE], (1, 3)),
        "go_read": (starts[READ], (1, 3)),
        "go_close": (starts[CLOSE], ()),
    }


CHECK = "49 3b 66 10 76 01 c3"  # cmp rsp, [r14+16]; jbe behind the ret; ret


@pytest.mark.parametrize(
    ("body", "place"),
    [
        (f"{CHECK} eb f7", 4),  # jmp to the begin, as behind the growth of the stack
        ("4c 8d 64 24 b8 4d 3b 66 10 76 01 c3 eb f2", 9),  # lea r12, [rsp-72]; cmp r12, [r14+16]; jbe …
        (f"{CHECK} eb fb", None),  # jmp to the jump alone
        (f"{CHECK} eb f8", None),  # jmp into the first instruction
        (f"{CHECK} ff e0", None),  # jmp rax: to where is not known
        ("55 5d c3", None),  # it costs little already
        ("48 89 d8 49 3b 66 10 76 01 c3 c3", None),  # mov rax, rbx: the object is no longer in its register
    ],
)
def test_the_jump_for_a_small_stack_is_probed_where_nothing_else_leads_to_it(
    tmp_path: Path, body: str, place: int | None
) -> None:
    maker = Maker()
    go(maker, body=bytes.fromhex(body))
    for hook in one(tmp_path, maker).hooks:
        expected = None if place is None else Hook(hook.shape, hook.offset + place, returns=hook.returns)
        assert hook.instead == expected
        assert hook.stepped == (not body.startswith("55"))


def test_the_text_is_found_by_the_entry_point_where_code_stands_before_it(tmp_path: Path) -> None:
    """As Go 1.26 with code in C, whose table does not say where the text begins."""
    maker = Maker()
    for number in range(5):
        maker.function(f"c{number}", b"\x90" * 40)
    starts = go(maker, with_text=False)
    whole = bytearray(maker.made())
    text = maker.places["runtime.first"]
    whole[24:32] = pack("<Q", text + starts[b"_rt0_amd64_linux"])
    (finding,) = found_in(tmp_path, bytes(whole))
    assert [hook.offset for hook in finding.hooks][:2] == [text + starts[WRITE], text + starts[READ]]


def test_the_text_is_found_by_a_pointer_next_to_one_to_the_table(tmp_path: Path) -> None:
    maker = Maker()
    for number in range(5):
        maker.function(f"c{number}", b"\x90" * 40)
    starts = go(maker, with_text=False)
    maker.made()
    text = maker.places["runtime.first"]
    maker.data += pack("<QQQ", 0x1000, 12345, text)  # runtime.moduledata begins with the table
    finding = one(tmp_path, maker)
    assert [hook.offset for hook in finding.hooks][:2] == [text + starts[WRITE], text + starts[READ]]


def test_a_program_without_the_methods_has_no_tls(tmp_path: Path) -> None:
    maker = Maker()
    go(maker, names=(WRITE,))
    assert one(tmp_path, maker).failure == "its table of functions has no crypto/tls.(*Conn).Read"


def test_a_name_without_a_table_is_a_failure(tmp_path: Path) -> None:
    maker = Maker()
    maker.text("name", WRITE)
    maker.function("main")
    assert one(tmp_path, maker).failure == "the texts of Go's crypto/tls are there, but no table of functions with them"


@pytest.mark.parametrize("place", range(8, 72, 8))
@pytest.mark.parametrize("value", [0, 1, 1 << 20, 1 << 31, (1 << 64) - 1])
def test_a_table_with_a_lie_in_its_header_is_a_finding_or_a_failure(tmp_path: Path, place: int, value: int) -> None:
    maker = Maker()
    go(maker)
    whole = bytearray(maker.made())
    at = whole.index(MAGIC) + place
    whole[at : at + 8] = pack("<Q", value)
    (finding,) = found_in(tmp_path, bytes(whole))
    assert finding.stack == "Go crypto/tls"
    assert finding.hooks or finding.failure
