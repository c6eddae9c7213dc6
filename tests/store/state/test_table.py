from __future__ import annotations

from typing import assert_type

import pytest
from msgspec import Struct, msgpack

from agentsight_rx.errors import StoreError
from agentsight_rx.store.state import Put, Table
from agentsight_rx.store.state.table import KEPT, LONGEST_KEY, Key, decode_key, encode_key, shorten


class Span(Struct, frozen=True):
    name: str
    size: int = 0


SPANS = Table("spans", Span)


def test_a_single_part_is_a_tuple_of_one() -> None:
    assert encode_key(("a",)) == encode_key("a")
    assert decode_key(encode_key("a")) == ("a",)


def test_a_key_of_all_kinds_comes_back_as_it_was() -> None:
    key = (0, 2**64 - 1, "", "na\0me\xff", b"", b"\0\xff\0", "\ud800")
    assert key == decode_key(encode_key(key))


def test_the_order_of_the_bytes_is_the_order_of_the_keys() -> None:
    keys: list[Key] = [
        (),
        0,
        (0, 0),
        255,
        256,
        2**64 - 1,
        b"",
        b"\0",
        b"\xff",
        "",
        "a",
        ("a", 0),
        "a\0",
        "a\0b",
        "aa",
        "é",
        "\U0001f600",
    ]
    assert keys == sorted(keys, key=encode_key)


@pytest.mark.parametrize("number", [-1, 2**64])
def test_an_int_that_does_not_fit_in_eight_bytes_is_refused(number: int) -> None:
    with pytest.raises(OverflowError):
        encode_key(number)


def test_a_key_of_510_bytes_stays_and_one_of_511_is_shortened_to_511() -> None:
    short, long = encode_key("k" * 508), encode_key("k" * 509)
    assert (510, short) == (len(short), shorten(short))
    assert LONGEST_KEY == len(long) == len(shorten(long))
    assert long != shorten(long)
    assert long[:KEPT] == shorten(long)[:KEPT]


def test_long_keys_that_begin_alike_stay_apart() -> None:
    assert shorten(encode_key("k" * 600 + "a")) != shorten(encode_key("k" * 600 + "b"))


def test_no_key_of_a_table_lies_within_another_table() -> None:
    low, high = SPANS.bounds((), None, None)
    assert low <= SPANS.key((2**64 - 1, "z")) < high
    for name in ("span", "spans2", "spans\0", "spans\xff"):
        assert not low <= Table(name, Span).key("a") < high


def test_the_key_of_a_row_comes_back_without_the_table() -> None:
    assert SPANS.parts(SPANS.key((7, "a"))) == (7, "a")


def test_a_value_comes_back_with_its_type() -> None:
    value = SPANS.value(msgpack.encode(Span("a", 1)))
    assert_type(value, Span)
    assert Span("a", 1) == value


def test_a_union_is_a_type_too() -> None:
    table = Table[int | str]("either", int | str)
    assert_type(table.value(msgpack.encode(1)), int | str)
    assert [table.value(msgpack.encode(1)), table.value(msgpack.encode("a"))] == [1, "a"]


def test_a_value_of_another_shape_is_an_error_that_names_the_table() -> None:
    with pytest.raises(StoreError, match=r"'spans'.*use the release that recorded it"):
        SPANS.value(msgpack.encode("not a span"))


def test_the_checkers_refuse_a_value_of_another_type() -> None:
    Put(SPANS, 1, "not a span")  # type: ignore[misc]  # pyright: ignore[reportArgumentType]  # mypy fails if this is idle


def test_an_index_of_a_table_with_an_order_gives_a_part_and_the_time() -> None:
    timed = Table("timed", Span, {"time": lambda row: row.size, "name": lambda row: row.name}, packed=True, order="time")
    assert (None, 7) == timed.part_and_time("time", 7)
    assert ("a", 7) == timed.part_and_time("name", ("a", 7))
    for index, found in (("time", ("a", 7)), ("name", "a"), ("name", 7), ("name", (7, "a"))):
        with pytest.raises(TypeError, match="timed"):
            timed.part_and_time(index, found)
    with pytest.raises(TypeError, match="'name' of packed table 'timed' gave 'a'"):
        timed.head(Span("a", 7))
