"""Files that programs have mapped as code -> what breakpoints they get; a process of its own searches them, each once."""

from __future__ import annotations

import os
import select
import socket
from collections.abc import Callable
from contextlib import suppress
from typing import NoReturn

from msgspec import Struct

from ...core.bounded import Recent
from ..tls.libraries import open_file
from .code import Code, Request, identity
from .code_cache import CodeCache
from .frames import Wire
from .process import Process, is_program
from .space import Mapping, mappings

__all__ = ["Searches", "start_searching"]

_CODES_MOST = 4096  # files; a build keeps making new programs
_QUIET_S = 0.5  # without a request, before what is new is kept

Key = tuple[int, int, int]
Found = list[tuple[Mapping, Code]]


class _Waiting(Struct):
    """A thread that stands still until these files were searched."""

    tid: int
    keys: set[Key]
    mapped: list[tuple[Mapping, Key]]
    then: Callable[[Found], None]


class Searches:
    def __init__(self, end: socket.socket) -> None:
        self.wire: Wire[Request, Code] = Wire(end, list[Code])
        self._codes: Recent[Key, Code] = Recent(_CODES_MOST)
        self._asked: set[Key] = set()  # and not answered yet
        self._waiting: list[_Waiting] = []

    @property
    def waiting(self) -> set[int]:
        """The threads that stand still."""
        return {each.tid for each in self._waiting}

    def of(self, process: Process, tid: int, then: Callable[[Found], None]) -> None:
        """
        Call `then` with the new files that it has mapped: at once, or behind the search of a file that is met for the first
        time. Until then its thread stands still.
        """
        mapped: list[tuple[Mapping, Key]] = []
        unknown: set[Key] = set()
        for mapping in mappings(process.pid):
            place = f"/proc/{process.pid}/root{mapping.path}"
            with suppress(Exception), open_file(place) as file:
                key = identity(file)
                if key[1] != mapping.inode or key in process.space.files:
                    continue
                mapped.append((mapping, key))
                if self._codes.use(key) is None:
                    unknown.add(key)
                    self._ask(Request(key, place, mapping.path, is_program(process.pid, key)))
        process.space.files |= {key for _, key in mapped}
        waiting = _Waiting(tid, unknown, mapped, then)
        if unknown:
            self._waiting.append(waiting)
        else:
            self._go_on(waiting)

    def _ask(self, request: Request) -> None:
        if request.key not in self._asked:
            self._asked.add(request.key)
            self.wire.send([request])

    def _go_on(self, waiting: _Waiting) -> None:
        found = ((mapping, self._codes.get(key)) for mapping, key in waiting.mapped)
        waiting.then([(mapping, code) for mapping, code in found if code is not None])

    def take(self) -> None:
        """What the searcher has found."""
        for code in self.wire.receive():
            self._codes.put(code.key, code)
            self._asked.discard(code.key)
            for waiting in self._waiting:
                waiting.keys.discard(code.key)
        if self.wire.closed:  # it was killed
            for waiting in self._waiting:
                waiting.keys.clear()
        done = [waiting for waiting in self._waiting if not waiting.keys]
        self._waiting = [waiting for waiting in self._waiting if waiting.keys]
        for waiting in done:
            self._go_on(waiting)

    def forget(self, tid: int) -> None:
        """The thread ended."""
        self._waiting = [waiting for waiting in self._waiting if waiting.tid != tid]


def _search(end: socket.socket) -> NoReturn:
    """It answers requests until the tracer ends."""
    wire: Wire[Code, Request] = Wire(end, list[Request])
    kept = CodeCache()
    while not wire.closed:
        if not select.select([wire], [wire] if wire.is_waiting else [], [], _QUIET_S)[0]:
            kept.save()
        for request in wire.receive():
            wire.send([kept.of(request)])
        wire.flush()
    kept.save()
    os._exit(0)


def start_searching(*others: socket.socket) -> Searches:
    """Fork the searcher, which has none of these `others`."""
    ours, theirs = socket.socketpair()
    if os.fork() == 0:
        try:
            for each in (ours, *others):
                each.close()
            _search(theirs)
        finally:
            os._exit(1)
    theirs.close()
    return Searches(ours)
