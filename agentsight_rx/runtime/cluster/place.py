"""
A path or URL -> where files are read and written: a folder of this machine or a shared one, or an object store (`objects`).

Two ways to write: `put` what has the name of its content, which any number of attempts may write at once, and `create` what
only the first may write.
"""

from __future__ import annotations

import fcntl
import os
import platform
import secrets
from collections.abc import Callable
from contextlib import suppress
from hashlib import blake2b
from importlib.metadata import version
from pathlib import Path
from typing import Protocol

import msgspec
import zstandard
from msgspec import Struct

from ...core.engine import EngineState
from ...core.errors import SpoolError
from ...core.files import NO_LINKS, create_new, why
from ...store.spool import SegmentBroken, Track
from ...store.spool.records import decompressed
from .objects import ObjectPlace

At = Callable[[str, int], None]

_PART = ".part"


def ignore(_: str, __: int) -> None:
    """The default callback: it does nothing."""


class Place(Protocol):
    """Files in folders one deep. Every method raises SpoolError where the place cannot be used."""

    url: str

    def folders(self) -> list[str]: ...
    def names(self, folder: str, /) -> list[str]: ...
    def read(self, name: str, /) -> bytes | None: ...  # None: it is not there
    def put(self, name: str, content: bytes, /) -> None: ...
    def create(self, name: str, content: bytes, /) -> bool: ...  # False: it is there already
    def remove(self, name: str, /) -> None: ...
    def tidy(self, folder: str, /) -> int: ...  # remove what writers that were killed left of unfinished files: so many


def place_of(url: str, at: At = ignore) -> Place:
    """A path, `file://` or any protocol of fsspec. `at` is called inside each write to a folder: a test ends us there."""
    protocol, found, rest = url.partition("://")
    if not found or protocol == "file":
        return LocalPlace(rest if found else url, at)
    return ObjectPlace(url)


