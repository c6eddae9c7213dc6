"""
A file of the user -> the alerts that a person has seen, by id, and lines at its end. Recordings stay as they are.

A line is `{"alert":"alert-…","count":3,"at_ms":…}`; the last line about an alert holds, and a count of 0 takes it back.
"""

from __future__ import annotations

import errno
import fcntl
import os
import stat
from collections.abc import Generator, Iterable, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

import msgspec

from ...core.errors import UnwritableError
from ...core.files import create_new, why, written_whole
from ...view.queries.decided import Seen

__all__ = ["SeenFile", "marks_of"]

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
