"""A probed implementation, and whether its bytes prove that its functions were found."""

from __future__ import annotations

import re
import time
from functools import partial

from msgspec import Struct, field

from ...events import Origin
from ..kernel.probes import Attached
from .libraries import Library
from .stacks.finding import Finding

__all__ = ["Probed", "Use", "begins_like_a_client", "begins_like_http"]

# The first bytes of a direction: a request line (RFC 9112 section 3), the preface of HTTP/2 (RFC 9113 section 3.4)
_CLIENT = re.compile(rb"[A-Z]{3,16} \S")
# a status line (RFC 9112 section 4), a SETTINGS frame on stream 0 (RFC 9113 section 6.5)
_SERVER = re.compile(rb"HTTP/1\.[01] |\0..\x04[\0\x01]\0{4}", re.DOTALL)
_TRIED_MOST = 8  # connections that began with other bytes, of a function found by what its code does


class Use(Struct):
    """What one process did with it: its connections, and the bytes read of them."""

    origin: Origin
    start_ns: int
    connections: int = 0
    midway: int = 0
    size: int = 0
    proven: bool = False


class Probed(Struct):
    """One TLS implementation in one file, with its probes. `proven` once a connection began as clients or servers begin."""

    library: Library
    finding: Finding
    by_socket: bool = False  # nothing says when an object ends: the end of its socket does
    identity: str = ""  # of the file, for the cache of findings
    probes: Attached | None = None
    since_ns: int = field(default_factory=partial(time.clock_gettime_ns, time.CLOCK_BOOTTIME))
    since_mono_ns: int = field(default_factory=time.monotonic_ns)
    proven: bool = False
    tried: int = 0  # connections that began

    @property
    def sees_handshakes(self) -> bool:
        """Whether an object is seen before it carries anything."""
        return any(hook.shape == "SSL_do_handshake" for hook in self.finding.hooks)

    def proves(self, first: bytes, *, from_beginning: bool) -> bool:
        """Bytes of a connection, the first ones if `from_beginning`. Whether they prove that this is what it was taken for."""
        self.tried += from_beginning
        if self.finding.exact or begins_like_http(first):
            self.proven = True
            return True
        return False

    @property
    def wrong(self) -> bool:
        """So many connections began with other bytes that these cannot be the functions."""
        return not self.proven and self.tried >= _TRIED_MOST


def begins_like_a_client(data: bytes) -> bool:
    return _CLIENT.match(data) is not None


def begins_like_http(data: bytes) -> bool:
    return _CLIENT.match(data) is not None or _SERVER.match(data) is not None
