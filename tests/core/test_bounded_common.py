"""How much two contents begin with in common."""

from __future__ import annotations

import pytest

from agentsight_rx.core.bounded import common_front

_LONG = bytes(range(256)) * 2000


@pytest.mark.parametrize("at", [0, 1, 1023, 1024, 1025, 200_000, len(_LONG) - 1])
def test_the_first_byte_that_differs_ends_it(at: int) -> None:
    other = _LONG[:at] + bytes([_LONG[at] ^ 1]) + _LONG[at + 1 :]
    assert at == common_front(_LONG, other) == common_front(other, _LONG)


@pytest.mark.parametrize("size", [0, 1, 1024, 5000, 300_000])
def test_one_may_be_the_begin_of_the_other(size: int) -> None:
    assert size == common_front(_LONG[:size], _LONG) == common_front(_LONG, _LONG[:size])


def test_equal_contents_are_common_as_a_whole() -> None:
    assert len(_LONG) == common_front(_LONG, bytes(bytearray(_LONG)))
    assert common_front(b"", b"") == 0
