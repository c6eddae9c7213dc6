"""Files that programs have mapped as code -> what breakpoints they get; a process of its own searches them, each once."""

from __future__ import annotations

import hashlib
import os
import select
import socket
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import NoReturn

import msgspec
from msgspec import Struct

from ...core.bounded import Recent
from ...core.messages import say
from ...core.options import msgpack_decoder
from ..own_folder import own_folder, read_own, replace_own
from ..tls.libraries import open_file
from ..tls.stacks.cache import finder, identity_of
from .calls import Wire
from .code import Code, Request, code_of, identity
from .process import Process, is_program
from .space import Mapping, mappings

# -- code cache ----------------------------------------------------------------------------------------------------
# Findings of files, kept between recordings: a command does not wait for the search of its libraries each time.
#
# A file is known by its place, its size and its times, as for the functions of TLS (tls/stacks/cache.py).


_ENTRIES_MOST = 1024
_SIZE_MOST = 16 << 20  # bytes of the file; an entry takes 1 kB, that of a program with many system calls 10 kB
_NAME = "breakpoints.msgpack"


class _Kept(Struct):
    """`search` is the version of the search. The newest entries stand last."""

    search: str
    entries: dict[str, Code]


_decode = msgpack_decoder(_Kept).decode


class CodeCache:
    """One process uses it; `save` writes its new entries. A damaged file, or one of another user, is ignored."""

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = folder or own_folder()
        self._kept = self._read()
        self._new = False

    def of(self, request: Request) -> Code:
        """What `code_of` returns."""
        try:
            with open_file(request.place) as file:
                known_as = f"{identity_of(file)}:{request.program:d}"
        except Exception:
            return Code(request.key, request.path)
        found = self._kept.entries.pop(known_as, None)
        if found is None:
            found, self._new = code_of(request), True
        self._kept.entries[known_as] = found
        if len(self._kept.entries) > _ENTRIES_MOST:
            del self._kept.entries[next(iter(self._kept.entries))]
        return msgspec.structs.replace(found, key=request.key, path=request.path)

    def _read(self) -> _Kept:
        with suppress(msgspec.MsgspecError):
            content = None if self._folder is None else read_own(self._folder / _NAME, _SIZE_MOST)
            kept = None if content is None else _decode(content)
            if kept is not None and kept.search == _search():
                return kept
        return _Kept(_search(), {})

    def save(self) -> None:
        """For the next recording, if there is something new."""
        if self._folder is not None and self._new:
            replace_own(self._folder / _NAME, msgspec.msgpack.encode(self._kept))
            self._new = False


@cache
def _search() -> str:
    """A hash of the code of this search, so that no other version uses what it found."""
    here = Path(__file__).parent
    own = b"\0".join((here / name).read_bytes() for name in ("calls.py", "code.py", "searches.py"))
    return hashlib.sha256(own + finder().encode()).hexdigest()


# ------------------------------------------------------------------------------------------------------------------------


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
        if unknown and not self.wire.closed:
            self._waiting.append(waiting)
        else:
            self._go_on(waiting)

    def _ask(self, request: Request) -> None:
        if request.key not in self._asked and not self.wire.closed:
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
        if self.wire.closed:  # it was killed: what is new from now on gets no breakpoints, and does not wait for them
            for waiting in self._waiting:
                waiting.keys.clear()
        done = [waiting for waiting in self._waiting if not waiting.keys]
        self._waiting = [waiting for waiting in self._waiting if waiting.keys]
        for waiting in done:
            self._go_on(waiting)

    def forget(self, tid: int) -> None:
        """The thread ended."""
        self._waiting = [waiting for waiting in self._waiting if waiting.tid != tid]


def _search_until_the_end(end: socket.socket) -> NoReturn:
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
            _search_until_the_end(theirs)
        except Exception as error:
            say(f"files are no longer searched for what to watch in them: {error!r}; please report this")
        finally:
            os._exit(1)
    theirs.close()
    return Searches(ours)
