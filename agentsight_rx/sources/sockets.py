"""Numbers and names of sockets -> the words of NetEvent, the same by each way to see a process."""

from __future__ import annotations

from .kernel.names_and_paths import text_of

__all__ = ["abstract_name", "protocol_of", "unix_type_of"]

_UNIX_TYPES = {1: "stream", 2: "dgram", 5: "seqpacket"}
_PROTOCOLS = {1: "icmp", 6: "tcp", 17: "udp", 58: "icmp", 132: "sctp", 136: "udplite", 262: "mptcp"}  # include/uapi/linux/in.h


def protocol_of(number: int, /) -> str:
    """Of an IP socket; `ip` and the number where it has no name here."""
    return _PROTOCOLS.get(number, f"ip{number}")


def unix_type_of(number: int, /) -> str:
    """Of a unix socket, such as SOCK_STREAM (socket(2))."""
    return _UNIX_TYPES.get(number, str(number))


def abstract_name(name: bytes, /) -> str:
    """`@` and the name of an abstract unix socket, which begins with a NUL byte (unix(7))."""
    return "@" + text_of(name[1:]).replace("\0", "@")
