"""TlsOpen, TlsClose -> the two ends of each connection, and its mirror: the same connection, seen by the other side."""

from __future__ import annotations

from msgspec import Struct
from msgspec.structs import replace

from ...core.bounded import Recent
from ...events import TlsOpen
from ..rows.ids import connection_id

__all__ = ["Ends", "Sockets", "SocketsState"]

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
