"""A run -> its state in an LMDB file, from which another run of its graph goes on: places of sources, what operators keep."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeVar

import msgspec
from msgspec import Struct
from reactivex import Observable

from ..core.engine import Engine, EngineState
from ..core.errors import StoreError, UsageError
from ..core.hub import Continues, Hub
from ..core.machine import Node
from ..core.sink import Mark, Sink, SinkThread, Writer
from ..core.stream import as_stream
from ..events import milliseconds
from ..events.loss import Ledger, Reason
from ..store.state import LmdbStore, Put, Table
from ..store.words import took

# Stock operators that keep nothing from one event to the next. What the others keep cannot be read from outside
_STATELESS = frozenset({"as_observable", "cast", "do", "do_action", "filter", "map", "pluck", "pluck_attr", "starmap", "tap"})
# Between two saves, at least; and so many times longer than one takes, so that large states do not stop the graph
EVERY_S, TIMES_LONGER = 0.25, 20
_MANY = 8192  # what the graph emits before it is saved earlier, since the store keeps it in memory until then
S = TypeVar("S")
_BOOT = Path("/proc/sys/kernel/random/boot_id")


class SourceState(Struct, frozen=True, array_like=True):
    """Where a source is: its own `place` if it has one, how many events it gave, and whether it has ended."""

    name: str
    taken: int
    place: bytes | None
    ended: bool


class SavedRun(Struct, frozen=True):
    """One state of a run. `engine` is None where the graph was done; times of live events count from the start of `boot`."""

    graph: str
    boot: str
    saved_ms: int
    sources: list[SourceState]
    engine: EngineState | None


SAVED_RUN = Table("saved_run", SavedRun)  # one row


class _SavedSources(Struct, frozen=True):
    """The part of a SavedRun that a look at the sources alone needs."""

    sources: list[SourceState]


_SAVED_SOURCES = Table("saved_run", _SavedSources)


def saved_places(path: str | os.PathLike[str], /) -> list[SourceState]:
    """Where the last run at `path` left its sources; nothing where there was none. Raises StoreError."""
    found = _read(os.path.abspath(path), _SAVED_SOURCES)
    return found.sources if found is not None else []


class Saving:
    """
    Keeps the state of one run at `path`, by the sink that keeps its rows in the same file, else by one of its own. Its methods
    are called on the thread of the engine, but for `unseen` and `place`, which the reader of a source calls.

    Raises UsageError for a graph that cannot be saved, or is not the one that was saved there.
    """

    def __init__(
        self, path: str | os.PathLike[str], graph: Observable[Any], sinks: Sequence[SinkThread], ledger: Ledger
    ) -> None:
        self._path = os.path.abspath(path)
        node = as_stream(graph).node()
        _refuse_stock(node)
        self._graph = _shape(node)
        self._saved = _read(self._path, SAVED_RUN)
        self._hubs: list[Hub[Any]] = []
        self._skip: dict[Hub[Any], int] = {}  # events that an earlier run took
        self._given: dict[Hub[Any], int] = {}  # events that a reader gave, those of earlier runs included
        self._at: dict[Hub[Any], SourceState] = {}  # as far as the engine took
        self._between: set[Hub[Any]] = set()  # the engine has a part of what they gave
        own = (sink for sink in sinks if sink.path == self._path)
        self.saver = next(own, None) or SinkThread(Sink("state", self._opened, path=self._path), ledger)  # the sink that saves
        self._others: list[SinkThread] = []  # which have written what came before a state, once that is saved
        self._changed = False
        self._emitted = 0
        self._next_s = 0.0
        self.notes: list[str] = []  # a sentence each

    # -- begin ---------------------------------------------------------------------------------------------------------

    def _opened(self, _: Ledger) -> _StateWriter:
        return _StateWriter(self._path)

    def begin(self, engine: Engine, sinks: Sequence[SinkThread]) -> None:
        """
        Go on where the last run was saved, once the graph is attached and before its sources are opened. What happened
        meanwhile, and no source can show any more, is counted.
        """
        self._others = [sink for sink in sinks if sink is not self.saver and not sink.awaits_reader]
        self._hubs = engine.hubs
        for hub in self._hubs:
            self._at[hub] = SourceState(hub.name, 0, None, ended=False)
            if not (hub.live or getattr(hub.reader, "repeats", True)):
                raise UsageError(f"resume: the source {hub.name} cannot be read again, since its input is a pipe: give a file")
        self._snapshot(engine)  # what can never be saved is refused now
        saved = self._saved
        if saved is None:
            return
        names = [source.name for source in saved.sources]
        if saved.graph != self._graph or names != [hub.name for hub in self._hubs]:
            raise UsageError(
                f"resume: {self._path} has the state of another graph. It was\n{saved.graph}\nand this is\n{self._graph}\n"
                "Give another file, or remove the state with the file"
            )
        live = [hub for hub in self._hubs if hub.live and hub.time_of is not None]
        if live and saved.engine is not None and saved.boot != _boot():
            raise UsageError(
                f"resume: {self._path} was saved before this machine was started anew, and the times of live events count from "
                "the start of the machine. Give another file"
            )
        if saved.engine is not None:
            self._restore(engine, saved.engine)
        for hub, source in zip(self._hubs, saved.sources, strict=True):
            self._go_on(engine, hub, source, again=saved.engine is None)
        for hub in self._hubs:
            if hub.live and not isinstance(hub.reader, Continues) and not hub.ended:
                engine.ledger.shared(hub.name).lose(Reason.NOT_RUNNING, 1)
                self.notes.append(
                    f"{hub.name} shows nothing of the time since the last run was saved, {_since(saved)} before this one."
                )

    def _go_on(self, engine: Engine, hub: Hub[Any], source: SourceState, *, again: bool) -> None:
        """`again`: the graph was done, so that even a source that had ended is asked for more."""
        self._at[hub] = source
        self._given[hub] = source.taken
        if source.ended and not again:
            engine.end(hub)
        elif isinstance(hub.reader, Continues):
            if source.place is not None:
                hub.reader.go_on(source.place)
        elif not hub.live:
            self._skip[hub], self._given[hub] = source.taken, 0

    def _restore(self, engine: Engine, state: EngineState) -> None:
        try:
            engine.restore(state)
        except (ValueError, msgspec.MsgspecError) as error:
            raise UsageError(
                f"resume: {self._path} has a state that these operators do not read ({error}): they were changed since, or "
                "it is of another release. Give another file"
            ) from error

    # -- sources -------------------------------------------------------------------------------------------------------

    def unseen(self, hub: Hub[Any], batch: Sequence[Any]) -> Sequence[Any]:
        """What a reader gave, without what an earlier run had taken."""
        skipped = min(self._skip.get(hub, 0), len(batch))
        self._given[hub] = self._given.get(hub, 0) + len(batch)
        if not skipped:
            return batch
        self._skip[hub] -= skipped
        return batch[skipped:]

    def place(self, hub: Hub[Any], *, ended: bool = False) -> SourceState:
        """Where its reader is, behind all that it gave."""
        place = hub.reader.place() if isinstance(hub.reader, Continues) else None
        return SourceState(hub.name, self._given.get(hub, 0), place, ended)

    def took(self, hub: Hub[Any], entry: Sequence[Any]) -> bool:
        """The engine takes an entry of this source: whether that is its place, which comes behind each batch, and no event."""
        self._changed = True
        if type(entry[0]) is SourceState:
            self.reached(hub, entry[0])
            return True
        self._between.add(hub)
        return False

    def reached(self, hub: Hub[Any], place: SourceState) -> None:
        """The engine has all that was given before this place."""
        self._changed = True
        self._at[hub] = place
        self._between.discard(hub)

    # -- saves ---------------------------------------------------------------------------------------------------------

    def emitted(self, count: int) -> None:
        self._emitted += count

    def look(self, engine: Engine) -> None:
        """Save if it is time to, between two batches."""
        if self._changed and not self._between and (self._emitted >= _MANY or time.monotonic() >= self._next_s):
            began_s = time.monotonic()
            self.save(self._snapshot(engine))
            took_s = time.monotonic() - began_s
            self._next_s = began_s + max(EVERY_S, TIMES_LONGER * took_s)

    def end(self, engine: Engine, *, done: bool) -> None:
        """The last state: of a graph that is `done`, only where its sources are."""
        if done:
            self.save(None)
        elif not self._between:
            self.save(self._snapshot(engine))

    def save(self, state: EngineState | None) -> None:
        run = SavedRun(self._graph, _boot(), milliseconds(time.time_ns()), [self._at[hub] for hub in self._hubs], state)
        mark = Mark(Put(SAVED_RUN, 0, run), len(self._others))
        for sink in (*self._others, self.saver):
            sink.put_mark(mark)
        self._changed, self._emitted = False, 0

    def _snapshot(self, engine: Engine) -> EngineState:
        if engine.hubs != self._hubs:
            raise UsageError("resume: an operator subscribed to a source during the run, so that it cannot be saved")
        try:
            return engine.snapshot()
        except TypeError as error:
            raise UsageError(f"resume: {error}") from error


class _StateWriter(Writer[Any]):
    """A store with nothing but the state of a run."""

    def __init__(self, path: str) -> None:
        self._store = LmdbStore.open(path)

    def hold(self) -> None:
        pass

    def save(self, state: Put[Any], /) -> None:
        self._store.commit([state])

    def write(self, batch: Sequence[Any], /) -> None:
        raise NotImplementedError("it takes no events")

    def flush(self) -> None:
        self._store.sync()

    def close(self) -> None:
        try:
            self._store.sync()
        finally:
            self._store.close()


def _read(path: str, table: Table[S]) -> S | None:
    if not os.path.exists(path) or not os.path.getsize(path):
        return None
    store = LmdbStore.open(path, readonly=True)
    try:
        return store.get(table, 0)
    except msgspec.MsgspecError as error:
        raise StoreError(f"{path} has the state of a run that this release does not read: {error}") from error
    finally:
        store.close()


def _refuse_stock(node: Node) -> None:
    if not node.ours and node.name not in _STATELESS:
        what = (
            f"what {node.name} of RxPY keeps cannot be saved" if node.inputs else "an Observable of RxPY cannot be read again"
        )
        instead = "an operator of this package, such as op.each of a Checkpointed machine" if node.inputs else "a source"
        raise UsageError(f"resume: {what}. Use {instead}")
    for each in node.inputs:
        _refuse_stock(each)


def _shape(node: Node) -> str:
    """A graph as text, without the options of its sources: the processes that they watch differ from run to run."""

    def bare(each: Node) -> Node:
        inputs = tuple(map(bare, each.inputs))
        return Node(each.name, each.options if inputs else "", inputs, each.ours)

    return bare(node).text()


def _since(saved: SavedRun) -> str:
    return took(milliseconds(time.time_ns()) - saved.saved_ms)


def _boot() -> str:
    try:
        return _BOOT.read_text().strip()
    except OSError:
        return ""
