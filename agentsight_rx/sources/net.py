"""System calls on sockets -> NetEvent: the peers that processes connect, listen and send to, and the outcome."""

from __future__ import annotations

import socket
from collections.abc import Hashable, Sequence
from struct import Struct as Layout
from typing import NamedTuple

from msgspec.structs import replace

from ..core.options import Options
from ..core.stream import Stream
from ..events import Loss, NetEvent, Origin, Tick
from ..wire.address import address_of, endpoint
from .kernel.program import CALL_FIELDS, Program
from .kernel.reader import FoldingReader, Repeats, lexical_path, text_of, walked_path
from .kernel.shared_ring import GATHER_LONG_S, RingSize
from .names import Names
from .running_agents.on_demand import captured
from .target import Target

# -- ends ----------------------------------------------------------------------------------------------------------
# struct end_t of bpf/ends.h, of both ends -> their addresses and ports.


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


# -- sockets -------------------------------------------------------------------------------------------------------
# Numbers and names of sockets -> the words of NetEvent, the same by each way to see a process.


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


# ------------------------------------------------------------------------------------------------------------------------


_FIELDS = (
    *CALL_FIELDS,
    "file.private_data",
    "socket.state",
    "socket.sk",
    "sock.sk_type",
    "sock.sk_protocol",
    "sock.sk_err",
    *ENDS_FIELDS,
    "unix_sock.addr",
    "unix_sock.path",
    "unix_address.len",
    "unix_address.name",
)

_BEGINS = ("connect",)
_ENDS = ("connect", "bind", "listen", "accept", "accept4", "sendto", "sendmsg")
_BATCHES = ("sendmmsg",)

# struct net_t of bpf/net.c up to its text, of which GONE has the head alone
_HEAD = Layout("<QQB3xIII16s")
_BODY = Layout("<QqiHHIIII16sHH16sHH")
_ACTIONS = {1: "connect", 2: "bind", 3: "listen", 4: "accept", 5: "send"}
_GONE_KIND = 6
_WALKED, _CUT = 1, 2

_UNIX = 1  # AF_UNIX
_ANY = ("0.0.0.0", "::")


class NetOptions(Options, frozen=True, omit_defaults=True):
    """What the network source watches. `ring_size` is in bytes, a power of two."""

    target: Target = Target()
    ring_size: RingSize = 4 << 20  # 0.3 s of 100,000 records a second


def net(options: NetOptions = NetOptions()) -> Stream[NetEvent | Loss | Tick]:  # noqa: B008 (frozen)
    """
    What processes do with sockets of IPv4, IPv6 and unix: connect, bind, listen, accept, and send to an address.

    The connect of a non-blocking TCP socket is reported when its outcome is known: 0 or the errno, ECANCELED where it was
    abandoned, EINPROGRESS where the trace ended before. Of equal events of one process within 0.5 s there is the first, and
    one for the rest, whose `latency_ns` is the mean.
    """
    return captured("net", options, lambda: _NetReader(options))


class _NetReader(FoldingReader[NetEvent | int, NetEvent]):
    def __init__(self, options: NetOptions) -> None:
        self._options = options
        self.names = Names(options.target.comms)
        super().__init__(Repeats(_join))

    def open(self) -> None:
        options = self._options
        program = self._program = Program(
            "net",
            options.target,
            ring_size=options.ring_size,
            gather_s=GATHER_LONG_S,
            decode=decode,
            fields=_FIELDS,
            switches=["-DCALLS"],
            headers=("ends.h",),
            names=self.names,
        )
        program.attach("on_begin", "enter", _BEGINS)
        program.attach("on_end", "exit", _ENDS)
        program.attach("on_batch", "exit", _BATCHES)
        program.seed()

    def _fold(self, records: Sequence[NetEvent | int], /) -> list[NetEvent]:
        events: list[NetEvent] = []
        for each in records:
            if isinstance(each, NetEvent):
                events += self._repeats.add(each.start_ns, _key(each), each)
            else:  # the start of a process that ended
                events += self._repeats.end(each)
        return events

    def close(self) -> Sequence[NetEvent | Loss]:
        if self._program is None:
            return ()
        program, self._program = self._program, None
        rest: list[NetEvent | Loss] = [*self._fold([*program.rest(), *_undecided(program)])]
        rest += [*self._repeats.flush(), *program.lost()]
        program.close()
        return rest


def _undecided(program: Program[NetEvent | int]) -> list[NetEvent | int]:
    """The connects whose outcome is still open."""
    waiting = program.bpf["waiting"]
    events: list[NetEvent | int] = []
    for _, each in list(waiting.items()):
        if each.returned:
            raw = bytes(each)[: _HEAD.size + _BODY.size]
            event = decode(memoryview(raw), 0, len(raw))
            if event is not None:
                events.append(event)
    return events


def _key(event: NetEvent) -> Hashable:
    peer = event.peer, event.port, event.local, event.local_port
    return event.action, event.family, event.protocol, peer, event.error, event.origin.comm


def _join(first: NetEvent, second: NetEvent) -> NetEvent:
    count = first.count + second.count
    latency_ns = (first.latency_ns * first.count + second.latency_ns * second.count) // count
    return replace(second, count=count, latency_ns=latency_ns, size=first.size + second.size)


def decode(view: memoryview, at: int, size: int) -> NetEvent | int | None:
    """One record of ring `events`; for a process that ended the time of its start."""
    time_ns, start_ns, kind, pid, tid, uid, comm = _HEAD.unpack_from(view, at)
    if kind == _GONE_KIND:
        return int(start_ns)
    (
        latency_ns, moved, error, family, type_, protocol, name, above, marks,
        local_address, local_port, local_known, peer_address, peer_port, peer_known,
    ) = _BODY.unpack_from(view, at + _HEAD.size)  # fmt: skip
    source = Origin(time_ns, pid, tid=tid, uid=uid, comm=text_of(comm.partition(b"\0")[0]))
    action = _ACTIONS[kind]
    own = action in ("bind", "listen") or (family == _UNIX and action == "accept")
    if family == _UNIX:
        text = bytes(view[at + _HEAD.size + _BODY.size : at + size])
        directory = walked_path(text[name : name + above], cut=bool(marks & _CUT)) if marks & _WALKED else None
        path = _unix_name(text[:name], directory)
        return NetEvent(
            source,
            start_ns,
            action=action,
            family="unix",
            protocol=unix_type_of(type_),
            local=path if own else "",
            peer="" if own else path,
            error=error,
            latency_ns=latency_ns,
            size=moved,
        )
    local, peer = address_of(local_address) if local_known else "", address_of(peer_address) if peer_known else ""
    if not own and (local in _ANY or (action == "connect" and error)):
        local = ""  # it had none, or the kernel has released it already
    decisive = local if own else peer or local
    return NetEvent(
        source,
        start_ns,
        action=action,
        family=("ipv6" if ":" in decisive else "ipv4") if decisive else ("ipv6" if family == socket.AF_INET6 else "ipv4"),
        protocol=protocol_of(protocol),
        local=local,
        peer="" if own else peer,
        port=local_port if own else peer_port,
        error=error,
        latency_ns=latency_ns,
        size=moved,
        local_port=local_port if action == "accept" else 0,
    )


def _unix_name(name: bytes, directory: str | None) -> str:
    """A path, joined with the working directory where it was relative, or `@` and the name of an abstract socket (unix(7))."""
    if name.startswith(b"\0"):
        return abstract_name(name)
    return lexical_path(name.partition(b"\0")[0], directory) if name else directory or ""
