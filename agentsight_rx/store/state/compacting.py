"""An LMDB file that nothing else has open -> the same store without its free pages, in its place."""

from __future__ import annotations

import fcntl
import os
import secrets
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path

import lmdb

from ...core.errors import StoreError
from ...core.files import create_new
from .lmdb_files import environment, failed, lock_of, only_writer, unusable
from .lmdb_store import LmdbStore

_READER_LOCKS = 1 << 10  # bytes at the begin of LMDB's lock file, of which each open store locks the first


def compact(path: str | os.PathLike[str]) -> tuple[int, int]:
    """
    Replace the file by a copy of its used pages: all of it or nothing. It needs as much free space as the copy takes.
    Returns the bytes of the file before and after. Raises StoreError for a file that is no store, or that a process has open;
    UnwritableError where the copy cannot be written.
    """
    name = os.path.realpath(path)
    LmdbStore.open(name, readonly=True).close()  # raises for what is no store
    writing, part = only_writer(name), Path(name).parent / f".{secrets.token_hex(8)}.part"
    try:
        with _alone(name):
            before = os.stat(name)
            _copy(name, part, (before.st_uid, before.st_gid), mode=before.st_mode & 0o777)
            part.replace(name)
            return before.st_size, os.stat(name).st_size
    except OSError as error:
        raise unusable(error, name, "compacted") from error
    finally:
        part.unlink(missing_ok=True)
        os.close(writing)


def _copy(name: str, part: Path, owner: tuple[int, int], *, mode: int) -> None:
    fd = create_new(part, owner)
    try:
        os.fchmod(fd, mode)
        kept = environment(name, 1 << 36, readonly=True, lock=False)
        try:
            kept.copyfd(fd, compact=True)
        except lmdb.Error as error:
            raise failed(error, name, "compacted") from error
        finally:
            kept.close()
        os.fsync(fd)
    finally:
        os.close(fd)


@contextmanager
def _alone(name: str) -> Generator[None]:
    """
    No other process has the store open, and its lock file is gone: who opens it to read meanwhile uses none, and goes on with
    the file as it was. A lock file that stays would have the numbers of transactions that the copy does not have.
    """
    lock = lock_of(name)
    try:
        fd = os.open(lock, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        yield
        return
    try:
        fcntl.lockf(fd, fcntl.LOCK_EX | fcntl.LOCK_NB, _READER_LOCKS)
        with suppress(FileNotFoundError):
            os.unlink(lock)
        yield
    except BlockingIOError:
        raise StoreError(f"{name} is open in another process, such as serve or top: end that one first.") from None
    finally:
        os.close(fd)
