"""Files for captured data: readable by their owner only. Files that were there before keep their mode and their owner."""

from __future__ import annotations

import errno
import os
import secrets
import stat
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

NO_SPACE = frozenset({errno.ENOSPC, errno.EDQUOT})
READER_GONE = frozenset({errno.EPIPE, errno.EIO})  # of a pipe or a terminal that has no reader any more
_NO_FALLOCATE = frozenset({errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL})  # file systems that cannot reserve space
NO_LINKS = frozenset({errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK})


def create_private(path: Path, owner: tuple[int, int] | None = None) -> int:
    """
    Create `path` with mode 0600, owned by `owner` (uid, gid) if given, or empty the regular file that is there, or open the
    device or pipe; returns the open file descriptor.

    Only a new file gets a mode and an owner. Raises OSError, also for a symbolic link to anything but a device or a pipe: it
    may lead to any file of another user.
    """
    with suppress(FileExistsError):
        return create_new(path, owner)
    link = refusal(path)
    if link:
        raise OSError(errno.ELOOP, link)
    special = not stat.S_ISREG(os.stat(path).st_mode)
    # O_CREAT although it exists: with it the kernel refuses what another user left in /tmp (sysctl fs.protected_regular)
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | (0 if special else os.O_NOFOLLOW), 0o600)
    if special == stat.S_ISREG(os.fstat(fd).st_mode):
        os.close(fd)
        raise OSError(errno.ELOOP, "it was replaced while it was opened")
    if not special:
        os.ftruncate(fd, 0)
    return fd


def create_new(path: str | Path, owner: tuple[int, int] | None = None) -> int:
    """Create `path`, which must not exist, not even as a dangling link, with mode 0600 whatever the umask is."""
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    os.fchmod(fd, 0o600)
    if owner is not None:
        os.fchown(fd, *owner)
    return fd


@contextmanager
def written_whole(path: Path, owner: tuple[int, int] | None = None, *, replace: bool = False) -> Generator[BinaryIO]:
    """
    A file to write to, that is at `path` once the block has ended well, all of it or none: new, with mode 0600, of `owner`
    (uid, gid) if given. A device or a pipe is written to as it is.

    Raises OSError: FileExistsError where there is a file, unless it is to `replace` it; also one that came in the meantime.
    """
    link = refusal(path)
    if link:
        raise OSError(errno.ELOOP, link)
    if path.exists() and not path.is_file():
        if path.is_dir():
            raise OSError(errno.EISDIR, "it is a directory")
        with path.open("wb") as special:
            yield special
        return
    if path.exists() and not replace:
        raise FileExistsError(errno.EEXIST, "it is there already")
    part = path.parent / f".{secrets.token_hex(8)}.part"
    try:
        with os.fdopen(create_new(part, owner), "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        _place(part, path, replace=replace)
    finally:
        with suppress(FileNotFoundError):
            part.unlink()


def _place(part: Path, path: Path, *, replace: bool) -> None:
    """Give a finished file its name. A link fails where the name is taken; not every file system has links."""
    if not replace:
        try:
            os.link(part, path)
        except OSError as error:
            if error.errno not in NO_LINKS:
                raise
            if path.exists():
                raise FileExistsError(errno.EEXIST, "it is there already") from error
        else:
            return
    part.replace(path)


def refusal(path: str | Path) -> str | None:
    """Why `path` is not written to: it is a symbolic link that leads to nothing or to a regular file. None: it may be."""
    if not os.path.islink(path) or (os.path.exists(path) and not os.path.isfile(path)):
        return None
    return f"it is a symbolic link to {os.readlink(path)}; give the path of the file itself"


def reserve(fd: int, size: int) -> None:
    """
    Give the first `size` bytes of a file their space on the disk now. Raises OSError where there is none: a write through a
    memory map into a hole ends the process by SIGBUS instead.
    """
    try:
        os.posix_fallocate(fd, 0, size)
    except OSError as error:
        if error.errno not in _NO_FALLOCATE:
            raise


def why(error: OSError, path: str | Path) -> str:
    """The reason of an error, with the disk where that is full."""
    if error.errno not in NO_SPACE:
        return error.strerror or str(error)
    disk = os.path.realpath(path)
    while not os.path.ismount(disk):
        disk = os.path.dirname(disk)
    return f"no space left on {disk}" if error.errno == errno.ENOSPC else f"the quota on {disk} is used up"
