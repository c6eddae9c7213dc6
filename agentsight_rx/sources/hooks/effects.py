"""
System calls of stopped threads -> FileEvent, NetEvent; and which socket a thread sent to or received from.

Longer than 300 lines because files and sockets are distinguished by one table of calls.
"""

from __future__ import annotations

import ctypes
import errno
import os
import socket
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Protocol, cast

from msgspec import Struct

from ...events import FileEvent, NetEvent, Origin
from ..kernel.reader import lexical_path, text_of
from ..net import abstract_name, protocol_of, unix_type_of
from .calls import CALLS, OPEN_HOW, OTHER, REMOVES_DIRECTORY, TRANSFERS, Call
from .ptrace import Registers
from .space import Space

_AT_FDCWD = -100 & 0xFFFFFFFF  # as an int in a register
_CREAT, _CREAT_FLAGS = 85, os.O_CREAT | os.O_WRONLY | os.O_TRUNC
_UNLINKAT = 263
_PIDFD_GETFD = 438
_UNDECIDED, _CLOSED = (0, 2, 3), 7  # TCP_SYN_SENT, TCP_SYN_RECV; TCP_CLOSE
_PENDING_MOST = 1024
_ADDRESS_MOST = 128  # bytes of a struct sockaddr_storage
_FAMILIES = {int(socket.AF_INET): "ipv4", int(socket.AF_INET6): "ipv6", int(socket.AF_UNIX): "unix"}
_ON_SOCKETS = ("connect", "bind", "listen", "accept")
_libc = ctypes.CDLL(None, use_errno=True)


class Followed(Protocol):
    """A process of the tracer."""

    @property
    def pid(self) -> int: ...
    @property
    def start_ns(self) -> int: ...
    @property
    def by_socket(self) -> bool: ...
    @property
    def space(self) -> Space: ...
    def origin(self, tid: int) -> Origin: ...


class Begun(Struct):
    """A call that goes on: its arguments, and the paths that stood in memory when it began."""

    origin: Origin
    number: int
    arguments: tuple[int, ...]
    path: str = ""
    target: str = ""
    existed: bool = False
    address: bytes = b""


