"""The system calls of interest on x86-64, by number: what each does, and where its arguments are."""

from __future__ import annotations

import socket
from collections.abc import Sequence
from typing import Generic, NamedTuple, TypeAlias, TypeVar

import msgspec
from msgspec import Struct

from ...core.options import msgpack_decoder
from ...events import FileEvent, Loss, NetEvent, ProcessExec, ProcessExit, ProcessFork, ProcessSeen, UnreadTls
from ..kernel.machine import MACHINES
from ..tls.stacks.finding import Finding

_NUMBERS = MACHINES["x86_64"].calls
OTHER = -1  # the number is computed: a function that makes any call
OPEN_HOW = _NUMBERS["openat2"]  # its flags are in a struct
REMOVES_DIRECTORY = 0x200  # AT_REMOVEDIR of unlinkat


class Call(NamedTuple):
    """
    `action` is one of a FileEvent or NetEvent. The arguments have numbers from 0: `at`, the descriptor of the folder that
    a `path` is relative to (None: the working directory), `flags` of an open, `to_at` and `to` for the second path.
    """

    action: str
    path: int | None = None
    at: int | None = None
    flags: int | None = None
    to: int | None = None
    to_at: int | None = None


_BY_NAME = {
    "open": Call("open", 0, flags=1),
    "creat": Call("open", 0),
    "openat": Call("open", 1, 0, flags=2),
    "openat2": Call("open", 1, 0, flags=2),
    "rename": Call("rename", 0, to=1),
    "renameat": Call("rename", 1, 0, to=3, to_at=2),
    "renameat2": Call("rename", 1, 0, to=3, to_at=2),
    "link": Call("link", 0, to=1),
    "linkat": Call("link", 1, 0, to=3, to_at=2),
    "unlink": Call("unlink", 0),
    "unlinkat": Call("unlink", 1, 0),
    "rmdir": Call("rmdir", 0),
    "mkdir": Call("mkdir", 0),
    "mkdirat": Call("mkdir", 1, 0),
    "truncate": Call("truncate", 0),
    "ftruncate": Call("truncate", None, 0),
    "chdir": Call("chdir", 0),
    "fchdir": Call("chdir", None, 0),
    "connect": Call("connect"),
    "bind": Call("bind"),
    "listen": Call("listen"),
    "accept": Call("accept"),
    "accept4": Call("accept"),
    "ptrace": Call("trace"),  # a debugger may need what we have
}
TRACE = _NUMBERS["ptrace"]
CALLS: dict[int, Call] = {_NUMBERS[name]: call for name, call in _BY_NAME.items()}
_RECEIVE, _SEND = ("read", "readv", "recvfrom", "recvmsg"), ("write", "writev", "sendto", "sendmsg")
TRANSFERS = {_NUMBERS[name]: name in _SEND for name in (*_RECEIVE, *_SEND)}  # number -> whether it sends


# -- frames --------------------------------------------------------------------------------------------------------
# Lists of values, each behind its size: from the tracer to the recorder, and from the searcher to the tracer.


S = TypeVar("S")
R = TypeVar("R")
_SIZE = 4
_WAITING_MOST = 64 << 20  # bytes that were not taken yet


class Attached(Struct, frozen=True, tag="attached"):
    """A TLS implementation has its breakpoints: from now on records have its number."""

    number: int
    path: str
    key: tuple[int, int, int]
    finding: Finding


class Stated(Struct, frozen=True, tag="stated"):
    """The answer to a request; `error` says why it was refused."""

    pid: int = 0
    error: str = ""


# bytes: a record of tls.records
Seen: TypeAlias = ProcessFork | ProcessSeen | ProcessExec | ProcessExit | FileEvent | NetEvent | UnreadTls | Loss
Report: TypeAlias = bytes | Attached | Stated | Seen


class Wire(Generic[S, R]):
    """
    One end of a socket that sends lists of S and receives lists of R. Nothing blocks: values that are not taken in time wait,
    up to a limit.
    """

    def __init__(self, end: socket.socket, kind: type[list[R]]) -> None:
        self._end = end
        self._encode = msgspec.msgpack.Encoder().encode
        self._decoder: msgspec.msgpack.Decoder[list[R]] = msgpack_decoder(kind)
        self._in = bytearray()
        self._out = bytearray()
        self.lost = 0  # values that found no room
        self.closed = False
        end.setblocking(False)

    def fileno(self) -> int:
        return self._end.fileno()

    @property
    def is_waiting(self) -> bool:
        return bool(self._out)

    def send(self, values: Sequence[S]) -> None:
        if len(self._out) > _WAITING_MOST:
            self.lost += len(values)
        elif values:
            data = self._encode(values)
            self._out += len(data).to_bytes(_SIZE, "little") + data
        self.flush()

    def flush(self) -> None:
        try:
            while self._out:
                del self._out[: self._end.send(memoryview(self._out)[: 1 << 20])]
        except BlockingIOError:
            pass
        except OSError:
            self.closed = True
            self._out.clear()

    def receive(self) -> list[R]:
        """All that came; `closed` once the other end is."""
        try:
            while data := self._end.recv(1 << 20):
                self._in += data
            self.closed = True
        except BlockingIOError:
            pass
        except OSError:
            self.closed = True
        values: list[R] = []
        at = 0
        while len(self._in) - at >= _SIZE:
            size = int.from_bytes(self._in[at : at + _SIZE], "little")
            if len(self._in) - at - _SIZE < size:
                break
            values += self._decoder.decode(memoryview(self._in)[at + _SIZE : at + _SIZE + size])
            at += _SIZE + size
        del self._in[:at]
        return values

    def close(self) -> None:
        self._end.close()
