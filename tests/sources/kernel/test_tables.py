"""Types that BCC describes, and tables of the kernel."""

from __future__ import annotations

import ctypes
import json
from collections.abc import Generator
from typing import Any

import pytest

from agentsight_rx.sources.kernel.features import require_kernel
from agentsight_rx.sources.kernel.loaded import Image, Loaded, Map
from agentsight_rx.sources.kernel.tables import Table, type_of

_HASH, _ARRAY, _PER_CPU_ARRAY, _RING = 1, 2, 6, 27


def test_numbers_have_the_sizes_of_the_kernel() -> None:
    names = ("char", "unsigned short", "int", "unsigned int", "long", "unsigned long long")
    assert [ctypes.sizeof(type_of(name)) for name in names] == [1, 2, 4, 4, 8, 8]


def test_a_struct_has_its_members_with_arrays_and_structs_in_it() -> None:
    kind = type_of(["outer", [["head", [["size", "unsigned int"], ["text", "char", [4]]], "struct"], ["banned", "int", [3]]]])
    value = kind.from_buffer_copy(bytes(range(20)))
    assert (value.head.size, bytes(value.head.text), list(value.banned)) == (
        0x03020100,
        b"\x04\x05\x06\x07",
        [0x0B0A0908, 0x0F0E0D0C, 0x13121110],
    )


def test_members_of_unions_share_their_place() -> None:
    kind = type_of(["either", [["small", "unsigned char"], ["large", "unsigned long"]], "union"])
    assert (ctypes.sizeof(kind), kind.small.offset, kind.large.offset) == (8, 0, 0)


def test_members_without_a_name_are_reached_directly() -> None:
    kind = type_of(["outer", [["", [["inner", "int"]], "struct"], ["", [["other", "int"]], "union"]], "struct"])
    value = kind.from_buffer_copy(bytes([1, 0, 0, 0, 2, 0, 0, 0]))
    assert (value.inner, value.other) == (1, 2)


def test_a_packed_struct_has_no_gaps() -> None:
    members = [["first", "char"], ["second", "long"]]
    assert [ctypes.sizeof(type_of(["s", members, kind])) for kind in ("struct", "struct_packed")] == [16, 9]


# --- in the kernel ---


def _map(kind: int, key: Any, leaf: Any, *, entries: int) -> Map:
    sizes = ctypes.sizeof(type_of(key)), ctypes.sizeof(type_of(leaf))
    return Map("it", kind, *sizes, entries=entries, flags=0, key_type=json.dumps(key), leaf_type=json.dumps(leaf))


def _table(kind: int, key: Any, leaf: Any, *, entries: int) -> Generator[Table]:
    require_kernel()
    loaded = Loaded(Image((_map(kind, key, leaf, entries=entries),), ()))
    yield loaded["it"]
    loaded.close()


_PAIR = ["pair", [["first", "unsigned int"], ["second", "unsigned int"]], "struct"]


@pytest.fixture
def pairs() -> Generator[Table]:
    yield from _table(_HASH, _PAIR, "unsigned long", entries=7)


@pytest.mark.live
def test_a_table_with_structs_as_keys_keeps_what_is_put(pairs: Table) -> None:
    for number in range(7):
        pairs[pairs.Key(number, 2)] = pairs.Leaf(number * 1_000_003)
    assert sorted((key.first, key.second, leaf.value) for key, leaf in pairs.items()) == [
        (number, 2, number * 1_000_003) for number in range(7)
    ]
    assert (len(pairs), pairs.Key(3, 2) in pairs, pairs.Key(3, 3) in pairs) == (7, True, False)


@pytest.mark.live
def test_what_is_not_there_is_a_key_error(pairs: Table) -> None:
    with pytest.raises(KeyError):
        pairs[pairs.Key(1, 1)]
    with pytest.raises(KeyError):
        del pairs[pairs.Key(1, 1)]


@pytest.mark.live
def test_add_keeps_what_is_there(pairs: Table) -> None:
    assert [pairs.add(pairs.Key(1, 1), pairs.Leaf(value)) for value in (5, 6)] == [True, False]
    assert pairs[pairs.Key(1, 1)].value == 5


@pytest.mark.live
def test_a_full_table_is_an_os_error(pairs: Table) -> None:
    for number in range(7):
        pairs[pairs.Key(number, 0)] = pairs.Leaf(0)
    with pytest.raises(OSError, match="Argument list too long"):
        pairs[pairs.Key(7, 0)] = pairs.Leaf(0)


@pytest.mark.live
def test_deleted_keys_are_gone(pairs: Table) -> None:
    for number in range(3):
        pairs[pairs.Key(number, 0)] = pairs.Leaf(number)
    for key in list(pairs.keys()):
        del pairs[key]
    assert len(pairs) == 0


@pytest.mark.live
def test_a_value_for_each_cpu_is_summed() -> None:
    for table in _table(_PER_CPU_ARRAY, "int", "unsigned long long", entries=3):
        assert [table.sum(index) for index in range(3)] == [0, 0, 0]