class Effects(Struct):
    """`emit` gets an event."""

    emit: Callable[[FileEvent | NetEvent], None]
    kinds: frozenset[str] = frozenset()  # of what is asked for: files, net
    pending: list[tuple[Followed, Begun]] = []  # connects of which the outcome is open

    def wants(self, number: int, *, by_socket: bool) -> bool:
        """Whether a breakpoint is set at a call of this number. Reads and writes only where they say whose a TLS record is."""
        call = CALLS.get(number)
        if call is None:
            return number == OTHER or (by_socket and number in TRANSFERS)
        return self._asked(call)

    def numbers(self, *, by_socket: bool) -> frozenset[int]:
        """The numbers of the calls of interest."""
        return frozenset(number for number in (*CALLS, *TRANSFERS) if self.wants(number, by_socket=by_socket))

    def _asked(self, call: Call) -> bool:
        if call.action == "trace":
            return True
        if call.action == "connect" and "tls" in self.kinds:
            return True  # which connections were not read
        return ("net" if call.action in _ON_SOCKETS else "files") in self.kinds

    def begins(self, process: Followed, tid: int, registers: Registers) -> Begun | None:
        """A thread is about to make the call that its registers say; None where its end is of no interest."""
        number = registers.rax
        call = CALLS.get(number)
        if call is None:
            if number not in TRANSFERS or not process.by_socket:
                return None
            return Begun(process.origin(tid), number, (registers.rdi,))
        if not self._asked(call):
            return None
        arguments = (registers.rdi, registers.rsi, registers.rdx, registers.r10)
        begun = Begun(process.origin(tid), number, arguments)
        if call.action in ("connect", "bind"):
            begun.address = process.space.read(arguments[1], min(arguments[2] & 0xFFFF, _ADDRESS_MOST))
        elif call.action not in ("listen", "accept", "trace"):
            begun.path = _path(process, arguments, call.path, call.at)
            if call.to is not None:
                begun.target = _path(process, arguments, call.to, call.to_at)
            if call.action == "open" and _flags(process, number, call, arguments) & os.O_CREAT:
                begun.existed = os.path.lexists(f"/proc/{process.pid}/root{begun.path}")
        return begun

    def ends(self, process: Followed, begun: Begun, registers: Registers) -> tuple[int, bool] | None:
        """The call is over. Returns (inode of the socket, whether it sent) where it moved bytes through one."""
        number = begun.number
        result = registers.rax - (1 << 64) if registers.rax >> 63 else registers.rax
        error = -result if -4096 < result < 0 else 0
        call = CALLS.get(number)
        if call is None:
            sock = _socket_of(process.pid, begun.arguments[0]) if not error and result else 0
            return (sock, TRANSFERS[number]) if sock else None
        if call.action in _ON_SOCKETS:
            self._net(process, begun, call.action, result, error)
        else:
            self._file(process, begun, number, call, error)
        return None

    def _file(self, process: Followed, begun: Begun, number: int, call: Call, error: int) -> None:
        action = call.action
        if number == _UNLINKAT and begun.arguments[2] & REMOVES_DIRECTORY:
            action = "rmdir"
        if not begun.path:
            return
        self.emit(
            FileEvent(
                _at(begun.origin, time.monotonic_ns()),
                process.start_ns,
                action=action,
                path=begun.path,
                target=begun.target,
                flags=_flags(process, number, call, begun.arguments),
                error=error,
                lexical=True,
                existed=begun.existed,
            )
        )

    def _net(self, process: Followed, begun: Begun, action: str, result: int, error: int) -> None:
        if error in (errno.EAGAIN, errno.EINTR):
            return
        if error == errno.EINPROGRESS and len(self.pending) < _PENDING_MOST:
            self.pending.append((process, begun))
            return
        number = result if action == "accept" and not error else begun.arguments[0]
        with _borrowed(process.pid, number) as sock:
            event = _described(process, begun, action, error, sock)
        if event is not None:
            self.emit(event)

    def settle(self, *, ended: int = 0, at_end: bool = False) -> None:
        """Connects of which the outcome was open: the ones that are decided now, or were abandoned with the `ended` process."""
        pending, self.pending = self.pending, []
        for process, begun in pending:
            with _borrowed(process.pid, begun.arguments[0]) as sock:
                state = _state(sock)
                if process.pid == ended or sock is None:
                    error = errno.ECANCELED
                elif state in _UNDECIDED and not at_end:
                    self.pending.append((process, begun))
                    continue
                else:  # why one failed only the program learns
                    error = 0 if state not in (*_UNDECIDED, _CLOSED) else errno.EINPROGRESS
                event = _described(process, begun, "connect", error, sock)
            if event is not None:
                self.emit(event)


def _state(sock: socket.socket | None) -> int:
    """tcpi_state of tcp(7)."""
    try:
        return 0 if sock is None else sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0]
    except OSError:
        return 0


def _described(process: Followed, begun: Begun, action: str, error: int, sock: socket.socket | None) -> NetEvent | None:
    given = _address(begun.address)
    local = peer = ("", 0)
    family, protocol = _family(begun.address), "tcp"
    if sock is not None:
        if sock.family not in (socket.AF_INET, socket.AF_INET6, socket.AF_UNIX):
            return None
        family = _FAMILIES[int(sock.family)]
        protocol = unix_type_of(sock.type) if family == "unix" else protocol_of(sock.proto)
        with suppress(OSError):
            local = _named(sock.getsockname())
        with suppress(OSError):
            peer = _named(sock.getpeername())
    if not family:
        return None
    if family == "unix" and given[0] and not given[0].startswith(("/", "@")):
        given = lexical_path(os.fsencode(given[0]), _link(f"/proc/{process.pid}/cwd")), 0
    own = action in ("bind", "listen")
    if own:
        local = given if action == "bind" and not local[0] else local
        peer = ("", local[1])
    elif action == "connect":
        peer = given
    time_ns = time.monotonic_ns()
    return NetEvent(
        _at(begun.origin, time_ns),
        process.start_ns,
        action=action,
        family=family,
        protocol=protocol,
        local="" if local[0] in ("0.0.0.0", "::") and not own else local[0],
        peer="" if own else peer[0],
        port=peer[1],
        error=error,
        latency_ns=time_ns - begun.origin.time_ns if action == "connect" else 0,
        local_port=local[1] if action == "accept" else 0,
    )


