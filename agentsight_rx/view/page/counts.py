"""A session -> how many rows each tab has, and of which tabs there are more."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice

from msgspec import Struct

from ...store.log.reading import read_event_count
from ...store.reasons import FILE_SAYS, HOOKS_SEE
from ...store.rows.gaps import advice_of, connections_of, reason_of
from ...store.rows.kinds import HOOKED, SAID, BlindSpotRow, HttpRow, ProcessRow, TlsUseRow
from ...store.rows.tables import HTTP, PROCESSES
from ...store.words import plural
from ..queries.effects.network import named_peers
from ..queries.reading import newest_programs
from ..queries.records import is_counted
from ..queries.sessions.gaps import missing_things
from ..queries.sessions.health import Health
from .picture import WHOLE, Picture


def counts_of(picture: Picture, session: str, /) -> tuple[dict[str, int], tuple[str, ...]]:
    """By tab, and the tabs of which only the newest rows were counted."""
    known = picture.counted.use(session)
    if known is None:
        known = _counted(picture, session)
        picture.counted.put(session, known)
    return known


def _counted(picture: Picture, session: str) -> tuple[dict[str, int], tuple[str, ...]]:
    work = picture.work(session)
    processes, all_processes = picture.newest_rows(PROCESSES, session)
    started = sum(bool(row.command) for row in processes)
    del processes  # 8 MB, and the next one as well
    exchanges, all_exchanges = picture.newest_rows(HTTP, session)
    asked = [(row.scheme, row.host) for row in exchanges if is_counted(row, picture.causes)]
    del exchanges
    mcp, all_mcp = picture.audits(session, "mcp")
    network, all_network = picture.audits(session, "network")
    files, all_files = picture.audits(session, "file")  # the last, since turns need them too
    counts = {
        "context": sum(call.messages > 0 and not call.aside for call in work.calls),
        "processes": started,
        "mcp": len(mcp),
        "network": len({*asked}) + len({name for name, _ in named_peers(network)}),  # hosts and addresses
        "files": len({row.target for row in files}),
        "http": len(asked),
        "alerts": len(picture.alerts_of(session)),
        "log": read_event_count(picture.store) if session == WHOLE or len(picture.sessions) == 1 else 0,
    }
    whole = {
        "context": not work.cut,
        "processes": all_processes,
        "mcp": all_mcp,
        "network": all_network and all_exchanges,
        "files": all_files,
        "http": all_exchanges,
    }
    return counts, tuple(name for name, has_all in whole.items() if not has_all)


# -- reads ---------------------------------------------------------------------------------------------------------
# A recording -> how each program is read: its TLS and how, its HTTP without TLS, or why not and what to do.


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


# -- wholeness -----------------------------------------------------------------------------------------------------
# The health of a recording -> whether it is whole, as the head of the page and the rail say it.


_FIRST_SAID = 2


class Wholeness(Struct, frozen=True, omit_defaults=True):
    """
    `state`: whole, so_far (nothing is missing yet), not_whole. `said` names the first things that are missing; `records` came
    out of the kernel; without `counted` no place of the recording counted what came.
    """

    state: str
    missing: int = 0
    said: tuple[str, ...] = ()
    records: int = 0
    counted: bool = False
    hooked: str = ""  # seen by breakpoints: what these see
    file: str = ""  # of the agent's own file: what that cannot say
    compared: int = 0  # calls of a recording, of which so many are `found` in the agent's own file
    found: int = 0
    gone: str = ""  # of a session whose own file is not there any more


def wholeness_of(health: Health, /) -> Wholeness:
    """Of a recording, or of the runs that a session went through: a loss in them may concern it."""
    hooked = HOOKS_SEE if health.seen_by == HOOKED else ""
    file = FILE_SAYS if health.seen_by == SAID else ""
    agreement = health.agreement
    compared, found = (agreement.calls, agreement.found) if agreement is not None else (0, 0)
    if not health.missing:
        state = "so_far" if health.live and not file else "whole"
        return Wholeness(state, hooked=hooked, file=file, compared=compared, found=found)
    said = tuple(each.what for each in islice(missing_things(health.gaps), _FIRST_SAID))
    return Wholeness("not_whole", health.missing, said, hooked=hooked, file=file, compared=compared, found=found)
