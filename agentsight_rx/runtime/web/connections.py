"""
The connections of the page: how many a client may hold open, and how long. Who has not sent the token yet is a stranger, and
strangers cannot shut out the owner.

Uvicorn limits all connections together, and waits for the head of a request without an end; so both are done here.
"""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Any, cast

from msgspec import Struct
from uvicorn.protocols.http.h11_impl import H11Protocol


class Limits(Struct, frozen=True):
    """
    How many connections at once, and how many seconds. A browser opens six connections, some of them before it has anything to
    send.
    """

    strangers: int = 32  # one more takes the place of the oldest
    owners: int = 64  # of those who sent the token; one more takes the place of the one that has asked nothing for longest
    head_s: float = 10.0  # for a whole head of a request
    stranger_s: float = 30.0  # of a stranger in all, whatever it does: 60 kB, the page, over 20 kbit/s
    idle_s: int = 5  # between two requests


def protocol(limits: Limits) -> type[asyncio.Protocol]:
    """What uvicorn makes for each connection of one server."""
    return cast("type[asyncio.Protocol]", partial(_Connection, _Gate(limits)))


class _Gate:
    """All connections of one server."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self._strangers: dict[_Connection, None] = {}  # the oldest first
        self._owners: dict[_Connection, None] = {}  # the one that asked last is last

    def enter(self, connection: _Connection) -> None:
        _last(self._strangers, connection, self.limits.strangers)

    def welcome(self, connection: _Connection) -> None:
        """It has sent the token."""
        self._strangers.pop(connection, None)
        _last(self._owners, connection, self.limits.owners)

    def leave(self, connection: _Connection) -> None:
        self._strangers.pop(connection, None)
        self._owners.pop(connection, None)


def _last(connections: dict[_Connection, None], connection: _Connection, most: int) -> None:
    """Put it at the end; where there are too many, cut those at the begin."""
    connections.pop(connection, None)
    connections[connection] = None
    while len(connections) > most:
        oldest = next(iter(connections))
        del connections[oldest]
        oldest.cut()


class _Connection(H11Protocol):
    """One connection. The application finds `welcome` in the state of its scope."""

    def __init__(self, gate: _Gate, **rest: Any) -> None:
        super().__init__(**rest)
        self.app_state = {"welcome": self._welcome}
        self._gate = gate
        self._head: asyncio.TimerHandle | None = None
        self._life: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as in uvicorn
        super().connection_made(transport)
        self._gate.enter(self)
        self._life = self.loop.call_later(self._gate.limits.stranger_s, self.cut)
        self._wait_for_head()

    def connection_lost(self, exc: Exception | None) -> None:
        for timer in (self._head, self._life):
            if timer is not None:
                timer.cancel()
        self._gate.leave(self)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        before = self.cycle
        super().data_received(data)
        if self.cycle is not before and self._head is not None:  # a whole head came
            self._head.cancel()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if not self.transport.is_closing() and self.cycle.response_complete:  # and no next request was waiting
            self._wait_for_head()

    def cut(self) -> None:
        self.transport.abort()

    def _wait_for_head(self) -> None:
        if self._head is not None:
            self._head.cancel()
        self._head = self.loop.call_later(self._gate.limits.head_s, self.cut)

    def _welcome(self) -> None:
        self._gate.welcome(self)
        if self._life is not None:
            self._life.cancel()
