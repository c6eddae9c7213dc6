"""
GATE DIRECTORY -> operations on sockets of every kind; prints what each was and how it ended.

A line is [action, family, protocol, local, peer, port, errno, local port, size], in the order in which they happened. A port
of -1 is one that the kernel chose for the other side.
"""

from __future__ import annotations

import ctypes
import errno
import json
import os
import select
import socket
import sys
import time
from collections.abc import Callable
from pathlib import Path

from agentsight_rx.sources.kernel.machine import MACHINE
from tests.live.gate import wait_for

REFUSED = 53

_system_call = ctypes.CDLL(None, use_errno=True).syscall


def main() -> None:
    gate, top = Path(sys.argv[1]), os.path.realpath(sys.argv[2])
    os.chdir(top)
    wait_for(gate)
    for family, address in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")):
        _tcp(family, address)
        _udp(family, address)
    _mapped()
    _given_up()
    _unix(top)
    _odd()
    _again_and_again()


def note(
    action: str,
    family: str,
    protocol: str,
    *,
    local: str = "",
    peer: str = "",
    port: int = 0,
    error: int = 0,
    size: int = 0,
    local_port: int = 0,
) -> None:
    print(json.dumps([action, family, protocol, local, peer, port, error, local_port, size]), flush=True)


def failed(act: Callable[[], object]) -> int:
    try:
        act()
    except OSError as failure:
        return failure.errno or 0
    return 0


def _bound(family: int, kind: int, address: str) -> tuple[socket.socket, int]:
    server = socket.socket(family, kind)
    server.bind((address, 0))
    port: int = server.getsockname()[1]
    note("bind", _name(family), "tcp" if kind == socket.SOCK_STREAM else "udp", local=address, port=port)
    return server, port


def _name(family: int) -> str:
    return "ipv6" if family == socket.AF_INET6 else "ipv4"


def _tcp(family: int, address: str) -> None:
    name = _name(family)
    server, port = _bound(family, socket.SOCK_STREAM, address)
    server.listen(5)
    note("listen", name, "tcp", local=address, port=port)

    client = socket.socket(family)
    client.connect((address, port))
    note("connect", name, "tcp", local=address, peer=address, port=port)
    server.accept()[0].close()
    note("accept", name, "tcp", local=address, peer=address, port=-1, local_port=port)
    assert failed(lambda: client.connect((address, port))) == errno.EISCONN  # no new attempt to connect
    client.sendto(b"on a connection the address is ignored", (address, port))
    client.close()

    client = socket.socket(family)
    client.setblocking(False)
    assert client.connect_ex((address, port)) == errno.EINPROGRESS
    select.select([], [client], [], 5)
    client.connect_ex((address, port))
    note("connect", name, "tcp", local=address, peer=address, port=port)
    server.setblocking(False)
    server.accept()[0].close()
    note("accept", name, "tcp", local=address, peer=address, port=-1, local_port=port)
    assert failed(server.accept) == errno.EAGAIN
    client.close()

    rival = socket.socket(family)
    assert failed(lambda: rival.bind((address, port))) == errno.EADDRINUSE
    note("bind", name, "tcp", local=address, port=port, error=errno.EADDRINUSE)
    rival.close()
    server.close()

    client = socket.socket(family)
    assert failed(lambda: client.connect((address, port))) == errno.ECONNREFUSED
    note("connect", name, "tcp", peer=address, port=port, error=errno.ECONNREFUSED)
    client.close()
    client = socket.socket(family)
    client.setblocking(False)
    assert client.connect_ex((address, port)) == errno.EINPROGRESS
    select.select([], [client], [], 5)
    assert client.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == errno.ECONNREFUSED
    note("connect", name, "tcp", peer=address, port=port, error=errno.ECONNREFUSED)
    client.close()


class _Message(ctypes.Structure):
    _fields_ = (
        ("name", ctypes.c_char_p),
        ("name_size", ctypes.c_uint32),
        ("parts", ctypes.c_void_p),
        ("count", ctypes.c_size_t),
        ("control", ctypes.c_void_p),
        ("control_size", ctypes.c_size_t),
        ("flags", ctypes.c_int),
        ("sent", ctypes.c_uint32),
        ("pad", ctypes.c_uint32),
    )


class _Part(ctypes.Structure):
    _fields_ = (("at", ctypes.c_char_p), ("size", ctypes.c_size_t))


def _udp(family: int, address: str) -> None:
    name = _name(family)
    server, port = _bound(family, socket.SOCK_DGRAM, address)
    client = socket.socket(family, socket.SOCK_DGRAM)
    client.sendto(b"12345", (address, port))
    note("send", name, "udp", peer=address, port=port, size=5)
    client.sendmsg([b"123", b"4567"], [], 0, (address, port))
    note("send", name, "udp", peer=address, port=port, size=7)
    if family == socket.AF_INET:
        _many(client, address, port)
    assert failed(lambda: client.sendto(b"x" * 70_000, (address, port))) == errno.EMSGSIZE
    note("send", name, "udp", peer=address, port=port, error=errno.EMSGSIZE)
    client.connect((address, port))
    note("connect", name, "udp", local=address, peer=address, port=port)
    client.send(b"goes to where it is connected")
    client.close()
    server.close()


