"""System calls on TCP sockets -> TlsChunk, TlsOpen, TlsClose: the HTTP that tracked processes speak without TLS."""

from __future__ import annotations

import ctypes
import os
import socket
import stat
from collections.abc import Iterable, Sequence
from struct import Struct as Layout
from typing import Any

from ..core.options import Options
from ..core.stream import Stream
from ..events import PLAIN, Connection, Loss, Origin, TlsChunk, TlsClose, TlsEvent, TlsOpen
from ..events.loss import Reason
from .kernel.program import CALL_FIELDS, Program
from .kernel.reader import ProcessNames, ProgramReader
from .kernel.shared_ring import RingSize, gather_of_content
from .kernel.syscall import possible_cpus
from .names import Names
from .net import ENDS_FIELDS, MOVED_FIELDS, Ends, ends_of
from .running_agents.on_demand import captured
from .target import Target

_FIELDS = (
    *CALL_FIELDS,
    "file.private_data",
    "socket.sk",
    "sock.sk_protocol",
    *ENDS_FIELDS,
    *MOVED_FIELDS,
    "sock_common.skc_state",
)
_READS = ("read", "readv", "recvfrom", "recvmsg", "recvmmsg")
_WRITES = ("write", "writev", "sendto", "sendmsg", "sendmmsg")
_COPIES = ("sendfile64", "splice")

# struct chunk_t of bpf/plain_http.c, up to its data
_RECORD = Layout("<QQB3xIII16sQQQQQQQIIBBBx")  # behind it the ends
_HEAD = 160
_CHUNK, _OTHER, _CLOSE = 1, 2, 3

_SEGMENT = 16384
_ROUND = 608 << 10  # bytes that one program copies; up to 27 follow it
_BUFFERS = 64  # of one vectored call; bytes in further ones are counted as lost

_FIRST_RING = 32 << 20  # bytes: one write may have 16 MB, at the speed of memory
_STAGE = "plain_http"


class PlainHttpOptions(Options, frozen=True, omit_defaults=True):
    """What the source watches. `ring_size` is in bytes, a power of two; 0 is chosen by the memory that is free."""

    target: Target = Target()
    ring_size: RingSize = 0


def plain_http(options: PlainHttpOptions = PlainHttpOptions()) -> Stream[TlsEvent]:  # noqa: B008 (frozen)
    """
    The bytes of TCP connections that carry HTTP/1 or HTTP/2 without TLS, as clients and servers of the target read and write
    them, in order per connection and direction, with gaps marked. The `library` of such a connection is `PLAIN`.

    TLS is dropped in the kernel. Bytes of other protocols are dropped there too, and counted as `other_protocol`. Of a
    connection that is older than the capture each direction begins with its next message. A `TlsOpen` has the two ends of a
    connection, and says that one which the target opened was recognised: it is no blind spot.
    """
    return captured(_STAGE, options, lambda: PlainHttpReader(options))


