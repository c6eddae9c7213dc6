"""The files of an LMDB store: made, checked and opened, and what LMDB reports about them as our errors."""

from __future__ import annotations

import ctypes
import errno
import fcntl
import os
from collections.abc import Sequence
from contextlib import suppress
from typing import Protocol

import lmdb

from ...core.errors import StoreError, UnwritableError
from ...core.files import NO_SPACE, create_new, refusal, reserve, why
from ...core.start import regex
from .lmdb_pages import is_truncated

_UNWRITABLE = NO_SPACE | {errno.EROFS, errno.EACCES, errno.EPERM}
_LOCK_SIZE = 8192  # bytes of the lock file: 126 readers, the default of LMDB


def lock_of(path: str) -> str:
    return path + "-lock"


def size_of(path: str) -> int:
    if os.path.exists(path) and not os.path.isfile(path):
        raise StoreError(f"{path} is not a regular file: give the path of a store, or of a new file.")
    return os.path.getsize(path) if os.path.exists(path) else 0


def environment(path: str, map_size: int, *, readonly: bool, lock: bool) -> lmdb.Environment:
    if readonly and not size_of(path):
        raise StoreError(f"There is no store at {path}: record one, or give the path of another.")
    _check_pages(path)
    try:
        if lock:
            _reserve_lock(lock_of(path))
        return lmdb.open(path, subdir=False, map_size=map_size, readonly=readonly, sync=False, mode=0o600, lock=lock)
    except (lmdb.InvalidError, lmdb.VersionMismatchError) as error:
        raise StoreError(f"{path} is not a store: give the path of a store.") from error
    except lmdb.Error as error:
        if "already open" in str(error):
            raise StoreError(f"{path} is already open in this process: use that store, or close it first.") from error
        raise failed(error, path, "opened") from error


def _check_pages(path: str) -> None:
    try:
        cut = is_truncated(path)
    except OSError as error:
        raise unusable(error, path, "opened") from error
    if cut:
        raise StoreError(f"{path} is cut short, pages of the store are missing: use a whole copy of it.")


def is_being_written(path: str | os.PathLike[str]) -> bool:
    """
    A process has the store open to write, and locked, as `/proc/locks` (proc(5)) shows. Trying the lock would take it for a
    moment, in which a recording could not begin.
    """
    try:
        number = os.stat(path).st_ino
        with open("/proc/locks", encoding="ascii") as file:
            locks = file.read().splitlines()
    except OSError:
        return False
    return any(" FLOCK " in line and " WRITE " in line and f":{number} " in line for line in locks)


def only_writer(path: str) -> int:
    """
    An open file that keeps other processes from writing to the store until it is closed. Raises StoreError where one does.

    LMDB lets many processes write in turn, and two runs would give their segments the same numbers. Its own locks are on the
    other file, so this one may be closed at any time.
    """
    try:
        file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError as error:
        raise unusable(error, path, "opened") from error
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(file)
        raise StoreError(f"{path} is being written by another process: end that one, or record into another file.") from None
    except OSError:
        pass  # a file system without such locks
    return file


def is_gone(path: str, file: int) -> bool:
    """No path leads to the open file any more, neither `path` nor the one that the kernel has for it after a move."""
    opened = os.fstat(file)
    for name in (path, f"/proc/self/fd/{file}"):
        with suppress(OSError):
            if os.path.samestat(os.stat(os.path.realpath(name)), opened):
                return False
    return True


def create(path: str, owner: tuple[int, int] | None) -> bool:
    """Make an empty private file unless there is one; True if there was none. An existing one is not opened: see below."""
    try:
        os.close(create_new(path, owner))
    except FileExistsError:
        link = None if os.path.exists(path) else refusal(path)  # LMDB would create the target, as root's
        if link:
            raise StoreError(f"{path} cannot be created: {link}") from None
        return False
    except OSError as error:
        raise unusable(error, path, "created") from error
    return True


