"""
Objects, sockets and threads that carry plaintext -> the connection it belongs to, and its position there.

Longer than 300 lines because the begin, the sockets and the end of a connection are one state.
"""

from __future__ import annotations

import time
from typing import NamedTuple

from msgspec import Struct
from msgspec.structs import replace

from ...core.bounded import Recent
from ...events import Connection, Direction, Loss, Origin, TlsChunk, TlsClose, TlsEvent, TlsOpen, TlsUse
from ...events.loss import Reason
from ..net import Ends
from .libraries import Probed, Use, begins_like_a_client, begins_like_http
from .traffic import Traffic

_USES_MOST = 16_384
_ENDED_MOST = 16_384  # sockets that ended and are remembered
_ENDING_S = 2.0  # so long may what had come before the end of a socket be read behind it
_SEALED_MOST = 4_096  # TLS records of one thread that wait for their socket; each has at most 16 KiB


class Below(NamedTuple):
    """
    The TCP connection that an object receives from: its socket, its ends, and whether that is sure, as in TlsOpen. `opened`:
    its process opened it while it was watched.
    """

    sock: int
    ends: Ends
    sure: bool
    opened: bool = True


class Known(Struct):
    """
    A connection in use. Where an object carries a second connection, and nothing but its socket said that the first one was
    over, the kernel's side counts on: the positions begin at `out_offset` and so on. `sock` is the socket that the object was
    read from, 0 for none so far.
    """

    connection: Connection
    probed: Probed
    use: Use
    since_ns: int = 0  # its first record
    sock: int = 0
    in_offset: int = 0
    in_seq: int = 0
    out_offset: int = 0
    out_seq: int = 0
    silent: bool = True  # nothing was read yet
    opened: bool = False  # it was seen before it was read; also where its user had only waited for more of an older connection
    as_http: bool = False  # the first that was read begins a message
    as_client: bool = False  # and is what a client sends or receives
    midway: bool = False  # it is counted among those that had begun before
    again: bool = False  # the incoming direction begins anew with its next record
    again_out: bool = False  # the outgoing one
    placed: bool = False  # its chunks go through `place`
    ended: bool = False  # the socket that it receives from has ended
    closed: bool = False  # and that was reported: what comes now is of another connection
    below: Below | None = None


class Sealed(NamedTuple):
    """A TLS record that a thread encrypted: its place among the records of one send, and its plaintext."""

    epoch: int
    offset: int
    seq: int
    data: bytes
    lost: int
    number: int


