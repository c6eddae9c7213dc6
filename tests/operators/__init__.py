"""What the tests of operators share: a connection that numbers its records, and an operator that runs without Rx."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Generic, TypeVar

from agentsight_rx.core.engine import Engine, Site
from agentsight_rx.core.stream import Operator
from agentsight_rx.events import (
    BodyPart,
    Connection,
    Direction,
    HttpEvent,
    HttpRequest,
    HttpResponse,
    Loss,
    Origin,
    TlsChunk,
    TlsClose,
    WebSocketMessage,
)

A = TypeVar("A")
B = TypeVar("B")

CONNECTION = Connection(7, 700, "/lib/libssl.so.3", 0x7F00)
MS = 1_000_000


class Wire:
    """One connection as the capture sees it. Each record comes a millisecond after the one before."""

    def __init__(self, connection: Connection = CONNECTION, *, start_ns: int = 0) -> None:
        self.connection = connection
        self.now_ns = start_ns
        self._sides: dict[Direction, tuple[int, int]] = {"in": (0, 0), "out": (0, 0)}

    def reads(self, data: bytes, *, lost: int = 0) -> TlsChunk:
        return self._record("in", data, lost)

    def writes(self, data: bytes, *, lost: int = 0) -> TlsChunk:
        return self._record("out", data, lost)

    def record(self, direction: Direction, data: bytes) -> TlsChunk:
        return self._record(direction, data, 0)

    def misses(self, direction: Direction, size: int) -> None:
        """A record of `size` bytes that was not captured."""
        self._record(direction, bytes(size), 0)

    def closes(self) -> TlsClose:
        self.now_ns += MS
        return TlsClose(self.origin(None), self._sides["in"][0], self._sides["out"][0])

    def origin(self, direction: Direction | None) -> Origin:
        pid = self.connection.pid
        return Origin(self.now_ns, pid, pid + 1, 1000, "agent", 0, self.connection, direction)

    def _record(self, direction: Direction, data: bytes, lost: int) -> TlsChunk:
        self.now_ns += MS
        offset, seq = self._sides[direction]
        self._sides[direction] = (offset + len(data) + lost, seq + 1)
        return TlsChunk(self.origin(direction), data, offset, seq, lost)


class Running(Generic[A, B]):
    """An operator in the middle of a run."""

    def __init__(self, operator: Operator[A, B]) -> None:
        self.engine = Engine()
        self._kernel = operator.kernel(Site(self.engine, operator.name))

    def feed(self, *events: A) -> list[B]:
        return list(self._kernel.feed(events))

    def tick(self, now_ns: int) -> list[B]:
        return list(self._kernel.tick(now_ns))

    def finish(self) -> list[B]:
        return list(self._kernel.finish())

    def held(self) -> int:
        return self._kernel.held()

    def snapshot(self) -> bytes:
        return self._kernel.snapshot()

    def restore(self, state: bytes) -> None:
        self._kernel.restore(state)


def run(operator: Operator[A, B], events: Iterable[A]) -> list[B]:
    """Everything that `operator` makes of `events`, fed one by one, and of their end."""
    running = Running(operator)
    return [made for event in events for made in running.feed(event)] + running.finish()


def size_of(events: Sequence[HttpEvent]) -> int:
    """Bytes on the wire that these events stand for."""
    return sum(
        len(event.data) if isinstance(event, TlsChunk) else event.size
        for event in events
        if isinstance(event, TlsChunk | HttpRequest | HttpResponse | BodyPart | WebSocketMessage | Loss)
    )
