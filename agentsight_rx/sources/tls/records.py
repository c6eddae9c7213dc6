"""Records of bpf/tls.c -> TlsChunk, TlsHandshake, TlsOpen, TlsClose, TcpTraffic, and the files that processes use."""

from __future__ import annotations

from struct import Struct as Layout
from typing import NamedTuple

from ...events import Connection, Loss, Origin, TlsChunk, TlsClose, TlsEvent, TlsHandshake, TlsOpen
from ...loss import Reason
from .libraries import Library
from .traffic import Traffic

__all__ = ["Records", "UsedFile"]

# struct chunk_t, up to its data
_RECORD = Layout("<QQIIII16sQQQQIIII")
_CHUNK, _HANDSHAKE, _CLOSE, _GONE, _STARTED, _MAPPED, _OPENED, _TCP = 1, 2, 3, 4, 5, 6, 7, 8


class UsedFile(NamedTuple):
    """struct file_t: a file that a process uses as code."""

    inode: int
    size: int
    device: int
    generation: int


class Records:
    """Decodes them one by one. What a record means besides one event waits in `more` and `new_files`."""

    def __init__(self, *, handshakes: bool) -> None:
        self._handshakes = handshakes
        self.libraries: list[Library] = []
        self.traffic = Traffic()
        self._open: dict[tuple[int, int], Connection] = {}
        self._more: list[TlsEvent] = []
        self._in_use: dict[int, set[UsedFile]] = {}  # by pid
        self._comms: dict[bytes, str] = {}

    def add(self, library: Library) -> int:
        """The number of a library in the records."""
        self.libraries.append(library)
        self.traffic.readable(library)
        return len(self.libraries) - 1

    def more(self) -> list[TlsEvent]:
        """Further events of the records so far: losses, connections of processes that ended, traffic that was not read."""
        more, self._more = self._more, []
        return more

    def new_files(self) -> dict[int, set[UsedFile]]:
        """Files that processes began to use since the last call, by pid."""
        files, self._in_use = self._in_use, {}
        return files

    def decode(self, view: memoryview, at: int, size: int) -> TlsEvent | None:
        (
            time_ns, start_ns, kind, pid, tid, uid, comm,
            ssl, offset, seq, latency_ns, length, lost, direction, number,
        ) = _RECORD.unpack_from(view, at)  # fmt: skip
        name = self._comms.get(comm) or self._name(comm)
        if kind == _TCP:
            self._more += self.traffic.take(view, at, self._name)
            return None
        if kind in (_STARTED, _MAPPED):  # report_file() of bpf/tls.c has put the fields of a file here
            self._in_use.setdefault(pid, set()).add(UsedFile(ssl, offset, latency_ns >> 32, latency_ns & 0xFFFFFFFF))
            return None
        if kind == _GONE:
            for key in [key for key in self._open if key[0] == pid]:
                gone = Origin(time_ns, pid, tid=tid, uid=uid, comm=name, wall_ns=0, connection=self._open.pop(key))
                self._more.append(TlsClose(gone))
            return None
        connection = self._open.get((pid, ssl))
        if connection is None or connection.start_ns != start_ns:
            connection = self._open[pid, ssl] = Connection(pid, start_ns, self.libraries[int(number)].path, ssl)
            self.traffic.plaintext(pid, start_ns)
        if kind == _CHUNK:
            source = Origin(
                time_ns,
                pid,
                tid=tid,
                uid=uid,
                comm=name,
                wall_ns=0,
                connection=connection,
                direction="out" if direction else "in",
            )
            body = at + _RECORD.size
            if lost:
                self._more.append(
                    Loss(
                        source,
                        "tls",
                        reason=Reason.TRUNCATED,
                        count=1,
                        size=lost,
                        note="a single TLS call carried more than 512 KiB",
                    )
                )
            return TlsChunk(source, bytes(view[body : body + length]), offset=offset, seq=seq, lost=lost, latency_ns=latency_ns)
        source = Origin(time_ns, pid, tid=tid, uid=uid, comm=name, wall_ns=0, connection=connection)
        if kind == _OPENED:
            return TlsOpen(source)
        if kind == _HANDSHAKE:
            return TlsHandshake(source, latency_ns) if self._handshakes else None
        if kind == _CLOSE:
            del self._open[pid, ssl]
            return TlsClose(source, offset, latency_ns)
        return None

    def _name(self, comm: bytes) -> str:
        """The name of a process, out of a record."""
        if len(self._comms) > 1024:
            self._comms.clear()
        name = self._comms[comm] = comm.partition(b"\0")[0].decode(errors="replace")
        return name
