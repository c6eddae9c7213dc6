"""The ids of rows: of calls and connections."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import NamedTuple

from msgspec import Struct

from ...core.start import regex
from ...events import Connection, Origin
from ..words import plural
from .kinds import SessionRow, TlsUseRow, process_id

# -- beginnings ----------------------------------------------------------------------------------------------------
# SessionRow, TlsUseRow -> Beginning: agents and connections that are older than the capture, in the words of a report.


class Beginning(Struct, frozen=True):
    """Which process or connections began before, and what of them is therefore missing."""

    what: str
    why: str
    pid: int

    @property
    def said(self) -> str:
        return f"{self.what}, {self.why}"


def beginnings_of(sessions: Iterable[SessionRow], uses: Iterable[TlsUseRow], /) -> Iterator[Beginning]:
    """Agents that ran before the capture began, and connections of other programs that had begun before they were read."""
    agents: set[str] = set()
    for row in sessions:
        if row.view_source == "seed" and row.calls and row.process_id is not None and row.process_id not in agents:
            agents.add(row.process_id)
            yield Beginning(
                f"{row.who} {row.pid} ran before the capture began", "any earlier calls were not seen", row.pid or 0
            )
    midway: dict[str, tuple[TlsUseRow, int]] = {}
    for use in uses:
        if use.midway and use.process_id not in agents:
            midway[use.process_id] = use, midway.get(use.process_id, (use, 0))[1] + use.midway
    for use, connections in midway.values():
        what = f"{plural(connections, 'connection')} of {use.comm} {use.pid} had begun before"
        yield Beginning(what, "what was sent there until then was not seen", use.pid)


def said_id(session: str, id: str, /) -> str:
    """Of a call that an agent's own file tells of."""
    return f"said-{session}-{id}"


_COUNTED = regex(r"c(?:hat)?cmpl-\d{1,6}\Z")


def is_unique(answer: str, /) -> bool:
    """Whether no other answer has this id, as of providers. Ollama numbers its answers at random from chatcmpl-0 to -999."""
    return _COUNTED.match(answer) is None


# -- hosts ---------------------------------------------------------------------------------------------------------
# Ids with the name of a host in them, so that rows of several hosts stand in one store.


# Ids begin with words for what they name; a row that belongs to another has its id behind such a word, as in tool-llm-…
_KINDS = regex(r"(?:(?:llm|http|tool|token|audit|process|session|net|resource|blind|tls|unknown|exec|exit|file|mcp|alert)-)*")


def at_host(host: str, id: str, /) -> str:
    """The id of a row of that host: `llm-HOST:…`. The same inside an id that has it in it, as `tool-llm-HOST:…`."""
    found = _KINDS.match(id)
    cut = found.end() if found is not None else 0
    return f"{id[:cut]}{host}:{id[cut:]}"


def host_of_process(id: str, /) -> str:
    """The host in the id of a ProcessRow; "" where it has none."""
    head, colon, _ = id.removeprefix("process-").partition(":")
    return head if colon else ""


# ------------------------------------------------------------------------------------------------------------------------


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


def call_of(id: str) -> str:
    """The other way round; the id of a call stays as it is."""
    return _CALL + id[len(_HTTP) :] if id.startswith(_HTTP) else id


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
