"""The bytes of an IP address, and a port -> their text, as all rows have it; and back to the host."""

from __future__ import annotations

import socket

from ..core.start import regex

_MAPPED = bytes(10) + b"\xff\xff"  # RFC 4291 2.5.5.2: an IPv4 address in IPv6 form
_PORT = regex(r":\d+\Z")


def address_of(raw: bytes, /) -> str:
    """16 bytes; an IPv4 address is in its IPv6 form."""
    if raw.startswith(_MAPPED):
        return socket.inet_ntop(socket.AF_INET, raw[12:])
    return socket.inet_ntop(socket.AF_INET6, raw)


def endpoint(address: str, port: int, /) -> str:
    """`address:port`, an IPv6 address in brackets (RFC 3986 3.2.2); a path stays a path."""
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}" if port else address


def host_of(text: str, /) -> str:
    """The name or the address alone of `host:port`, as the field Host of a request has it (RFC 9110 7.2), in small letters."""
    return _PORT.sub("", text).strip("[]").lower()
