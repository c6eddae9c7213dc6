"""The database of opencode: its sessions, and what each was."""

from __future__ import annotations

import sqlite3
from contextlib import closing

import pytest

from agentsight_rx.events import Usage
from agentsight_rx.view.transcripts import OpencodeDatabase
from agentsight_rx.view.transcripts.opencode import opencode
from tests.view.transcripts.reading import read
from tests.view.transcripts.samples import OPENCODE, OPENCODE_LINES, SECRET, lines, opencode_database

INCLUDED = Usage(11_162, 42, cache_read=83, reasoning=39)
BESIDE = Usage(100, 94, cache_creation=20, cache_read=8320, reasoning=59)


def test_the_session_is_known() -> None:
    found = read(opencode, OPENCODE_LINES)
    assert ("opencode", "ses_0001", "/work/shop", "Mend the prices") == (
        found.agent,
        found.session_id,
        found.cwd,
        found.title,
    )
    assert found.prompt.startswith("Mend it, the key is ")
    assert SECRET not in str(found)


def test_a_call_is_a_finished_step_else_its_message_and_reasoning_is_output_once() -> None:
    found = read(opencode, OPENCODE_LINES)
    assert [INCLUDED, BESIDE] == [call.usage for call in found.calls]
    assert [1500, 2500] == [call.time_ms - found.start_ms for call in found.calls]
    assert ("claude-sonnet-4-5",) == found.models


def test_tools_have_their_results() -> None:
    found = read(opencode, OPENCODE_LINES)
    assert [("read", False, 1000), ("bash", True, 1000)] == [
        (tool.name, tool.is_error, tool.end_ms - tool.time_ms) for tool in found.tools
    ]
    assert ("no rule", ("/work/shop/prices.py",)) == (found.tools[1].output, found.files)


def test_what_is_no_object_in_a_row_is_counted_or_empty() -> None:
    found = read(
        opencode, lines({"message": {"id": "m", "data": 7}}, {"part": {"of": "m", "data": {"type": "step-finish"}}}, 3)
    )
    assert (True, 1) == (found.is_empty, found.unreadable)


@pytest.mark.parametrize("journal", ["delete", "wal"])
def test_a_database_has_its_sessions_the_newest_first(journal: str) -> None:
    with closing(OpencodeDatabase(opencode_database("ses_1", "ses_2", journal=journal))) as database:
        assert ["ses_2", "ses_1"] == list(database.sessions)
        assert {"ses_1", "ses_2"} == {read(opencode, database.lines(id), id).session_id for id in database.sessions}
        assert [] == list(database.lines("ses_3"))


def changed(data: bytes, *statements: str) -> bytes:
    with closing(sqlite3.connect(":memory:")) as rows:
        if data:
            rows.deserialize(data)
        for statement in statements:
            rows.execute(statement)
        rows.commit()
        return rows.serialize()


def test_rows_that_are_no_json_are_counted() -> None:
    data = changed(
        OPENCODE,
        "update part set data = 'x{' where data like '%step-start%'",
        "update message set data = null where data like '%8320%'",
    )
    with closing(OpencodeDatabase(data)) as database:
        found = read(opencode, database.lines("ses_0001"))
    assert (1, [INCLUDED]) == (found.unreadable, [call.usage for call in found.calls])


@pytest.mark.parametrize("data", [b"", b"SQLite format 3", b"x" * 5000, OPENCODE[:100], OPENCODE[:-8192]])
def test_other_bytes_are_no_database(data: bytes) -> None:
    with pytest.raises(ValueError, match="no database"):
        OpencodeDatabase(data)


def test_a_database_of_another_program_is_none() -> None:
    with pytest.raises(ValueError, match="no database of opencode: no such column"):
        OpencodeDatabase(changed(b"", "create table session (name text)"))
