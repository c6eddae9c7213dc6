"""A file -> the offsets of its OpenSSL functions, or the TLS implementation that it seems to have."""

from __future__ import annotations

import ctypes
import io
import mmap
import os
import stat
import subprocess
from collections.abc import Iterable, Iterator
from pathlib import Path
from struct import Struct as Layout
from typing import BinaryIO

from elftools.elf.elffile import ELFFile
from elftools.elf.sections import SymbolTableSection
from msgspec import Struct

from ...errors import CaptureError
from .stacks.finding import Finding, Hook

__all__ = [
    "FileId",
    "Library",
    "file_id",
    "inspect",
    "inspect_open",
    "looks_like",
    "open_file",
    "system_libraries",
    "unreadable",
]

FileId = tuple[int, int, int]  # device, inode, modification time: one file, whatever its path

_FUNCTIONS = ("SSL_read", "SSL_write", "SSL_read_ex", "SSL_write_ex", "SSL_write_ex2", "SSL_do_handshake", "SSL_free")
_MAGIC = b"\x7fELF"
_SMALL = 8 << 20  # bytes; up to this size a search for the name (1 ms) is faster than parsing the file (3 ms and more)


class Library(Struct, frozen=True):
    """A file with TLS code that can be probed."""

    path: str
    id: FileId
    findings: tuple[Finding, ...]


def inspect(path: str | Path) -> Library | None:
    """
    The Library at `path`, or None if it has no SSL_read and SSL_write to probe. `path` may be /proc/PID/exe.

    Raises CaptureError where the file cannot be read or is not an ELF file.
    """
    with open_file(path) as file:
        return inspect_open(file, str(path))


def inspect_open(file: BinaryIO, name: str) -> Library | None:
    """The same for an open file, whose path may be gone."""
    offsets = _offsets_of(file, name)
    if "SSL_read" not in offsets or "SSL_write" not in offsets:
        return None
    if "SSL_write_ex2" in offsets:
        offsets.pop("SSL_write_ex", None)
    hooks = tuple(Hook(shape, offset) for shape, offset in offsets.items())
    return Library(name, file_id(file), (Finding("OpenSSL", "exported symbols", hooks),))


def open_file(path: str | Path) -> io.BufferedReader:
    """Open the regular file at `path`. Raises CaptureError. A device is never opened, as that may have effects."""
    try:
        if not stat.S_ISREG(os.stat(path).st_mode):
            raise CaptureError(f"{path} is not a regular file: a program or a library is needed")
        return io.BufferedReader(io.FileIO(path))
    except OSError as error:
        raise CaptureError(f"{path} cannot be read: {error.strerror}") from error


_OVERLAY = 0x794C7630  # include/uapi/linux/magic.h


def file_id(file: BinaryIO) -> FileId:
    """
    The identity of an open file. On overlayfs each container has its own device number for the same file of an image, so
    there the size is used instead.
    """
    seen = os.fstat(file.fileno())
    device = -seen.st_size if _file_system(file.fileno()) == _OVERLAY else seen.st_dev
    return device, seen.st_ino, seen.st_mtime_ns


def _file_system(fd: int) -> int:
    """f_type of fstatfs(2), which Python does not offer."""
    buffer = (ctypes.c_long * 32)()  # struct statfs has 120 bytes
    if ctypes.CDLL(None).fstatfs(fd, buffer):
        return 0
    return buffer[0]


def _offsets_of(file: BinaryIO, name: str) -> dict[str, int]:
    if file.read(4) != _MAGIC:
        raise CaptureError(f"{name} is not a program or library that can be probed (no ELF file)")
    try:
        if os.fstat(file.fileno()).st_size <= _SMALL and not any(_found(file, [b"SSL_write"])):
            return {}
        return _offsets(ELFFile(file))
    except Exception as error:  # pyelftools raises anything for a broken file, which may be broken on purpose
        raise CaptureError(f"{name} is not a program or library that can be probed (broken ELF file: {error})") from error


