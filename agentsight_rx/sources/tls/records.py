"""Records of bpf/tls.c -> TlsChunk, TlsHandshake, TlsOpen, TlsClose, TcpTraffic, and the files that processes use."""

from __future__ import annotations

from collections.abc import Callable
from struct import Struct as Layout
from typing import NamedTuple

from ...events import Loss, Origin, TlsChunk, TlsEvent, TlsHandshake, TlsOpen
from ...events.loss import Reason
from ..ends import ends_of
from .calibration import Calibration, Sample
from .connections import Below, Connections, Known, Sealed, on
from .libraries import FileId
from .proof import Probed
from .stacks.finding import Hook
from .traffic import Traffic

__all__ = ["CHUNK", "CLOSE", "GONE", "HANDSHAKE", "OPENED", "RECORD", "SEALED", "SENT", "Records", "UsedFile"]

# struct chunk_t, up to its data
RECORD = Layout("<QQIIII16sQQQQQIIII")
CHUNK, HANDSHAKE, CLOSE, GONE, _STARTED, _MAPPED, OPENED, _TCP, SEALED, SENT, _SAMPLE, _SOCKET = range(1, 13)
_DOUBTFUL, _SURE = 1, 2  # learn_socket() of bpf/tls.c
_HEAD = RECORD.size
_STRUCT = 64  # bytes of a sample


_UNTRIED = "no bytes have shown yet that this function carries plaintext"


class UsedFile(NamedTuple):
    """struct file_t: a file that a process uses as code."""

    inode: int
    size: int
    device: int
    generation: int


class Records:
    """Decodes them one by one. The files that processes began to use wait in `new_files`."""

    def __init__(self, *, handshakes: bool, seems: Callable[[FileId], str | None] = lambda _: None) -> None:
        self._handshakes = handshakes
        self.traffic = Traffic(seems)
        self.connections = Connections(self.traffic)
        self._open = self.connections.open
        self.calibration: Calibration | None = None
        self.learnt: list[tuple[int, tuple[Hook, Hook]]] = []  # of the implementation with this number
        self._in_use: dict[int, set[UsedFile]] = {}  # by pid
        self._comms: dict[bytes, str] = {}

    def add(self, probed: Probed) -> int:
        """The number of the probed library in the records."""
        self.connections.probed.append(probed)
        return len(self.connections.probed) - 1

    def new_files(self) -> dict[int, set[UsedFile]]:
        """Files that processes began to use since the last call, by pid."""
        files, self._in_use = self._in_use, {}
        return files

    def decode(self, view: memoryview, at: int, size: int) -> TlsEvent | list[TlsEvent] | None:
        (
            time_ns, start_ns, kind, pid, tid, uid, comm,
            ssl, offset, seq, latency_ns, sock, length, lost, direction, number,
        ) = RECORD.unpack_from(view, at)  # fmt: skip
        name = self._comms.get(comm) or self._name(comm)
        body = at + _HEAD
        if self.calibration is not None and kind in (CHUNK, SEALED) and not self.calibration.trusts(number, direction):
            origin = Origin(time_ns, pid, tid=tid, uid=uid, comm=name)
            return Loss(origin, "tls", reason=Reason.UNREADABLE, count=1, size=length + lost, note=_UNTRIED)
        if kind == CHUNK:
            known = self._open.get((pid, ssl))
            if known is None or known.connection.start_ns != start_ns:
                known = self.connections.of(Origin(time_ns, pid, tid=tid, uid=uid, comm=name), start_ns, ssl, number)
            source = Origin(
                time_ns,
                pid,
                tid=tid,
                uid=uid,
                comm=name,
                connection=known.connection,
                direction="out" if direction else "in",
            )
            chunk = TlsChunk(
                source, bytes(view[body : body + length]), offset=offset, seq=seq, lost=lost, latency_ns=latency_ns
            )
            known.use.size += length  # as `saw` does, without its call
            return self._with_more(known, chunk, sock) if known.placed or known.silent or lost else chunk
        connections = self.connections
        origin = Origin(time_ns, pid, tid=tid, uid=uid, comm=name)
        if kind == _SAMPLE:
            self._sample(bytes(view[body : body + length]), (number, direction), place=ssl, size=offset)
            return None
        if kind == _TCP:
            return self._tcp(view, at)
        if kind in (_STARTED, _MAPPED):  # report_file() of bpf/tls.c has put the fields of a file here
            self._in_use.setdefault(pid, set()).add(UsedFile(ssl, offset, latency_ns >> 32, latency_ns & 0xFFFFFFFF))
            return None
        if kind == SEALED:
            record = Sealed(
                epoch=latency_ns, offset=offset, seq=seq, data=bytes(view[body : body + length]), lost=lost, number=number
            )
            return connections.hold(origin, record)
        if kind == SENT:
            return connections.send(origin, (start_ns, ssl, latency_ns), offset=offset, seq=seq)
        if kind == GONE:
            self.traffic.code.gone(pid)
            return connections.gone(origin)
        known = connections.of(origin, start_ns, ssl, number)
        source = on(origin, known)
        if kind == OPENED:
            known.opened = True
            return TlsOpen(source)
        if kind == _SOCKET:
            below = Below(sock, ends_of(view, body), sure=direction == _SURE)
            return connections.learn(origin, known, below if direction in (_DOUBTFUL, _SURE) else None)
        if kind == HANDSHAKE:
            return TlsHandshake(source, latency_ns) if self._handshakes else None
        if kind == CLOSE:
            return connections.end(origin, ssl, offset, latency_ns)
        return None

    def look(self) -> list[TlsEvent]:
        """Connections that have ended, and the bytes that open ones have carried: no record of the kernel shows either."""
        return [*self.connections.closed(), *self.traffic.look()]

    def _with_more(self, known: Known, chunk: TlsChunk, sock: int) -> TlsChunk | list[TlsEvent]:
        """A chunk, and what it says of its connection besides; of one known by its socket, with its position there."""
        said = self.connections.begins(known, chunk.data, chunk.origin.direction or "in") if known.silent else None
        placed = self.connections.place(known, chunk, sock) if known.placed else chunk
        if not said and not chunk.lost:
            return placed
        more: list[TlsEvent] = placed if isinstance(placed, list) else [placed]
        return [*more, *(said or ()), *([_cut(chunk.origin, chunk.lost)] if chunk.lost else [])]

    def _sample(self, data: bytes, whose: tuple[int, int], *, place: int, size: int) -> None:
        if self.calibration is not None:
            sample = Sample(place, struct=data[:_STRUCT], first=data[_STRUCT:], size=size)
            hooks = self.calibration.take(*whose, sample)
            if hooks is not None:
                self.learnt.append((whose[0], hooks))

    def _tcp(self, view: memoryview, at: int) -> list[TlsEvent]:
        record = self.traffic.read(view, at, self._name)
        if not record.ended:
            self.connections.socket_began(record.origin.pid, record.sock)
            self.traffic.begin(record)
            return []
        closed = self.connections.socket_ended(record.origin, record.sock, record.in_offset, record.out_offset)
        return [*closed, *self.traffic.end(record)]

    def _name(self, comm: bytes) -> str:
        """The name of a process, out of a record."""
        if len(self._comms) > 1024:
            self._comms.clear()
        name = self._comms[comm] = comm.partition(b"\0")[0].decode(errors="replace")
        return name


def _cut(origin: Origin, size: int) -> Loss:
    note = "a single TLS call carried more than 16.5 MiB"
    return Loss(origin, "tls", reason=Reason.TRUNCATED, count=1, size=size, note=note)
