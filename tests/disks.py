"""A small disk of its own for a test, and ways to fill it and make room on it."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path

__all__ = ["fill", "free", "read_only", "small_disk", "vanish"]


@contextmanager
def small_disk(folder: Path, *, size: str = "3m") -> Generator[Path, None, None]:
    """A tmpfs of `size` bytes at `folder`, unmounted at the end."""
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)], check=True)
    try:
        yield folder
    finally:
        if folder.is_mount():
            vanish(folder)


def vanish(disk: Path) -> None:
    """Take the file system away from under the files that are open on it."""
    subprocess.run(["umount", "--lazy", str(disk)], check=True)


def read_only(disk: Path) -> None:
    subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)


def fill(disk: Path, *, leave: int = 0) -> None:
    """Take all space but `leave` bytes."""
    with open(disk / "filler", "ab", buffering=0) as file:
        with suppress(OSError):
            while True:
                file.write(bytes(4096))
        file.truncate(max(0, file.seek(0, os.SEEK_END) - leave))


def free(disk: Path) -> None:
    (disk / "filler").unlink()
