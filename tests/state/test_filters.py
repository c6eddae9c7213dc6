"""Which blocks may have a value: each that has it, few others, in the order that was asked for."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator

from agentsight_rx.state.filters import FILTER, Filters, bits_of


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
            self.values[key] = bits.to_bytes(FILTER, "little") + b"the rows"

    def get(self, key: bytes, /) -> bytes | None:
        return self.values.get(key)

    def walk(self, low: bytes, high: bytes, /, *, reverse: bool = False) -> Iterator[tuple[bytes, bytes]]:
        self.walks += 1
        keys = list(self.values)
        found = keys[bisect_left(keys, low) : bisect_left(keys, high)]
        return ((key, self.values[key]) for key in (found[::-1] if reverse else found))


def having(
    rows: Rows, value: bytes, filters: Filters | None = None, low: bytes = b"t", high: bytes = b"t\xff", reverse: bool = False
) -> list[bytes]:
    return list((filters or Filters()).having(rows, b"t", value, low=low, high=high, reverse=reverse))


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
    assert [b"t00"] == having(rows, b"third", low=b"t", high=b"t01")


def test_they_are_read_once_for_each_commit() -> None:
    rows, filters = Rows(BLOCKS), Filters()
    assert having(rows, b"third", filters) == having(rows, b"third", filters)
    assert rows.walks == 1
    rows.put({b"t05": [b"third"]})
    rows.moment += 1
    assert [b"t05"] == having(rows, b"third", filters)


def test_few_blocks_seem_to_have_a_value_that_they_do_not_have() -> None:
    rows = Rows({b"t%04d" % number: [b"value %d" % (200 * number + each) for each in range(200)] for number in range(499)})
    wrong = sum(len(having(rows, b"other %d" % number)) for number in range(20))
    assert wrong < 20 * 499 / 500
    assert b"t0123" in having(rows, b"value 24601")
