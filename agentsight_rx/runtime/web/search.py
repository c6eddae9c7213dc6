"""Recordings, words -> where they are. The index is derived: it can be removed at any time. It grows while it is asked."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from threading import Event, Lock, Thread

from msgspec import Struct

from ...core.errors import StoreError
from ...store.state import Store
from ...view.page.searched import Entry, entries_of, whole_texts
from ..recording.search_base import Base, Hit, Indexed, broken
from ..recording.search_words import words_of
from .recordings import Listed, Recordings

_RECORDINGS_MOST = 500  # that are searched, the newest
_FIRST_ANSWER_S = 0.05  # to wait for: a small recording is whole in the first answer
_LAG_MS = 2000  # by which the index may be behind a run that goes on
_AMENDED_MS = 600_000  # rows that began so long before may change while a run goes on; at its end all are compared
_CHUNK = 32_000  # characters that are put in while a search may wait: 10 to 20 ms


class Found(Struct, frozen=True, omit_defaults=True):
    """
    `searched` recordings of `recordings`; the others could not be read, are too many, or come while `going_on`. `texts` is how
    many texts are in the index.
    """

    hits: tuple[Hit, ...]
    searched: int
    recordings: int
    going_on: bool = False
    texts: int = 0


class SearchIndex:
    """
    SQLite with FTS5, in a file beside the recordings or in memory. A search answers from the index as it is, and a thread adds
    later changes. A search waits for one chunk of texts at most.
    """

    def __init__(self, recordings: Recordings, path: Path | None = None, *, owner: tuple[int, int] | None = None) -> None:
        self._recordings = recordings
        self._base = Base(path, owner)
        self._gate, self._lock = Lock(), Lock()  # a search that waits holds the gate, so it comes before the next chunk
        self._starting = Lock()
        self._thread: Thread | None = None
        self._done = Event()
        self._closed = False
        self._fresh_ms: dict[str, int] = {}  # when a recording that is being written was read last, by our clock
        self._failed: set[str] = set()

    def search(self, words: str, *, limit: int) -> Found:
        """
        Every word must be there, alone or within a longer one; words between quotation marks stand side by side. Raises
        StoreError where the index cannot be read.
        """
        listed = self._recordings.listed()
        self._start(listed[:_RECORDINGS_MOST])
        self._done.wait(_FIRST_ANSWER_S)
        going_on = not self._done.is_set()
        with self._gate, self._lock:
            try:
                hits = self._base.find(words_of(words), {each.id for each in listed}, limit=limit)
                known, texts = self._base.indexed(), self._base.count()
            except broken as error:
                raise StoreError(
                    f"the search index cannot be read ({error}): remove search.sqlite3, and it is made again"
                ) from error
        searched = sum(self._is_current(each, known.get(each.id)) for each in listed[:_RECORDINGS_MOST])
        return Found(tuple(hits), searched, len(listed), going_on, texts)

    def catch_up(self) -> None:
        """Wait until everything that is there now is indexed."""
        for _ in range(2):  # one that is under way may be about what was there before
            self._start(self._recordings.listed()[:_RECORDINGS_MOST])
            if self._thread is not None:
                self._thread.join()

    def caught_up(self, timeout_s: float) -> bool:
        """Whether everything that was there when the thread began is indexed by then; where none goes on, it begins now."""
        self._start(self._recordings.listed()[:_RECORDINGS_MOST])
        return self._done.wait(timeout_s)

    def close(self) -> None:
        self._closed = True
        if self._thread is not None:
            self._thread.join()
        with self._lock:
            self._base.close()

    def _start(self, listed: Sequence[Listed]) -> None:
        with self._starting:
            if self._closed or (self._thread is not None and self._thread.is_alive()):
                return
            self._done.clear()
            self._thread = Thread(target=self._go_on, args=(listed,), name="search", daemon=True)
            self._thread.start()

    def _go_on(self, listed: Sequence[Listed]) -> None:
        try:
            with self._gate, self._lock:
                known = self._base.indexed()
                self._base.forget(known.keys() - {each.id for each in self._recordings.listed()})
            for each in listed:
                if self._closed:
                    return
                if not self._is_current(each, known.get(each.id)):
                    self._read(each, known.get(each.id))
        finally:
            self._done.set()

    def _is_current(self, listed: Listed, known: Indexed | None) -> bool:
        if known is None or not known.whole:
            return False
        if listed.being_written:
            return _now_ms() - self._fresh_ms.get(listed.id, -_LAG_MS) < _LAG_MS
        return bool(listed.changed_ms) and known.changed_ms == listed.changed_ms and not known.being_written

    def _read(self, listed: Listed, known: Indexed | None) -> None:
        try:
            opened = self._recordings.opened(listed.id)
            state = Indexed(opened.version, listed.changed_ms, being_written=listed.being_written)
            if known is None:
                with self._gate, self._lock:
                    self._base.keep(listed.id, state)
            if known is not None and known.whole and known.version == opened.version:
                newest_ms = known.newest_ms
            else:
                going_on = known is not None and known.whole and known.being_written and listed.being_written
                since_ms = max(0, known.newest_ms - _AMENDED_MS) if known is not None and going_on else 0
                newest_ms = self._put_all(opened.store, listed.id, since_ms)
            if self._closed:
                return
            state.whole, state.newest_ms = True, newest_ms
            with self._gate, self._lock:
                self._base.keep(listed.id, state)
            self._fresh_ms[listed.id] = _now_ms()
        except (KeyError, StoreError, *broken):
            return

    def _put_all(self, store: Store, recording: str, since_ms: int) -> int:
        """All entries since then, and of cut ones the whole texts; returns the time of the newest one."""
        newest_ms = since_ms
        cut: list[Entry] = []
        keep: set[int] = set()
        chunk: list[Entry] = []
        size = 0
        for entry in entries_of(store, since_ms=since_ms):
            chunk.append(entry)
            size += len(entry.text)
            newest_ms = max(newest_ms, entry.at_ms)
            if size >= _CHUNK or len(chunk) >= 200:
                self._put(recording, chunk, keep, cut)
                chunk, size = [], 0
            if self._closed:
                return newest_ms
        self._put(recording, chunk, keep, cut)
        if not since_ms:
            with self._gate, self._lock:
                self._base.remove_others(recording, keep)
        for entry in whole_texts(store, cut):
            if self._closed:
                break
            self._put(recording, [entry], keep, [])
        return newest_ms

    def _put(self, recording: str, chunk: list[Entry], keep: set[int], cut: list[Entry]) -> None:
        with self._gate:
            pass  # a search that waits goes first
        with self._lock:
            cut += self._base.put(recording, chunk, keep)


def _now_ms() -> int:
    return time.monotonic_ns() // 1_000_000