class Connections:
    """The connections of all processes. `probed` are the implementations, by their numbers in the records of bpf/tls.c."""

    def __init__(self, traffic: Traffic) -> None:
        self.probed: list[Probed] = []
        self.wrong: list[Probed] = []  # what it gave was never what TLS clients say
        self.traffic = traffic
        self.open: dict[tuple[int, int], Known] = {}  # those in use, by pid and the address of the object
        self._sealed: dict[tuple[int, int], list[Sealed]] = {}  # by pid and thread
        self._uses: Recent[tuple[int, int, int], Use] = Recent(_USES_MOST)  # by pid, its start and the number of what is probed
        self._ended: Recent[int, None] = Recent(_ENDED_MOST)
        self._above: dict[tuple[int, int], Known] = {}  # the objects that receive from a socket, by pid and its address
        self._ending: dict[
            tuple[int, int], tuple[Known, Origin, float]
        ] = {}  # that have ended, and when they were last read, in s
        self.clock = time.monotonic

    def of(self, origin: Origin, start_ns: int, handle: int, number: int) -> Known:
        """The connection of an object; a new one where it was not in use."""
        known = self.open.get((origin.pid, handle))
        if known is None or known.connection.start_ns != start_ns:
            known = self._begin(origin, start_ns, handle, number)
        return known

    def _begin(self, origin: Origin, start_ns: int, handle: int, number: int) -> Known:
        pid, probed = origin.pid, self.probed[number]
        use = self._uses.use((pid, start_ns, number))
        if use is None:
            use = Use(origin, start_ns)
            self._uses.put((pid, start_ns, number), use)
        known = self.open[pid, handle] = Known(
            Connection(pid, start_ns, probed.library.path, handle), probed, use, origin.time_ns, placed=probed.by_socket
        )
        self.traffic.plaintext(pid, start_ns)
        return known

    def saw(self, known: Known, data: bytes, direction: Direction) -> list[TlsEvent] | None:
        """Plaintext of this connection: of its first bytes see `begins`."""
        known.use.size += len(data)
        return self.begins(known, data, direction) if known.silent else None

    def begins(self, known: Known, data: bytes, direction: Direction) -> list[TlsEvent]:
        """
        The first plaintext of a connection. Reports which TLS of its process is read where that is new, and where the beginning
        of a connection that we saw open was missed.
        """
        use, probed = known.use, known.probed
        known.silent = False
        use.connections += 1
        known.as_http = as_http = begins_like_http(data)
        known.as_client = as_http and begins_like_a_client(data) == (direction == "out")
        midway = _count_midway(known)
        proven = probed.proves(data, from_beginning=not (_is_older(known) and not known.opened))
        if probed.wrong and probed not in self.wrong:
            self.wrong.append(probed)
        said: list[TlsEvent] = []
        if use.connections == 1 or midway or (proven and not use.proven):
            use.proven = use.proven or proven
            said.append(_said(use.origin, use, probed))
        if not known.opened and (probed.sees_handshakes or not as_http) and self._missed(known):
            note = f"TLS of {use.origin.comm} ({use.origin.pid}) was probed after it had opened a connection"
            said.append(Loss(on(use.origin, known), "tls", reason=Reason.UNREADABLE, count=1, note=note))
        return said

    def _missed(self, known: Known) -> bool:
        """The process opened a connection, while we watched, before its TLS was probed: it may be this one."""
        pid, start_ns = known.connection.pid, known.connection.start_ns
        return self.traffic.connected_before(pid, start_ns, known.probed.since_mono_ns)

    def plaintext(self) -> dict[tuple[int, int], int]:
        """Bytes that were read of each process, by pid and its start."""
        sizes: dict[tuple[int, int], int] = {}
        for (pid, start_ns, _), use in self._uses.items():
            sizes[pid, start_ns] = sizes.get((pid, start_ns), 0) + use.size
        return sizes

    def read_of(self, pid: int, start_ns: int) -> int:
        """Of how many connections of this process plaintext was read."""
        return sum(use.connections for (user, began, _), use in self._uses.items() if (user, began) == (pid, start_ns))

    def uses(self) -> list[TlsEvent]:
        """All that was read, at the end."""
        uses = ((use, self.probed[number]) for (_, _, number), use in self._uses.items() if use.connections)
        return [_said(use.origin, use, probed) for use, probed in uses]

    def end(self, origin: Origin, handle: int, in_offset: int, out_offset: int) -> list[TlsEvent]:
        """The object is gone, behind so many bytes of each direction."""
        known = self.open.pop((origin.pid, handle), None)
        if known is None or known.closed:
            return []
        self._part(origin.pid, known)
        return [TlsClose(on(origin, known), in_offset - known.in_offset, out_offset - known.out_offset)]

    def closed(self) -> list[TlsEvent]:
        """The ends of connections that were not read for some time since their socket ended, and whose objects stay."""
        if not self._ending:
            return []
        now_s = self.clock()
        due = [key for key, (_, _, since_s) in self._ending.items() if now_s - since_s >= _ENDING_S]
        out: list[TlsEvent] = []
        for key in due:
            known, origin, _ = self._ending.pop(key)
            if known.ended and self.open.get(key) is known:
                known.ended, known.closed = False, True
                out.append(TlsClose(on(origin, known), 0, 0))
        return out

    def _part(self, pid: int, known: Known) -> None:
        """The object receives from this socket no more."""
        below = known.below
        if below is not None and self._above.get((pid, below.sock)) is known:
            del self._above[pid, below.sock]

    def learn(self, origin: Origin, known: Known, below: Below | None) -> list[TlsEvent]:
        """The object receives from this socket; None: from several, so that it is not known which one is its own."""
        pid, start_ns = known.connection.pid, known.connection.start_ns
        if known.below is not None:
            self.traffic.doubts(pid, start_ns, known.below.sock)
        self._part(pid, known)
        known.below = below
        if below is None:
            return [TlsOpen(on(origin, known), first=False)]
        if not self.traffic.matches(pid, start_ns, below.sock):
            known.below = below = below._replace(opened=False)
        self._above[pid, below.sock] = known
        opened = _opened(origin, known, below)
        return [opened, _said(known.use.origin, known.use, known.probed)] if _count_midway(known) else [opened]

    def place(self, known: Known, chunk: TlsChunk, sock: int) -> TlsChunk | list[TlsEvent]:
        """A chunk of an object that may have outlived a connection: with its position in the present one."""
        before: list[TlsEvent] = []
        ending = self._ending.get((chunk.origin.pid, known.connection.handle)) if known.ended else None
        if ending is not None:
            self._ending[chunk.origin.pid, known.connection.handle] = known, ending[1], self.clock()
        if known.closed:
            known.sock, known.closed, known.again, known.again_out = 0, False, True, True
            known.since_ns = chunk.origin.time_ns
        if chunk.origin.direction == "in":
            if not known.sock:
                known.sock = sock
            if known.again:
                known.again, known.in_offset, known.in_seq = False, chunk.offset, chunk.seq
            base, first = known.in_offset, known.in_seq
        else:
            if known.sock in self._ended and begins_like_a_client(chunk.data):
                before.append(TlsClose(replace(chunk.origin, direction=None), 0, 0))
                known.ended, known.since_ns = False, chunk.origin.time_ns
                below, old = known.below, known.sock
                known.sock, known.again, known.out_offset, known.out_seq = 0, True, chunk.offset, chunk.seq
                if below is not None and below.sock != old:  # the new one was met before its first byte
                    before.append(_opened(chunk.origin, known, below))
                else:
                    known.below = None
                    self.traffic.plaintext(known.connection.pid, known.connection.start_ns)
            if known.again_out:
                known.again_out, known.out_offset, known.out_seq = False, chunk.offset, chunk.seq
            base, first = known.out_offset, known.out_seq
        if base:
            chunk = replace(chunk, offset=chunk.offset - base, seq=chunk.seq - first)
        return [*before, chunk] if before else chunk

    def socket_began(self, pid: int, sock: int) -> None:
        """The socket is new: the earlier socket at its address is gone."""
        self._ended.pop(sock, None)
        self.open.pop((pid, sock), None)

    def socket_ended(self, origin: Origin, sock: int, in_offset: int, out_offset: int) -> list[TlsEvent]:
        self._ended.put(sock, None)
        known = self.open.pop((origin.pid, sock), None)
        if known is not None:
            return [TlsClose(on(origin, known), in_offset, out_offset)]
        above = self._above.pop((origin.pid, sock), None)
        if above is not None and above.below is not None and above.below.sock == sock:
            above.ended = above.placed = True
            self._ending[origin.pid, above.connection.handle] = above, origin, self.clock()
        return []

    def hold(self, origin: Origin, record: Sealed) -> list[TlsEvent]:
        """Keep an encrypted record until its thread sends; too many of them are lost."""
        held = self._sealed.setdefault((origin.pid, origin.tid), [])
        held.append(record)
        if len(held) < _SEALED_MOST:
            return []
        del self._sealed[origin.pid, origin.tid]
        return [_unsent(origin, held)]

    def send(self, origin: Origin, at: tuple[int, int, int], offset: int, seq: int) -> list[TlsEvent]:
        """The thread sends what it encrypted: `at` is (process start, socket, epoch), then the position in that direction."""
        start_ns, sock, epoch = at
        held = self._sealed.pop((origin.pid, origin.tid), [])
        mine = [record for record in held if record.epoch == epoch]
        lost = [record for record in held if record.epoch != epoch]
        out: list[TlsEvent] = [_unsent(origin, lost)] if lost else []
        for record in mine:
            known = self.of(origin, start_ns, sock, record.number)
            place = on(origin, known, "out")
            if record.lost:
                out.append(_cut(place, record.lost))
            out.append(TlsChunk(place, record.data, offset=offset + record.offset, seq=seq + record.seq, lost=record.lost))
            out += self.saw(known, record.data, "out") or ()
        return out

    def gone(self, origin: Origin) -> list[TlsEvent]:
        """The process ended: so did its connections. What it encrypted and did not send is not lost."""
        for thread in [thread for thread in self._sealed if thread[0] == origin.pid]:
            del self._sealed[thread]
        keys = [key for key in self.open if key[0] == origin.pid]
        gone = [self.open.pop(key) for key in keys]
        for known in gone:
            self._part(origin.pid, known)
        for key in [key for key in self._ending if key[0] == origin.pid]:
            del self._ending[key]
        closed: list[TlsEvent] = [TlsClose(on(origin, known)) for known in gone if not known.closed]
        for process in [each for each in self._uses if each[0] == origin.pid]:
            use = self._uses.pop(process)
            if use.connections:
                closed.append(_said(origin, use, self.probed[process[2]]))
        return closed


