"""--redaction-key FILE -> the key under which equal secrets get equal labels, on every host that has the same file."""

from __future__ import annotations

import os
import re
import stat
from pathlib import Path

from ..core.errors import UsageError

__all__ = ["key_in"]

_BYTES = 32
_MAKE = "make one by: (umask 077; openssl rand -hex 32 > FILE)"
_HEX = re.compile(rb"\s*([0-9A-Fa-f]{64})\s*")
_MOST = 256  # bytes that are read: no form of a key is longer


def key_in(path: Path) -> bytes:
    """The key in a file that no one else may read. Raises UsageError."""
    try:
        file = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError as error:
        raise UsageError(f"--redaction-key {path} cannot be read: {error.strerror}; {_MAKE}") from error
    try:
        seen = os.fstat(file)
        if not stat.S_ISREG(seen.st_mode):
            raise UsageError(f"--redaction-key {path} is no file; {_MAKE}")
        mode = stat.S_IMODE(seen.st_mode)
        if mode & 0o077:
            raise UsageError(
                f"--redaction-key {path} may be read by others (its mode is {mode:04o}, 0600 is needed): chmod 600 {path}"
            )
        content = os.read(file, _MOST)
    finally:
        os.close(file)
    digits = _HEX.fullmatch(content)
    if digits is not None:
        return bytes.fromhex(digits[1].decode())
    if len(content) != _BYTES:
        size = f"{len(content)}" if len(content) < _MOST else f"{_MOST} or more"
        raise UsageError(f"--redaction-key {path} has {size} bytes; 32 bytes or 64 hex digits are expected; {_MAKE}")
    return content
