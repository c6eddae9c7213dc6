"""
The audit trail of connections, and HTTP exchanges -> peers, hosts with their paths, and what could not be read.

Longer than 300 lines because peers get the names of hosts and hosts the processes of peers: the three are put together at once.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterable, Iterator

from msgspec import Struct
from msgspec.structs import replace

from ....store.rows.gaps import sentence_of
from ....store.rows.kinds import AuditRow, BlindSpotRow, HttpRow
from ....store.rows.tables import AUDIT, BLIND_SPOTS, HTTP
from ....store.state import Store
from ....wire.address import endpoint
from ..calls.lookup import Cause
from ..reading import rows_of, selected
from ..records import is_counted
from ..selection import Selection
from .causes import Actor, Causes, within
from .work import is_absent

_PEERS_MOST = 50_000
_PATHS_MOST = 50_000  # (host, path) pairs
_NAMED_MOST = 8
_PORTS = {"http": 80, "https": 443}
_SUMS = ("count", "errors", "calls", "sent_bytes", "received_bytes")  # of a host, over its paths
_OUT = frozenset({"connect", "send"})


class Peer(Struct, frozen=True):
    """
    One end of connections, as `address:port` or the path of a socket. `actions`: connect, send, accept, bind, listen, how often
    each. `names`: the hosts that were asked over it, where that is certain: exchanges had this peer, or its processes asked one
    host alone at that port. Bytes count TCP connections and sent datagrams. With an `unmeasured` connection, such as an
    accepted one, there is no sum.
    """

    peer: str
    actions: dict[str, int]
    names: tuple[str, ...] = ()
    count: int = 0
    errors: int = 0
    error: str | None = None  # of the newest that failed, in words
    sent_bytes: int | None = None  # None: not measured
    received_bytes: int | None = None
    unmeasured: int = 0  # connections
    first_timestamp_ms: int = 0
    last_timestamp_ms: int = 0
    by: tuple[Actor, ...] = ()
    causes: tuple[Cause, ...] = ()

    @property
    def deeds(self) -> tuple[str, ...]:
        """The actions in words, and how many connections were not measured where some were."""
        some = self.unmeasured and self.unmeasured < self.count
        missing = (f"{self.unmeasured:,} not measured",) if some else ()
        return (*(f"{action} {number:,}" for action, number in self.actions.items()), *missing)

    @property
    def is_absent(self) -> bool:
        """See `is_absent`."""
        return is_absent(self.peer, self.count, self.errors)


class Path(Struct, frozen=True):
    """The exchanges with one path of a host, its query left out. Bytes are the bytes of bodies."""

    path: str
    count: int = 0
    errors: int = 0
    partial: int = 0  # of which something is missing
    calls: int = 0  # of a model
    sent_bytes: int = 0
    received_bytes: int = 0
    methods: tuple[str, ...] = ()
    statuses: tuple[int, ...] = ()


class Host(Struct, frozen=True):
    """The exchanges with one host; the paths used most come first."""

    host: str
    scheme: str
    count: int
    errors: int
    calls: int
    sent_bytes: int
    received_bytes: int
    paths: tuple[Path, ...]
    by: tuple[Actor, ...] = ()


class Unread(Struct, frozen=True):
    """A process of which traffic was not read, in one sentence."""

    pid: int
    comm: str
    process_id: str
    peers: tuple[str, ...]
    connections: int
    bytes: int
    sentence: str


class Network(Struct, frozen=True):
    """
    Everything that left the processes, most used first; sockets that were not there come last. `uncounted`: rows beyond the
    limits of peers and paths.
    """

    peers: tuple[Peer, ...]
    hosts: tuple[Host, ...]
    unread: tuple[Unread, ...]
    uncounted: int = 0


class _Peer(Struct):
    actions: dict[str, int] = {}
    errors: int = 0
    error: str | None = None
    sent: int | None = None
    received: int | None = None
    made: int = 0  # TCP connections, without what was refused
    measured: int = 0
    first_ms: int = 0
    last_ms: int = 0
    processes: set[str] = set()
    by: dict[str, Actor] = {}
    causes: dict[str, Cause] = {}


class _Path(Struct):
    count: int = 0
    errors: int = 0
    partial: int = 0
    calls: int = 0
    sent_bytes: int = 0
    received_bytes: int = 0
    methods: dict[str, None] = {}
    statuses: dict[int, None] = {}


def read_network(store: Store, selection: Selection, /) -> Network:
    """The peers, hosts and blind spots of the selection, without its limit."""
    part, causes = replace(selection, limit=None), Causes(store)
    return network_of(
        within(store, AUDIT, part, causes, kind="network"),
        within(store, HTTP, part, causes),
        selected(store, BLIND_SPOTS, part) if part.sessions is None else rows_of(store, BLIND_SPOTS),
        causes,
    )


def network_of(
    rows: Iterable[AuditRow], exchanges: Iterable[HttpRow], blind_spots: Iterable[BlindSpotRow], causes: Causes
) -> Network:
    """Put the three together. Rows of the audit trail of other kinds do not count."""
    peers: dict[str, _Peer] = {}
    hosts: dict[tuple[str, str], dict[str, _Path]] = {}
    asked_by: dict[tuple[str, str], dict[str, Actor]] = {}
    asked: dict[tuple[str, int], set[str]] = {}  # process and port -> hosts
    reached: dict[str, set[str]] = {}  # address and port -> hosts
    uncounted = paths = 0
    for name, row in named_peers(rows):
        if name not in peers and len(peers) >= _PEERS_MOST:
            uncounted += 1
            continue
        peer = peers.setdefault(name, _Peer(first_ms=row.timestamp_ms))
        _note(peer, row, causes)
        peer.made += _made(name, row)
    for exchange in exchanges:
        if not is_counted(exchange, causes):
            continue
        key, path = (exchange.host or "", exchange.scheme), exchange.path.partition("?")[0]
        known = hosts.setdefault(key, {})
        if path not in known:
            if paths >= _PATHS_MOST:
                uncounted += 1
                continue
            paths += 1
        _ask(known.setdefault(path, _Path()), exchange, is_call=causes.is_call(exchange.call_id))
        if exchange.peer and exchange.sure and not exchange.server:
            reached.setdefault(exchange.peer, set()).add(key[0])
        asked.setdefault((exchange.process_id or "", _port(*key)), set()).add(key[0])
        who = asked_by.setdefault(key, {})
        if len(who) < _NAMED_MOST:
            who.setdefault(exchange.process_id or "", causes.actor(exchange.pid, exchange.comm, exchange.process_id))
    unread = tuple(_unread(row) for row in blind_spots)
    blind = {each.process_id for each in unread}
    return Network(
        tuple(
            sorted(
                (_peer(name, each, asked, blind, reached.get(name)) for name, each in peers.items()),
                key=lambda each: (each.is_absent, -each.count, each.peer),
            )
        ),
        tuple(sorted((_host(key, hosts[key], asked_by[key]) for key in hosts), key=lambda each: (-each.count, each.host))),
        unread,
        uncounted,
    )


def named_peers(rows: Iterable[AuditRow]) -> Iterator[tuple[str, AuditRow]]:
    """
    The lines about connections, each with the name of its peer. An accepted connection whose other end was seen too is one of
    those to the address that accepted it.
    """
    lines = [row for row in rows if row.audit_type == "network"]
    made = {(row.target or "", _number(row, "local_port")) for row in lines if row.action == "carried"}
    for row in lines:
        port = _number(row, "local_port")
        here = endpoint(str(row.details.get("local") or ""), port) if row.action == "accept" and port else ""
        yield here if (here, _port(row.target or "", "")) in made else row.target or "", row


def _made(name: str, row: AuditRow) -> int:
    """The TCP connections of a line of this peer; an accepted connection with another name was made by the other end."""
    is_one = row.action in ("connect", "accept") and row.details.get("protocol") == "tcp"
    return (_number(row, "count") or 1) if is_one and name == row.target and not _number(row, "errno") else 0


def _note(peer: _Peer, row: AuditRow, causes: Causes) -> None:
    count = _number(row, "count") or 1
    action = row.action or ""
    peer.last_ms = row.timestamp_ms
    if action == "carried":
        peer.received = (peer.received or 0) + _number(row, "received_bytes")
        peer.measured += 1
    else:
        peer.actions[action] = peer.actions.get(action, 0) + count
    if action in ("carried", "send"):
        peer.sent = (peer.sent or 0) + _number(row, "bytes")
    code = _number(row, "errno")
    if code and code != errno.EINPROGRESS:
        peer.errors += count
        peer.error = os.strerror(code)
    if action in _OUT:
        peer.processes.add(row.process_id or "")
    who = row.process_id or f"{row.pid}"
    if who not in peer.by and len(peer.by) < _NAMED_MOST:
        peer.by[who] = causes.actor(row.pid, row.comm, row.process_id)
    cause = causes.of(row)
    if cause is not None and len(peer.causes) < _NAMED_MOST:
        peer.causes.setdefault(cause.tool_id, cause)


def _ask(path: _Path, row: HttpRow, *, is_call: bool) -> None:
    path.count += 1
    path.errors += (row.status_code or 0) >= 400
    path.partial += row.status in ("partial", "aborted")
    path.calls += is_call
    path.sent_bytes += row.request_bytes
    path.received_bytes += row.response_bytes
    path.methods[row.method] = None
    if row.status_code:
        path.statuses[row.status_code] = None


def _port(host: str, scheme: str) -> int:
    _, found, port = host.rpartition(":")
    return int(port) if found and port.isascii() and port.isdigit() else _PORTS.get(scheme, 0)


def _peer(name: str, peer: _Peer, asked: dict[tuple[str, int], set[str]], blind: set[str], reached: set[str] | None) -> Peer:
    port, names, unmeasured = _port(name, ""), set(reached or ()), max(0, peer.made - peer.measured)
    for process in () if reached else peer.processes - blind:
        found = asked.get((process, port), set())
        names |= found if len(found) == 1 else set()
    return Peer(
        name,
        peer.actions,
        tuple(sorted(names - {name})),
        count=sum(peer.actions.values()),
        errors=peer.errors,
        error=peer.error,
        sent_bytes=None if unmeasured else peer.sent,
        received_bytes=None if unmeasured else peer.received,
        unmeasured=unmeasured,
        first_timestamp_ms=peer.first_ms,
        last_timestamp_ms=peer.last_ms,
        by=tuple(peer.by.values()),
        causes=tuple(peer.causes.values()),
    )


def _host(key: tuple[str, str], paths: dict[str, _Path], by: dict[str, Actor]) -> Host:
    rows = [_whole(name, each) for name, each in paths.items()]
    sums = {name: sum(getattr(each, name) for each in rows) for name in _SUMS}
    ordered = tuple(sorted(rows, key=lambda each: (-each.count, each.path)))
    return Host(*key, **sums, paths=ordered, by=tuple(by.values()))


def _whole(name: str, path: _Path) -> Path:
    numbers = {each: getattr(path, each) for each in (*_SUMS, "partial")}
    return Path(name, **numbers, methods=tuple(path.methods), statuses=tuple(sorted(path.statuses)))


def _unread(row: BlindSpotRow) -> Unread:
    return Unread(
        row.pid,
        row.comm,
        row.process_id,
        peers=row.peers,
        connections=row.connections,
        bytes=row.size,
        sentence=sentence_of(row),
    )


def _number(row: AuditRow, name: str) -> int:
    found = row.details.get(name)
    return found if isinstance(found, int) else 0
