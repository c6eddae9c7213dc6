"""A row of a packed table is found by each of its indexes, whatever is in it, and by nothing else."""

from __future__ import annotations

from types import UnionType
from typing import Any, Union, get_args, get_origin

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import fields

from agentsight_rx.store.rows.kind import ROW_TABLES
from agentsight_rx.store.rows.tables import EXCHANGES
from agentsight_rx.store.state import MemoryStore, Put, Table, by_index
from property_tests.quick import fewer

PACKED: list[Table[Any]] = [table for table in (*ROW_TABLES, EXCHANGES) if table.packed]


def values(kind: Any) -> st.SearchStrategy[Any]:
    """Values of a type; numbers as large as msgpack has them."""
    parts = get_args(kind)
    match get_origin(kind):
        case found if found in (Union, UnionType):
            return st.one_of(*map(values, parts))
        case found if found is tuple:
            return st.lists(values(parts[0]), max_size=3).map(tuple)
        case found if found is dict:
            return st.dictionaries(values(parts[0]) | st.sampled_from(["target"]), values(parts[1]), max_size=3)
        case _ if kind is int:
            return st.integers(0, 300) | st.integers(-(2**63), 2**64 - 1)
        case _ if kind is str:
            return st.text(max_size=5) | st.sampled_from(["", "file", "rename", "/a/b", "s" * 300])
        case _:
            return st.from_type(kind)


def rows(table: Table[Any]) -> st.SearchStrategy[Any]:
    kind: Any = table.type
    needed = {field.name: values(field.type) for field in fields(kind) if field.required}
    other = {field.name: values(field.type) for field in fields(kind) if not field.required}
    return st.fixed_dictionaries(needed, optional=other).map(lambda made: kind(**made))


def test_the_tables_of_which_a_recording_has_many_rows_are_packed() -> None:
    assert {table.name for table in PACKED} >= {"audit_events", "llm_calls", "tool_calls", "process_nodes", "exchanges"}


@pytest.mark.parametrize("table", PACKED, ids=lambda table: table.name)
@settings(max_examples=fewer(60), deadline=None)
@given(data=st.data())
def test_each_index_finds_each_of_its_rows(table: Table[Any], data: st.DataObject) -> None:
    made = dict(enumerate(data.draw(st.lists(rows(table), max_size=6))))
    store = MemoryStore()
    store.commit([Put(table, key, row) for key, row in made.items()])
    for name, function in table.indexes.items():
        for found in map(function, made.values()):
            if found is not None:
                keys = [key for (key,), _ in by_index(store, table, name, prefix=found)]
                assert keys == [key for key, row in made.items() if function(row) == found]
