"""
What the last start of this kind loaded -> the same programs, loaded by a thread while the rest of a start is under way.

The kernel verifies our programs for 0.2 s, and Python imports the graph and the sinks for as long. Nothing runs earlier by it:
a program that is loaded sees nothing before it is attached, and it is attached by its source, as without this.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from threading import Event, Lock, Thread

from ...timing import step
from .cache import Begun, Cache, default_directory
from .loaded import Loaded
from .prepared import Prepared

__all__ = ["AHEAD", "Ahead"]


class _Work:
    """One Image, and once it is `done` its programs, or None where the kernel or the cache did not give them."""

    def __init__(self, begun: Begun) -> None:
        self.begun = begun
        self.taken = False  # by the thread, or by a source that did not wait for it
        self.done = Event()
        self.loaded: Loaded | None = None


class Ahead:
    """One start. Without `begin` nothing is loaded ahead, and nothing noted."""

    def __init__(self, cache: Cache | None = None) -> None:
        self._cache = cache
        self._kind = ""
        self.work: list[_Work] = []
        self._lock = Lock()
        self._noted: list[tuple[str, Mapping[str, int], Loaded]] = []

    def begin(self, kind: str) -> None:
        """`kind` says which starts load the same. Call it after the last fork of this process that goes on in Python."""
        self._kind = kind
        self._cache = self._cache or Cache(default_directory())
        self.work = [_Work(begun) for begun in self._cache.started(kind)]
        if self.work:
            Thread(target=self._load, name="ahead", args=(self._cache, self.work), daemon=True).start()

    def _load(self, cache: Cache, work: Sequence[_Work]) -> None:
        with step("programs, verified ahead"):
            for each in work:
                if self._claim(each):
                    try:
                        each.loaded = _loaded(cache, each.begun)
                    finally:
                        each.done.set()

    def _claim(self, work: _Work) -> bool:
        with self._lock:
            claimed, work.taken = not work.taken, True
        return claimed

    def loaded(self, found: Prepared, entries: Mapping[str, int]) -> Loaded:
        """
        The Image with its maps, for one source; its programs too where they were loaded ahead. Where the thread has not begun
        with them, the source loads them at the same time. Raises OSError as Loaded.
        """
        loaded = self._taken(found.key, entries) or Loaded(found.image, entries=entries)
        loaded.renewed_by(found.anew)
        if self._kind:
            with self._lock:
                self._noted.append((found.key, entries, loaded))
        return loaded

    def _taken(self, key: str, entries: Mapping[str, int]) -> Loaded | None:
        work = next((each for each in self.work if (each.begun.key, each.begun.entries) == (key, entries)), None)
        if work is None:
            return None
        if self._claim(work):
            work.done.set()  # by the source itself
            return None
        work.done.wait()
        loaded, work.loaded = work.loaded, None
        return loaded

    def end(self) -> None:
        """All sources are open: give up what none has taken, and keep what they loaded, for the next start."""
        work, self.work = self.work, []
        for each in work:
            if not self._claim(each):
                each.done.wait()
                if each.loaded is not None:
                    each.loaded.close()
        if self._kind and self._cache is not None:
            begun = [Begun(key, dict(entries), loaded.programs) for key, entries, loaded in self._noted if loaded.programs]
            order = {each.begun.key: place for place, each in enumerate(work)}  # threads end in any order
            self._cache.keep_started(self._kind, sorted(begun, key=lambda each: order.get(each.key, len(order))))
        self._kind, self._noted = "", []


def _loaded(cache: Cache, begun: Begun) -> Loaded | None:
    image = cache.get(begun.key)
    if image is None:
        return None
    loaded: Loaded | None = None
    try:
        loaded = Loaded(image, entries=begun.entries)
        for name, kind, attach_type, run in begun.programs:
            loaded.load(name, kind, attach_type=attach_type, run=run)
    except (OSError, StopIteration):  # the source will say why
        if loaded is not None:
            with suppress(OSError):
                loaded.close()
        return None
    return loaded


AHEAD = Ahead()
