"""What is probed, and whether the bytes it gave prove that it is what it was taken for."""

from __future__ import annotations

import re

from msgspec import Struct

from .libraries import Library
from .stacks.finding import Finding

__all__ = ["Probed", "begins_like_a_client", "begins_like_http"]

# The first bytes of a direction: a request line (RFC 9112 section 3), the preface of HTTP/2 (RFC 9113 section 3.4)
_CLIENT = re.compile(rb"[A-Z]{3,16} \S")
# a status line (RFC 9112 section 4), a SETTINGS frame on stream 0 (RFC 9113 section 6.5)
_SERVER = re.compile(rb"HTTP/1\.[01] |\0..\x04[\0\x01]\0{4}", re.DOTALL)
_TRIED_MOST = 8  # connections that began with other bytes, of a function found by what its code does


class Probed(Struct):
    """
    One TLS implementation in one file, with its probes. `proven` once a connection began with what clients or servers say;
    `size` bytes were read through it in `connections`.
    """

    library: Library
    finding: Finding
    by_name: bool = True  # its functions were found by their names: whatever they carry is plaintext
    by_socket: bool = False  # nothing says when an object ends: the end of its socket does
    proven: bool = False
    size: int = 0
    connections: int = 0

    def saw(self, first: bytes) -> bool:
        """A connection begins with these bytes. Whether this is the first proof."""
        self.connections += 1
        if self.proven or not (self.by_name or begins_like_http(first)):
            return False
        self.proven = True
        return True

    @property
    def wrong(self) -> bool:
        """So many connections began with other bytes that these cannot be the functions."""
        return not self.proven and self.connections >= _TRIED_MOST


def begins_like_a_client(data: bytes) -> bool:
    return _CLIENT.match(data) is not None


def begins_like_http(data: bytes) -> bool:
    return _CLIENT.match(data) is not None or _SERVER.match(data) is not None
