"""Records of bpf/tls.c -> TlsChunk, TlsHandshake, TlsOpen, TlsClose, TcpTraffic, and the files that processes use."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from struct import Struct as Layout
from typing import NamedTuple

from ...events import Loss, Origin, TlsChunk, TlsEvent, TlsHandshake, TlsOpen
from ...events.loss import Reason
from ..kernel.machine import MACHINE
from ..kernel.probes import Site
from ..kernel.reader import ProcessNames
from ..net import ends_of
from .calibration import Calibration, Sample
from .connections import Below, Connections, Known, Sealed, on
from .libraries import FileId, Probed
from .stacks.finding import Finding, Hook
from .traffic import Traffic

# struct chunk_t, up to its data
RECORD = Layout("<QQB3xIII16sQQQQQIIII")
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
        self._names = ProcessNames()

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
        name = self._names[comm]
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
        record = self.traffic.read(view, at, self._names.__getitem__)
        if not record.ended:
            self.connections.socket_began(record.origin.pid, record.sock)
            self.traffic.begin(record)
            return []
        closed = self.connections.socket_ended(record.origin, record.sock, record.in_offset, record.out_offset)
        return [*closed, *self.traffic.end(record)]


def _cut(origin: Origin, size: int) -> Loss:
    note = "a single TLS call carried more than 16.5 MiB"
    return Loss(origin, "tls", reason=Reason.TRUNCATED, count=1, size=size, note=note)


# -- shapes --------------------------------------------------------------------------------------------------------
# The shapes of functions that take or give plaintext: where bpf/tls.c finds object, bytes, length and result.


# The numbers are those of bpf/tls.c. C functions follow the System V ABI for x86-64: arguments in rdi, rsi, rdx, rcx, r8, r9
# and on the stack, the result in rax.
SHAPES = {
    "SSL_read": 1,  # (object, buffer, int size) -> bytes read, <= 0 for none; gnutls_record_recv and PR_Recv are alike
    "SSL_write": 2,  # (object, buffer, int size) -> bytes taken; SSL_write of BoringSSL, gnutls_record_send2, PR_Send
    "SSL_read_ex": 3,  # (object, buffer, size, *read) -> 1; ssl_read_internal
    "SSL_write_ex": 4,  # (object, buffer, size, *written) -> 1; ssl_write_internal of OpenSSL before 3.3
    "SSL_write_ex2": 5,  # (object, buffer, size, flags, *written) -> 1; ssl_write_internal since OpenSSL 3.3
    "SSL_do_handshake": 6,  # (object) -> 1
    "SSL_free": 7,  # (object); gnutls_deinit, PR_Close
    "seal": 8,  # (ctx, out, *out_len, max, nonce, nonce_len, in, in_len, ad, ad_len) -> 1; plaintext at entry
    "open": 9,  # (ctx, out, *out_len, max, nonce, nonce_len, in, in_len, ad, ad_len) -> 1; plaintext in out at return
    "seal_scatter": 10,  # (ctx, out, tag, *tag_len, max, nonce, nonce_len, in, in_len, extra, extra_len, ad, ad_len) -> 1
    "open_gather": 11,  # (ctx, out, nonce, nonce_len, in, in_len, tag, tag_len, ad, ad_len) -> 1; in_len bytes in out
    "go_write": 12,  # Go: object in rax, buffer in rbx, length in rcx; at ret the number of bytes in rax
    "go_read": 13,
    "NSS_import": 14,  # SSL_ImportFD(model, fd) -> fd: from now on this object speaks TLS
    "NSS_read": 15,  # PR_Read, PR_Recv: (object, buffer, size, …) -> bytes; counts only for objects of SSL_ImportFD
    "NSS_write": 16,  # PR_Write, PR_Send
    "go_close": 17,  # (*Conn).Close: object in rax
    "ring_candidate": 18,  # rustls with ring: one of these functions is ring_encrypt, another ring_decrypt
    "ring_encrypt": 19,  # Hook.layout says where the plaintext is at entry
    "ring_decrypt": 20,  # the same in the struct that is the result
}
_NO_RETURN = frozenset({"SSL_free", "go_close"})
_AEAD = frozenset({"seal", "open", "seal_scatter", "open_gather"})
_GO = frozenset({"go_write", "go_read", "go_close"})
_RING = frozenset({"ring_candidate", "ring_encrypt", "ring_decrypt"})


def needs_sockets(finding: Finding) -> bool:
    """Whether the socket calls of its users must be watched: nothing else says which connection it is, or when it ends."""
    shapes = {hook.shape for hook in finding.hooks}
    return bool(shapes or finding.candidates) and not shapes & {"SSL_free", "go_close"}


def needs_layout(finding: Finding) -> bool:
    """Whether only a run shows, or has shown, where its plaintext is."""
    return bool(finding.candidates) or any(hook.shape in _RING for hook in finding.hooks)


def sites(hook: Hook, library: int) -> Iterator[Site]:
    """Where bpf/tls.c is to be run for it. `library` is the number of the finding in its records."""
    cookie = library << 8 | SHAPES[hook.shape]
    if hook.shape in _RING:
        cookie |= hook.offset << 24  # bpf/tls_ring.c knows a function by it
        if hook.shape != "ring_decrypt" or not MACHINE.returns_place:
            yield Site("on_ring_begins", hook.offset, cookie)
        if hook.shape != "ring_encrypt":
            yield Site("on_ring_ends", hook.offset, cookie, at_return=True)
        return
    kind = "aead" if hook.shape in _AEAD else "go" if hook.shape in _GO else ""
    begins, ends = (f"on_{kind}_begins", f"on_{kind}_ends") if kind else ("on_enter", "on_leave")
    yield Site(begins, hook.offset, cookie)
    if hook.returns:
        yield from (Site(ends, offset, cookie) for offset in hook.returns)
    elif hook.shape not in _NO_RETURN:
        yield Site(ends, hook.offset, cookie, at_return=True)
