"""
A path or URL -> where files are read and written: a folder of this machine or a shared one, or an object store by fsspec.

Two ways to write: `put` what has the name of its content, which any number of attempts may write at once, and `create` what
only the first may write.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol

from ..errors import SpoolError
from ..files import NO_LINKS, create_new, why

__all__ = ["LocalPlace", "Place", "place_of"]

At = Callable[[str, int], None]


def ignore(_: str, __: int) -> None:
    """The default of what is called on the way."""


class Place(Protocol):
    """Files in folders one deep. Every method raises SpoolError where the place cannot be used."""

    url: str

    def folders(self) -> list[str]: ...
    def names(self, folder: str, /) -> list[str]: ...
    def read(self, name: str, /) -> bytes | None: ...  # None: it is not there
    def put(self, name: str, content: bytes, /) -> None: ...
    def create(self, name: str, content: bytes, /) -> bool: ...  # False: it is there already
    def remove(self, name: str, /) -> None: ...


def place_of(url: str, at: At = ignore) -> Place:
    """A path, `file://` or any protocol of fsspec. `at` is called inside each write to a folder: a test ends us there."""
    protocol, found, rest = url.partition("://")
    if not found or protocol == "file":
        return LocalPlace(rest if found else url, at)
    return _ObjectPlace(url)


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
        part = path.parent / f".{secrets.token_hex(8)}.part"
        try:
            path.parent.mkdir(parents=True, mode=0o700, exist_ok=True)
            with os.fdopen(create_new(part), "wb") as file:
                file.write(content[: len(content) // 2])
                file.flush()
                self._at("part", len(content) // 2)
                file.write(content[len(content) // 2 :])
                file.flush()
                os.fsync(file.fileno())
            give_name(part, path)
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


class _ObjectPlace:
    def __init__(self, url: str) -> None:
        self.url = url.rstrip("/")
        try:
            core: Any = import_module("fsspec.core")
        except ImportError as error:
            raise SpoolError(f"{url} needs fsspec: install agentsight-rx[cluster]") from error
        try:
            self._files, self._root = core.url_to_fs(self.url)
        except (ImportError, ValueError) as error:
            raise SpoolError(f"{url} cannot be opened: {error}") from error

    def folders(self) -> list[str]:
        return self._listed(self._root, "directory")

    def names(self, folder: str, /) -> list[str]:
        return self._listed(f"{self._root}/{folder}", "file")

    def _listed(self, path: str, kind: str) -> list[str]:
        with self._refusing("read", path):
            self._files.invalidate_cache()
            try:
                found: list[dict[str, Any]] = self._files.ls(path, detail=True)
            except FileNotFoundError:
                return []
        return sorted(str(each["name"]).rstrip("/").rpartition("/")[2] for each in found if each["type"] == kind)

    def read(self, name: str, /) -> bytes | None:
        with self._refusing("read", name):
            try:
                content: bytes = self._files.cat_file(f"{self._root}/{name}")
            except FileNotFoundError:
                return None
        return content

    def put(self, name: str, content: bytes, /) -> None:
        with self._refusing("written", name):
            self._files.pipe_file(f"{self._root}/{name}", content)

    def create(self, name: str, content: bytes, /) -> bool:
        """A conditional write, which the store has to know: `if-none-match` of S3, `if-generation-match` of GCS."""
        with self._refusing("written", name):
            try:
                self._files.pipe_file(f"{self._root}/{name}", content, mode="create")
            except FileExistsError:
                return False
        return True

    def remove(self, name: str, /) -> None:
        with suppress(OSError):
            self._files.rm_file(f"{self._root}/{name}")

    def _refusing(self, done: str, name: str) -> _Refusing:
        return _Refusing(f"{self.url}: {name} cannot be {done}")


class _Refusing:
    """Turns every error of a store, of which each kind has its own, into a sentence."""

    def __init__(self, text: str) -> None:
        self._text = text

    def __enter__(self) -> None:
        pass

    def __exit__(self, _: object, error: BaseException | None, __: object) -> None:
        if isinstance(error, Exception) and not isinstance(error, SpoolError):
            raise SpoolError(f"{self._text}: {error}") from error


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
