"""
Calls that begin -> the one that counts, where several rows are one call: both ends of a connection, both sides of a proxy.

A server's end is tied to its client's by the mirrored ends of their connections, also in one process, and on it by the HTTP/2
stream, else by the content in its order. Where the ends of either are not known, the content alone ties it to an open call of
another process. A proxy is tied by what it does: as the same process it sends the conversation that it was just asked, also to
another place, spelled otherwise or in another dialect.
"""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import Struct
from msgspec.structs import replace

from ...core.bounded import Recent
from ...events import TlsOpen
from ..rows.ids import connection_id
from .unprompted import OpenCall

# -- sockets -------------------------------------------------------------------------------------------------------
# TlsOpen, TlsClose -> the two ends of each connection, and its mirror: the same connection, seen by the other side.


_MOST = 4096


class Ends(Struct, array_like=True, frozen=True):
    """The addresses and ports of a connection, as its process sees them. `met`: its mirror was seen."""

    local: str | None = None
    peer: str | None = None
    sure: bool = True
    met: bool = False
    closed: bool = False


class SocketsState(Struct, array_like=True, frozen=True):
    """What `Sockets.snapshot` keeps."""

    ends: tuple[list[str], list[Ends]] = ([], [])
    at: tuple[list[str], list[str]] = ([], [])


class Sockets:
    """
    The newest connection of each pair of ends. Ports are used again: behind the end of a connection that had a mirror, its ends
    are free. One without a mirror keeps them, since a server may accept it behind its end, when its client waited in vain.
    """

    def __init__(self) -> None:
        self.ends: Recent[str, Ends] = Recent(_MOST)  # by the id of a connection
        self._at: Recent[str, str] = Recent(_MOST)  # ends -> connection

    def opened(self, event: TlsOpen) -> str | None:
        """The ends of a connection are known, or not known after all. Returns its mirror."""
        id = connection_id(event.origin)
        before = self.ends.pop(id, None)
        if before is not None and self._at.get(_key(before.local, before.peer)) == id:
            del self._at[_key(before.local, before.peer)]
        if not event.local or event.local == event.peer:  # a socket that is connected to itself has no other side
            return None
        there = _key(event.peer, event.local)
        mirror = self._at.get(there)
        other = self.ends.get(mirror) if mirror is not None else None
        if mirror is not None and (other is None or (other.closed and other.met)):  # an earlier use of these ports
            del self._at[there]
            mirror = None
        elif mirror is not None and other is not None:
            self.ends[mirror] = replace(other, met=True)
        self.ends.put(id, Ends(event.local, event.peer, event.sure, met=mirror is not None))
        self._at.put(_key(event.local, event.peer), id)
        return mirror

    def closed(self, connection: str) -> None:
        ends = self.ends.get(connection)
        if ends is not None:
            self.ends[connection] = replace(ends, closed=True)

    def mirror(self, connection: str) -> str | None:
        """The same connection, as the process at its other end sees it."""
        ends = self.ends.get(connection)
        return self._at.get(_key(ends.peer, ends.local)) if ends is not None and ends.met else None

    def snapshot(self) -> SocketsState:
        return SocketsState(self.ends.columns, self._at.columns)

    def restore(self, state: SocketsState) -> None:
        self.ends.fill(state.ends)
        self._at.fill(state.at)


def _key(local: str | None, peer: str | None) -> str:
    return f"{local} {peer}"


# ------------------------------------------------------------------------------------------------------------------------


_GONE_MOST = 256


class TwinsState(Struct, array_like=True, frozen=True):
    """What `Twins.snapshot` keeps."""

    sockets: SocketsState = SocketsState()
    gone: list[tuple[str, OpenCall]] = []
    answered: list[tuple[str, tuple[str, str]]] = []