def on(origin: Origin, known: Known, direction: Direction | None = None) -> Origin:
    return replace(origin, connection=known.connection, direction=direction)


def _is_older(known: Known) -> bool:
    """Its process ran before its TLS was probed."""
    return known.connection.start_ns < known.probed.since_ns


def _count_midway(known: Known) -> bool:
    """
    Count it where it had begun before: its process did not open the socket while it was watched, nor accept it as a server
    does. Where the socket is not known, its first bytes tell, unless they begin a message. True where it is
    the first one, or none is any more.
    """
    below = known.below
    unseen = not known.opened and not known.as_http
    begun = unseen if below is None else not below.opened and (known.as_client or unseen)
    midway = not known.silent and begun and _is_older(known)
    before = known.use.midway
    known.use.midway += midway - known.midway
    known.midway = midway
    return bool(known.use.midway) != bool(before)


def _opened(origin: Origin, known: Known, below: Below) -> TlsOpen:
    ends = below.ends
    return TlsOpen(
        on(origin, known),
        first=False,
        local_port=ends.local_port if below.opened else -1,
        port=ends.port,
        sure=below.sure,
        local=ends.local,
        peer=ends.peer,
        since_ns=min(known.since_ns, origin.time_ns),
    )


def _said(origin: Origin, use: Use, probed: Probed) -> TlsUse:
    return TlsUse(
        replace(origin, comm=use.origin.comm),
        use.start_ns,
        path=probed.library.path,
        stack=probed.finding.stack,
        method=probed.finding.method,
        proven=use.proven,
        connections=use.connections,
        size=use.size,
        midway=use.midway,
    )


def _unsent(origin: Origin, records: list[Sealed]) -> Loss:
    size = sum(len(record.data) + record.lost for record in records)
    note = "it is not known to which socket these TLS records were sent"
    return Loss(origin, "tls", reason=Reason.KERNEL_LOST, count=len(records), size=size, note=note)


def _cut(origin: Origin, size: int) -> Loss:
    note = "a single TLS record carried more than 16 KiB"
    return Loss(origin, "tls", reason=Reason.TRUNCATED, count=1, size=size, note=note)
