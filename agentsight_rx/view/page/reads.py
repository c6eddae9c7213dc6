"""A recording -> how each program is read: its TLS and how, its HTTP without TLS, or why not and what to do."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from msgspec import Struct

from ...store.rows.blind_spots import advice_of, connections_of, reason_of
from ...store.rows.kinds import BlindSpotRow, HttpRow, ProcessRow, TlsUseRow
from ...store.rows.tables import HTTP
from ...store.words import plural
from ..queries.reading import newest_programs
from .picture import Picture

__all__ = ["Read", "reads_of"]

_READS_MOST = 40
_HTTP_MOST = 500  # exchanges that are looked at, the newest
_PROGRAMS_MOST = 500
_HOSTS_SHOWN = 3


class Read(Struct, frozen=True, omit_defaults=True):
    """How one program is read. `state`: proven, trying, not."""

    state: str
    title: str
    text: str
    side: str = ""
    pid: int = 0


def reads_of(picture: Picture, /) -> Iterator[Read]:
    """What could not be read first, and last the agents that run and have sent nothing yet."""
    health = picture.health
    spots, uses = health.blind_spots[-_READS_MOST:], health.tls_uses[-_READS_MOST:]
    by_process: dict[str, list[TlsUseRow]] = {}
    for use in uses:
        by_process.setdefault(use.process_id, []).append(use)
    plain: dict[tuple[str | None, int], list[HttpRow]] = {}
    for _, row in picture.store.scan(HTTP, reverse=True, limit=_HTTP_MOST):
        if row.scheme == "http" and len(plain) < _READS_MOST:
            plain.setdefault((row.process_id, row.pid), []).append(row)
    yield from map(_unread, spots)
    yield from map(_tls, by_process.values())
    yield from map(_plain, plain.values())
    if picture.being_written:
        known = {*by_process, *(spot.process_id for spot in spots), *(process for process, _ in plain)}
        yield from map(_silent, [row for row in _agents(picture) if row.id not in known][:_READS_MOST])


def _agents(picture: Picture) -> Iterator[ProcessRow]:
    """Known agents that run, the newest first."""
    for row in newest_programs(picture.store, most=_PROGRAMS_MOST):
        if row.agent is not None and row.status == "running":
            yield row


def _tls(uses: Sequence[TlsUseRow]) -> Read:
    use = max(uses, key=lambda each: (each.proven, each.size))
    connections = sum(each.connections for each in uses)
    how = f"{use.stack} in {use.path}, found by {use.method.replace('_', ' ')}."
    if not use.proven:
        how += " No connection has begun as HTTP yet, so these functions are not proven."
    elif use.midway:
        how += f" {plural(use.midway, 'connection')} had begun before."
    state = "proven" if use.proven else "trying"
    title = f"reading TLS of {use.comm} ({use.pid}): {'proven' if use.proven else 'not proven yet'}"
    return Read(state, title, how, side=plural(connections, "connection"), pid=use.pid)


def _plain(rows: Sequence[HttpRow]) -> Read:
    first = rows[0]
    hosts = list(dict.fromkeys(row.host or "a host without a name" for row in rows))
    more = f" and {len(hosts) - _HOSTS_SHOWN} more" if len(hosts) > _HOSTS_SHOWN else ""
    text = f"HTTP without TLS, read at its sockets: {', '.join(hosts[:_HOSTS_SHOWN])}{more}."
    title = f"reading HTTP of {first.comm} ({first.pid}): proven"
    return Read("proven", title, text, side=plural(len(rows), "request"), pid=first.pid)


def _silent(row: ProcessRow) -> Read:
    text = "It runs, and has sent nothing yet. Its first connection shows whether it can be read."
    return Read("trying", f"{row.comm or row.agent} ({row.pid}): no traffic yet", text, pid=row.pid)


def _unread(spot: BlindSpotRow) -> Read:
    advice, reason = advice_of(spot), reason_of(spot)
    text = f"{reason[:1].upper()}{reason[1:]}. {advice[:1].upper()}{advice[1:]}."
    return Read("not", f"{spot.comm} ({spot.pid}): could not be read", text, side=connections_of(spot), pid=spot.pid)
