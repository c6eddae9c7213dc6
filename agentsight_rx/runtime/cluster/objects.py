"""
A URL -> files in an object store, through fsspec. `create` is a conditional write, of which the store proves that it is one.

fsspec knows stores that look first and then write, and servers that ignore the condition: both are refused, since of two
writers at once both would be the first.
"""

from __future__ import annotations

import time
from contextlib import suppress
from importlib import import_module
from typing import Any
from weakref import WeakSet

from ...core.errors import SpoolError

_WAITS_S = (0.1, 0.5, 2.0)  # before a conditional write is tried again
_PROVEN: WeakSet[Any] = WeakSet()  # file systems of fsspec, one for each store and account, that refused a second create


class ObjectPlace:
    """A `Place`. A write is there as a whole or not at all, so nothing is ever unfinished."""

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
        self._kind: Any = self._files.__class__

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
        """A conditional write: `if-none-match` of S3, `if-generation-match` of GCS."""
        if not self._files.async_impl and self._kind.pipe_file is _base().pipe_file:
            raise SpoolError(f"{self.url} {_NO_CONDITION}")
        with self._refusing("written", name):
            created = self._created(name, content)
            if created and self._files not in _PROVEN:
                if self._created(name, content):  # what is there now is the same
                    raise SpoolError(f"{self.url} {_NO_CONDITION}")
                _PROVEN.add(self._files)
        return created

    def _created(self, name: str, content: bytes) -> bool:
        for wait_s in (*_WAITS_S, None):
            try:
                self._files.pipe_file(f"{self._root}/{name}", content, mode="create")
            except FileExistsError:
                return False
            except (FileNotFoundError, PermissionError):
                raise
            except OSError:
                # Two writers at the same moment: S3 answers one of them with 409, and not every store says with which
                # condition a 412 is meant. What is there now tells.
                if self._is_there(name):
                    return False
                if wait_s is None:
                    raise
                time.sleep(wait_s)
            else:
                return True
        raise AssertionError("it returns or raises")

    def _is_there(self, name: str) -> bool:
        self._files.invalidate_cache()
        return bool(self._files.exists(f"{self._root}/{name}"))

    def remove(self, name: str, /) -> None:
        with suppress(OSError):
            self._files.rm_file(f"{self._root}/{name}")

    def tidy(self, _: str, /) -> int:
        return 0

    def _refusing(self, done: str, name: str) -> _Refusing:
        return _Refusing(f"{self.url}: {name} cannot be {done}")


_NO_CONDITION = (
    "cannot create a file only if it does not exist, so two writers could both succeed: give an object store with "
    "conditional writes, or a folder"
)


def _base() -> Any:
    """Its `pipe_file` looks first and then writes."""
    return import_module("fsspec").AbstractFileSystem


class _Refusing:
    """Turns every error of a store, of which each kind has its own, into a sentence."""

    def __init__(self, text: str) -> None:
        self._text = text

    def __enter__(self) -> None:
        pass

    def __exit__(self, _: object, error: BaseException | None, __: object) -> None:
        if isinstance(error, Exception) and not isinstance(error, SpoolError):
            raise SpoolError(f"{self._text}: {str(error) or type(error).__name__}") from error
