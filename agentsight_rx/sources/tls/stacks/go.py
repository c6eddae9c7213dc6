"""
Go's crypto/tls: (*Conn).Write, Read and Close, by the table of functions that each Go program carries for its stack traces.

The table (pclntab) is described in src/internal/abi/symtab.go and src/debug/gosym/pclntab.go of Go; this layout is in use since
Go 1.18.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from operator import le
from struct import Struct as Layout

from msgspec import Struct
from msgspec.structs import replace

from ...kernel.machine import MACHINE
from .elf import EXECUTE, Image, occurrences
from .finding import Finding, Hook
from .instructions import Instruction, decode
from .paths import behind_begin
from .scan import Scan, Stack
from .x86_code import Register, is_emulated

_FUNCTIONS = {
    "go_write": b"crypto/tls.(*Conn).Write",
    "go_read": b"crypto/tls.(*Conn).Read",
    "go_close": b"crypto/tls.(*Conn).Close",
}
_WITH_RETURN = ("go_write", "go_read")
_GIVEN = frozenset({Register.AX, Register.BX, Register.CX, Register.R14})  # object, buffer, length, goroutine
_METHOD = "Go's table of functions"
# Go 1.20, Go 1.18; then padding, code unit, word size
_MAGICS = tuple(each + b"\xff\xff\xff\0\0" + bytes((MACHINE.go.unit, 8)) for each in (b"\xf1", b"\xf0"))
_HEADER = Layout("<8s8Q")  # magic, functions, files, start of the text, then where the tables begin
_NAMES_MOST = 64 << 20
_DETAILS_MOST = 256 << 20
_FUNCTIONS_MOST = 1 << 22
_LONGEST = 1 << 16
_TEXTS_MOST = 512  # candidates for the start of the text
_VOTES, _AGREE = 500, 0.9  # measured: 99.6 % for the right start of the text, at most 23 % for a wrong one


class _Table(Struct, frozen=True):
    address: int
    text: int  # 0 since Go 1.26
    names: int  # address
    functions: int
    entries: memoryview[int]  # offsets in the text, sorted, with the end of the last function
    details: memoryview[int]  # where the description of each function is, from `functions`


def _search(scan: Scan) -> Finding | None:
    places = scan.places[_FUNCTIONS["go_write"]]
    for place in places:
        table = _table(scan, place)
        if table is not None:
            return _in_table(scan, table)
    return Finding(GO.name, _METHOD, failure="the texts of Go's crypto/tls are there, but no table of functions with them")


def _in_table(scan: Scan, table: _Table) -> Finding:
    found = {shape: _function(scan, table, name) for shape, name in _FUNCTIONS.items()}
    missing = [shape for shape in _WITH_RETURN if found[shape] is None]
    if missing:
        names = " and ".join(_FUNCTIONS[shape].decode() for shape in missing)
        return Finding(GO.name, _METHOD, failure=f"its table of functions has no {names}")
    text = _text(scan, table)
    if text is None:
        return Finding(GO.name, _METHOD, failure="where its code begins could not be found out")
    hooks: list[Hook] = []
    evidence: list[str] = []
    for shape, bounds in found.items():
        if bounds is None:
            continue
        start, end = text + bounds[0], text + min(bounds[1], bounds[0] + _LONGEST)
        offset = scan.image.offset_of(start)
        code = scan.image.at(start, end - start)
        instructions = list(decode(code, start))
        returns = _returns(scan.image, instructions) if shape in _WITH_RETURN else ()
        if offset is None or not scan.image.is_code(start) or (shape in _WITH_RETURN and not returns):
            return Finding(GO.name, _METHOD, failure=f"no code at {start:#x}, where its table has {_FUNCTIONS[shape].decode()}")
        begin = Hook(shape, offset, returns=returns, stepped=MACHINE.has_cheap_places and not is_emulated(code))
        whole = MACHINE.has_cheap_places and end == text + bounds[1]
        hooks.append(_behind_check(begin, code, instructions) if whole else begin)
        evidence.append(f"{shape} is the function at {start:#x}: the table names it {_FUNCTIONS[shape].decode()}")
    return Finding(GO.name, _METHOD, hooks=tuple(hooks), evidence=tuple(evidence), exact=True)


def _table(scan: Scan, place: int) -> _Table | None:
    """The table that has the name at this place: its header is before the names."""
    image = scan.image
    load = next(load for load in image.loads if load.address <= place < load.end)
    begin = max(load.address, place - _NAMES_MOST)
    before = image.at(begin, place - begin)
    for start in sorted({at for magic in _MAGICS for at in occurrences(magic, before)}, reverse=True):
        scan.check()
        address = begin + start
        raw = image.at(address, _HEADER.size)
        if len(raw) < _HEADER.size:
            continue
        _, count, _, text, names, _, _, _, functions = _HEADER.unpack(raw)
        if not 0 < count <= _FUNCTIONS_MOST or not names < functions or not address + names <= place < address + functions:
            continue
        rows = image.at(address + functions, count * 8 + 4)
        if len(rows) < count * 8 + 4:
            continue
        words = memoryview(rows).cast("I")
        entries, details = words[::2], words[1::2]
        if not all(map(le, entries, entries[1:])):
            continue
        return _Table(address, text, names=address + names, functions=address + functions, entries=entries, details=details)
    return None


def _function(scan: Scan, table: _Table, name: bytes) -> tuple[int, int] | None:
    """[start, end) in the text of the function with this name."""
    names = scan.image.at(table.names, min(table.functions - table.names, _NAMES_MOST))
    at = (b"\0" + names).find(b"\0" + name + b"\0")
    if at < 0:
        return None
    for index in _described_by(scan, table, at):
        return table.entries[index], table.entries[index + 1]
    return None


def _described_by(scan: Scan, table: _Table, name_at: int) -> Iterator[int]:
    """The functions whose description has this name: its second word is the offset of the name."""
    size = max(table.details) + 8
    raw = scan.image.at(table.functions, min(size, _DETAILS_MOST))
    if len(raw) == size:
        name = name_at.to_bytes(4, "little")
        yield from (index for index, at in enumerate(table.details) if raw[at + 4 : at + 8] == name)


def _text(scan: Scan, table: _Table) -> int | None:
    """
    Where the text begins. Go 1.26 does not say it in the table any more, and a PIE has it only in its relocations. Each
    function but the first stands behind the end of another or behind padding, which only the right start explains.
    """
    candidates = dict.fromkeys(islice(_texts(scan, table), _TEXTS_MOST))
    best = max(((_agreement(scan, table, each), each) for each in candidates), default=(0.0, 0))
    return best[1] if best[0] >= _AGREE else None


def _texts(scan: Scan, table: _Table) -> Iterator[int]:
    image = scan.image
    yield table.text
    section = image.section(b".text")
    if section is not None:
        yield section.address
    yield from (load.address for load in image.code)
    entry = _function(scan, table, MACHINE.go.entry)
    if entry is not None:
        yield image.entry - entry[0]
    yield from _near_pointers(scan, table.address)


def _near_pointers(scan: Scan, address: int) -> Iterator[int]:
    """
    The pointers to code in the data behind a pointer to the table: one of them is the pointer of runtime.moduledata to the
    text.
    """
    for load in scan.image.loads:
        scan.check()
        if load.flags & EXECUTE:
            continue
        content = scan.image.read(load.offset, min(load.size, _NAMES_MOST))
        for at in occurrences(address.to_bytes(8, "little"), content):
            for word in range(at, min(at + 64 * 8, len(content) - 8), 8):
                value = int.from_bytes(content[word : word + 8], "little")
                if scan.image.is_code(value):
                    yield value


def _agreement(scan: Scan, table: _Table, text: int) -> float:
    """How many of the functions stand behind an end or padding, if the text begins here."""
    scan.check()
    image = scan.image
    entries = table.entries[1:-1]
    step = max(1, len(entries) // _VOTES)
    chosen = entries[::step][:_VOTES].tolist()
    if not chosen or not image.is_code(text + chosen[0]):
        return 0.0
    words = (int.from_bytes(image.at(text + each - 4, 4), "little") for each in chosen)
    return sum(word & MACHINE.go.mask in MACHINE.go.before for word in words) / len(chosen)


def _returns(image: Image, instructions: Sequence[Instruction]) -> tuple[int, ...]:
    """The file offsets of its ret instructions."""
    offsets = (image.offset_of(at) for at, _, name, _ in instructions if name == "ret")
    return tuple(offset for offset in offsets if offset is not None)


def _behind_check(begin: Hook, code: bytes, instructions: Sequence[Instruction]) -> Hook:
    """
    The hook of a whole function, with a cheaper place. A function of Go begins with a look at the room on its stack and a jump
    for the case that it is too small, behind which it begins again. The kernel emulates the jump, and at it what the function
    was given is where it was.
    """
    place = behind_begin(code, _GIVEN)
    if not place or any(_may_skip(each, instructions[0][0], place) for each in instructions):
        return begin
    return replace(begin, instead=Hook(begin.shape, begin.offset + place, returns=begin.returns))


def _may_skip(instruction: Instruction, begin: int, place: int) -> bool:
    """Whether it jumps to between the first instruction and this place, or to where is not known."""
    _, _, name, operands = instruction
    return name.startswith(("j", "loop")) and not (operands.startswith("0x") and not begin < int(operands, 16) <= begin + place)


GO = Stack("Go crypto/tls", texts=(_FUNCTIONS["go_write"],), search=_search)