def _at(origin: Origin, time_ns: int) -> Origin:
    return Origin(time_ns, origin.pid, tid=origin.tid, uid=origin.uid, comm=origin.comm)


class _borrowed:
    """A copy of a descriptor of another process, for a moment (pidfd_getfd(2)); None where the kernel gives none."""

    def __init__(self, pid: int, number: int) -> None:
        self._sock: socket.socket | None = None
        try:
            pidfd = os.pidfd_open(pid)
        except OSError:
            return
        fd = int(_libc.syscall(_PIDFD_GETFD, pidfd, number & 0xFFFFFFFF, 0))
        os.close(pidfd)
        if fd < 0:
            return
        try:
            self._sock = socket.socket(fileno=fd)
        except OSError:
            os.close(fd)

    def __enter__(self) -> socket.socket | None:
        return self._sock

    def __exit__(self, *_: object) -> None:
        if self._sock is not None:
            self._sock.close()


def _flags(process: Followed, number: int, call: Call, arguments: tuple[int, ...]) -> int:
    if number == _CREAT:
        return _CREAT_FLAGS
    if call.flags is None:
        return 0
    if number == OPEN_HOW:
        return process.space.word(arguments[2])
    return arguments[call.flags] & 0xFFFFFFFF


def _path(process: Followed, arguments: tuple[int, ...], path: int | None, at: int | None) -> str:
    """Absolute, as the process sees it; joined from text."""
    folder = _AT_FDCWD if at is None else arguments[at] & 0xFFFFFFFF
    given = b"" if path is None else process.space.text(arguments[path])
    if given.startswith(b"/"):
        return lexical_path(given, None)
    place = "cwd" if folder == _AT_FDCWD else f"fd/{folder}"
    directory = _link(f"/proc/{process.pid}/{place}")
    if path is None:
        return directory
    return lexical_path(given, directory) if given else ""


def _link(place: str) -> str:
    try:
        return os.readlink(place)
    except OSError:
        return ""


def _socket_of(pid: int, number: int) -> int:
    """The inode of the socket that a descriptor is; 0 for none."""
    name = _link(f"/proc/{pid}/fd/{number & 0xFFFFFFFF}")
    return int(name[8:-1]) if name.startswith("socket:[") else 0


def _family(address: bytes) -> str:
    number = int.from_bytes(address[:2], "little")
    return _FAMILIES.get(number, "")


def _address(data: bytes) -> tuple[str, int]:
    """struct sockaddr -> address or path, and port."""
    kind = _family(data)
    if kind == "ipv4" and len(data) >= 8:
        return socket.inet_ntop(socket.AF_INET, data[4:8]), int.from_bytes(data[2:4], "big")
    if kind == "ipv6" and len(data) >= 24:
        return socket.inet_ntop(socket.AF_INET6, data[8:24]), int.from_bytes(data[2:4], "big")
    if kind == "unix":
        name = data[2:]
        return (abstract_name(name) if name[:1] == b"\0" else text_of(name.partition(b"\0")[0])), 0
    return "", 0


def _named(name: Any) -> tuple[str, int]:
    """What getsockname and getpeername return."""
    if isinstance(name, tuple):
        address, port, *_ = cast("tuple[str, int]", name)
        return address, port
    if isinstance(name, bytes):
        return abstract_name(name), 0
    return str(name), 0
