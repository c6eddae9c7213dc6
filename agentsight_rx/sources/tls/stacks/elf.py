"""An ELF file -> its segments, sections and symbols. Every number in the file may be a lie: reads outside of it are empty."""

from __future__ import annotations

import os
from collections.abc import Iterator
from functools import cached_property
from itertools import islice
from struct import Struct as Layout
from typing import BinaryIO

from msgspec import Struct

from ....core.errors import CaptureError
from ...kernel.machine import MACHINE

Bounds = tuple[int, int]  # address and size of a function

READ, WRITE, EXECUTE = 4, 2, 1  # p_flags
_HEADER = Layout("<16sHHIQQQIHHHHHH")  # Elf64_Ehdr
_PROGRAM = Layout("<IIQQQQQQ")  # Elf64_Phdr
_SECTION = Layout("<IIQQQQIIQQ")  # Elf64_Shdr
_DYNAMIC = Layout("<QQ")
_SYMBOL = Layout("<IBBHQQ")  # Elf64_Sym: name, info, other, section, value, size
_UNDEFINED = 0
_NAMES_MOST, _PLACES_MOST = 16, 4096  # of one name: the linker keeps it once
_IDENT = b"\x7fELF\x02\x01\x01"  # 64 bits, little endian, version 1
_LOAD, _DYNAMIC_SEGMENT, _EH_FRAME, _RELRO = 1, 2, 0x6474E550, 0x6474E552
_SYMTAB, _DYNSYM = 2, 11  # sh_type
_DT_NEEDED, _DT_HASH, _DT_STRTAB, _DT_SYMTAB, _DT_RELA, _DT_RELASZ, _DT_STRSZ = 1, 4, 5, 6, 7, 8, 10
_TABLE_MOST = 256 << 20
_HEADERS_MOST = 4096  # a program has 4 to 15 segments, a library with a section for each function has some thousand


class Segment(Struct, frozen=True):
    """`size` bytes at `offset` of the file are at `address` in memory."""

    address: int
    offset: int
    size: int
    flags: int

    @property
    def end(self) -> int:
        return self.address + self.size


class Symbols(Struct, frozen=True):
    """A table of Elf64_Sym and the names that it points into."""

    table: bytes
    names: bytes

    def named(self, name: str) -> list[Bounds]:
        """
        Address and size of what has this name. The symbol table is searched for the offset of the name: 1 ms for 100,000
        symbols; decoding each would take 1 s.
        """
        found: list[Bounds] = []
        # also as the end of a longer name, which linkers share
        for place in islice(occurrences(name.encode() + b"\0", self.names), _NAMES_MOST):
            for at in islice(occurrences(place.to_bytes(4, "little"), self.table), _PLACES_MOST):
                if at % _SYMBOL.size == 0 and at + _SYMBOL.size <= len(self.table):
                    _, _, _, section, value, size = _SYMBOL.unpack_from(self.table, at)
                    if section != _UNDEFINED and value:
                        found.append((value, size))
        return found


def occurrences(part: bytes, whole: bytes, /) -> Iterator[int]:
    """Where `part` is in `whole`; they may overlap."""
    at = whole.find(part)
    while at >= 0:
        yield at
        at = whole.find(part, at + 1)


