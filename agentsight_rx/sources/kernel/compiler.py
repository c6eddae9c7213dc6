"""C text and flags -> an Image, compiled by BCC in a process of its own."""

from __future__ import annotations

import os
from contextlib import nullcontext
from glob import glob

import msgspec

from ...core.decoders import json_decoder
from ...core.errors import CaptureError
from .image import Function, Image, Map
from .workers import WORKERS, Worker

__all__ = ["REMEDY", "compiled", "compiler_identity"]

REMEDY = "install BCC: apt-get install python3-bpfcc (the package bcc on PyPI is another project)"

_LIBRARIES = ("/usr/lib/*/libbcc.so.0", "/usr/lib/libbcc.so.0", "/usr/lib64/libbcc.so.0", "/usr/local/lib*/libbcc.so.0")
_NO_START = "bcc: "  # so begins the last sentence of `clang.py` where it cannot use the package
_QUIET = "-Wno-everything"
# At each call of a function with these names BCC asks whether the kernel has it, which it has since Linux 5.5, and sorts all
# symbols of the kernel anew: half of the time of a compilation. Under other names the code is the same
_RENAMED = tuple(f"-D{name}=our_{name}" for name in ("bpf_probe_read_user", "bpf_probe_read_user_str"))
_WORDS_MOST = 300


class _Compiled(msgspec.Struct, frozen=True):
    """What `clang.py` writes."""

    maps: tuple[Map, ...]
    functions: tuple[_Function, ...]


class _Function(msgspec.Struct, frozen=True):
    name: str
    code: str
    uses: tuple[tuple[int, int], ...]


_decode = json_decoder(_Compiled).decode  # each source is opened by a thread


def compiled(text: str, flags: list[str], *, by: Worker | None = None) -> Image:
    """
    `by` is asked, or else one of the processes that all share. Raises CaptureError, with the first error of clang, or what to
    do where BCC is missing.
    """
    try:
        with WORKERS.one(len(text)) if by is None else nullcontext(by) as worker:
            answer, words = worker.ask(text, [*flags, *_RENAMED, _QUIET])
    except OSError as error:
        raise CaptureError(f"BCC cannot be started: {error}") from error
    if not answer and words.startswith(_NO_START):
        raise CaptureError(f"BCC does not start ({words.removeprefix(_NO_START).strip()[:_WORDS_MOST]}); {REMEDY}")
    if answer.strip() in (b"", b"null"):
        raise CaptureError(f"BCC did not compile it: {_reason(words)}")
    found = _decode(answer)
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
