"""
Files of the user: the alerts that a person has seen, by id, and files with secrets. Recordings stay as they are.

A line is `{"alert":"alert-…","count":3,"at_ms":…}`; the last line about an alert holds, and a count of 0 takes it back.
"""

from __future__ import annotations

import errno
import fcntl
import os
import stat
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from glob import glob, has_magic
from itertools import islice
from pathlib import Path
from pwd import getpwall

import msgspec

from ...core.errors import UnwritableError
from ...core.files import create_new, why, written_whole
from ...policy.rules.guard.values import fits_one
from ...sources.files import KnownFile
from ...view.queries.decided import Seen

# -- secret files --------------------------------------------------------------------------------------------------
# The list of secrets and this machine -> the files of the list that are there, as the kernel knows them: device and inode.


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


# ------------------------------------------------------------------------------------------------------------------------


_BYTES_MOST = 1 << 20  # of the file, before it is written anew: 10,000 lines
_READ_MOST = 4 << 20
_KEPT_MOST = 4096  # alerts that a new file has, the newest
_TRIES = 5  # for a file that another process writes anew meanwhile


class SeenFile:
    """`path` may be missing: then nothing was seen. `owner` (uid, gid) gets a new file. Used by one thread at a time."""

    def __init__(self, path: Path, owner: tuple[int, int] | None = None) -> None:
        self.path = path
        self._owner = owner
        self._version: tuple[int, int, int] | None = None
        self._known: dict[str, Seen] = {}

    @property
    def refusal(self) -> str:
        """Why nothing can be written; empty where it can."""
        place = next((each for each in (self.path, *self.path.parents) if each.exists()), self.path)
        if place != self.path and not place.is_dir():
            return f"{place} is not a directory"
        if os.access(place, os.W_OK):
            return ""
        return f"{place} cannot be written here"

    def read(self) -> Mapping[str, Seen]:
        """Read again where it has changed. A line that is not understood is skipped."""
        try:
            with _opened(self.path, os.O_RDONLY) as file:
                found = os.fstat(file)
                version = found.st_ino, found.st_size, found.st_mtime_ns
                if version != self._version:
                    data = os.pread(file, _READ_MOST, max(0, found.st_size - _READ_MOST))
                    self._known, self._version = marks_of(data), version
        except OSError:
            self._known, self._version = {}, None
        return self._known

    def add(self, marks: Iterable[Seen], /) -> None:
        """Raises UnwritableError."""
        lines = b"".join(msgspec.json.encode(each) + b"\n" for each in marks)
        try:
            self._make_folder()
            for _ in range(_TRIES):
                if self._append(lines):
                    return
            raise OSError(errno.EAGAIN, "another process writes it all the time")
        except OSError as error:
            raise UnwritableError(f"{self.path} cannot be written: {why(error, self.path)}") from error

    def _make_folder(self) -> None:
        missing = [each for each in self.path.parents if not each.exists()]
        self.path.parent.mkdir(parents=True, mode=0o700, exist_ok=True)
        for made in missing:
            if self._owner is not None:
                os.chown(made, *self._owner)

    def _append(self, lines: bytes) -> bool:
        """False where another process has put a new file in its place."""
        with suppress(FileExistsError):
            os.close(create_new(self.path, self._owner))
        with _opened(self.path, os.O_RDWR | os.O_APPEND) as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            if os.fstat(file).st_ino != os.stat(self.path).st_ino:
                return False
            os.write(file, lines)
            if os.fstat(file).st_size > _BYTES_MOST:
                newest = sorted(marks_of(os.pread(file, _READ_MOST, 0)).values(), key=lambda each: each.at_ms)[-_KEPT_MOST:]
                with written_whole(self.path, self._owner, replace=True) as whole:
                    whole.write(b"".join(msgspec.json.encode(each) + b"\n" for each in newest))
        return True


@contextmanager
def _opened(path: Path, flags: int) -> Generator[int]:
    """A regular file, not through a link, until the block ends. Raises OSError."""
    file = os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        if not stat.S_ISREG(os.fstat(file).st_mode):
            raise OSError(errno.EINVAL, "it is not a regular file")
        yield file
    finally:
        os.close(file)


_LINE = msgspec.json.Decoder(Seen)


def marks_of(data: bytes, /) -> dict[str, Seen]:
    """Lines -> the seen alerts, by id. A line that is not understood is skipped."""
    found: dict[str, Seen] = {}
    for line in data.split(b"\n"):
        with suppress(msgspec.DecodeError):
            mark = _LINE.decode(line)
            found.pop(mark.alert, None)
            if mark.count > 0:
                found[mark.alert] = mark
    return found
