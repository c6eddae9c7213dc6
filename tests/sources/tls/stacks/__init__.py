"""Small programs with the marks of TLS implementations, written byte by byte: no compiler is needed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from struct import Struct, pack

from agentsight_rx.sources.tls.stacks.finding import Finding
from agentsight_rx.sources.tls.stacks.search import find_stacks

__all__ = ["Maker", "called", "error", "found_in", "lea", "one", "push_error"]

_HEADER = Struct("<16sHHIQQQIHHHHHH")
_PROGRAM = Struct("<IIQQQQQQ")
_LOAD, _DYNAMIC, _EH_FRAME = 1, 2, 0x6474E550
_R, _RW, _RX = 4, 6, 5
_CODE, _DATA = 0x10000, 0x20000  # file offsets, and addresses above the base

Operation = bytes | Callable[["Maker", int], bytes]  # machine code, or what makes it for its address


class Maker:
    """
    An x86-64 program of constants, code and data. `base` is 0 for code without fixed addresses; `align` is where functions
    begin; `frames` writes unwind tables for them; they begin with `before`.
    """

    def __init__(self, *, base: int = 0, align: int = 16, frames: bool = False, before: bytes = b"") -> None:
        self.base, self.align, self.frames, self.before = base, align, frames, before
        self.places: dict[str, int] = {}  # addresses of texts and functions
        self.data = bytearray()
        self.dynamic: dict[int, int] = {}
        self._constants = bytearray()
        self._functions: list[tuple[str, tuple[Operation, ...]]] = []

    def text(self, name: str, content: bytes) -> int:
        """Put a constant into the file; returns its address."""
        self.places[name] = self.base + 0x1000 + len(self._constants)
        self._constants += content + b"\0"
        return self.places[name]

    def fill(self, size: int) -> None:
        self._constants += bytes(-len(self._constants) % size)

    def constant(self, content: bytes) -> int:
        """The same without a zero behind it, at a multiple of 8."""
        self.fill(8)
        address = self.base + 0x1000 + len(self._constants)
        self._constants += content
        return address

    def function(self, name: str, *operations: Operation) -> None:
        self._functions.append((name, (self.before, b"\x55", *operations, b"\x5d\xc3")))  # push rbp … pop rbp; ret

    def raw(self, name: str, *operations: Operation) -> None:
        self._functions.append((name, operations))

    def made(self) -> bytes:
        self._assemble()
        code, bounds = self._assemble()  # now with all addresses
        hdr = self._unwind(bounds) if self.frames else b""
        frames_at = 0x8000
        head = bytearray(frames_at)
        head[0x1000 : 0x1000 + len(self._constants)] = self._constants
        assert len(head) == frames_at
        dynamic = b"".join(pack("<QQ", *each) for each in self.dynamic.items()) + bytes(16)
        data = bytes(self.data)
        programs = [
            (_LOAD, _R, 0, frames_at + len(hdr)),
            (_LOAD, _RX, _CODE, len(code)),
            (_LOAD, _RW, _DATA, len(data) + len(dynamic)),
        ]
        if self.frames:
            programs.append((_EH_FRAME, _R, frames_at, len(hdr)))
        if self.dynamic:
            programs.append((_DYNAMIC, _RW, _DATA + len(data), len(dynamic)))
        _HEADER.pack_into(
            head, 0, b"\x7fELF\x02\x01\x01", 2 if self.base else 3, 62, 1, self.base + _CODE, 64, 0, 0, 64, 56,
            len(programs), 64, 0, 0,
        )  # fmt: skip
        for index, (kind, flags, offset, size) in enumerate(programs):
            address = self.base + offset
            _PROGRAM.pack_into(head, 64 + index * 56, kind, flags, offset, address, address, size, size, 0x1000)
        whole = bytearray(_DATA + len(data) + len(dynamic))
        whole[: len(head)] = head
        whole[frames_at : frames_at + len(hdr)] = hdr
        whole[_CODE : _CODE + len(code)] = code
        whole[_DATA:] = data + dynamic
        return bytes(whole)

    def data_address(self) -> int:
        """Where the next bytes of `data` will be."""
        return self.base + _DATA + len(self.data)

    def _assemble(self) -> tuple[bytes, list[tuple[int, int]]]:
        code = bytearray()
        bounds: list[tuple[int, int]] = []
        for name, operations in self._functions:
            code += b"\xcc" * (-len(code) % self.align)
            start = self.base + _CODE + len(code)
            self.places[name] = start
            for each in operations:
                code += each if isinstance(each, bytes) else each(self, self.base + _CODE + len(code))
            bounds.append((start, self.base + _CODE + len(code)))
        return bytes(code), bounds

    def _unwind(self, bounds: list[tuple[int, int]]) -> bytes:
        """.eh_frame_hdr, then one FDE for each function, whose numbers are relative to where they are."""
        at = self.base + 0x8000
        size = 12 + 8 * len(bounds)
        rows, entries = b"", b""
        for start, end in bounds:
            entry = at + size + len(entries)
            rows += pack("<ii", start - at, entry - at)
            entries += pack("<IIiI", 12, 0, start - entry - 8, end - start)
        return pack("<4BiI", 1, 0x1B, 0x03, 0x3B, 0, len(bounds)) + rows + entries


def lea(name: str) -> Operation:
    """lea rcx, [name]"""
    return lambda maker, at: b"\x48\x8d\x0d" + pack("<i", maker.places.get(name, at) - at - 7)


def called(name: str) -> Operation:
    return lambda maker, at: b"\xe8" + pack("<i", maker.places.get(name, at) - at - 5)


def error(reason: int, file: str = "file", *, absolute: bool = False) -> tuple[Operation, ...]:
    """report(16, 0, reason, file, 7), behind a test that jumps over it."""
    to_file: Operation = lea(file)
    if absolute:
        to_file = lambda maker, _: b"\xb9" + pack("<I", maker.places[file])  # noqa: E731 (mov ecx, file)
    size = 5 + 2 + 5 + (5 if absolute else 7) + 6 + 5
    begin = b"\x85\xff\x0f\x85" + pack("<i", size) + b"\xbf\x10\0\0\0\x31\xf6\xba" + pack("<I", reason)
    return begin, to_file, b"\x41\xb8\x07\0\0\0", called("report")


def push_error(reason: int, file: str = "file") -> tuple[Operation, ...]:
    """The same, as compilers make it for size."""
    number = b"\x68" + pack("<I", reason) + b"\x5a"  # push reason; pop rdx
    return b"\x85\xff\x75\x19\x6a\x10\x5f\x31\xf6" + number, lea(file), b"\x45\x31\xc0", called("report")


def found_in(folder: Path, content: bytes) -> tuple[Finding, ...]:
    path = folder / "program"
    path.write_bytes(content)
    with path.open("rb") as file:
        return find_stacks(file, str(path))


def one(folder: Path, maker: Maker) -> Finding:
    """The only finding in this program."""
    (finding,) = found_in(folder, maker.made())
    return finding
