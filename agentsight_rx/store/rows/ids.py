"""The ids of rows: of calls and connections."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

from ...events import Connection, Origin
from .kinds import process_id

__all__ = ["EXCHANGES_A_RUN", "call_id", "connection_id", "connection_of", "http_id", "process_of", "scheme_of"]

_CALL, _HTTP = "llm-", "http-"
_CONNECTIONS = 1024  # whose texts are made once, not for each event

# Each run of a store has so many numbers for the exchanges of a connection, which may live through several runs: so the ids of
# their rows differ, and stay the same in a replay, since the number is in the event. At 1,000 a second they last 11 days.
EXCHANGES_A_RUN = 1_000_000_000


class _Named(NamedTuple):
    """What rows have of a connection."""

    id: str
    process: str
    scheme: str


@lru_cache(_CONNECTIONS)
def _named(connection: Connection) -> _Named:
    scheme = "http" if connection.plain else "https"
    return _Named(connection.id, process_id(connection.pid, connection.start_ns), scheme)


def call_id(origin: Origin, exchange: int) -> str:
    """The id of the CallRow that this request or response belongs to."""
    return f"{_CALL}{connection_id(origin)}-{exchange}"


def http_id(call: str) -> str:
    """The id of the HttpRow of the exchange that has `call` as the id of its CallRow."""
    return _HTTP + call[len(_CALL) :]


def connection_of(http: str) -> str:
    """The connection of the HttpRow with this id."""
    return http[len(_HTTP) : http.rindex("-")]


def process_of(origin: Origin) -> str | None:
    """The id of the ProcessRow that owns the connection of an event."""
    connection = origin.connection
    return None if connection is None else _named(connection).process


def scheme_of(origin: Origin) -> str:
    """The scheme of the URL that a request is for."""
    connection = origin.connection
    return "https" if connection is None else _named(connection).scheme


def connection_id(origin: Origin) -> str:
    """The connection of an event; without one, its thread."""
    connection = origin.connection
    return f"{origin.pid}-{origin.tid}" if connection is None else _named(connection).id
