"""struct end_t of bpf/ends.h, of both ends -> their addresses and ports."""

from __future__ import annotations

from struct import Struct as Layout
from typing import NamedTuple

from ..wire.address import address_of, endpoint

__all__ = ["ENDS", "ENDS_FIELDS", "MOVED_FIELDS", "Ends", "ends_of"]

ENDS_FIELDS = (  # of the kernel that bpf/ends.h reads
    "sock_common.skc_family",
    "sock_common.skc_num",
    "sock_common.skc_dport",
    "sock_common.skc_rcv_saddr",
    "sock_common.skc_daddr",
    "sock_common.skc_v6_daddr",
    "sock_common.skc_v6_rcv_saddr",
)
MOVED_FIELDS = (  # of the kernel that bpf/moved.h reads
    "sock.sk_shutdown",
    "tcp_sock.bytes_acked",
    "tcp_sock.bytes_received",
    "tcp_sock.copied_seq",
    "tcp_sock.rcv_nxt",
    "tcp_sock.snd_una",
    "tcp_sock.write_seq",
)

ENDS = Layout("<16sHH16sHH")


class Ends(NamedTuple):
    """The two ends of a connection, as `address:port`, and their ports alone; "" and 0 where they are not known."""

    local: str = ""
    peer: str = ""
    local_port: int = 0
    port: int = 0


def ends_of(view: memoryview, at: int) -> Ends:
    """The local end is followed by the peer."""
    local, local_port, is_known, peer, port, _ = ENDS.unpack_from(view, at)
    if not is_known or not local_port:
        return Ends()
    return Ends(endpoint(address_of(local), local_port), endpoint(address_of(peer), port), local_port, port)
