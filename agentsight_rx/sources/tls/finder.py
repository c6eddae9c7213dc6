"""Files, some of them several times -> each Library among them, once."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Generator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import BinaryIO

from ...core.bounded import Recent
from ...core.errors import CaptureError
from ...events import SEARCHED
from .candidates import Mapped
from .libraries import FileId, Library, file_id, inspect_open, open_file

_OTHERS_MOST = 65_536  # files without TLS that are remembered; a build keeps making new programs
_REFUSED_MOST = 1024
_SEEMING_MOST = 1024
_LARGE = 4 << 20  # bytes; a smaller file is searched in less than 50 ms


class _Refused(CaptureError):
    """A library was found, and cannot be probed."""


class Finder:
    """
    Inspects each file once, by its identity, whatever its path and however many processes map it. `attach` gets the library
    and a path that opens exactly this file during the call; it is always called by the thread that uses the Finder. `refused`
    gets a sentence for each library that could not be probed.
    """

    def __init__(self, attach: Callable[[Library, str], None], refused: Callable[[str], None]) -> None:
        self._attach = attach
        self._refused = refused
        self._probed: set[FileId] = set()
        self._others: set[FileId] = set()
        self.refused_places: set[tuple[int, int]] = (
            set()
        )  # device and inode of mapped files that have TLS code and cannot be probed
        self._seeming: Recent[FileId, str] = Recent(_SEEMING_MOST)  # what files without functions to probe look like
        self._thread: ThreadPoolExecutor | None = None
        self._clock: int | None = None  # of the processor that the thread used
        self._searches: list[tuple[BinaryIO, FileId, Future[Library]]] = []

    def look_into(self, file: BinaryIO, name: str | Mapped) -> bool:
        """Whether it is probed now. Raises CaptureError where it cannot be read or probed."""
        identity = file_id(file)
        if self._new(identity):
            try:
                self._found(file, identity, inspect_open(file, _text(name)))
            except _Refused:
                if isinstance(name, Mapped) and len(self.refused_places) < _REFUSED_MOST:
                    self.refused_places.add((name.device, name.inode))
                raise
        return identity in self._probed

    def _new(self, identity: FileId) -> bool:
        if identity in self._probed or identity in self._others:
            return False
        if len(self._others) >= _OTHERS_MOST:
            self._others.clear()
        self._others.add(identity)
        return True

    def _found(self, file: BinaryIO, identity: FileId, library: Library) -> None:
        if not library.is_readable:
            if library.seems:
                self._seeming.put(identity, library.seems)
            return
        try:
            self._attach(library, f"/proc/self/fd/{file.fileno()}")
        except CaptureError as error:
            raise _Refused(str(error)) from error
        self._probed.add(identity)

    @contextmanager
    def _reporting(self) -> Generator[None]:
        """Of files that were not named a refusal is reported, and nothing else: most are no ELF files, or gone."""
        try:
            yield
        except _Refused as error:
            self._refused(str(error))
        except CaptureError:
            pass

    def knows(self, path: str) -> bool:
        """Whether it was inspected, or cannot be."""
        identity = _identity(path)
        return identity is None or identity in self._probed or identity in self._others

    def probes(self, path: str) -> bool:
        """Whether this file is probed."""
        return _identity(path) in self._probed

    def attempt(self, path: str, name: str | Mapped = "") -> bool | None:
        """The same as `look_into` for any path; None where it cannot be opened: its process may be gone."""
        try:
            file = open_file(path)
        except CaptureError:
            return None
        with file, self._reporting():
            return self.look_into(file, name or path)
        return False

    def begin(self, path: str, name: str | Mapped = "") -> bool:
        """Like `attempt`, but a thread searches a large file, so it takes no time here. False where it cannot be opened."""
        try:
            file = open_file(path)
        except CaptureError:
            return False
        if os.fstat(file.fileno()).st_size < _LARGE:
            with file, self._reporting():
                self.look_into(file, name or path)
            return True
        identity = file_id(file)
        if not self._new(identity):
            file.close()
            return True
        self._thread = self._thread or ThreadPoolExecutor(1, "search", self._begun)
        self._searches.append((file, identity, self._thread.submit(inspect_open, file, _text(name or path))))
        return True

    def _begun(self) -> None:
        self._clock = time.pthread_getcpuclockid(threading.get_ident())

    def seems(self, identity: FileId) -> str | None:
        """What this file looks like: SEARCHED while the thread searches it, or will, and where it gave up; None: not known."""
        if any(identity == each for _, each, _ in self._searches):
            return SEARCHED
        return self._seeming.get(identity)

    @property
    def searching(self) -> bool:
        return bool(self._searches)

    @property
    def worked_s(self) -> float:
        """Seconds of the processor that the thread has used: its progress."""
        return 0.0 if self._clock is None else time.clock_gettime(self._clock)

    def take(self) -> None:
        """Attach what the thread has found."""
        done = [search for search in self._searches if search[2].done()]
        self._searches = [search for search in self._searches if search not in done]
        for file, identity, future in done:
            with file, self._reporting():
                self._found(file, identity, future.result())

    def close(self) -> None:
        """Give up the current search."""
        self._clock = None
        if self._thread is not None:
            self._thread.shutdown(cancel_futures=True)
        for file, identity, _ in self._searches:
            file.close()
            self._seeming.put(identity, SEARCHED)
        self._searches.clear()


def _identity(path: str) -> FileId | None:
    """None where it cannot be opened."""
    try:
        with open_file(path) as file:
            return file_id(file)
    except CaptureError:
        return None


def _text(name: str | Mapped) -> str:
    return name if isinstance(name, str) else name.name
