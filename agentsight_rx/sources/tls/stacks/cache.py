"""
Findings of large files, kept between runs: a search takes up to some seconds, and programs are started often.

A file is known by its place, its size and its times. Its build id would be the same in each container, but another file can
have it too, and then its functions would be probed at places where this file has something else.
"""

from __future__ import annotations

import hashlib
import os
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import BinaryIO

import msgspec

from ....core.options import json_decoder
from ...own_folder import own_folder, read_own, replace_own
from .finding import Finding
from .search import TIMED_OUT, find_stacks

_LARGE = 4 << 20  # bytes of a file; a smaller one is searched in less than 50 ms
_ENTRIES_MOST = 256
_SIZE_MOST = 4 << 20  # bytes of the cache; an entry takes 1 kB
_NAME = "tls-functions.json"


class _Cache(msgspec.Struct):
    """`finder` is the version of the search. The newest entries stand last."""

    finder: str
    entries: dict[str, tuple[Finding, ...]]


_decode = json_decoder(_Cache).decode


def find_stacks_cached(file: BinaryIO, name: str, *, folder: Path | None = None) -> tuple[Finding, ...]:
    """What find_stacks returns, out of the cache in `folder` if it is there. A damaged cache, or one of others, is ignored."""
    place = folder or own_folder()
    if place is None or os.fstat(file.fileno()).st_size < _LARGE:
        return find_stacks(file, name)
    key = _key(file)
    kept = _read(place / _NAME)
    if key in kept.entries:
        return kept.entries[key]
    found = find_stacks(file, name)
    if not any(finding.failure == TIMED_OUT for finding in found) and _key(file) == key:
        kept.entries[key] = found
        _write(place / _NAME, _Cache(finder(), dict(list(kept.entries.items())[-_ENTRIES_MOST:])))
    return found


def identity_of(file: BinaryIO) -> str:
    """What `keep_finding` knows an open file by."""
    return _key(file)


def keep_finding(identity: str, finding: Finding, *, folder: Path | None = None) -> None:
    """A run has shown more of a file than the search: from now on this is its finding of this stack."""
    place = folder or own_folder()
    if place is None:
        return
    kept = _read(place / _NAME)
    if identity in kept.entries:
        found = kept.entries.pop(identity)
        kept.entries[identity] = tuple(finding if each.stack == finding.stack else each for each in found)
        _write(place / _NAME, kept)


def _key(file: BinaryIO) -> str:
    """The time of the last change of the inode is in it, which its owner cannot set."""
    seen = os.fstat(file.fileno())
    return f"{seen.st_dev}:{seen.st_ino}:{seen.st_size}:{seen.st_mtime_ns}:{seen.st_ctime_ns}"


@cache
def finder() -> str:
    """A hash of the code of this search, so that no other version uses what it found."""
    folder = Path(__file__).parent
    files = [*sorted(folder.glob("*.py")), folder.parent / "calibration.py"]
    return hashlib.sha256(b"\0".join(file.read_bytes() for file in files)).hexdigest()


def _read(path: Path) -> _Cache:
    with suppress(msgspec.MsgspecError):
        content = read_own(path, _SIZE_MOST)
        kept = None if content is None else _decode(content)
        if kept is not None and kept.finder == finder():
            return kept
    return _Cache(finder(), {})


def _write(path: Path, kept: _Cache) -> None:
    replace_own(path, msgspec.json.encode(kept))
