"""agentsight-rx report network: the peers of connections, the hosts of HTTP, and what could not be read."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ...store.words import count, data_size, plural
from ...view.queries.effects.network import Host, Network, Path, Peer, read_network
from .shown.ask import Ask, plain
from .shown.screen import Column, Columns, Line, Prose, Span, table
from .shown.words import causes_said, listed, who_said

_MOST = 30
_PATHS = 5
_ABSENT = 3
PEERS: Columns[Peer] = (
    Column("peer", lambda peer: peer.peer, flexible=True, middle=True),
    Column("name", lambda peer: ", ".join(peer.names), flexible=True),
    Column("what", lambda peer: ", ".join(peer.deeds)),
    Column("failed", lambda peer: Span(f"{count(peer.errors)} {peer.error}" if peer.errors else "", "failed"), flexible=True),
    Column("sent", lambda peer: _known(peer.sent_bytes), right=True),
    Column("received", lambda peer: _known(peer.received_bytes), right=True),
    Column("by", lambda peer: who_said(peer.by), flexible=True, most=24),
    Column("for", lambda peer: causes_said(peer.causes), flexible=True, most=24, rank=1),
)
HOSTS: Columns[Host | Path] = (
    Column("host", lambda each: _place(each), flexible=True, middle=True, tree=True),
    Column("times", lambda each: count(each.count), right=True),
    Column("calls", lambda each: _some(each.calls), right=True),
    Column("failed", lambda each: Span(_some(each.errors), "failed"), right=True),
    Column("cut", lambda each: Span(_some(_cut(each)), "missing"), right=True),
    Column("sent", lambda each: data_size(each.sent_bytes), right=True),
    Column("received", lambda each: data_size(each.received_bytes), right=True),
    Column("by", lambda each: who_said(each.by) if isinstance(each, Host) else "", flexible=True, most=24),
)


def network(ask: Ask) -> None:
    """Peers with their known names, HTTP hosts with their paths, and processes that could not be read."""
    found = read_network(ask.store, ask.selection)
    limit = None if ask.flags.show_all else ask.flags.limit or (None if ask.as_json else _MOST)
    if ask.as_json:
        ask.write(_values(found, limit))
    else:
        ask.write_lines(_lines(found, ask, limit))


def _values(found: Network, limit: int | None) -> Iterable[object]:
    """Each with the kind that it is of."""
    kinds = {"peer": found.peers, "host": found.hosts, "unread": found.unread}
    for kind, values in kinds.items():
        for value in values[:limit]:
            yield {"kind": kind, **dict(plain(value))}  # type: ignore[call-overload]  # pyright: ignore[reportArgumentType, reportCallIssue]


def _lines(found: Network, ask: Ask, limit: int | None) -> Iterable[Line]:
    reached = [each for each in found.peers if limit is None or not each.is_absent]
    peers, hosts = reached[:limit], found.hosts[:limit]
    absent = found.peers[len(reached) :]
    if not (found.peers or found.hosts or found.unread):
        yield ask.nothing("of connections and HTTP")
    yield from table(PEERS, peers, ask.screen)
    if absent:
        times = plural(sum(each.count for each in absent), "time")
        names = listed([each.peer for each in absent], _ABSENT)
        yield Prose(f"{plural(len(absent), 'local socket')} did not answer, {times}: {names}", mark=" ")
    if hosts:
        yield from ["", *table(HOSTS, _rows(hosts, None if ask.flags.show_all else _PATHS), ask.screen)]
    if found.unread:
        yield ""
        yield from (Span(f" could not be read: {each.sentence}", "missing") for each in found.unread)
    if len(peers) < len(reached) or len(hosts) < len(found.hosts) or any(len(host.paths) > _PATHS for host in hosts):
        yield ""
        yield ask.rest(f"{plural(len(found.peers), 'peer')}, {plural(len(found.hosts), 'host')}")
    if found.uncounted:
        yield Span(f"{count(found.uncounted)} rows of other peers and paths are not listed", "missing")


def _known(number: int | None) -> str:
    """Bytes; `?` where they were not measured."""
    return "?" if number is None else data_size(number)


def _rows(hosts: Sequence[Host], paths: int | None) -> Iterable[Host | Path]:
    for host in hosts:
        yield host
        yield from host.paths[:paths]


def _place(each: Host | Path) -> str:
    if isinstance(each, Host):
        return f"{each.scheme}://{each.host or '(not known)'}"
    return f"  {' '.join(each.methods)} {each.path}"


def _cut(each: Host | Path) -> int:
    return sum(path.partial for path in each.paths) if isinstance(each, Host) else each.partial


def _some(number: int) -> str:
    return count(number) if number else ""
