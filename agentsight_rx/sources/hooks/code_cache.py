"""
Findings of files, kept between recordings: a command does not wait for the search of its libraries each time.

A file is known by its place, its size and its times, as for the functions of TLS (tls/stacks/cache.py).
"""

from __future__ import annotations

import hashlib
from contextlib import suppress
from functools import cache
from pathlib import Path

import msgspec
from msgspec import Struct

from ...core.decoders import msgpack_decoder
from ..own_folder import own_folder, read_own, replace_own
from ..tls.libraries import open_file
from ..tls.stacks.cache import finder, identity_of
from .code import Code, Request, code_of

__all__ = ["CodeCache"]

_ENTRIES_MOST = 1024
_SIZE_MOST = 16 << 20  # bytes of the file; an entry takes 1 kB, that of a program with many system calls 10 kB
_NAME = "breakpoints.msgpack"


class _Kept(Struct):
    """`search` is the version of the search. The newest entries stand last."""

    search: str
    entries: dict[str, Code]


_decode = msgpack_decoder(_Kept).decode


class CodeCache:
    """One process uses it; `save` writes its new entries. A damaged file, or one of another user, is ignored."""

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = folder or own_folder()
        self._kept = self._read()
        self._new = False

    def of(self, request: Request) -> Code:
        """What `code_of` returns."""
        try:
            with open_file(request.place) as file:
                known_as = f"{identity_of(file)}:{request.program:d}"
        except Exception:
            return Code(request.key, request.path)
        found = self._kept.entries.pop(known_as, None)
        if found is None:
            found, self._new = code_of(request), True
        self._kept.entries[known_as] = found
        if len(self._kept.entries) > _ENTRIES_MOST:
            del self._kept.entries[next(iter(self._kept.entries))]
        return msgspec.structs.replace(found, key=request.key, path=request.path)

    def _read(self) -> _Kept:
        with suppress(msgspec.MsgspecError):
            content = None if self._folder is None else read_own(self._folder / _NAME, _SIZE_MOST)
            kept = None if content is None else _decode(content)
            if kept is not None and kept.search == _search():
                return kept
        return _Kept(_search(), {})

    def save(self) -> None:
        """For the next recording, if there is something new."""
        if self._folder is not None and self._new:
            replace_own(self._folder / _NAME, msgspec.msgpack.encode(self._kept))
            self._new = False


@cache
def _search() -> str:
    """A hash of the code of this search, so that no other version uses what it found."""
    here = Path(__file__).parent
    own = b"\0".join((here / name).read_bytes() for name in ("calls.py", "code.py", "code_cache.py"))
    return hashlib.sha256(own + finder().encode()).hexdigest()
