"""Which blocks may have a value or a time: each that has it, few others, in the order that was asked for."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator

from agentsight_rx.store.state import Table
from agentsight_rx.store.state.block_heads import BlockHeads, Timed
from agentsight_rx.store.state.heads import Head, bits_of, encode_head

LINES = Table("lines", str, packed=True)
TIMED = Table("timed", str, {"time": lambda _: 0}, packed=True, order="time")


class Rows:
    """Blocks by their keys; `values`: what each has."""

    def __init__(self, blocks: dict[bytes, list[bytes]]) -> None:
        self.moment = 1
        self.walks = 0
        self.put(blocks)

    def put(self, blocks: dict[bytes, list[bytes]]) -> None:
        self.values: dict[bytes, bytes] = {}
        for key, values in sorted(blocks.items()):
            bits = 0
            for value in values:
                bits |= bits_of(value)
            self.values[LINES.block(key)] = encode_head(Head(bits), timed=False) + b"the rows"

    def get(self, key: bytes, /) -> bytes | None:
        return self.values.get(key)

    def walk(self, low: bytes, high: bytes, /, *, reverse: bool = False) -> Iterator[tuple[bytes, bytes]]:
        self.walks += 1
        keys = list(self.values)
        found = keys[bisect_left(keys, low) : bisect_left(keys, high)]
        return ((key, self.values[key]) for key in (found[::-1] if reverse else found))

    def around(self, key: bytes, front: bytes, /) -> tuple[tuple[bytes, bytes] | None, bytes | None]:
        raise NotImplementedError


def having(
    rows: Rows, value: bytes, heads: BlockHeads | None = None, low: bytes = b"", high: bytes = b"\xff", reverse: bool = False
) -> list[bytes]:
    low, high = LINES.block(low), LINES.block(high)
    found = (heads or BlockHeads()).having(rows, LINES, value, low=low, high=high, reverse=reverse)
    return [key[len(LINES.block(b"")) :] for key in found]


BLOCKS = {b"t%02d" % number: [b"every", b"third"] if number % 3 == 0 else [b"every"] for number in range(10)}


def test_the_blocks_with_a_value_are_found_in_both_orders() -> None:
    rows = Rows(BLOCKS)
    assert [b"t00", b"t03", b"t06", b"t09"] == having(rows, b"third")
    assert [b"t09", b"t06", b"t03", b"t00"] == having(rows, b"third", reverse=True)
    assert sorted(BLOCKS) == having(rows, b"every")
    assert [] == having(rows, b"none")
    assert [] == having(Rows({}), b"every")


def test_the_block_in_which_the_range_begins_is_one_of_them() -> None:
    rows = Rows(BLOCKS)
    assert [b"t03", b"t06"] == having(rows, b"third", low=b"t035", high=b"t065")
    assert [b"t06", b"t03"] == having(rows, b"third", low=b"t035", high=b"t065", reverse=True)
    assert [b"t06"] == having(rows, b"third", low=b"t04", high=b"t065")
    assert [b"t00"] == having(rows, b"third", low=b"", high=b"t01")


def test_they_are_read_once_for_each_commit() -> None:
    rows, heads = Rows(BLOCKS), BlockHeads()
    assert having(rows, b"third", heads) == having(rows, b"third", heads)
    assert rows.walks == 1
    rows.put({b"t05": [b"third"]})
    rows.moment += 1
    assert [b"t05"] == having(rows, b"third", heads)


def test_few_blocks_seem_to_have_a_value_that_they_do_not_have() -> None:
    rows = Rows({b"t%04d" % number: [b"value %d" % (200 * number + each) for each in range(200)] for number in range(499)})
    wrong = sum(len(having(rows, b"other %d" % number)) for number in range(20))
    assert wrong < 20 * 499 / 500
    assert b"t0123" in having(rows, b"value 24601")


def test_the_blocks_of_a_time_are_found_with_their_times() -> None:
    rows = Rows({})
    for number, (first, last) in enumerate([(5, 9), (1, 5), (20, 30), (7, 7)]):
        head = Head(bits_of(b"even") if number % 2 == 0 else 0, first, last)
        rows.values[TIMED.block(b"%d" % number)] = encode_head(head, timed=True) + b"the rows"

    def within(value: bytes | None, first: int, last: int) -> list[Timed]:
        found = list(BlockHeads().within(rows, TIMED, value, first=first, last=last, reverse=False))
        back = list(BlockHeads().within(rows, TIMED, value, first=first, last=last, reverse=True))
        assert (sorted(back), back) == (sorted(found), sorted(found, key=lambda each: -each.last))
        return found

    blocks = [
        Timed(first, last, TIMED.block(b"%d" % number))
        for number, (first, last) in enumerate([(5, 9), (1, 5), (20, 30), (7, 7)])
    ]
    assert within(None, 0, 100) == [blocks[at] for at in (1, 0, 3, 2)]
    assert within(None, 5, 6) == [blocks[1], blocks[0]]
    assert within(None, 10, 20) == [blocks[2]]
    assert within(None, 10, 19) == []
    assert within(b"even", 0, 8) == [blocks[0]]
