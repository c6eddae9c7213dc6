"""Go's crypto/tls: its methods by the table of functions."""

from __future__ import annotations

from pathlib import Path
from struct import pack

import pytest

from . import Maker, found_in, one

WRITE, READ, CLOSE = (b"crypto/tls.(*Conn)." + name for name in (b"Write", b"Read", b"Close"))
MAGIC = b"\xf1\xff\xff\xff\0\0\x01\x08"
BODY = b"\x90\xc3\x90\xc3"  # nop; ret; nop; ret


def go(
    maker: Maker, *, names: tuple[bytes, ...] = (WRITE, READ, CLOSE), with_text: bool = True, magic: bytes = MAGIC
) -> dict[bytes, int]:
    """Put a table with these functions into the file, among others; returns where each of them begins."""
    every = (b"runtime.first", *(b"main.other%d" % number for number in range(9)), *names, b"_rt0_amd64_linux", b"main.main")
    starts = {name: number * 16 for number, name in enumerate(every)}
    for name in every:
        maker.raw(name.decode(), BODY, b"\xcc" * (16 - len(BODY)))
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