class LocalPlace:
    def __init__(self, path: str, at: At = ignore) -> None:
        self.url = str(Path(path).absolute())
        self._root = Path(self.url)
        self._at = at

    def folders(self) -> list[str]:
        return self._listed(self._root, folders=True)

    def names(self, folder: str, /) -> list[str]:
        return self._listed(self._root / folder, folders=False)

    def _listed(self, path: Path, *, folders: bool) -> list[str]:
        try:
            with os.scandir(path) as entries:
                return sorted(each.name for each in entries if each.is_dir() is folders and not each.name.startswith("."))
        except FileNotFoundError:
            return []
        except OSError as error:
            raise SpoolError(f"{path} cannot be read: {error.strerror}") from error

    def read(self, name: str, /) -> bytes | None:
        path = self._root / name
        try:
            return path.read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise SpoolError(f"{path} cannot be read: {error.strerror}") from error

    def put(self, name: str, content: bytes, /) -> None:
        self._write(name, content, os.replace)

    def create(self, name: str, content: bytes, /) -> bool:
        try:
            self._write(name, content, _link)
        except FileExistsError:
            return False
        return True

    def _write(self, name: str, content: bytes, give_name: Callable[[Path, Path], None]) -> None:
        path = self._root / name
        part = path.parent / f".{secrets.token_hex(8)}{_PART}"
        try:
            path.parent.mkdir(parents=True, mode=0o700, exist_ok=True)
            with os.fdopen(_created(part), "wb") as file:
                file.write(content[: len(content) // 2])
                file.flush()
                self._at("part", len(content) // 2)
                file.write(content[len(content) // 2 :])
                file.flush()
                os.fsync(file.fileno())
                give_name(part, path)  # while it is locked, see `tidy`
            _sync(path.parent)
        except FileExistsError:
            raise
        except OSError as error:
            raise SpoolError(f"{path} cannot be written: {why(error, path.parent)}") from error
        finally:
            with suppress(OSError):
                part.unlink()

    def remove(self, name: str, /) -> None:
        with suppress(OSError):
            (self._root / name).unlink()

    def tidy(self, folder: str, /) -> int:
        """A writer locks its unfinished file: one that can be locked is of a writer that was killed."""
        removed = 0
        with suppress(OSError):
            for part in [each for each in (self._root / folder).iterdir() if _is_part(each.name)]:
                with suppress(OSError):  # of a living writer, gone by now, of another user, or no locks here: it stays
                    removed += _removed(part)
        return removed


def _is_part(name: str) -> bool:
    return name.startswith(".") and name.endswith(_PART)


def _created(part: Path) -> int:
    """A new file that is locked as long as it is open, where the file system has locks."""
    while True:
        descriptor = create_new(part)
        with suppress(OSError):
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        if part.exists():
            return descriptor
        os.close(descriptor)  # `tidy` came between the two


def _removed(part: Path) -> bool:
    """Raises BlockingIOError where its writer lives."""
    descriptor = os.open(part, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        part.unlink()
    finally:
        os.close(descriptor)
    return True


def _link(part: Path, path: Path) -> None:
    """Give a name that is free: of two writers the first has it."""
    try:
        os.link(part, path)
    except OSError as error:
        if error.errno in NO_LINKS:
            reason = "its file system has no hard links, which decide who was first: give another folder, or an object store"
            raise OSError(error.errno, reason) from error
        raise


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


# -- commit --------------------------------------------------------------------------------------------------------
# What a finished segment leaves: the commit, which names its output and the state behind it; and who may go on from it.


_FORMAT = 1
_LEVEL = 1  # a state is read once, and soon
_LARGEST = 4 << 30


class Pins(Struct, frozen=True, array_like=True):
    """What made a state: another release may keep something else, another Python may give another order."""

    product: str
    python: str

    def __str__(self) -> str:
        return f"agentsight-rx {self.product} on Python {self.python}"


class Commit(Struct, frozen=True, kw_only=True):
    """
    Segment `sequence` of `key` is done, behind segment `before` (0: it is the first). `output` and `state` are names in the
    same folder, `items` the number of all outputs of this key so far: the id of an output is (key, its number).
    """

    format: int = _FORMAT
    key: str
    sequence: int
    before: int
    output: str
    state: str
    items: int
    pins: Pins


class State(Struct, array_like=True):
    """Where the next segment goes on. No `engine`: the recording has ended, and the next one begins anew."""

    track: Track
    engine: EngineState | None = None


def own_pins() -> Pins:
    return Pins(version("agentsight-rx"), platform.python_version())


def commit_name(key: str, sequence: int) -> str:
    return f"{key}/{sequence:010}.done"


def content_name(key: str, sequence: int, content: bytes, kind: str) -> str:
    """A file is named by its content, so that two attempts can only write the same under the same name."""
    return f"{key}/{sequence:010}-{blake2b(content, digest_size=8).hexdigest()}.{kind}"


def encode_state(state: State) -> bytes:
    return msgspec.msgpack.encode(state)


def pack_state(encoded: bytes) -> bytes:
    return zstandard.ZstdCompressor(level=_LEVEL, write_checksum=True).compress(encoded)


def decode_state(packed: bytes, name: str) -> State:
    try:
        return msgspec.msgpack.decode(decompressed(packed, _LARGEST), type=State)
    except (SegmentBroken, msgspec.MsgspecError) as error:
        raise SpoolError(f"the state {name} cannot be read: {error}. Remove its .done file, and run again") from error


def decode_commit(content: bytes, name: str, *, pins: Pins | None = None) -> Commit:
    """Raises SpoolError where it is no state, or was made by another release or Python than `pins`."""
    try:
        found = msgspec.msgpack.decode(content, type=Commit)
    except msgspec.MsgspecError as error:
        raise SpoolError(f"the commit {name} cannot be read: {error}. Remove it, and run again") from error
    if pins is not None and found.pins != pins:
        raise SpoolError(
            f"{name} was made by {found.pins}, and this is {pins}: their states may differ. "
            "Go on with the same release and Python, or begin again with another --out"
        )
    return found


def read_commit(out: Place, key: str, sequence: int, *, pins: Pins | None = None) -> Commit | None:
    name = commit_name(key, sequence)
    content = out.read(name)
    return None if content is None else decode_commit(content, f"{out.url}/{name}", pins=pins)
