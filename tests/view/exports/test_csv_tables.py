"""CSV: the csv module reads it back, and no cell is a formula."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest

from agentsight_rx.llm.prices import Prices
from agentsight_rx.policy.rules.guard.file import built_in_rules
from agentsight_rx.view.exports.csv_tables import CSV_TABLES, CsvTable, csv_lines
from agentsight_rx.view.queries import Selection
from tests.cli.report.story import Story, recorded, small_story, text, tool
from tests.guarded import KEY, leaking, stored
from tests.view.exports.stores import opened


def read(path: Path, table: CsvTable, selection: Selection | None = None) -> list[dict[str, str]]:
    with opened(path) as store:
        content = b"".join(csv_lines(store, selection or Selection(), Prices(), table=table)).decode()
    return list(csv.DictReader(io.StringIO(content, newline=""), strict=True))


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return recorded(tmp_path_factory.mktemp("store") / "run.lmdb", small_story())


def test_calls_have_a_row_each(store: Path) -> None:
    rows = read(store, "calls")
    assert [row["output_tokens"] for row in rows] == ["640", "220", "220", "640"]
    assert (rows[0]["start"], rows[0]["status"], rows[0]["retry"]) == ("2025-11-27T18:00:04.100Z", "complete", "false")


def test_tools_have_their_process(store: Path) -> None:
    rows = read(store, "tools")
    assert [(row["tool_name"], row["exit_code"]) for row in rows] == [("Bash", "1"), ("Bash", "1"), ("Edit", "")]
    assert rows[0]["argv"] == "sh -c pytest tests/test_invoice.py -q"


def test_tokens_are_summed_by_model(store: Path) -> None:
    (row,) = read(store, "tokens")
    assert (row["model"], row["calls"], row["output_tokens"]) == ("claude-sonnet-4-5", "4", "1720")


def test_a_selection_is_a_part_of_the_rows(store: Path) -> None:
    assert len(read(store, "calls", Selection(limit=1))) == 1
    assert read(store, "tools", Selection(sessions=frozenset({"none"}))) == []


@pytest.mark.parametrize("table", CSV_TABLES)
def test_every_table_has_its_columns_without_a_row(store: Path, table: CsvTable) -> None:
    with opened(store) as opened_store:
        head = next(csv_lines(opened_store, Selection(), Prices(), table=table))
    assert head.endswith(b"\r\n")
    columns = head.decode().strip().split(",")
    assert len(set(columns)) == len(columns)
    assert {"total_tokens", "tool_name", "sentence", "carried_tokens", "file_tokens"} & set(columns)


@pytest.mark.parametrize("begin", ["=", "+", "-", "@", "\t", "\r", "\n", "＝"])
def test_a_cell_that_a_spreadsheet_would_run_is_text(tmp_path: Path, begin: str) -> None:
    story = Story()
    story.asks(text("go"), answer=[text(f'{begin}cmd|"/c calc"!A1'), tool("t1", f"{begin}1", x=1)])
    path = recorded(tmp_path / "x.lmdb", story)
    assert read(path, "calls")[0]["text"].startswith(f"'{begin}cmd")
    assert read(path, "tools")[0]["tool_name"].startswith(f"'{begin}1")


def test_texts_with_quotes_commas_and_lines_come_back(tmp_path: Path) -> None:
    said = 'a "b", c\r\nd;e\x00\x1b[31m'
    story = Story()
    story.asks(text("go"), answer=[text(said)])
    assert read(recorded(tmp_path / "x.lmdb", story), "calls")[0]["text"] == said


def test_alerts_have_a_row_each(tmp_path: Path) -> None:
    rows = read(stored(tmp_path / "run.lmdb", leaking().events, built_in_rules()), "alerts")
    assert ["reads-secret", "secret-left", "new-host", "unsandboxed"] == [row["rule"] for row in rows]
    left = rows[1]
    assert ("warn", KEY, "1", "true") == (left["do"], left["target"], left["count"], left["complete"])
    assert left["sentence"].startswith("claude read ~/.ssh/id_ed25519, and a part of it left")
    assert 3 == len(left["evidence"].split())
    assert rows[0]["part_of"] == left["id"]