class Twins:
    """`calls` are the open ones, by id."""

    def __init__(self, calls: Recent[str, OpenCall]) -> None:
        self.sockets = Sockets()
        self._calls = calls
        self.received: Recent[str, None] = Recent(calls.most)  # open calls of servers, and perhaps some that have ended
        self._gone: Recent[str, OpenCall] = Recent(_GONE_MOST)  # of clients that waited in vain
        self._answered: Recent[str, tuple[str, str]] = Recent(_GONE_MOST)  # of servers, by connection and id of the answer

    def client_of(self, server: OpenCall) -> str | None:
        """The client's row of a call that a server received; it is no other server's from now on."""
        mirror, alike = self.sockets.mirror(server.connection), ""
        for key, each in self._calls.items():
            if each.received:
                continue
            if mirror is not None:
                if each.connection == mirror and not each.met and _is_same(each, server):
                    return self._met(key)
            elif self._is_alike(each, server) and self.sockets.mirror(each.connection) is None:
                if not each.met:
                    return self._met(key)
                alike = alike or key
        for key, each in self._gone.items():
            if mirror is not None and each.connection == mirror and _is_same(each, server):
                del self._gone[key]
                return each.row.twin or key
        return self._met(alike) if alike else None

    def _met(self, key: str) -> str:
        each = self._calls[key]
        if not each.met:
            self._calls[key] = replace(each, met=True)
        return each.row.twin or key

    def _open_received(self) -> Iterator[tuple[str, OpenCall]]:
        for key in list(self.received):
            each = self._calls.get(key)
            if each is None:
                del self.received[key]
            else:
                yield key, each

    def forwarded(self, sent: OpenCall) -> str | None:
        """The call that its process was asked as a server, and sends on as a client: one at a time, so that a retry is it."""
        for key, each in self._open_received():
            if each.row.process_id != sent.row.process_id or not _says_the_same(each, sent):
                continue
            client = self._calls.get(each.row.twin) if each.row.twin else None
            if client is not None and client.row.process_id == sent.row.process_id:  # both ends in one process
                continue
            if not each.sent_on or each.sent_on not in self._calls:
                self._calls[key] = replace(each, sent_on=sent.row.id)
                return key
        return None

    def served(self, client: OpenCall) -> str | None:
        """
        An open call of a server that counts so far: it was seen to read the request before its client was seen to have written
        it.
        """
        mirror = self.sockets.mirror(client.connection)
        for key, each in self._open_received():
            if each.row.twin is not None:
                continue
            if mirror is not None:
                if each.connection == mirror and _is_same(client, each):
                    return key
            elif self._is_alike(client, each) and self.sockets.mirror(each.connection) is None:
                return key
        return None

    def opened(self, event: TlsOpen) -> list[tuple[str, str]]:
        """The ends of a connection are known: the open calls of a server that a client made after all, and of the client."""
        mirror = self.sockets.opened(event)
        if mirror is None or not self.received:
            return []
        found: list[tuple[str, str]] = []
        for key, each in self._open_received():
            if each.row.twin is None and self.sockets.mirror(each.connection) is not None:
                client = self.client_of(each)
                if client is not None:
                    found.append((key, client))
        return found

    def waited_in_vain(self, key: str, call: OpenCall) -> None:
        """A call ended without an answer. If it is a client's, its server may read it later."""
        if not (call.received or call.met or call.row.twin) and self.sockets.ends:
            self._gone.put(key, call)

    def has_answered(self, key: str, call: OpenCall, answer: str) -> None:
        """A server's call has its answer. A client that was not seen to ask may be seen to get it."""
        if answer and call.row.twin is None and self.sockets.ends:
            self._answered.put(key, (call.connection, answer))

    def answered(self, client: OpenCall, answer: str) -> str | None:
        """The call of a server that has given this answer, which its client got without being seen to ask."""
        mirror = self.sockets.mirror(client.connection)
        found = (key for key, given in self._answered.items() if given == (mirror, answer))
        return next(found, None) if mirror is not None and answer else None

    def _is_alike(self, client: OpenCall, server: OpenCall) -> bool:
        return client.asked == server.asked != b"" and client.row.pid != server.row.pid

    def snapshot(self) -> TwinsState:
        return TwinsState(self.sockets.snapshot(), list(self._gone.items()), list(self._answered.items()))

    def restore(self, state: TwinsState) -> None:
        self.sockets.restore(state.sockets)
        self.received.clear()
        self.received.update({key: None for key, each in self._calls.items() if each.received})
        self._gone.clear()
        self._gone.update(state.gone)
        self._answered.clear()
        self._answered.update(state.answered)


def _says_the_same(asked: OpenCall, sent: OpenCall) -> bool:
    return asked.asked == sent.asked != b"" or asked.meaning == sent.meaning != b""


def _is_same(client: OpenCall, server: OpenCall) -> bool:
    """Calls on the two ends of one connection. Where bytes of either are missing, one has no other content to be known by."""
    if client.stream and server.stream:
        return client.stream == server.stream
    return client.asked == server.asked or not (client.row.complete and server.row.complete)
