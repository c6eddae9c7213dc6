"""TCP connections of watched processes -> TcpTraffic and UnreadTls: their bytes, and the code that may have encrypted them."""

from __future__ import annotations

import ctypes
import mmap
import socket
import threading
import time
from collections.abc import Callable, Iterator
from struct import Struct as Layout
from typing import Any, NamedTuple

from msgspec import Struct, field

from ...core.bounded import Recent
from ...events import Origin, TcpTraffic, UnreadTls
from .libraries import FileId
from .unread_code import Code, UnreadCode

# struct tcp_t of bpf/tls.c
RECORD = Layout("<QQB3xIII16sQQQQQIHH16sH")
_INET6 = 10
_PROCESSES_MOST = 16_384
_OLD_S = 2.0  # a connection this old should have shown plaintext: how much it carried is asked for once a second
_EVERY_S = 1.0


class Tcp(NamedTuple):
    """
    struct tcp_t: a connection begins or ends. `sock` is the address of its socket in the kernel. The offsets are the plaintext
    that was seen of each direction, where the socket stands for the TLS object.
    """

    origin: Origin
    start_ns: int
    sock: int
    peer: str
    port: int
    sent: int
    received: int
    in_offset: int
    out_offset: int
    ended: bool
    local_port: int = 0


class Carried(NamedTuple):
    """Bytes that the process has written to a socket and read from it; `moved`: both, modulo 2^32, also behind its end."""

    sent: int
    received: int
    moved: int
    local_port: int = 0


class _Open(Struct):
    """A connection that has not ended. `sock` is the address of its socket in the kernel."""

    origin: Origin
    start_ns: int
    number: int
    peer: str
    port: int
    opened_s: float
    sent: int = 0
    received: int = 0
    local_port: int = 0
    read: bool = False  # a TLS object is known to receive from it


class _Process(Struct):
    """
    Of so many `connections` it is not known that a TLS object receives from them, and of so many `read` objects not from which
    connection.
    """

    connections: int = 0
    first_ns: int = 0  # when the first one was opened
    read: int = 0
    code: Code = field(default_factory=Code)


