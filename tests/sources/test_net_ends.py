"""struct end_t, twice."""

from __future__ import annotations

from ipaddress import ip_address

import pytest

from agentsight_rx.sources.net import ENDS, Ends, ends_of

LOOPBACK = bytes(10) + b"\xff\xff" + ip_address("127.0.0.1").packed
V6 = ip_address("2001:db8::7").packed


@pytest.mark.parametrize("before", [b"", b"123"])
@pytest.mark.parametrize("behind", [b"", b"data"])
@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ((LOOPBACK, 5000, 1, LOOPBACK, 80, 1), Ends("127.0.0.1:5000", "127.0.0.1:80", 5000, 80)),
        ((V6, 5000, 1, V6, 443, 1), Ends("[2001:db8::7]:5000", "[2001:db8::7]:443", 5000, 443)),
        ((V6, 5000, 0, V6, 443, 0), Ends()),
        ((V6, 0, 1, V6, 443, 1), Ends()),  # a socket that has ended gave its port back
    ],
)
def test_both_ends_are_read(raw: tuple[bytes, int, int, bytes, int, int], expected: Ends, before: bytes, behind: bytes) -> None:
    assert expected == ends_of(memoryview(before + ENDS.pack(*raw) + behind), len(before))
