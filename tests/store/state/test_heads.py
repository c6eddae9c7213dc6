"""Heads of blocks as bytes, and of many one."""

from __future__ import annotations

import pytest

from agentsight_rx.errors import StoreError
from agentsight_rx.store.state.heads import LATEST, NOTHING, Head, bits_of, decode_head, encode_head, head_size, merged

MANY = merged(Head(bits_of(b"%d" % number)) for number in range(2000)).bits


@pytest.mark.parametrize("bits", [0, bits_of(b"a"), bits_of(b"a") | bits_of(b"b"), MANY])
@pytest.mark.parametrize("timed", [False, True])
def test_a_head_comes_back_with_all_of_its_bits(bits: int, timed: bool) -> None:
    head = Head(bits, 7, LATEST) if timed else Head(bits)
    raw = encode_head(head, timed=timed) + b"the rows"
    found = decode_head(raw, timed=timed)
    assert (found.bits & bits, found.first, found.last) == head
    assert raw[head_size(raw, timed=timed) :] == b"the rows"


def test_a_head_without_values_takes_one_byte() -> None:
    assert len(encode_head(NOTHING, timed=False)) == 1


@pytest.mark.parametrize("raw", [b"", b"\xffrows"])
def test_an_unknown_head_is_a_clear_error(raw: bytes) -> None:
    with pytest.raises(StoreError, match="use a whole copy of it"):
        head_size(raw, timed=False)
    with pytest.raises(StoreError, match="use a whole copy of it"):
        decode_head(raw, timed=False)


def test_of_many_heads_one_has_the_bits_of_all_and_the_range_of_all() -> None:
    assert merged([]) == NOTHING
    assert merged([NOTHING, Head(1, 5, 9), Head(2, 3, 3), NOTHING]) == Head(3, 3, 9)
    assert merged([NOTHING, NOTHING]) == NOTHING
