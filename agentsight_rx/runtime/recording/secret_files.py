"""The list of secrets and this machine -> the files of the list that are there, as the kernel knows them: device and inode."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from glob import glob, has_magic
from itertools import islice
from pathlib import Path
from pwd import getpwall

from ...policy.rules.guard.lists import fits_one
from ...sources.files import KnownFile

__all__ = ["secret_files"]


_FILES_MOST = 4096
_LOOKED_AT_MOST = 8192  # files and folders below one pattern, or below the workspace: 30 ms
_HOMES_MOST = 64
_NOT_ENTERED = frozenset({".git", "node_modules", ".venv", "__pycache__", "target"})  # of a workspace: made, and large
_MOUNTS = "/proc/self/mountinfo"


def secret_files(patterns: Sequence[str], homes: tuple[str, ...], folder: Path | None = None) -> tuple[KnownFile, ...]:
    """
    Device, inode and path of each file that fits a pattern: below the homes of users, at the places that a pattern names, and
    anywhere in the `folder`, with limits. They are only looked up, and not opened.
    """
    fits, devices = fits_one(tuple(patterns), homes), dict(_devices())
    wanted = [pattern for pattern in patterns if not pattern.startswith("!")]
    places = (place for pattern in wanted for place in _places(pattern))
    below = _below(str(folder), _NOT_ENTERED) if folder is not None else ()
    found = dict.fromkeys(path for paths in (places, below) for path in paths if fits(path))
    return tuple(islice((known for path in found if (known := _known(path, devices)) is not None), _FILES_MOST))


def _places(pattern: str) -> Iterator[str]:
    """Where files that fit a pattern may be, if it says where it begins."""
    if pattern.startswith("~/"):
        yield from (path for home in _homes() for path in _places(home + pattern[1:]))
    elif pattern.endswith("/*") and not has_magic(pattern[:-2]):
        yield from _below(pattern[:-2])
    elif pattern.startswith("/"):
        yield from glob(pattern) if has_magic(pattern) else (pattern,)


def _homes() -> list[str]:
    found = {os.path.normpath(entry.pw_dir) for entry in getpwall() if entry.pw_dir.startswith("/")}
    found |= {os.path.normpath(os.environ.get("HOME") or "/")}
    return sorted(home for home in found if home.strip("/") and os.path.isdir(home))[:_HOMES_MOST]


def _below(folder: str, not_entered: frozenset[str] = frozenset()) -> Iterator[str]:
    """The files below a folder, at most so many. Links to folders are not followed."""
    left = _LOOKED_AT_MOST
    for above, folders, files in os.walk(folder):
        folders[:] = [each for each in folders if each not in not_entered][:left]
        yield from (os.path.join(above, name) for name in files[:left])
        left -= len(folders) + len(files)
        if left <= 0:
            return


def _known(path: str, devices: Mapping[str, int]) -> KnownFile | None:
    with suppress(OSError):
        found = os.stat(path)
        if stat.S_ISREG(found.st_mode):
            its = _number(os.major(found.st_dev), os.minor(found.st_dev))
            mounts = (devices[place] for place in map(str, Path(os.path.realpath(path)).parents) if place in devices)
            return KnownFile(next(mounts, its), found.st_ino, path)
    return None


def _devices() -> Iterator[tuple[str, int]]:
    """Where file systems are mounted, and their devices. What stat says of btrfs and overlayfs is another number."""
    with suppress(OSError), open(_MOUNTS, encoding="utf-8", errors="surrogateescape") as mounts:
        for line in mounts:
            _, _, device, _, place, *_ = line.split(" ")
            major, _, minor = device.partition(":")
            yield place.encode().decode("unicode_escape"), _number(int(major), int(minor))


def _number(major: int, minor: int) -> int:
    """As the kernel has it: MKDEV of kdev_t.h."""
    return major << 20 | minor
