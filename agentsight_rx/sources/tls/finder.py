"""Files, some of them several times -> each Library among them, once."""

from __future__ import annotations

from collections.abc import Callable
from typing import BinaryIO

from ...errors import CaptureError
from .libraries import FileId, Library, file_id, inspect_open, open_file
from .mapped import Mapped

__all__ = ["Finder"]

_OTHERS_MOST = 65_536  # files without TLS that are remembered; a build keeps making new programs


class Finder:
    """
    Inspects each file once, by its identity, whatever its path and however many processes map it. `attach` gets the library
    and a path that opens exactly this file during the call.
    """

    def __init__(self, attach: Callable[[Library, str], None]) -> None:
        self._attach = attach
        self._probed: set[FileId] = set()
        self._others: set[FileId] = set()

    def look_into(self, file: BinaryIO, name: str | Mapped) -> bool:
        """Whether it is probed now. Raises CaptureError where it cannot be read or probed."""
        identity = file_id(file)
        if identity in self._probed or identity in self._others:
            return identity in self._probed
        if len(self._others) >= _OTHERS_MOST:
            self._others.clear()
        self._others.add(identity)
        library = inspect_open(file, name if isinstance(name, str) else name.name)
        if library is None:
            return False
        self._attach(library, f"/proc/self/fd/{file.fileno()}")
        self._probed.add(identity)
        return True

    def knows(self, path: str) -> bool:
        """Whether it was inspected, or cannot be."""
        try:
            with open_file(path) as file:
                identity = file_id(file)
        except CaptureError:
            return True
        return identity in self._probed or identity in self._others

    def attempt(self, path: str, name: str | Mapped = "") -> bool | None:
        """The same for any path; None where it cannot be opened, because its process is gone for example."""
        try:
            file = open_file(path)
        except CaptureError:
            return None
        with file:
            try:
                return self.look_into(file, name or path)
            except CaptureError:
                return False
