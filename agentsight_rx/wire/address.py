"""The bytes of an IP address, and a port -> their text, as all rows have it."""

from __future__ import annotations

import socket

__all__ = ["address_of", "endpoint"]

_MAPPED = bytes(10) + b"\xff\xff"  # RFC 4291 2.5.5.2: an IPv4 address in IPv6 form


def address_of(raw: bytes, /) -> str:
    """16 bytes; an IPv4 address is in its IPv6 form."""
    if raw.startswith(_MAPPED):
        return socket.inet_ntop(socket.AF_INET, raw[12:])
    return socket.inet_ntop(socket.AF_INET6, raw)


def endpoint(address: str, port: int, /) -> str:
    """`address:port`, an IPv6 address in brackets (RFC 3986 3.2.2); a path stays a path."""
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}" if port else address