class Image:
    """
    An open file. Raises CaptureError where it is no ELF file or its headers are broken.

    It is read by pread(2): a page of a memory map that another process cuts off would end this process by SIGBUS.
    """

    def __init__(self, file: BinaryIO, name: str) -> None:
        self._fd = file.fileno()
        self.size = os.fstat(self._fd).st_size
        self.entry: int
        self._section_names: int
        head = self.read(0, _HEADER.size)
        if head[:4] != _IDENT[:4]:
            raise CaptureError(f"{name} is not a program or library that can be probed (no ELF file)")
        broken = f"{name} is not a program or library that can be probed (broken ELF file: "
        if len(head) < _HEADER.size or head[4] not in (1, 2) or head[5] not in (1, 2):
            raise CaptureError(f"{broken}its header)")
        (
            _, kind, machine, _, self.entry, programs, self._sections_at, _, _, program_size, program_count,
            section_size, self._section_count, self._section_names,
        ) = _HEADER.unpack(head)  # fmt: skip
        self.readable = head.startswith(_IDENT) and machine == MACHINE.elf  # else a program of another machine
        self.absolute = kind == 2  # ET_EXEC: code may hold absolute addresses
        self._has_sections = section_size == _SECTION.size
        self.loads: tuple[Segment, ...] = ()
        self.frames: Segment | None = None  # .eh_frame_hdr
        self.relro: Segment | None = None
        self._dynamic: Segment | None = None
        if not self.readable:
            return
        table = self.read(programs, program_count * program_size) if program_count <= _HEADERS_MOST else b""
        if not table or program_size != _PROGRAM.size or len(table) < program_count * program_size:
            raise CaptureError(f"{broken}its program headers)")
        self._take(table)

    def _take(self, table: bytes) -> None:
        loads: list[Segment] = []
        for kind, flags, offset, address, _, size, _, _ in _PROGRAM.iter_unpack(table):
            held = max(0, min(size, self.size - offset))
            segment = Segment(address, offset, size=held, flags=flags)
            if not held or address + held >= 1 << 63:
                continue
            if kind == _LOAD:
                loads.append(segment)
            elif kind == _EH_FRAME:
                self.frames = segment
            elif kind == _RELRO:
                self.relro = segment
            elif kind == _DYNAMIC_SEGMENT:
                self._dynamic = segment
        self.loads = tuple(loads)

    def read(self, offset: int, size: int) -> bytes:
        """What the file has of these bytes."""
        if not 0 <= offset < self.size or size <= 0:
            return b""
        size = min(size, self.size - offset)
        parts: list[bytes] = []
        while size:
            part = os.pread(self._fd, size, offset)
            if not part:
                break
            parts.append(part)
            offset, size = offset + len(part), size - len(part)
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def read_into(self, offset: int, buffer: memoryview) -> int:
        """Fill the buffer from here; returns how many bytes the file had."""
        return os.preadv(self._fd, [buffer], offset) if 0 <= offset < self.size else 0

    def at(self, address: int, size: int) -> bytes:
        """What the file has of these bytes in memory, up to the end of their segment."""
        for load in self.loads:
            if load.address <= address < load.end:
                return self.read(load.offset + address - load.address, min(size, load.end - address))
        return b""

    def offset_of(self, address: int) -> int | None:
        """The place in the file of an address, None where the file does not have it."""
        for load in self.loads:
            if load.address <= address < load.end:
                return load.offset + address - load.address
        return None

    @property
    def code(self) -> tuple[Segment, ...]:
        return tuple(load for load in self.loads if load.flags & EXECUTE)

    @property
    def constants(self) -> tuple[Segment, ...]:
        """What has texts and numbers that do not change: code too, where the linker mixed them into it."""
        fixed = [load for load in self.loads if not load.flags & WRITE]
        return tuple([load for load in fixed if not load.flags & EXECUTE] or fixed)

    @property
    def written(self) -> tuple[Segment, ...]:
        return tuple(load for load in self.loads if load.flags & WRITE)

    def is_code(self, address: int) -> bool:
        return any(load.address <= address < load.end for load in self.code)

    @cached_property
    def _sections(self) -> list[tuple[int, ...]]:
        if not self._has_sections or not 0 < self._section_count <= _HEADERS_MOST:
            return []
        table = self.read(self._sections_at, self._section_count * _SECTION.size)
        return [*_SECTION.iter_unpack(table[: len(table) // _SECTION.size * _SECTION.size])]

    def section(self, name: bytes) -> Segment | None:
        """The section of this name, as a segment."""
        if self._section_names >= len(self._sections):
            return None
        names = self._sections[self._section_names]
        texts = self.read(names[4], min(names[5], 1 << 20))
        for at, _, _, address, offset, size, *_ in self._sections:
            if texts[at : at + len(name) + 1] == name + b"\0":
                return Segment(address, offset, size=max(0, min(size, self.size - offset)), flags=READ)
        return None

    def symbols(self) -> Iterator[Symbols]:
        """The dynamic symbols, then the static ones."""
        tables = [next((each for each in self._sections if each[1] == kind), None) for kind in (_DYNSYM, _SYMTAB)]
        for table in tables:
            if table is not None and table[6] < len(self._sections):
                names = self._sections[table[6]]
                yield Symbols(self.read(table[4], min(table[5], _TABLE_MOST)), self.read(names[4], min(names[5], _TABLE_MOST)))
        if tables == [None, None] and self._tags:
            yield from self._dynamic_symbols()

    @cached_property
    def _tags(self) -> dict[int, int]:
        """The dynamic section: numbers by their tags."""
        return dict(self._entries())

    def _entries(self) -> Iterator[tuple[int, int]]:
        if self._dynamic is not None:
            table = self.read(self._dynamic.offset, min(self._dynamic.size, 1 << 16))
            yield from _DYNAMIC.iter_unpack(table[: len(table) // _DYNAMIC.size * _DYNAMIC.size])

    def needed(self) -> list[str]:
        """The names of the shared libraries that the dynamic linker loads for it."""
        names = self.at(self._tags.get(_DT_STRTAB, 0), min(self._tags.get(_DT_STRSZ, 0), _TABLE_MOST))
        starts = [value for tag, value in self._entries() if tag == _DT_NEEDED]
        return [names[start : names.find(b"\0", start)].decode(errors="replace") for start in starts if start < len(names)]

    def relocations(self) -> bytes:
        """The table of Elf64_Rela that the dynamic linker works through."""
        return self.at(self._tags.get(_DT_RELA, 0), min(self._tags.get(_DT_RELASZ, 0), _TABLE_MOST))

    def _dynamic_symbols(self) -> Iterator[Symbols]:
        """Without sections: what the dynamic linker uses. Linkers put the names right behind the symbols."""
        tags = self._tags
        symbols, names = tags.get(_DT_SYMTAB, 0), tags.get(_DT_STRTAB, 0)
        count = (
            int.from_bytes(self.at(tags.get(_DT_HASH, 0) + 4, 4), "little")
            if _DT_HASH in tags
            else max(0, names - symbols) // 24
        )
        size = min(tags.get(_DT_STRSZ, 0), _TABLE_MOST)
        yield Symbols(self.at(symbols, min(count * 24, _TABLE_MOST)), self.at(names, size))
