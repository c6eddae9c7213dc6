"""C text and flags -> an Image, compiled by BCC in a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from glob import glob
from pathlib import Path
from threading import BoundedSemaphore

import msgspec

from ...errors import CaptureError
from .image import Function, Image, Map
from .shim import shim_tree

__all__ = ["REMEDY", "compiled", "compiler_identity"]

REMEDY = "install BCC: apt-get install libbpfcc"

_PROGRAM = Path(__file__).with_name("clang.py")
_LIBRARIES = ("/usr/lib/*/libbcc.so.0", "/usr/lib/libbcc.so.0", "/usr/lib64/libbcc.so.0", "/usr/local/lib*/libbcc.so.0")
_QUIET = "-Wno-everything"
_MOST_S = 120.0  # the slowest takes 1 s on an idle machine
_WORDS_MOST = 300

_AT_ONCE = BoundedSemaphore(min(4, os.cpu_count() or 1))  # each takes 100 MB


class _Compiled(msgspec.Struct, frozen=True):
    """What `clang.py` writes."""

    maps: tuple[Map, ...]
    functions: tuple[_Function, ...]


class _Function(msgspec.Struct, frozen=True):
    name: str
    code: str
    uses: tuple[tuple[int, int], ...]


def compiled(text: str, flags: list[str]) -> Image:
    """Raises CaptureError, with the first error of clang, or what to do where BCC is missing."""
    with _AT_ONCE, shim_tree() as tree:
        try:
            done = subprocess.run(
                [sys.executable, "-I", "-S", str(_PROGRAM)],
                input=json.dumps({"text": text, "flags": [*flags, _QUIET]}).encode(),
                capture_output=True,
                env={**os.environ, "BCC_KERNEL_SOURCE": str(tree)},
                timeout=_MOST_S,
            )
        except subprocess.TimeoutExpired as error:
            raise CaptureError(f"BCC has not compiled a program within {_MOST_S:g} s") from error
        except OSError as error:
            raise CaptureError(f"BCC cannot be started: {error}") from error
    words = done.stderr.decode(errors="replace")
    try:
        found = msgspec.json.decode(done.stdout, type=_Compiled)
    except msgspec.DecodeError as error:
        if "libbcc" in words and "error:" not in words:
            raise CaptureError(f"BCC does not start ({words.strip()[:_WORDS_MOST]}); {REMEDY}") from error
        raise CaptureError(f"BCC did not compile it: {_reason(words)}") from error
    return Image(found.maps, tuple(Function(each.name, bytes.fromhex(each.code), each.uses) for each in found.functions))


def _reason(words: str) -> str:
    lines = words.splitlines()
    errors = [line for line in lines if "error:" in line]
    return (*errors, *lines[-1:], "it ended without a message")[0][:_WORDS_MOST]


def compiler_identity() -> list[str]:
    """Which BCC is installed, without loading it."""
    found: list[str] = []
    for path in sorted({os.path.realpath(each) for pattern in _LIBRARIES for each in glob(pattern)}):
        stat = os.stat(path)
        found.append(f"{path} {stat.st_size} {stat.st_mtime_ns}")
    return found
