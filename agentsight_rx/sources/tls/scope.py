"""A target and the binaries given with it -> the processes that the TLS source watches."""

from __future__ import annotations

import ctypes
import mmap
import os
import threading
import time
from collections.abc import Callable, Mapping, Sequence, Set
from itertools import islice
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from ...core.errors import CaptureError
from ...events import Origin
from ..containers.references import Container, is_reference, resolve_reference
from ..kernel.program import Program
from ..running_agents.choice import Roots
from ..target import Target, seeds
from .candidates import users_of
from .libraries import open_file
from .traffic import Traffic


class Scope(Struct, frozen=True):
    """The processes of `target` and, with `by_file`, the processes that use one of `files`."""

    target: Target
    files: tuple[str, ...] = ()
    by_file: bool = False

    @property
    def containers(self) -> tuple[Container, ...]:
        return self.target.containers

    @property
    def switches(self) -> list[str]:
        """Definitions for bpf/tls.c."""
        return ["-DBY_FILE"] if self.by_file else []

    def watched(self) -> set[int]:
        """The pids that match now."""
        return set(seeds(self.target, self._users()))

    def _users(self) -> Set[int]:
        return users_of(self.files) if self.by_file else frozenset()

    def choose(self, program: Program[Any]) -> None:
        """Have the kernel's program watch: first processes that start later, then running ones."""
        if self.by_file:
            for path in self.files:
                _show(program, path)
        program.seed(self._users)


def scope_of(target: Target, binaries: Sequence[str]) -> Scope:
    """The scope that TlsOptions describe; see there."""
    files = tuple(os.path.abspath(path) for path in binaries if not is_reference(path))
    known = {container.reference: container for container in target.containers}
    named = (known.get(text) or resolve_reference(text) for text in binaries if is_reference(text))
    containers = tuple(dict.fromkeys((*target.containers, *named)))
    by_file = bool(files) and target.pid is None and target.session is None and target.roots is None
    if by_file:
        target = Target(uid=target.uid, children=target.children, cgroup=target.cgroup, roots=Roots())  # none by itself
    return Scope(replace(target, containers=containers), files, by_file)


def _show(program: Program[Any], path: str) -> None:
    """
    Map the file, so that the kernel's program sees it as it will in other processes. stat(2) is no substitute: some file
    systems report a device number that is not the one in the kernel.
    """
    teacher, here = program.bpf["teacher"], ctypes.c_int(0)
    teacher[here] = ctypes.c_uint32(threading.get_native_id())
    try:
        with open_file(path) as file:
            mmap.mmap(file.fileno(), 1, mmap.MAP_PRIVATE, mmap.PROT_READ | mmap.PROT_EXEC).close()
    except OSError as error:
        raise CaptureError(f"{path} cannot be mapped as a program ({error.strerror}): it cannot be run") from error
    finally:
        teacher[here] = ctypes.c_uint32(0)
    if not len(program.bpf["chosen"]):
        raise CaptureError(
            f"the kernel did not report that we mapped {path}, so its users are not known; choose them by --pid or --comm"
        )


# -- silence -------------------------------------------------------------------------------------------------------
# Processes that read and write, and give no plaintext any more: their probes are gone.


_EVERY_S = 1.0
_SECONDS = 5  # in which bytes moved and no plaintext was seen, one after the other
_LEAST = 512  # bytes that moved in such a second: what TLS says for itself is less
_SOCKETS_MOST = 64  # of a process
_PROCESSES_MOST = 256
_TRIES_MOST = 3  # of one process
_WRAP = 1 << 32


class Silent(Struct, frozen=True):
    """A process, and the bytes that it moved in these seconds without plaintext."""

    origin: Origin
    seconds: int
    size: int


class _Watched(Struct):
    moved: dict[int, int] = {}  # by socket
    plaintext: int = 0
    seconds: int = 0
    size: int = 0
    tries: int = 0


class Silence:
    """
    Only processes count whose connections were all read so far: of others it is not known which bytes should have shown. What
    waits in the kernel and was not read by the process does not count either.
    """

    def __init__(
        self,
        traffic: Traffic,
        plaintext: Callable[[], Mapping[tuple[int, int], int]],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`plaintext` gives the bytes that were read of each process, by pid and its start."""
        self._traffic = traffic
        self._plaintext = plaintext
        self._clock = clock
        self._looked_s = clock()
        self._watched: dict[tuple[int, int], _Watched] = {}

    def look(self) -> list[Silent]:
        """Once a second: the processes that have been silent too long, as of now."""
        now_s = self._clock()
        if now_s - self._looked_s < _EVERY_S:
            return []
        self._looked_s = now_s
        out: list[Silent] = []
        plaintext = self._plaintext()
        watched: dict[tuple[int, int], _Watched] = {}
        for origin, start_ns, socks in islice(self._traffic.read_wholly(), _PROCESSES_MOST):
            key = origin.pid, start_ns
            state = watched[key] = self._watched.get(key) or _Watched()
            if self._second(state, plaintext.get(key, 0), socks[:_SOCKETS_MOST]) and state.tries < _TRIES_MOST:
                out.append(Silent(origin, state.seconds, state.size))
                state.tries += 1
                state.seconds = state.size = 0
        self._watched = watched
        return out

    def _second(self, state: _Watched, plaintext: int, socks: list[int]) -> bool:
        before, state.moved = state.moved, {sock: self._traffic.ask(sock).moved for sock in socks}
        moved = sum((now - before[sock]) % _WRAP for sock, now in state.moved.items() if sock in before)
        if plaintext != state.plaintext:
            state.plaintext, state.seconds, state.size = plaintext, 0, 0
        elif moved >= _LEAST:
            state.seconds += 1
            state.size += moved
        return state.seconds >= _SECONDS
