"""Processes that read and write, and give no plaintext any more: their probes are gone."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from itertools import islice

from msgspec import Struct

from ...events import Origin
from .traffic import Traffic

__all__ = ["Silence", "Silent"]

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
