"""What the page may show: the run that goes on, or the recordings that are in files. An id -> a store to read."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from threading import Lock
from typing import Protocol

from msgspec import Struct

from ...core.bounded import Recent
from ...core.errors import StoreError
from ...sinks import Lent
from ...store.state import LmdbStore, MemoryStore

LIVE = "live"
_OPEN_MOST = 6  # files that are open at once: each is a map of memory
_LISTED_MOST = 2000


class Listed(Struct, frozen=True):
    """One recording. `changed_ms` is Unix time."""

    id: str
    name: str
    changed_ms: int = 0
    being_written: bool = False


class Opened(Struct, frozen=True):
    """A store, and a number that changes with each commit. `path` is its file, "" where it is in none."""

    store: LmdbStore | MemoryStore
    version: int
    being_written: bool
    closing: bool = False  # its run has ended, and the store is not closed yet
    path: str = ""


class Recordings(Protocol):
    """Used by several threads."""

    def listed(self) -> Sequence[Listed]:
        """The newest first."""
        ...

    def opened(self, id: str, /) -> Opened:
        """Raises KeyError for an id that is not, or no longer, there, and StoreError for one that cannot be read."""
        ...


class LiveRecording:
    """The run of this process. `ended` says whether it goes on."""

    def __init__(self, lent: Lent, ended: Callable[[], bool]) -> None:
        self._lent = lent
        self._ended = ended

    def listed(self) -> Sequence[Listed]:
        return [Listed(LIVE, "this run", being_written=not self._ended())]

    def opened(self, id: str, /) -> Opened:
        if id != LIVE:
            raise KeyError(id)
        store = self._lent.store
        if store is None:
            raise StoreError("nothing is stored yet")
        ended = self._ended()
        path = store.path if isinstance(store, LmdbStore) else ""
        return Opened(store, store.version(), not ended, closing=ended, path=path)


class StoredRecordings:
    """Files. `paths` gives the existing files, the newest last; a file that was replaced is opened again."""

    def __init__(self, paths: Callable[[], Sequence[Path]], is_being_written: Callable[[Path], bool]) -> None:
        self._paths = paths
        self._is_being_written = is_being_written
        self._lock = Lock()
        self._open: Recent[Path, tuple[int, LmdbStore]] = Recent(_OPEN_MOST)

    def listed(self) -> Sequence[Listed]:
        found: list[Listed] = []
        for path in reversed(self._paths()[-_LISTED_MOST:]):
            try:
                changed = path.stat().st_mtime_ns // 1_000_000
            except OSError:
                continue
            found.append(Listed(path.stem, str(path), changed, self._is_being_written(path)))
        return found

    def opened(self, id: str, /) -> Opened:
        path = next((each for each in reversed(self._paths()) if each.stem == id), None)
        if path is None:
            raise KeyError(id)
        with self._lock:
            store = self._store(path)
            try:
                version = store.version()
                store.used()  # a writer that opened the file since makes reading fail
            except StoreError:
                self._close(path)
                store = self._store(path)
                version = store.version()
        return Opened(store, version, self._is_being_written(path), path=str(path))

    def close(self) -> None:
        with self._lock:
            for path in list(self._open):
                self._close(path)

    def _store(self, path: Path) -> LmdbStore:
        try:
            number = path.stat().st_ino
        except OSError as error:
            self._close(path)
            raise StoreError(f"the recording is gone: {path} {error.strerror}") from error
        known = self._open.use(path)
        if known is not None and known[0] == number:
            return known[1]
        self._close(path)
        store = LmdbStore.open(path, readonly=True)
        evicted = self._open.put(path, (number, store))
        if evicted is not None:
            evicted[1][1].close()
        return store

    def _close(self, path: Path) -> None:
        known = self._open.pop(path, None)
        if known is not None:
            known[1].close()
