"""
Calls of TLS functions in stopped threads -> records as bpf/tls.c makes them, which `tls.records.Records` decodes.

The rules of bpf/tls.c, bpf/tls_go.c and bpf/tls_aead.c hold here too; memory is read from outside. Where a function knows no
connection, a socket is known by its inode. Longer than 300 lines because the calls of all stacks share one state.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import NamedTuple

from msgspec import Struct, field

from ..tls.records import CHUNK, CLOSE, GONE, HANDSHAKE, OPENED, RECORD, SEALED, SENT
from .ptrace import Registers
from .space import Space

_AEAD = frozenset({"seal", "open", "seal_scatter", "open_gather"})
UNREAD = frozenset({"ring_candidate", "ring_encrypt", "ring_decrypt"})  # the layouts of rustls with ring are not read here
_READS = frozenset({"SSL_read", "SSL_read_ex", "NSS_read", "go_read"})
_SIZE_AT = {"SSL_read_ex": "rcx", "SSL_write_ex": "rcx", "SSL_write_ex2": "r8"}
_SEGMENT = 16 << 10  # bytes of one record
_RECORD_MOST = _SEGMENT + 256  # bytes of a TLS record, with its type and what fills it (RFC 8446 section 5.4 allows more)
_CALL_MOST = 16 << 20  # bytes of one call that are kept
_APPLICATION_DATA, _INSIDE = 23, 0x100  # types of TLS records
_SIDES_MOST = 65_536  # directions of connections, of all processes


class Caller(NamedTuple):
    """Who is stopped."""

    pid: int
    tid: int
    uid: int
    start_ns: int
    comm: bytes


class _Inside(Struct, frozen=True):
    """A call that goes on: where its bytes are, and where it stores how many they are."""

    shape: str
    number: int
    object: int
    buffer: int
    size_at: int = 0
    size: int = 0
    type: int = 0
    began_ns: int = field(default_factory=time.monotonic_ns)


class _Side(Struct):
    offset: int = 0
    seq: int = 0


class _Sealing(Struct):
    """What a thread encrypted and has not sent."""

    size: int = 0
    records: int = 0
    epoch: int = 0


class Plaintext(Struct):
    """The state of all processes. `emit` gets a record."""

    emit: Callable[[bytes], None]
    _inside: dict[tuple[int, int], _Inside] = {}  # by thread or process, and stack or goroutine
    _sides: dict[tuple[int, int, int], _Side] = {}  # by process, object, direction
    _imported: set[tuple[int, int]] = set()
    _sealed: dict[int, _Sealing] = {}  # by thread
    _received: dict[int, int] = {}  # by thread: the socket that it received from last

    def enters(self, who: Caller, space: Space, registers: Registers, shape: str, number: int) -> bool:
        """A function begins. True where its return is to be seen by a changed return address."""
        if shape.startswith("go_"):
            self._go_enters(who, registers, shape, number)
            return False
        if shape == "SSL_free":
            self._imported.discard((who.pid, registers.rdi))
            self._forget(who, registers.rdi, number)
            return False
        if shape in _AEAD:
            return self._aead_enters(who, space, registers, shape, number)
        if shape in ("NSS_read", "NSS_write") and (who.pid, registers.rdi) not in self._imported:
            return False
        size_at = getattr(registers, _SIZE_AT[shape]) if shape in _SIZE_AT else 0
        inside = _Inside(shape, number, registers.rdi, buffer=registers.rsi, size_at=size_at)
        self._inside[who.tid, registers.rsp + 8] = inside
        return True

    def returns(self, who: Caller, space: Space, registers: Registers) -> None:
        """A function returned; the stack is as its caller has it."""
        call = self._inside.pop((who.tid, registers.rsp), None)
        if call is None:
            return
        if call.shape in _AEAD:
            self._aead_returns(who, space, registers, call)
            return
        result = _signed(registers.rax)
        if call.shape == "NSS_import":
            if registers.rax:
                self._imported.add((who.pid, registers.rax))
            return
        if result <= 0 or call.shape == "SSL_do_handshake":
            self._meet(who, call.object, call.number)
        if result <= 0:
            return
        if call.shape == "SSL_do_handshake":
            if result == 1:
                self._mark(who, HANDSHAKE, call.object, call.number, latency_ns=time.monotonic_ns() - call.began_ns)
            return
        did = space.word(call.size_at) if call.size_at else result
        if did:
            self._data(who, space, call, did, incoming=call.shape in _READS)

    def _go_enters(self, who: Caller, registers: Registers, shape: str, number: int) -> None:
        if shape == "go_close":
            self._forget(who, registers.rax, number)
            return
        inside = _Inside(shape, number, registers.rax, buffer=registers.rbx)
        self._inside[-who.pid, registers.r14] = inside

    def go_returns(self, who: Caller, space: Space, registers: Registers, shape: str) -> None:
        """At a `ret` of a function of Go: the goroutine may have changed its thread and its stack."""
        call = self._inside.get((-who.pid, registers.r14))
        if call is None or call.shape != shape:
            return
        del self._inside[-who.pid, registers.r14]
        did = registers.rax if registers.rax < 1 << 62 else 0
        if did:
            self._data(who, space, call, did, incoming=shape == "go_read")
        else:
            self._meet(who, call.object, call.number)

    # -- TLS by its AEAD functions, one call a record ----------------------------------------------------------------

    def _aead_enters(self, who: Caller, space: Space, registers: Registers, shape: str, number: int) -> bool:
        stack = space.read(registers.rsp + 8, 56)
        if len(stack) < 56:
            return False
        words = [int.from_bytes(stack[at : at + 8], "little") for at in range(0, 56, 8)]
        scatter = shape == "seal_scatter"
        data, size = (words[5], words[6]) if scatter else (words[2], words[3])
        kind = _type_by(space.read(data, size)) if size in (5, 13) else 0
        if not kind:
            return False
        if shape == "seal":
            self._seal(who, space, (words[0], words[1], kind), number)
            return False
        if scatter:
            kind = (space.read(words[3], 1) or b"\0")[0] if words[4] == 1 else kind
            self._seal(who, space, (words[1], words[2], kind), number)
            return False
        size_at = registers.rdx if shape == "open" else 0
        outer = any(
            tid == who.tid and sp > registers.rsp + 8 and call.shape in _AEAD for (tid, sp), call in self._inside.items()
        )
        if outer:  # open calls open_gather, in some builds
            return False
        inside = _Inside(shape, number, 0, buffer=registers.rsi, size_at=size_at, size=registers.r9, type=kind)
        self._inside[who.tid, registers.rsp + 8] = inside
        return True

    def _seal(self, who: Caller, space: Space, plain: tuple[int, int, int], number: int) -> None:
        address, size, kind = plain
        data = space.read(address, min(size, _RECORD_MOST))
        if kind == _INSIDE:
            kind, data = _cut_type(data)
            size = len(data)
        if kind != _APPLICATION_DATA or not size:
            return
        sealing = self._sealed.setdefault(who.tid, _Sealing())
        self._record(who, SEALED, 0, number, data=data,
            offset=sealing.size, seq=sealing.records, latency_ns=sealing.epoch, lost=size - len(data), outgoing=True,
        )  # fmt: skip
        sealing.size += size
        sealing.records += 1

    def sent(self, who: Caller, sock: int) -> None:
        """The thread sent on a socket: what it had encrypted."""
        sealing = self._sealed.get(who.tid)
        if sealing is None or not sealing.records:
            return
        side = self._side(who.pid, sock, 1)
        self._record(who, SENT, sock, 0,
            offset=side.offset, seq=side.seq, latency_ns=sealing.epoch, outgoing=True,
        )  # fmt: skip
        side.offset += sealing.size
        side.seq += sealing.records
        sealing.size = sealing.records = 0
        sealing.epoch += 1

    def received(self, who: Caller, sock: int) -> None:
        """The thread received from a socket."""
        self._received[who.tid] = sock

    def _aead_returns(self, who: Caller, space: Space, registers: Registers, call: _Inside) -> None:
        if registers.rax & 0xFFFFFFFF != 1:
            return
        size = space.word(call.size_at) if call.size_at else call.size
        data = space.read(call.buffer, min(size, _RECORD_MOST))
        kind = call.type
        if kind == _INSIDE:
            kind, data = _cut_type(data)
        sock = self._received.get(who.tid, 0)
        if not sock:
            return
        if kind != _APPLICATION_DATA:
            self._meet(who, sock, call.number)
        elif data:
            self._chunks(who, sock, call, data, time_ns=time.monotonic_ns())

    # -- records -----------------------------------------------------------------------------------------------------

    def _data(self, who: Caller, space: Space, call: _Inside, did: int, *, incoming: bool) -> None:
        data = space.read(call.buffer, min(did, _CALL_MOST))
        time_ns = time.monotonic_ns() if incoming else call.began_ns
        self._chunks(who, call.object, call, data, lost=did - len(data), time_ns=time_ns, outgoing=not incoming)

    def _chunks(
        self, who: Caller, object: int, call: _Inside, data: bytes, *, time_ns: int, lost: int = 0, outgoing: bool = False
    ) -> None:
        side = self._side(who.pid, object, int(outgoing))
        latency_ns = time.monotonic_ns() - call.began_ns
        for at in range(0, len(data) or 1, _SEGMENT):
            part = data[at : at + _SEGMENT]
            missing = lost if at + _SEGMENT >= len(data) else 0
            self._record(
                who,
                CHUNK,
                object,
                call.number,
                time_ns=time_ns,
                data=part,
                offset=side.offset,
                seq=side.seq,
                latency_ns=latency_ns,
                lost=missing,
                outgoing=outgoing,
                sock=0 if outgoing else self._received.get(who.tid, 0),
            )
            side.offset += len(part) + missing
            side.seq += 1

    def _side(self, pid: int, object: int, direction: int) -> _Side:
        side = self._sides.get((pid, object, direction))
        if side is None:
            if len(self._sides) >= _SIDES_MOST:
                del self._sides[next(iter(self._sides))]
            side = self._sides[pid, object, direction] = _Side()
        return side

    def _meet(self, who: Caller, object: int, number: int) -> None:
        """An object that carries nothing yet is known from its first call on."""
        if (who.pid, object, 0) not in self._sides and (who.pid, object, 1) not in self._sides:
            self._side(who.pid, object, 0)
            self._mark(who, OPENED, object, number)

    def _forget(self, who: Caller, object: int, number: int) -> None:
        sides = [self._sides.pop((who.pid, object, direction), None) for direction in (0, 1)]
        if any(side is not None for side in sides):
            read, written = (0 if side is None else side.offset for side in sides)
            self._mark(who, CLOSE, object, number, offset=read, latency_ns=written)

    def gone(self, who: Caller) -> None:
        """The process ended."""
        for key in [key for key in self._sides if key[0] == who.pid]:
            del self._sides[key]
        for inside in [key for key in self._inside if key[0] in (who.tid, -who.pid)]:
            del self._inside[inside]
        self._imported = {each for each in self._imported if each[0] != who.pid}
        self.thread_gone(who.tid)
        self._mark(who, GONE, 0, 0)

    def thread_gone(self, tid: int) -> None:
        self._sealed.pop(tid, None)
        self._received.pop(tid, None)

    def _mark(self, who: Caller, kind: int, object: int, number: int, *, offset: int = 0, latency_ns: int = 0) -> None:
        self._record(who, kind, object, number, offset=offset, latency_ns=latency_ns)

    def _record(
        self,
        who: Caller,
        kind: int,
        object: int,
        number: int,
        *,
        time_ns: int = 0,
        data: bytes = b"",
        offset: int = 0,
        seq: int = 0,
        latency_ns: int = 0,
        lost: int = 0,
        outgoing: bool = False,
        sock: int = 0,
    ) -> None:
        """struct chunk_t of bpf/tls.c."""
        fields = (
            time_ns or time.monotonic_ns(), who.start_ns, kind, who.pid, who.tid, who.uid, who.comm,
            object, offset, seq, latency_ns, sock, len(data), lost, outgoing, number,
        )  # fmt: skip
        self.emit(RECORD.pack(*fields) + data)


def _signed(value: int) -> int:
    """The int that a function of C returned."""
    low = value & 0xFFFFFFFF
    return low - (1 << 32) if low >> 31 else low


def _type_by(additional: bytes) -> int:
    """The type of a TLS record, by its additional data (RFC 8446 section 5.2, RFC 5246 section 6.2.3.3); 0 for other data."""
    if len(additional) == 5:
        return _INSIDE if additional[:3] == b"\x17\x03\x03" else 0
    return additional[8] if len(additional) == 13 and additional[9:11] == b"\x03\x03" else 0


def _cut_type(data: bytes) -> tuple[int, bytes]:
    """In TLS 1.3 the type is the last byte that is not zero."""
    data = data.rstrip(b"\0")
    return (data[-1], data[:-1]) if data else (0, b"")
