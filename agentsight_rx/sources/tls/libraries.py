"""A file -> the TLS implementations that it has, with their functions, or why these were not found."""

from __future__ import annotations

import ctypes
import io
import os
import re
import stat
import subprocess
import time
from functools import lru_cache, partial
from pathlib import Path
from typing import BinaryIO

from msgspec import Struct, field

from ...core.errors import CaptureError
from ...core.start import regex
from ...events import Origin
from ..kernel.probes import Attached
from .stacks.cache import find_stacks_cached
from .stacks.finding import Finding, Hook
from .stacks.search import TIMED_OUT

FileId = tuple[int, int, int]  # device, inode, modification time: one file, whatever its path


class Library(Struct, frozen=True):
    """A file that was searched for TLS code."""

    path: str
    id: FileId
    findings: tuple[Finding, ...] = ()

    @property
    def is_readable(self) -> bool:
        """There are functions to probe."""
        return any(finding.hooks or finding.candidates for finding in self.findings)

    @property
    def seems(self) -> str:
        """The TLS implementations that it seems to have or use, and whose functions were not found; "": none."""
        failed = (finding for finding in self.findings if finding.failure)
        return " and ".join(f"{each.stack} ({TIMED_OUT})" if each.failure == TIMED_OUT else each.stack for each in failed)

    @property
    def hooks(self) -> tuple[Hook, ...]:
        """All functions to probe."""
        return tuple(dict.fromkeys(hook for finding in self.findings for hook in finding.hooks))


def inspect(path: str | Path) -> Library | None:
    """
    The Library at `path`, or None if it has no TLS functions to probe. `path` may be /proc/PID/exe.

    Raises CaptureError where the file cannot be read or is not an ELF file.
    """
    with open_file(path) as file:
        library = inspect_open(file, str(path))
    return library if library.is_readable else None


def inspect_open(file: BinaryIO, name: str) -> Library:
    """An open file, whose path may be gone, with its findings. Raises CaptureError where it is not an ELF file."""
    return Library(name, file_id(file), findings=find_stacks_cached(file, name))


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


def looks_like(path: str | Path) -> str:
    """As `Library.seems`; "" for a file that cannot be read too."""
    try:
        with open_file(path) as file:
            return inspect_open(file, str(path)).seems
    except CaptureError:
        return ""


def unreadable(path: str | Path) -> str:
    """One sentence for a file without functions to probe: why its TLS is not read, and what to do."""
    failures = [finding for finding in findings_of(path) if finding.failure]
    if failures:
        seems = " and ".join(finding.stack for finding in failures)
        why = "; ".join(finding.failure for finding in failures)
        return f"{path} has no TLS functions that could be probed (it looks like {seems}): its TLS cannot be read: {why}"
    return (
        f"{path} has no TLS functions that could be probed, and no other known TLS code. "
        "Its TLS may be in a library that it loads: name that library, or watch the process with --pid or --comm"
    )


def findings_of(path: str | Path) -> tuple[Finding, ...]:
    """Every TLS implementation of a file, also implementations whose functions were not found. Raises CaptureError."""
    with open_file(path) as file:
        return find_stacks_cached(file, str(path))


_SYSTEM = ("libssl.so", "libgnutls.so", "libssl3.so", "libnspr4.so")  # OpenSSL, GnuTLS, NSS and the files that it works on


_KNOWN = "/etc/ld.so.cache"


def system_libraries() -> list[Path]:
    """Every library with TLS that the dynamic linker knows."""
    try:
        listing = _listing(os.stat(_KNOWN).st_mtime_ns)
    except OSError:
        listing = _listing(0)
    lines = [line.strip() for line in listing.splitlines()]
    paths = [line.rpartition("=> ")[2] for name in _SYSTEM for line in lines if line.startswith(name)]
    return [Path(path) for path in dict.fromkeys(os.path.realpath(path) for path in paths)]


@lru_cache(1)
def _listing(changed_ns: int) -> str:
    """What the linker knew at this time: a start asks three times, and each takes 3 ms."""
    try:
        return subprocess.run(["/sbin/ldconfig", "-p"], capture_output=True, text=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        return ""


# -- proof ---------------------------------------------------------------------------------------------------------
# A probed implementation, and whether its bytes prove that its functions were found.


# The first bytes of a direction: a request line (RFC 9112 section 3), the preface of HTTP/2 (RFC 9113 section 3.4)
_CLIENT = regex(rb"[A-Z]{3,16} \S")
# a status line (RFC 9112 section 4), a SETTINGS frame on stream 0 (RFC 9113 section 6.5)
_SERVER = regex(rb"HTTP/1\.[01] |\0..\x04[\0\x01]\0{4}", re.DOTALL)
_TRIED_MOST = 8  # connections that began with other bytes, of a function found by what its code does


class Use(Struct):
    """What one process did with it: its connections, and the bytes read of them."""

    origin: Origin
    start_ns: int
    connections: int = 0
    midway: int = 0
    size: int = 0
    proven: bool = False


class Probed(Struct):
    """One TLS implementation in one file, with its probes. `proven` once a connection began as clients or servers begin."""

    library: Library
    finding: Finding
    by_socket: bool = False  # nothing says when an object ends: the end of its socket does
    identity: str = ""  # of the file, for the cache of findings
    probes: Attached | None = None
    since_ns: int = field(default_factory=partial(time.clock_gettime_ns, time.CLOCK_BOOTTIME))
    since_mono_ns: int = field(default_factory=time.monotonic_ns)
    proven: bool = False
    tried: int = 0  # connections that began

    @property
    def sees_handshakes(self) -> bool:
        """Whether an object is seen before it carries anything."""
        return any(hook.shape == "SSL_do_handshake" for hook in self.finding.hooks)

    def proves(self, first: bytes, *, from_beginning: bool) -> bool:
        """Bytes of a connection, the first ones if `from_beginning`. Whether they prove that this is what it was taken for."""
        self.tried += from_beginning
        if self.finding.exact or begins_like_http(first):
            self.proven = True
            return True
        return False

    @property
    def wrong(self) -> bool:
        """So many connections began with other bytes that these cannot be the functions."""
        return not self.proven and self.tried >= _TRIED_MOST


def begins_like_a_client(data: bytes) -> bool:
    return _CLIENT.match(data) is not None


def begins_like_http(data: bytes) -> bool:
    return _CLIENT.match(data) is not None or _SERVER.match(data) is not None