class PlainHttpReader(ProgramReader[TlsEvent]):
    shares = "contents"

    def __init__(self, options: PlainHttpOptions) -> None:
        self._options = options
        self.names = Names(options.target.comms)
        self._connections: dict[int, Connection] = {}
        self._more: list[TlsEvent] = []
        self._names = ProcessNames()

    def open(self) -> None:
        program: Program[TlsEvent] = Program(
            _STAGE,
            self._options.target,
            ring_size=self._options.ring_size,
            first_ring=_FIRST_RING,
            gather_s=gather_of_content(self._options.ring_size),
            decode=self._decode,
            fields=_FIELDS,
            switches=_switches(),
            headers=("ends.h", "moved.h", "buffers.h"),
            names=self.names,
        )
        try:
            for port in _own_ports():
                program.bpf["own_ports"][ctypes.c_uint16(port)] = ctypes.c_uint8(1)
            program.follow("next_programs", "on_more")
            program.attach("on_end", "exit", (*_WRITES, *_READS, *_COPIES))
            program.attach("on_write_begin", "enter", _WRITES)
            program.seed()
        except BaseException:
            program.close()
            raise
        self._program = program

    def poll(self, timeout: float, /) -> Sequence[TlsEvent] | None:
        assert self._program is not None
        over = self._program.over()
        if not self._program.wait(timeout):
            return None if over else ()
        return self._with_more(self._program.read())

    def close(self) -> Sequence[TlsEvent]:
        if self._program is None:
            return ()
        program, self._program = self._program, None
        rest = self._with_more(program.rest())
        rest += program.lost()
        rest += self._still_open(program.bpf["connections"].values())
        program.close()
        return rest

    def _with_more(self, events: list[TlsEvent]) -> list[TlsEvent]:
        more, self._more = self._more, []
        return events + more

    # -- records -> events -----------------------------------------------------------------------------------------

    def _decode(self, view: memoryview, at: int, size: int) -> TlsEvent | list[TlsEvent] | None:
        (
            time_ns, _, kind, pid, tid, uid, comm,
            owner_start_ns, number, offset, seq, latency_ns, gap, lost, owner, length, direction, opened, hidden,
        ) = _RECORD.unpack_from(view, at)  # fmt: skip
        name = self._names[comm]
        connection = self._connections.get(number)
        begun: TlsOpen | None = None
        if connection is None:
            connection = Connection(owner, owner_start_ns, PLAIN, number)
            if kind != _CLOSE:
                self._connections[number] = connection
                if kind == _CHUNK or opened:
                    ends = ends_of(view, at + _RECORD.size)
                    begun = _begun(Origin(time_ns, owner, comm=name, connection=connection), ends, opened=bool(opened))
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
            if gap:
                self._more.append(_loss(source, Reason.KERNEL_LOST, gap, "moved by a call that is not seen"))
            if lost:
                note = "moved inside the kernel" if hidden else "a single call carried more than is read of one"
                self._more.append(_loss(source, Reason.TRUNCATED, lost, note))
            body = at + _HEAD
            data = bytes(view[body : body + length])
            chunk = TlsChunk(source, data, offset=offset, seq=seq, lost=lost, latency_ns=latency_ns)
            return chunk if begun is None else [begun, chunk]
        source = Origin(time_ns, pid, tid=tid, uid=uid, comm=name, connection=connection)
        if kind != _CLOSE:
            return begun
        if gap:
            self._more.append(_other(source, gap))
        if lost:
            self._more.append(_loss(source, Reason.KERNEL_LOST, lost, "moved by a call that is not seen"))
        if self._connections.pop(number, None) is None:
            return None
        return TlsClose(source, offset, seq)

    def _still_open(self, connections: Iterable[Any]) -> list[TlsEvent]:
        """The bytes of other protocols on connections that have not ended."""
        losses: list[TlsEvent] = []
        for each in connections:
            if each.other:
                head = each.head
                connection = Connection(head.pid, head.start_ns, PLAIN, each.id)
                source = Origin(head.time_ns, head.pid, comm=self._names[bytes(head.comm)], connection=connection)
                losses.append(_other(source, each.other))
        return losses


def _begun(whose: Origin, ends: Ends, *, opened: bool) -> TlsOpen:
    port = ends.local_port if opened else -1
    return TlsOpen(whose, first=False, local_port=port, port=ends.port, local=ends.local, peer=ends.peer)


def _loss(source: Origin, reason: Reason, size: int, note: str) -> Loss:
    return Loss(source, _STAGE, reason=reason, count=1, size=size, note=note)


def _other(source: Origin, size: int) -> Loss:
    return _loss(source, Reason.OTHER_PROTOCOL, size, "neither TLS nor HTTP, or of a message that began before the capture")


def _switches() -> list[str]:
    steps = 2 * (_ROUND // _SEGMENT + _BUFFERS) + 1
    return ["-DCALLS", f"-DBUFFERS={_BUFFERS}", f"-DSTEPS={steps}", f"-DCPUS={possible_cpus()}"]


def _own_ports() -> set[int]:
    """Ports on which this program itself serves its page already. To read /proc/net/tcp would take 10 ms."""
    return {port for number in os.listdir("/proc/self/fd") if (port := _served_at(int(number)))}


def _served_at(number: int) -> int:
    """The TCP port at which the socket with this number listens; 0: there is none, or it was closed meanwhile."""
    try:
        if not stat.S_ISSOCK(os.fstat(number).st_mode):
            return 0
        with socket.fromfd(number, socket.AF_INET, socket.SOCK_STREAM) as own:
            family = own.getsockopt(socket.SOL_SOCKET, socket.SO_DOMAIN)
            if family not in (socket.AF_INET, socket.AF_INET6) or not own.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
                return 0
            return int(own.getsockname()[1])
    except OSError:
        return 0
