"""Arrow and Parquet: polars, DuckDB and pandas read the rows that iterators give, and without pyarrow one sentence says so."""

from __future__ import annotations

import io
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path
from typing import Any

import duckdb
import polars
import pytest

from agentsight_rx import Recording, open_recording
from agentsight_rx.errors import UsageError
from agentsight_rx.llm.prices import Prices
from agentsight_rx.store.rows.kind import put
from agentsight_rx.store.state import LmdbStore
from agentsight_rx.view import AlertRow
from agentsight_rx.view.exports import tables as exported
from agentsight_rx.view.exports.tables import TABLES, TableName, parquet
from agentsight_rx.view.queries import Selection
from tests.cli.report.asking import bytes_of
from tests.cli.report.effects import effects
from tests.view.exports.stores import opened

READ_TABLE: Any = import_module("pyarrow.parquet").read_table  # which has no types
TIMES = {"time": "timestamp_ms", "start": "start_timestamp_ms", "end": "end_timestamp_ms"}


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = effects(tmp_path_factory.mktemp("store") / "run.lmdb")
    store = LmdbStore.open(made)
    store.commit([put(AlertRow("alert-1", 5000, "loop", "warn", "claude ran make", "make", evidence=("a", "b"), cost=0.5))])
    store.close()
    return made


@pytest.fixture
def recording(path: Path) -> Iterator[Recording]:
    with open_recording(path) as found:
        yield found


def cell(value: object) -> object:
    """A value of a row as a table has it."""
    return [*value] if isinstance(value, tuple) else value  # pyright: ignore[reportUnknownVariableType]


def of_column(row: Any, column: str) -> object:
    name = TIMES.get(column, column)
    value = getattr(row, name)
    return value if name == column or value is None else datetime.fromtimestamp(value / 1000, UTC)


@pytest.mark.parametrize("name", TABLES)
def test_a_table_has_each_field_of_each_row(recording: Recording, name: TableName) -> None:
    rows = list(getattr(recording, name)())
    table = recording.to_arrow(name)
    assert len(rows[0].__struct_fields__) == len(table.schema.names)
    for column in table.schema.names:
        assert [cell(of_column(row, column)) for row in rows] == table.column(column).to_pylist()


@pytest.mark.parametrize("name", TABLES)
def test_a_table_without_a_row_has_its_columns(recording: Recording, name: TableName) -> None:
    empty = recording.to_arrow(name, since="2001-01-01", until="2001-01-02")
    assert (0, recording.to_arrow(name).schema) == (empty.num_rows, empty.schema)


@pytest.mark.parametrize("name", TABLES)
@pytest.mark.parametrize("batch", [1, 3, 8192])
def test_a_file_of_any_row_groups_has_the_table(
    path: Path, monkeypatch: pytest.MonkeyPatch, name: TableName, batch: int
) -> None:
    monkeypatch.setattr(exported, "_BATCH", batch)
    with opened(path) as store:
        pieces = list(parquet(store, Selection(), Prices(), table=name))
    read = READ_TABLE(io.BytesIO(b"".join(pieces)))
    with open_recording(path, prices=None) as recording:
        expected = recording.to_arrow(name)
    dropped = ["cost_usd", "cost_as_of"] if name == "calls" else []  # today's date is a part of a price
    assert expected.drop_columns(dropped) == read.drop_columns(dropped)


def test_export_writes_the_file(path: Path, tmp_path: Path) -> None:
    made = tmp_path / "calls.parquet"
    bytes_of("export", "--db", str(path), "-o", str(made))
    assert [1, 2, 3, 4] == polars.read_parquet(made)["turn"].to_list()
    part = bytes_of("export", "--db", str(path), "--format", "parquet", "--table", "files", "--limit", "2", "-o", "-")
    assert 2 == len(polars.read_parquet(io.BytesIO(part)))


def test_polars_duckdb_and_pandas_read_it_in_one_line(recording: Recording) -> None:
    calls = recording.to_arrow("calls")
    tokens = [row.total_tokens for row in recording.calls()]
    assert tokens == polars.DataFrame(calls)["total_tokens"].to_list()
    assert [(sum(tokens),)] == duckdb.execute("select sum(total_tokens) from calls").fetchall()
    frame: Any = calls.to_pandas()
    assert "pandas.DataFrame" == f"{type(frame).__module__}.{type(frame).__name__}"
    assert tokens == list(frame["total_tokens"])


def test_an_unknown_table_is_an_error_that_names_the_known_ones(path: Path) -> None:
    unknown: Any = "call"
    with (
        open_recording(path) as recording,
        pytest.raises(UsageError, match="there is no table call; there are calls, tools, sessions"),
    ):
        recording.to_arrow(unknown)
    with pytest.raises(UsageError, match="--table tokens is not known; there are calls, tools, sessions"):
        bytes_of("export", "--db", str(path), "--format", "parquet", "--table", "tokens")


def test_without_pyarrow_one_sentence_names_the_extra(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)  # as Python marks a module that is not there
    said = r"^Arrow tables and Parquet need pyarrow: pip install 'agentsight-rx\[tables\]'$"
    with open_recording(path) as recording, pytest.raises(UsageError, match=said):
        recording.to_arrow()
    with pytest.raises(UsageError, match=said):
        bytes_of("export", "--db", str(path), "-o", str(tmp_path / "x.parquet"))
    assert [] == list(tmp_path.iterdir())
