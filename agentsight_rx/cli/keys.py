"""--redaction-key FILE -> the key under which equal secrets get equal labels, on every host that has the same file."""

from __future__ import annotations

import os
import re
import stat
from pathlib import Path
from typing import Annotated

import typer
from msgspec.structs import replace

from ..errors import UsageError
from ..graphs import TraceOptions
from .flags import FILTERS

__all__ = ["RedactionKey", "key_in", "shared"]

_BYTES = 32
_MAKE = "make one by: (umask 077; openssl rand -hex 32 > FILE)"
_HEX = re.compile(rb"\s*([0-9A-Fa-f]{64})\s*")
_MOST = 256  # bytes that are read: no form of a key is longer

RedactionKey = Annotated[
    Path | None,
    typer.Option(
        "--redaction-key",
        help="Make the same labels as all hosts with this key.",
        metavar="FILE",
        rich_help_panel=FILTERS,
    ),
]


def shared(options: TraceOptions, path: Path | None) -> TraceOptions:
    """The options with the key in this file, where one is given. Raises UsageError as `key_in`."""
    if path is None:
        return options
    if not options.remove_auth:
        raise UsageError("--redaction-key and --disable-auth-removal do not go together: without removal there are no labels")
    return replace(options, redaction_key=key_in(path))


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
