"""Words of sockets, whoever saw them."""

from __future__ import annotations

import socket

from agentsight_rx.sources.net import abstract_name, protocol_of, unix_type_of


def test_a_protocol_has_its_name_or_its_number() -> None:
    assert ["tcp", "udp", "icmp", "icmp", "ip41"] == [
        protocol_of(each)
        for each in (socket.IPPROTO_TCP, socket.IPPROTO_UDP, socket.IPPROTO_ICMP, socket.IPPROTO_ICMPV6, socket.IPPROTO_IPV6)
    ]


def test_a_type_of_a_unix_socket_has_its_name_or_its_number() -> None:
    types = (socket.SOCK_STREAM, socket.SOCK_DGRAM, socket.SOCK_SEQPACKET, socket.SOCK_RAW)
    assert ["stream", "dgram", "seqpacket", "3"] == [unix_type_of(each) for each in types]


def test_a_name_without_a_file_begins_with_an_at_sign() -> None:
    assert "@agent@1" == abstract_name(b"\0agent\x001")
