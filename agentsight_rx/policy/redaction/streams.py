"""Keys -> streams without secrets: one for each connection, pipe or body, at most so many."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

import msgspec

from ...core.bounded import Recent
from ...events import Connection, StdioChunk, TlsChunk
from .records.connection import ConnectionRecords, ConnectionState
from .resent import SecretStream

K = TypeVar("K", bound=Hashable)

_STREAMS_MOST = 8192  # as per_key has machines; each keeps 64 bytes


class SecretStreams(Generic[K]):
    """A SecretStream for each key; those not used for longest are dropped."""

    def __init__(self) -> None:
        self._table: Recent[K, SecretStream] = Recent(_STREAMS_MOST)

    def of(self, key: K) -> SecretStream:
        return self._table.use_or_make(key, SecretStream)

    def drop(self, gone: Callable[[K], bool]) -> None:
        for key in [key for key in self._table if gone(key)]:
            del self._table[key]

    def discard(self, key: K) -> None:
        self._table.pop(key, None)

    def snapshot(self) -> list[tuple[K, bytes]]:
        return [(key, msgspec.msgpack.encode(stream.snapshot())) for key, stream in self._table.items()]

    def restore(self, state: list[tuple[K, bytes]], /) -> None:
        for key, saved in state:
            self._table[key] = stream = SecretStream()
            stream.restore(*msgspec.msgpack.decode(saved))


class Connections:
    """The records of each connection; of those not used for longest the state is dropped."""

    def __init__(self) -> None:
        self._table: Recent[Connection, ConnectionRecords] = Recent(_STREAMS_MOST)

    def of(self, connection: Connection) -> ConnectionRecords:
        return self._table.use_or_make(connection, ConnectionRecords)

    def discard(self, connection: Connection) -> None:
        self._table.pop(connection, None)

    def snapshot(self) -> list[tuple[Connection, ConnectionState]]:
        return [(connection, records.snapshot()) for connection, records in self._table.items()]

    def restore(self, state: list[tuple[Connection, ConnectionState]], /) -> None:
        for connection, saved in state:
            self._table[connection] = ConnectionRecords.restored(saved)


def clean_record(stream: SecretStream, event: TlsChunk | StdioChunk) -> bytes:
    """The bytes of a raw record without secrets; a gap before or behind them ends a secret that was begun."""
    if stream.offset not in (-1, event.offset):
        stream.gap()
    stream.offset = event.offset + len(event.data) + event.lost
    data = stream.feed(event.data, heads=True)
    if event.lost:
        stream.gap()
    return data
