"""Records of ring `events` -> NetEvents, without a kernel."""

import socket
import struct

import pytest

from agentsight_rx.events import NetEvent, Origin
from agentsight_rx.sources.net import decode

CONNECT, BIND, LISTEN, ACCEPT, SEND, GONE = 1, 2, 3, 4, 5, 6
INET, INET6, UNIX = 2, 10, 1
TCP, UDP = 6, 17
WALKED, CUT = 1, 2

NO_END = b"", 0, 0


def _end(address: str, port: int) -> tuple[bytes, int, int]:
    raw = socket.inet_pton(INET6, address if ":" in address else f"::ffff:{address}")
    return raw, port, 1


def _decoded(
    kind: int,
    family: int,
    type_: int = 1,
    protocol: int = 0,
    *,
    local: tuple[bytes, int, int] = NO_END,
    peer: tuple[bytes, int, int] = NO_END,
    text: bytes = b"",
    sizes: tuple[int, int, int] = (0, 0, 0),
    error: int = 0,
) -> NetEvent:
    head = struct.pack("<QQIIII16s", 10, 20, kind, 30, 31, 1000, b"agent")
    body = struct.pack("<QqiHHIIII16sHH16sHH", 40, 50, error, family, type_, protocol, *sizes, *local, *peer)
    record = head + body + text
    event = decode(memoryview(b"..." + record), 3, len(record))
    assert isinstance(event, NetEvent)
    assert (Origin(10, 30, 31, 1000, "agent"), 20, 40, 50) == (event.origin, event.start_ns, event.latency_ns, event.size)
    return event


def test_a_connect_has_both_addresses_and_the_port_of_the_other_side() -> None:
    event = _decoded(CONNECT, INET, protocol=TCP, local=_end("10.0.0.1", 55_555), peer=_end("10.0.0.2", 443))
    assert ("connect", "ipv4", "tcp") == (event.action, event.family, event.protocol)
    assert ("10.0.0.1", "10.0.0.2", 443, 0) == (event.local, event.peer, event.port, event.local_port)


def test_an_accept_also_has_the_port_of_this_side() -> None:
    event = _decoded(ACCEPT, INET6, protocol=TCP, local=_end("::1", 80), peer=_end("::1", 55_555))
    assert ("ipv6", "::1", "::1", 55_555, 80) == (event.family, event.local, event.peer, event.port, event.local_port)


@pytest.mark.parametrize("kind", [BIND, LISTEN])
def test_bind_and_listen_have_the_port_of_this_side(kind: int) -> None:
    event = _decoded(kind, INET6, protocol=TCP, local=_end("::", 80))
    assert ("ipv6", "::", "", 80, 0) == (event.family, event.local, event.peer, event.port, event.local_port)


def test_an_ipv4_address_in_ipv6_form_is_ipv4() -> None:
    event = _decoded(CONNECT, INET6, protocol=TCP, local=_end("::", 0), peer=_end("::ffff:10.0.0.2", 443))
    assert ("ipv4", "10.0.0.2", "") == (event.family, event.peer, event.local)


def test_a_connect_that_failed_has_no_address_of_its_own() -> None:
    event = _decoded(CONNECT, INET, protocol=TCP, local=_end("10.0.0.1", 1), peer=_end("10.0.0.2", 443), error=111)
    assert ("", "10.0.0.2", 111) == (event.local, event.peer, event.error)


def test_without_any_address_the_family_is_that_of_the_socket() -> None:
    assert ["ipv4", "ipv6"] == [_decoded(CONNECT, family, protocol=TCP, error=14).family for family in (INET, INET6)]


@pytest.mark.parametrize(("number", "name"), [(1, "icmp"), (58, "icmp"), (132, "sctp"), (262, "mptcp"), (99, "ip99")])
def test_other_protocols_have_their_name_or_number(number: int, name: str) -> None:
    assert name == _decoded(SEND, INET, 3, number, peer=_end("10.0.0.2", 0)).protocol


@pytest.mark.parametrize(
    ("text", "sizes", "name"),
    [
        (b"/run/a\0", (7, 0, 0), "/run/a"),
        (b"/run/a", (6, 0, 0), "/run/a"),
        (b"a" * 108, (108, 0, 0), "a" * 108),
        (b"./a\0" + b"two\0one\0", (4, 8, WALKED), "/one/two/a"),
        (b"a\0", (2, 0, WALKED), "/a"),
        (b"two\0one\0", (0, 8, WALKED), "/one/two"),
        (b"two\0one\0", (0, 8, WALKED | CUT), "/…/one/two"),
        (b"\0ab\0c", (5, 0, 0), "@ab@c"),
        (b"", (0, 0, 0), ""),
    ],
)
def test_a_unix_socket_has_a_path_or_an_abstract_name(text: bytes, sizes: tuple[int, int, int], name: str) -> None:
    connect = _decoded(CONNECT, UNIX, text=text + b"behind it", sizes=sizes)
    assert ("unix", "stream", "", name) == (connect.family, connect.protocol, connect.local, connect.peer)
    accept = _decoded(ACCEPT, UNIX, 5, text=text, sizes=sizes)
    assert ("seqpacket", name, "") == (accept.protocol, accept.local, accept.peer)


def test_the_end_of_a_process_is_its_start() -> None:
    record = struct.pack("<QQIIII16s", 10, 20, GONE, 30, 31, 1000, b"agent")
    assert 20 == decode(memoryview(record), 0, len(record))
