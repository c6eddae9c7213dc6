"""Files on this machine -> those with OpenSSL functions that can be probed, and the offsets of these functions."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterable, Iterator
from pathlib import Path

from elftools.common.exceptions import ELFError
from elftools.elf.elffile import ELFFile
from elftools.elf.hash import ELFHashSection, GNUHashSection
from elftools.elf.sections import SymbolTableSection
from msgspec import Struct

from ..errors import CaptureError

__all__ = ["FileId", "Library", "executables_of", "inspect", "system_libraries"]

FileId = tuple[int, int, int]  # device, inode, modification time: one file, whatever its path

# What tls.c knows, by the number it knows it under. SSL_write_ex2 (OpenSSL 3.3) is what SSL_write_ex becomes: of the two only
# one is probed, or everything would be seen twice.
FUNCTIONS = {
    "SSL_read": 1,
    "SSL_write": 2,
    "SSL_read_ex": 3,
    "SSL_write_ex": 4,
    "SSL_write_ex2": 5,
    "SSL_do_handshake": 6,
    "SSL_free": 7,
}


class Library(Struct, frozen=True):
    """A file with TLS code: `offsets` are file offsets by function name."""

    path: str
    id: FileId
    offsets: dict[str, int]


def inspect(path: str | Path) -> Library | None:
    """
    The Library behind `path`, or None if it has no SSL_read and SSL_write to probe. `path` may be /proc/PID/exe.

    Raises CaptureError where the file cannot be read or is no ELF file.
    """
    try:
        with Path(path).open("rb") as file:
            stat = os.fstat(file.fileno())
            offsets = _offsets(ELFFile(file))
    except OSError as error:
        raise CaptureError(f"{path} cannot be read: {error.strerror}") from error
    except ELFError as error:
        raise CaptureError(f"{path} is no program or library that can be probed (no ELF file: {error})") from error
    if "SSL_read" not in offsets or "SSL_write" not in offsets:
        return None
    if "SSL_write_ex2" in offsets:
        offsets.pop("SSL_write_ex", None)
    return Library(str(path), (stat.st_dev, stat.st_ino, stat.st_mtime_ns), offsets)


def _offsets(elf: ELFFile) -> dict[str, int]:
    loads = [
        (segment["p_vaddr"], segment["p_filesz"], segment["p_offset"])
        for segment in elf.iter_segments()
        if segment["p_type"] == "PT_LOAD"
    ]
    found: dict[str, int] = {}
    for name, address in _symbols(elf):
        for start, size, offset in loads:
            if start <= address < start + size:
                found[name] = address - start + offset
    return found


def _symbols(elf: ELFFile) -> Iterator[tuple[str, int]]:
    """(name, address) of our functions: by the hash table of the dynamic symbols, else by going through the static ones."""
    table = elf.get_section_by_name(".gnu.hash") or elf.get_section_by_name(".hash")
    if isinstance(table, GNUHashSection | ELFHashSection) and table.get_symbol("SSL_write") is not None:
        for name in FUNCTIONS:
            symbol = table.get_symbol(name)
            if symbol is not None and symbol["st_value"]:
                yield name, symbol["st_value"]
        return
    symbols = elf.get_section_by_name(".symtab")
    if isinstance(symbols, SymbolTableSection) and b"\0SSL_write\0" in symbols.stringtable.data():
        for symbol in symbols.iter_symbols():
            if symbol.name in FUNCTIONS and symbol["st_value"]:
                yield symbol.name, symbol["st_value"]


def system_libraries() -> list[Path]:
    """Every libssl that the dynamic linker knows."""
    try:
        listing = subprocess.run(["/sbin/ldconfig", "-p"], capture_output=True, text=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        listing = ""
    paths = [line.rpartition("=> ")[2].strip() for line in listing.splitlines() if line.strip().startswith("libssl.so")]
    return [Path(path) for path in dict.fromkeys(os.path.realpath(path) for path in paths)]


def executables_of(pids: Iterable[int]) -> Iterator[str]:
    """
    The program and the mapped files with code of each process, as paths that can be opened from here. A file that several
    processes use comes once.
    """
    seen: set[tuple[str, str]] = set()
    for pid in pids:
        try:
            lines = Path(f"/proc/{pid}/maps").read_text(errors="replace").splitlines()
        except OSError:
            continue
        for line in lines:
            fields = line.split(maxsplit=5)
            if len(fields) < 6 or "x" not in fields[1] or not fields[5].startswith("/"):
                continue
            device, inode, path = fields[3], fields[4], fields[5]
            if (device, inode) not in seen:
                seen.add((device, inode))
                inside = f"/proc/{pid}/root{path}"
                yield path if _same(path, inside) else inside


def _same(path: str, inside: str) -> bool:
    try:
        return os.path.samefile(path, inside)
    except OSError:
        return False