def remove(files: Sequence[str]) -> None:
    for file in files:
        with suppress(OSError):
            os.unlink(file)


def _reserve_lock(path: str) -> None:
    """
    Give the lock file its space on the disk. LMDB writes it through a memory map, and the first write into a hole of a file on
    a full disk ends the process by SIGBUS. The store itself is written by pwrite, which returns an error.

    A file without holes is not opened: closing it drops the locks of a store that this process has open.
    """
    try:
        found = os.stat(path)
        if found.st_size >= _LOCK_SIZE and found.st_blocks * 512 >= _LOCK_SIZE:  # st_blocks: stat(2)
            return
        file = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        try:
            reserve(file, _LOCK_SIZE)
        finally:
            os.close(file)
    except OSError as error:
        if error.errno in NO_SPACE:
            raise unusable(error, path, "created") from error
        # LMDB opens it, or reports what is wrong with it


def unusable(error: OSError, path: str, what: str) -> StoreError:
    """The error of a call of the system, as ours."""
    kind = UnwritableError if error.errno in _UNWRITABLE else StoreError
    return kind(f"{path} cannot be {what}: {why(error, path)}")


def failed(error: lmdb.Error, path: str, what: str) -> StoreError:
    """
    What LMDB reports on a full disk is ENOSPC, or, where a write was cut short by it, EIO; on a read-only file system it is
    EROFS.
    """
    if isinstance(error, lmdb.DiskError) or (os.strerror(errno.EIO) in str(error) and _is_full(path)):
        return unusable(OSError(errno.ENOSPC, ""), path, what)
    if os.strerror(errno.EROFS) in str(error):
        return unusable(OSError(errno.EROFS, os.strerror(errno.EROFS)), path, what)
    return StoreError(f"{path} cannot be {what}: {error}")


def _is_full(path: str) -> bool:
    disk = os.statvfs(os.path.dirname(os.path.abspath(path)))
    return disk.f_bavail * disk.f_frsize < 1 << 20


# -- lmdb memory ---------------------------------------------------------------------------------------------------
# The map of a file that is only read -> its pages given back, so that reading a large store takes little memory.
#
# LMDB reads through a memory map, and with each page the kernel maps the pages around it (64 KiB): ten thousand rows that lie
# apart are 640 MB of resident memory, although none of it is held.


_DONTNEED = 4  # MADV_DONTNEED of madvise(2): of a file that is mapped shared nothing is lost, it is read again when needed
_READS = 128  # rows; after so many, 8 MiB may be resident
_LINE = regex(r"([0-9a-f]+)-([0-9a-f]+) \S+ \S+ ([0-9a-f]+):([0-9a-f]+) (\d+)")  # of /proc/self/maps, proc(5)


class _Madvise(Protocol):
    def __call__(self, address: ctypes.c_void_p, size: ctypes.c_size_t, advice: int, /) -> int: ...


class MappedFile:
    """Counts the bytes that are read of a file, and gives its pages back from time to time."""

    def __init__(self, path: str) -> None:
        found = os.stat(path)
        self._file = (os.major(found.st_dev), os.minor(found.st_dev), found.st_ino)
        self._madvise: _Madvise = ctypes.CDLL(None).madvise
        self._reads = 0

    def is_due(self, rows: int) -> bool:
        """So many rows more were read: is it time to give pages back?"""
        self._reads += rows
        return self._reads >= _READS

    def give_back(self) -> None:
        """The map must stay where it is meanwhile. Where the pages cannot be given back, they stay."""
        self._reads = 0
        with suppress(OSError), open("/proc/self/maps") as maps:
            for line in maps:
                found = _LINE.match(line)
                if found and (int(found[3], 16), int(found[4], 16), int(found[5])) == self._file:
                    begin, end = int(found[1], 16), int(found[2], 16)
                    self._madvise(ctypes.c_void_p(begin), ctypes.c_size_t(end - begin), _DONTNEED)
