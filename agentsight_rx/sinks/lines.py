"""Lines -> a file descriptor, whole lines only: what a full disk does not take is counted line by line."""

from __future__ import annotations

import os
import select
import stat
from collections.abc import Sequence

from ..core.files import READER_GONE, why
from ..core.sink import ReaderLeft, Unwritten

__all__ = ["LineFile"]


class LineFile:
    """
    Lines, each with its LF, to `fd`; `name` is for messages. `cut`: of a regular file, a line that was written in part is
    removed again.
    """

    def __init__(self, fd: int, name: str, *, cut: bool) -> None:
        self._fd = fd
        self._name = name
        self._cut = cut and stat.S_ISREG(os.fstat(fd).st_mode)
        self._torn = False  # the last line was written in part

    def write(self, lines: Sequence[bytes]) -> None:
        """Raises Unwritten with the number of lines that are not in the file whole; the others are."""
        text = b"".join(lines)
        written = 0
        try:
            if self._torn:
                self._put(b"\n")
                self._torn = False
            while written < len(text):
                written += self._put(text[written:] if written else text)
        except OSError as error:
            whole = text.count(b"\n", 0, written)  # JSON has no LF inside
            whole += self._tear(written - text.rfind(b"\n", 0, written) - 1) and text.startswith(b"\n", written)
            reason = why(error, f"/proc/self/fd/{self._fd}")
            kind = ReaderLeft if error.errno in READER_GONE else Unwritten
            raise kind(f"{self._name} cannot be written: {reason}", count=len(lines) - whole) from error

    def _put(self, text: bytes) -> int:
        while True:
            try:
                return os.write(self._fd, text)
            except BlockingIOError:  # a pipe or terminal that another program made non-blocking
                select.select((), (self._fd,), ())

    def _tear(self, size: int) -> bool:
        """`size` bytes of a line were written; False if they were removed again."""
        if size and self._cut:
            os.ftruncate(self._fd, os.lseek(self._fd, -size, os.SEEK_CUR))
            return False
        self._torn = self._torn or size > 0
        return size > 0