def _many(client: socket.socket, address: str, port: int) -> None:
    """Send three messages in one call; the second has no address."""
    to = socket.AF_INET.to_bytes(2, "little") + port.to_bytes(2, "big") + socket.inet_aton(address) + bytes(8)
    other = to[:2] + (port + 1).to_bytes(2, "big") + to[4:]
    part = _Part(b"123456", 6)
    each = (_Message * 3)()
    for message, name in zip(each, (to, None, other), strict=True):
        message.parts, message.count = ctypes.addressof(part), 1
        if name is not None:
            message.name, message.name_size = name, len(name)
    spare = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    spare.connect((address, port))
    note("connect", "ipv4", "udp", local=address, peer=address, port=port)
    assert _system_call(MACHINE.calls["sendmmsg"], spare.fileno(), ctypes.byref(each), 3, 0) == 3
    note("send", "ipv4", "udp", local=address, peer=address, port=port, size=6)
    note("send", "ipv4", "udp", local=address, peer=address, port=port + 1, size=6)
    spare.close()


def _mapped() -> None:
    server, port = _bound(socket.AF_INET, socket.SOCK_STREAM, "127.0.0.1")
    server.listen()
    note("listen", "ipv4", "tcp", local="127.0.0.1", port=port)
    client = socket.socket(socket.AF_INET6)
    client.connect(("::ffff:127.0.0.1", port))
    note("connect", "ipv4", "tcp", local="127.0.0.1", peer="127.0.0.1", port=port)
    client.close()
    server.close()
    everywhere = socket.socket(socket.AF_INET6)
    everywhere.bind(("::", 0))
    note("bind", "ipv6", "tcp", local="::", port=everywhere.getsockname()[1])
    everywhere.close()


def _given_up() -> None:
    server, port = _bound(socket.AF_INET, socket.SOCK_STREAM, "127.0.0.1")
    server.listen(0)
    note("listen", "ipv4", "tcp", local="127.0.0.1", port=port)
    first = socket.socket()
    first.connect(("127.0.0.1", port))
    note("connect", "ipv4", "tcp", local="127.0.0.1", peer="127.0.0.1", port=port)
    second = socket.socket()  # the queue is full: this one gets no answer
    second.setblocking(False)
    assert second.connect_ex(("127.0.0.1", port)) == errno.EINPROGRESS
    time.sleep(0.01)
    second.close()
    note("connect", "ipv4", "tcp", peer="127.0.0.1", port=port, error=errno.ECANCELED)
    third = socket.socket()
    third.settimeout(0.01)
    assert isinstance(_raised(lambda: third.connect(("127.0.0.1", port))), TimeoutError)
    third.close()
    note("connect", "ipv4", "tcp", peer="127.0.0.1", port=port, error=errno.ECANCELED)
    first.close()
    server.close()


def _raised(act: Callable[[], object]) -> Exception | None:
    try:
        act()
    except OSError as error:
        return error
    return None


def _unix(top: str) -> None:
    path = f"{top}/socket"
    for name, shown in ((path, path), ("\0abstract\0one", "@abstract@one"), ("relative", f"{top}/relative")):
        server = socket.socket(socket.AF_UNIX)
        server.bind(name)
        note("bind", "unix", "stream", local=shown)
        server.listen()
        note("listen", "unix", "stream", local=shown)
        client = socket.socket(socket.AF_UNIX)
        client.connect(name)
        note("connect", "unix", "stream", peer=shown)
        server.accept()[0].close()
        note("accept", "unix", "stream", local=shown)
        client.close()
        server.close()
    for name, shown, error in (
        (path, path, errno.ECONNREFUSED),
        (f"{top}/missing", f"{top}/missing", errno.ENOENT),
        ("./missing", f"{top}/missing", errno.ENOENT),
        ("\0missing", "@missing", errno.ECONNREFUSED),
    ):
        client = socket.socket(socket.AF_UNIX)
        assert failed(lambda client=client, name=name: client.connect(name)) == error  # type: ignore[misc]
        note("connect", "unix", "stream", peer=shown, error=error)
        client.close()
    server = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    server.bind("datagrams")
    note("bind", "unix", "dgram", local=f"{top}/datagrams")
    client = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    client.sendto(b"123", f"{top}/datagrams")
    note("send", "unix", "dgram", peer=f"{top}/datagrams", size=3)
    client.close()
    server.close()
    server = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    server.bind("packets")
    note("bind", "unix", "seqpacket", local=f"{top}/packets")
    server.close()


def _odd() -> None:
    number = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    assert failed(number.listen) == errno.EOPNOTSUPP
    note("listen", "ipv4", "udp", local="0.0.0.0", error=errno.EOPNOTSUPP)
    number.close()
    one, other = socket.socketpair()
    one.send(b"a socket pair is no network event")
    one.close()
    other.close()
    netlink = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW)
    netlink.bind((0, 0))
    netlink.close()


def _again_and_again() -> None:
    server, port = _bound(socket.AF_INET, socket.SOCK_STREAM, "127.0.0.1")
    server.close()
    for _ in range(REFUSED):
        client = socket.socket()
        assert client.connect_ex(("127.0.0.1", port)) == errno.ECONNREFUSED
        client.close()
    for _ in range(REFUSED):
        note("connect", "ipv4", "tcp", peer="127.0.0.1", port=port, error=errno.ECONNREFUSED)


if __name__ == "__main__":
    main()