class Traffic:
    """
    Connections and objects that are known to belong together count no more. A process with more connections than objects spoke
    in a way that is not read. Only then is its `code` looked at.
    """

    def __init__(self, seems: Callable[[FileId], str | None] = lambda _: None) -> None:
        self.code = UnreadCode(seems)
        self.ask: Callable[[int], Carried] = lambda _: Carried(0, 0, 0)  # what the socket at an address has carried so far
        self._open: dict[int, _Open] = {}  # by the address of the socket
        self._processes: Recent[tuple[int, int], _Process] = Recent(_PROCESSES_MOST)
        self._number = 0
        self._asked_s = 0.0

    def read_wholly(self) -> Iterator[tuple[Origin, int, list[int]]]:
        """Each process whose connections were all seen in plaintext: its origin, start, and the sockets that are open."""
        socks: dict[tuple[int, int], list[int]] = {}
        origins: dict[tuple[int, int], Origin] = {}
        for sock, known in self._open.items():
            key = known.origin.pid, known.start_ns
            socks.setdefault(key, []).append(sock)
            origins[key] = known.origin
        for key, its in socks.items():
            process = self._processes.get(key)
            if process is not None and process.connections <= process.read:
                yield origins[key], key[1], its

    def connected_before(self, pid: int, start_ns: int, time_ns: int) -> bool:
        """Whether this process was seen to open a connection before this time."""
        process = self._processes.get((pid, start_ns))
        return process is not None and 0 < process.first_ns < time_ns

    def plaintext(self, pid: int, start_ns: int) -> None:
        """A TLS object of this process is in use: its traffic is read."""
        self._process(pid, start_ns).read += 1

    def matches(self, pid: int, start_ns: int, sock: int) -> bool:
        """One of these objects receives from this socket. Whether the process opened it, and has not closed it."""
        process = self._process(pid, start_ns)
        process.read -= 1
        known = self._opened_by(pid, start_ns, sock)
        if known is not None and not known.read:
            known.read = True
            process.connections -= 1
        return known is not None

    def doubts(self, pid: int, start_ns: int, sock: int) -> None:
        """It does not, or not alone."""
        process = self._process(pid, start_ns)
        process.read += 1
        known = self._opened_by(pid, start_ns, sock)
        if known is not None and known.read:
            known.read = False
            process.connections += 1

    def _opened_by(self, pid: int, start_ns: int, sock: int) -> _Open | None:
        known = self._open.get(sock)
        return known if known and (known.origin.pid, known.start_ns) == (pid, start_ns) else None

    def read(self, view: memoryview, at: int, comm: Callable[[bytes], str]) -> Tcp:
        """The record of a connection that begins or ends."""
        (
            time_ns, start_ns, _, pid, tid, uid, name,
            sock, sent, received, in_offset, out_offset, ended, family, port, raw, local_port,
        ) = RECORD.unpack_from(view, at)  # fmt: skip
        origin = Origin(time_ns, pid, tid=tid, uid=uid, comm=comm(name))
        return Tcp(
            origin,
            start_ns,
            sock,
            peer=_address(family, raw),
            port=port,
            sent=sent,
            received=received,
            in_offset=in_offset,
            out_offset=out_offset,
            ended=ended != 0,
            local_port=local_port,
        )

    def begin(self, tcp: Tcp) -> None:
        process = self._process(tcp.origin.pid, tcp.start_ns)
        process.connections += 1
        process.first_ns = process.first_ns or tcp.origin.time_ns
        self.code.connects(process.code, tcp.origin.pid)
        self._number += 1
        self._open[tcp.sock] = _Open(
            tcp.origin, tcp.start_ns, number=self._number, peer=tcp.peer, port=tcp.port, opened_s=time.monotonic()
        )

    def end(self, tcp: Tcp) -> list[TcpTraffic | UnreadTls]:
        known = self._open.pop(tcp.sock, None)
        if known is None or not tcp.local_port:  # it was never established
            return []
        known.sent, known.received, known.local_port = tcp.sent, tcp.received, tcp.local_port
        return self._report(known, tcp.origin, ended=True)

    def look(self, *, at_end: bool = False) -> list[TcpTraffic | UnreadTls]:
        """Open connections with what they carried so far: of processes whose plaintext was not seen, at the end of all."""
        now_s = time.monotonic()
        if not self._open or not (at_end or now_s - self._asked_s >= _EVERY_S):
            return []
        self._asked_s = now_s
        out: list[TcpTraffic | UnreadTls] = []
        for sock, known in self._open.items():
            process = self._process(known.origin.pid, known.start_ns)
            if not at_end and (known.read or process.connections <= process.read or now_s - known.opened_s < _OLD_S):
                continue
            sent, received, _, local_port = self.ask(sock)
            if not local_port:  # the record of its end, which has the port, is on its way
                continue
            known.local_port = local_port
            if at_end or ((sent, received) != (known.sent, known.received) and (sent or received)):
                known.sent, known.received = sent, received
                out += self._report(known, known.origin, ended=False)
        return out

    def _report(self, known: _Open, origin: Origin, *, ended: bool) -> list[TcpTraffic | UnreadTls]:
        traffic = TcpTraffic(
            origin,
            known.start_ns,
            number=known.number,
            peer=known.peer,
            port=known.port,
            sent=known.sent,
            received=known.received,
            ended=ended,
            local_port=known.local_port,
        )
        process = self._process(known.origin.pid, known.start_ns)
        if process.connections <= process.read:
            return [traffic]
        found = self.code.looked_at(process.code, known.origin.pid, known.origin.time_ns)
        return [*(UnreadTls(origin, known.start_ns, path=path, looks_like=seems) for path, seems in found), traffic]

    def _process(self, pid: int, start_ns: int) -> _Process:
        found = self._processes.use((pid, start_ns))
        if found is None:
            found = _Process()
            self._processes.put((pid, start_ns), found)
        return found


def _address(family: int, raw: bytes) -> str:
    if family != _INET6:
        return socket.inet_ntop(socket.AF_INET, raw[:4])
    address = socket.inet_ntop(socket.AF_INET6, raw)
    return address.removeprefix("::ffff:") if address.startswith("::ffff:") and "." in address else address


def asker(bpf: Any) -> Callable[[int], Carried]:
    """Asks the kernel side what a socket has carried: it answers when this thread maps memory."""
    table, first = bpf["question"], ctypes.c_int(0)

    def ask(sock: int) -> Carried:
        table[first] = table.Leaf(sock=sock, thread=threading.get_native_id())
        mmap.mmap(-1, mmap.PAGESIZE).close()
        answer = table[first]
        table[first] = table.Leaf()
        return Carried(int(answer.sent), int(answer.received), int(answer.moved), int(answer.local))

    return ask
