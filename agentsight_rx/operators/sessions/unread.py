"""TLS objects, the TCP connections below them, and what these carried -> how many connections of a process were not read."""

from __future__ import annotations

from itertools import islice

from msgspec import Struct

from ...events import BlindSpot, Loss, TcpTraffic, TlsOpen, UnreadTls
from ...events.loss import Reason
from ...wire.address import endpoint

_PEERS_MOST = 16  # addresses that one BlindSpot names
_FILES_MOST = 16
_BELOW_MOST = 4096  # connections of one process with known objects
_OPEN_NAMED = 256  # of those that have not ended: so many are looked at for their peers


class Unread(Struct):
    """
    The facts about one process. A TCP connection is known by its ports, as one number; 0 where they are not known. `unmatched`
    ones carried bytes, and no object is known to receive from them. Of `loose` objects it is not known from which they do.
    """

    live: dict[int, int] = {}  # TLS objects that were not freed, by address: the ports of the connection below, 0: it is loose
    loose: int = 0  # of all objects, also of those that were freed
    below: dict[int, int] = {}  # ports -> the object that receives from them
    doubtful: set[int] = set()  # objects of which this is not sure
    unmatched: int = 0  # connections
    size: int = 0  # their bytes
    open: dict[int, tuple[int, int, str]] = {}  # bytes, ports and peer of those that have not ended, by number
    peers: list[str] = []  # of those that have ended
    newest: TcpTraffic | None = None  # of those that were unmatched when they came
    reported: int = 0  # connections
    reported_size: int = 0  # their bytes, as far as it is known which ones they are
    shown: tuple[int, int, int] = (0, 0, 0)  # the figures of the newest report
    files: list[str] = []
    looks_like: list[str] = []
    why: str = ""  # no such file is known

    def code(self, event: UnreadTls) -> None:
        """It has this TLS code, which is not read, or none that is known."""
        if not event.path:
            self.why = event.looks_like
        elif event.path not in self.files and len(self.files) < _FILES_MOST:
            self.files.append(event.path)
            self.looks_like.append(event.looks_like)

    def used(self, handle: int) -> None:
        """An object is in use."""
        if handle not in self.live:
            self.live[handle] = 0
            self.loose += 1

    def freed(self, handle: int) -> None:
        self.live.pop(handle, None)
        self.doubtful.discard(handle)

    def receives(self, handle: int, event: TlsOpen) -> None:
        """An object and the connection that it receives from; a doubtful one that two objects have is of neither."""
        ports, before = _ports(event.local_port, event.port), self.live.get(handle, 0)
        other = self.below.get(ports, handle)
        twice = ports and not event.sure and other != handle and other in self.live
        if not ports or twice or (event.sure and handle in self.doubtful and ports != before):
            self._forget(handle)  # else what it received from before was its own too, and has ended
        if twice and other in self.doubtful:
            self._forget(other)
        if not ports or twice:
            return
        if len(self.below) >= _BELOW_MOST:
            self._forget_oldest()
        self.loose -= not self.live[handle]
        self.live[handle] = ports
        self.doubtful.discard(handle)
        if not event.sure:
            self.doubtful.add(handle)
        if ports > 0:
            self.below[ports] = handle
            for number in [number for number, (_, its, _) in self.open.items() if its == ports]:
                self._match(number)

    def carried(self, traffic: TcpTraffic) -> None:
        """What a connection carried."""
        number, ports = traffic.number, _ports(traffic.local_port, traffic.port)
        known = number in self.open
        if ports and ports in self.below:
            if known:
                self._match(number)
            if traffic.ended:  # another connection may have these ports
                del self.below[ports]
            return
        size = traffic.sent + traffic.received
        if not size:
            return
        before, *_ = self.open.pop(number, (0, 0, ""))
        self.unmatched += not known
        self.size += size - before
        peer = endpoint(traffic.peer, traffic.port)
        if not traffic.ended:
            self.open[number] = size, ports, peer
        elif peer not in self.peers and len(self.peers) < _PEERS_MOST:
            self.peers.append(peer)
        self.newest = traffic

    @property
    def settled(self) -> bool:
        """Every connection has ended and was read, and every object is freed: all further facts are as of a new process."""
        going_on = self.live or self.below or self.open or self.doubtful
        return not going_on and not self.files and not self.reported and self.unmatched == self.loose

    def news(self) -> list[BlindSpot | Loss]:
        """The facts that were not reported yet."""
        traffic = self.newest
        unread = max(self.reported, self.unmatched - self.loose)
        among = 0 if unread >= self.unmatched else self.unmatched
        figures = unread, self.size, among
        if traffic is None or not unread or figures == self.shown:
            return []
        more, size = unread - self.reported, 0 if among else max(0, self.size - self.reported_size)
        self.reported, self.shown = unread, figures
        self.reported_size += size
        peers = [*self.peers, *(peer for _, _, peer in islice(self.open.values(), _OPEN_NAMED))]
        spot = BlindSpot(
            traffic.origin,
            traffic.start_ns,
            connections=unread,
            size=self.size,
            peers=tuple(dict.fromkeys(peers))[:_PEERS_MOST],
            files=tuple(self.files),
            looks_like=tuple(self.looks_like),
            among=among,
            why="" if self.files else self.why,
        )
        if not more and not size:
            return [spot]
        note = f"traffic of {traffic.origin.comm} ({traffic.origin.pid}) was not read"
        return [spot, Loss(traffic.origin, "tls", reason=Reason.UNREADABLE, count=more, size=size, note=note)]

    def _forget(self, handle: int) -> None:
        """From now on it is not known what this object receives from."""
        ports = self.live.get(handle, 0)
        self.doubtful.discard(handle)
        if self.below.get(ports) == handle:
            del self.below[ports]
        if ports:
            self.live[handle] = 0
            self.loose += 1

    def _forget_oldest(self) -> None:
        ports, handle = next(iter(self.below.items()))
        self._forget(handle)
        self.below.pop(ports, None)

    def _match(self, number: int) -> None:
        """This connection is matched after all."""
        size, *_ = self.open.pop(number)
        self.unmatched -= 1
        self.size -= size


def _ports(local: int, peer: int) -> int:
    """A connection of a process as one number; 0 where it is not known which one it is, -1 for one that it did not open."""
    return local << 16 | peer if local > 0 else local
