"""Connections of a process, and how many of them were read -> a BlindSpot where some were not."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from msgspec import Struct

from ...core.bounded import Recent
from ...events import NO_CODE, BlindSpot, Event, NetEvent, Origin, ProcessExit, UnreadTls
from ...wire.address import endpoint

__all__ = ["Unread"]

_PROCESSES_MOST = 16_384
_PEERS_MOST = 64

Process = tuple[int, int]  # pid, start


class _Peers(Struct):
    """Of one process. `files` have TLS code that is not read, and what it looks like."""

    connections: int = 0
    peers: dict[str, None] = {}
    files: dict[str, str] = {}
    origin: Origin | None = None


class Unread:
    """
    `read(pid, start_ns)` says of how many connections of a process plaintext was seen. How much the others carried is not
    known: breakpoints count no bytes.
    """

    def __init__(self, read: Callable[[int, int], int]) -> None:
        self._read = read
        self._processes: Recent[Process, _Peers] = Recent(_PROCESSES_MOST)

    def take(self, event: Event) -> Iterator[Event]:
        """The event, unless it is for this alone; and behind the end of a process its unread connections."""
        if isinstance(event, UnreadTls):
            self._of((event.origin.pid, event.start_ns)).files[event.path] = event.looks_like
            return
        yield event
        if isinstance(event, NetEvent) and event.action == "connect" and event.protocol == "tcp" and not event.error:
            peers = self._of((event.origin.pid, event.start_ns))
            peers.connections += 1
            peers.origin = event.origin
            if len(peers.peers) < _PEERS_MOST:
                peers.peers[endpoint(event.peer, event.port)] = None
        elif isinstance(event, ProcessExit):
            yield from self._ended((event.origin.pid, event.start_ns))

    def _of(self, process: Process) -> _Peers:
        found = self._processes.use(process)
        if found is None:
            found = _Peers()
            self._processes.put(process, found)
        return found

    def _ended(self, process: Process) -> Iterator[BlindSpot]:
        peers = self._processes.pop(process, None)
        if peers is None or peers.origin is None:
            return
        read = self._read(*process)
        if peers.connections > read:
            yield BlindSpot(
                peers.origin,
                process[1],
                connections=peers.connections - read,
                size=0,
                peers=tuple(peers.peers),
                files=tuple(peers.files),
                looks_like=tuple(peers.files.values()),
                why="" if peers.files else NO_CODE,
                among=peers.connections if read else 0,
            )

    def finish(self) -> Iterator[BlindSpot]:
        """Of the processes that go on."""
        for process in [process for process, _ in self._processes.items()]:
            yield from self._ended(process)
