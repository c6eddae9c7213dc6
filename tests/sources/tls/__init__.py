"""What these tests share: files that look like programs and scripts."""

from __future__ import annotations

import os
from pathlib import Path
from struct import Struct

TRUE = Path(os.path.realpath("/bin/true"))


def make_program(path: Path, *, trailing: bytes = b"") -> str:
    """Machine code for this machine, with some bytes in its data."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(_with_data(TRUE.read_bytes(), trailing))
    path.chmod(0o755)
    return str(path)


_PROGRAM = Struct("<IIQQQQQQ")  # Elf64_Phdr
_LOAD, _NOTE, _READ = 1, 4, 4


def _with_data(program: bytes, data: bytes) -> bytes:
    """The program with these bytes behind it, mapped by the program header that was for a note."""
    if not data:
        return program
    content = bytearray(program + bytes(-len(program) % 4096) + data)
    first, count = int.from_bytes(program[32:40], "little"), int.from_bytes(program[56:58], "little")
    for at in range(first, first + count * _PROGRAM.size, _PROGRAM.size):
        if _PROGRAM.unpack_from(content, at)[0] == _NOTE:
            place = len(content) - len(data)
            address = place + (1 << 32)
            _PROGRAM.pack_into(content, at, _LOAD, _READ, place, address, address, len(data), len(data), 4096)
            return bytes(content)
    raise AssertionError("the program has no note")


def make_script(path: Path, text: str) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)
    return str(path)
