"""Addresses and ports as text."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentsight_rx.wire.address import address_of, endpoint


@given(st.ip_addresses(v=6))
def test_sixteen_bytes_are_an_address(address: ipaddress.IPv6Address) -> None:
    expected = str(address.ipv4_mapped or "") or str(address)
    assert ipaddress.ip_address(expected) == ipaddress.ip_address(address_of(address.packed))


@given(st.ip_addresses(v=4))
def test_ipv4_in_its_ipv6_form_is_ipv4(address: ipaddress.IPv4Address) -> None:
    assert str(address) == address_of(bytes(10) + b"\xff\xff" + address.packed)


@pytest.mark.parametrize(
    ("address", "port", "expected"),
    [("127.0.0.1", 80, "127.0.0.1:80"), ("::1", 80, "[::1]:80"), ("/run/x.sock", 0, "/run/x.sock"), ("::1", 0, "[::1]:0")],
)
def test_an_endpoint_is_an_address_and_a_port(address: str, port: int, expected: str) -> None:
    assert expected == endpoint(address, port)