def _found(file: BinaryIO, texts: Iterable[bytes]) -> list[bool]:
    with mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ) as content:
        return [content.find(text) >= 0 for text in texts]


def _offsets(elf: ELFFile) -> dict[str, int]:
    if elf["e_machine"] != "EM_X86_64":
        return {}
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


_SYMBOL = Layout("<IBBHQQ")  # Elf64_Sym: name, info, other, section, value, size
_UNDEFINED = 0


def _symbols(elf: ELFFile) -> Iterator[tuple[str, int]]:
    """(name, address) of our functions: from the dynamic symbols, else from the static ones."""
    for kind in (".dynsym", ".symtab"):
        table = elf.get_section_by_name(kind)
        if not isinstance(table, SymbolTableSection):
            continue
        symbols, names = table.data(), table.stringtable.data()
        found = [(name, value) for name in _FUNCTIONS for value in _addresses(name, symbols, names)]
        if found:
            yield from found
            return


def _addresses(name: str, symbols: bytes, names: bytes) -> Iterator[int]:
    """Search the symbol table for the offset of the name: 1 ms for 100,000 symbols; decoding each would take 1 s."""
    for place in _places(name.encode() + b"\0", names):  # also as the end of a longer name, which linkers share
        for at in _places(place.to_bytes(4, "little"), symbols):
            if at % _SYMBOL.size == 0:
                _, _, _, section, value, _ = _SYMBOL.unpack_from(symbols, at)
                if section != _UNDEFINED and value:
                    yield value


def _places(part: bytes, whole: bytes) -> Iterator[int]:
    at = whole.find(part)
    while at >= 0:
        yield at
        at = whole.find(part, at + 1)


# Bytes in a file that has or uses a TLS implementation whose functions are not found by name. All of them are texts that its
# code needs: paths in error messages, names of functions in messages or tables.
_MARKS = {
    b"vendor/boringssl/ssl/ssl_lib.cc": "BoringSSL as in Bun",
    b"boringssl/ssl/ssl_lib.cc": "BoringSSL",
    b"aws-lc/crypto/": "rustls with aws-lc",
    b"src/crypto/ring/tls13.rs": "rustls with ring",
    b"crypto/tls.(*Conn).Write": "Go crypto/tls",
    b"ssl_write_internal": "OpenSSL 3 without symbols",
    b"ssl/ssl_lib.c\0": "OpenSSL without symbols",
    b"gnutls_record_send": "GnuTLS",
    b"SSL_ImportFD": "NSS",
}
_MORE_EXACT = {"BoringSSL": "BoringSSL as in Bun", "OpenSSL without symbols": "OpenSSL 3 without symbols"}


def looks_like(path: str | Path) -> str:
    """The TLS implementations that a file seems to have or use and that cannot be probed, "" if none; 0.2 s for 100 MB."""
    with open_file(path) as file:
        if not os.fstat(file.fileno()).st_size:
            return ""
        names = [name for name, found in zip(_MARKS.values(), _found(file, _MARKS), strict=True) if found]
    return " and ".join(name for name in names if _MORE_EXACT.get(name) not in names)


def unreadable(path: str | Path) -> str:
    """One sentence for a file without functions to probe: why its TLS is not read, and what to do."""
    seems = looks_like(path)
    if seems:
        return f"{path} has no SSL_read and SSL_write that could be probed (it looks like {seems}): its TLS cannot be read"
    return (
        f"{path} has no SSL_read and SSL_write that could be probed, and no other known TLS code: "
        "its TLS may be in a library that it loads; name that library, or watch the process with --pid or --comm"
    )


def system_libraries() -> list[Path]:
    """Every libssl that the dynamic linker knows."""
    try:
        listing = subprocess.run(["/sbin/ldconfig", "-p"], capture_output=True, text=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        listing = ""
    paths = [line.rpartition("=> ")[2].strip() for line in listing.splitlines() if line.strip().startswith("libssl.so")]
    return [Path(path) for path in dict.fromkeys(os.path.realpath(path) for path in paths)]
