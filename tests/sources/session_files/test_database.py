"""Databases of agents are read on from where they were, also while the agent writes, and nothing in its folder changes."""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from agentsight_rx.events import Loss, SessionEntry
from agentsight_rx.sources.session_files import database
from agentsight_rx.sources.session_files.database import Changed, Databases
from agentsight_rx.sources.session_files.files import AgentFile, Home
from agentsight_rx.wire.sqlite import SqliteError
from tests.runtime.test_resume import copies, saved_always
from tests.sources.session_files.test_source import imported, read, rows_in, write
from tests.view.transcripts.other_samples import MS, OTHERS
from tests.view.transcripts.samples import SECRET, changed, logged, opencode_database

INSIDE = ".local/share/opencode/opencode.db"


@pytest.fixture(autouse=True)
def _no_tick(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was written right now is read at the next look; here there is one."""
    monkeypatch.setattr("agentsight_rx.sources.session_files.files._TICK_NS", 0)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    write(tmp_path / "home", INSIDE, opencode_database("ses_1", "ses_2"))
    return tmp_path / "home"


@pytest.fixture
def running(home: Path) -> Iterator[sqlite3.Connection]:
    """opencode itself, which has the database open and writes into its log."""
    with closing(sqlite3.connect(home / INSIDE, isolation_level=None)) as rows:
        rows.execute("pragma journal_mode=wal")
        rows.execute("pragma wal_autocheckpoint=0")
        yield rows


def added(rows: sqlite3.Connection, *sessions: str) -> None:
    with closing(sqlite3.connect(":memory:")) as made:
        made.deserialize(opencode_database(*sessions))
        for table, columns in (("session", 9), ("message", 5), ("part", 6)):
            for values in made.execute(f"select * from {table}"):
                ids = [f"{value}{sessions[0]}" if str(value).startswith(("msg_", "prt_")) else value for value in values]
                rows.execute(f"insert into {table} values ({', '.join('?' * columns)})", ids)


def listed(home: Path) -> dict[str, tuple[int, int, int]]:
    return {
        str(each): (each.stat().st_ino, each.stat().st_size, each.stat().st_mtime_ns)
        for each in (home / INSIDE).parent.rglob("*")
    }


def entries(events: list[Any]) -> list[tuple[str, str]]:
    return [(each.session, each.kind) for each in events if isinstance(each, SessionEntry)]


def file_of(home: Path) -> AgentFile:
    found = (home / INSIDE).stat()
    version = (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns)
    return AgentFile(agent="opencode", root=str(home), inside=INSIDE, version=version, changed_ns=0)


def test_each_session_is_read_and_nothing_in_the_folder_changes(home: Path) -> None:
    before = listed(home)
    events, progress = read(home)
    assert {"ses_1", "ses_2"} == {session for session, _ in entries(events)}
    assert (2, 2, 0, 0) == (progress.files, progress.read_files, progress.skipped, progress.unreadable)
    assert before == listed(home)


def test_rows_in_the_log_alone_are_read_while_the_agent_runs(home: Path, running: sqlite3.Connection) -> None:
    added(running, "ses_9")
    before = listed(home)
    assert "ses_9" in {session for session, _ in entries(read(home)[0])}
    assert before == listed(home)
    running.execute("pragma locking_mode=exclusive")
    running.execute("begin immediate")  # a lock of the agent is none of ours
    assert "ses_9" in {session for session, _ in entries(read(home)[0])}


def test_it_goes_on_where_it_was(home: Path, running: sqlite3.Connection, tmp_path: Path) -> None:
    path, whole = tmp_path / "past.lmdb", tmp_path / "whole.lmdb"
    imported(home, path)
    first = rows_in(path)
    imported(home, path)
    assert first == rows_in(path)
    added(running, "ses_9")
    imported(home, path)
    running.execute("pragma wal_checkpoint(truncate)")
    running.execute("update session set time_updated = time_updated + 1, title = 'Other' where id = 'ses_1'")
    imported(home, path)
    imported(home, whole)
    assert sorted(map(repr, rows_in(whole)["llm_calls"])) == sorted(map(repr, rows_in(path)["llm_calls"]))
    assert {"ses_1": "Other", "ses_2": "Mend the prices", "ses_9": "Mend the prices"} == {
        row.id: row.title for row in rows_in(path)["sessions"]
    }
    assert SECRET not in repr(rows_in(path))


def test_an_answer_that_goes_on_is_one(home: Path, running: sqlite3.Connection, tmp_path: Path) -> None:
    path, whole = tmp_path / "past.lmdb", tmp_path / "whole.lmdb"
    running.execute("update message set data = json_remove(data, '$.time.completed') where id = 'msg_12'")
    running.execute("update message set data = json_set(data, '$.tokens.output', 1) where id = 'msg_12'")
    imported(home, path)
    running.execute("update message set data = json_set(data, '$.time.completed', 1793527264500) where id = 'msg_12'")
    running.execute("update message set data = json_set(data, '$.tokens.output', 35) where id = 'msg_12'")
    running.execute("update session set time_updated = time_updated + 1 where id = 'ses_2'")
    imported(home, path)
    imported(home, whole)
    assert [row.output_tokens for row in rows_in(whole)["llm_calls"]] == [
        row.output_tokens for row in rows_in(path)["llm_calls"]
    ]
    assert [row.calls for row in rows_in(whole)["sessions"]] == [row.calls for row in rows_in(path)["sessions"]]


def test_a_kill_at_any_moment_changes_no_row(home: Path, tmp_path: Path) -> None:
    path, folder = tmp_path / "past.lmdb", tmp_path / "copies"
    folder.mkdir()
    with saved_always(), copies(path, folder) as killed:
        imported(home, path)
    expected = rows_in(path)
    assert killed
    for left in killed:
        imported(home, left)
        assert expected == rows_in(left), left.name


def test_sub_agents_are_threads_of_the_first_session(home: Path, tmp_path: Path) -> None:
    data = changed((home / INSIDE).read_bytes(), "update session set parent_id = 'ses_1' where id = 'ses_2'")
    write(home, INSIDE, data)
    path = tmp_path / "past.lmdb"
    imported(home, path)
    (session,) = rows_in(path)["sessions"]
    assert ("ses_1", 1, 4) == (session.id, session.sub_agents, session.calls)
    assert {None: 2, "ses_2": 2} == {
        id: sum(row.agent_id == id for row in rows_in(path)["llm_calls"]) for id in (None, "ses_2")
    }


def test_parents_in_a_circle_end(home: Path) -> None:
    write(home, INSIDE, changed((home / INSIDE).read_bytes(), "update session set parent_id = id"))
    assert 2 == read(home)[1].read_files


def test_a_database_that_is_being_written_is_read_at_the_next_look(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    journal = write(home, f"{INSIDE}-journal", b"x" * 600)
    assert (0, 0) == ((found := read(home)[1]).files, found.skipped)
    journal.unlink()
    monkeypatch.setattr("agentsight_rx.sources.session_files.files._TICK_NS", 10**18)
    assert 0 == read(home)[1].files


def test_rows_that_do_not_fit_together_are_read_again(home: Path) -> None:
    with closing(Databases(Home(str(home), os.geteuid()))) as databases:
        first, _ = databases.sessions(file_of(home))
        write(home, INSIDE, changed((home / INSIDE).read_bytes(), "update session set title = 'Other'"))
        os.utime(home / INSIDE, (5, 5))
        session = databases.values(first)[0]["session"]
    assert isinstance(session, dict)
    assert "Other" == session["title"]


def test_an_agent_that_writes_all_the_time_is_left_for_later(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with closing(Databases(Home(str(home), os.geteuid()))) as databases:
        first, _ = databases.sessions(file_of(home))

        def check(_: object) -> None:
            raise Changed

        monkeypatch.setattr(database.AgentDatabase, "check", check)
        with pytest.raises(Changed):
            databases.values(first)


def test_what_cannot_be_read_is_counted(home: Path) -> None:
    data = (home / INSIDE).read_bytes()
    write(home, INSIDE, changed(data, "drop table part"))
    assert (0, 1) == ((found := read(home)[1]).files, found.skipped)
    write(home, INSIDE, changed(data, "update part set data = 'x{' where data like '%step-start%'"))
    events, progress = read(home)
    notes = [each.note for each in events if isinstance(each, Loss)]
    assert [f"{home / INSIDE}#{session}: 1 values are not as opencode writes them" for session in ("ses_1", "ses_2")] == notes
    assert 2 == progress.unreadable


def test_a_database_behind_a_link_or_of_another_agent_is_not_read(home: Path, tmp_path: Path) -> None:
    file = file_of(home)
    (home / INSIDE).rename(tmp_path / "elsewhere.db")
    (home / INSIDE).symlink_to(tmp_path / "elsewhere.db")
    assert (0, 1) == ((found := read(home)[1]).files, found.skipped)
    with pytest.raises(SqliteError, match="no parser"):
        database.AgentDatabase(replace(file, agent="hal"), Home("/", 0))


def test_the_log_of_a_database_is_not_followed_through_a_link(home: Path, tmp_path: Path) -> None:
    data, log = logged(tmp_path, "ses_7")
    write(home, INSIDE, data)
    (tmp_path / "elsewhere").write_bytes(log)
    Path(f"{home / INSIDE}-wal").symlink_to(tmp_path / "elsewhere")
    assert (0, 1) == ((found := read(home)[1]).files, found.skipped)


# -- goose, crush --------------------------------------------------------------------------------------------------------

GOOSE_TABLES = """
    create table sessions (id text primary key, name text, description text, working_dir text not null,
        created_at timestamp default current_timestamp, updated_at timestamp default current_timestamp,
        accumulated_input_tokens integer, accumulated_output_tokens integer, model_config_json text);
    create table messages (id integer primary key autoincrement, session_id text not null references sessions (id),
        role text not null, content_json text not null, created_timestamp integer not null);
    create index idx_messages_session on messages (session_id);
"""
CRUSH_TABLES = """
    create table sessions (id text primary key, parent_session_id text, title text not null, prompt_tokens integer,
        updated_at integer not null,  -- Unix timestamp in seconds
        created_at integer not null);
    create table messages (id text primary key, session_id text not null, role text not null, parts blob not null default '[]',
        model text, provider text, created_at integer not null, finished_at integer);
    create index idx_messages_session_id on messages (session_id);
"""


def filled(path: Path, tables: str, agent: str) -> None:
    """A database of the sample of this agent."""
    path.parent.mkdir(parents=True, exist_ok=True)
    content = next(content for (each, _), content in OTHERS.items() if each == agent)
    with closing(sqlite3.connect(path, isolation_level=None)) as rows:
        rows.executescript(tables)
        for table in ("sessions", "messages"):
            columns = [row[1] for row in rows.execute(f"pragma table_info({table})")]
            for line in map(json.loads, content.splitlines()):
                row = {"updated_at": MS // 1000, "session_id": "goose-1", **line.get(table[:-1], {})}
                if table[:-1] in line:
                    values = [row.get(column) for column in columns]
                    rows.execute(f"insert into {table} values ({', '.join('?' * len(columns))})", values)


def test_goose_is_read_and_goes_on(tmp_path: Path) -> None:
    home, path = tmp_path / "home", tmp_path / "past.lmdb"
    where = home / ".local/share/goose/sessions/sessions.db"
    filled(where, GOOSE_TABLES, "goose")
    imported(home, path)
    with closing(sqlite3.connect(where, isolation_level=None)) as rows:
        said = json.dumps([{"type": "text", "text": "More."}])
        rows.execute(
            "insert into messages (session_id, role, content_json, created_timestamp) values ('goose-1', 'assistant', ?, ?)",
            (said, MS // 1000 + 5),
        )
        rows.execute("update sessions set updated_at = datetime('now')")
    imported(home, path)
    assert ["I look.", "Done.", "More."] == [row.text for row in rows_in(path)["llm_calls"]]
    (session,) = rows_in(path)["sessions"]
    assert ("goose-1", "/work/shop", "Mend the prices", 3, "gpt-5") == (
        session.id,
        session.cwd,
        session.title,
        session.calls,
        session.model,
    )


def test_crush_is_read_in_the_projects_that_it_lists(tmp_path: Path) -> None:
    home, path, project = tmp_path / "home", tmp_path / "past.lmdb", tmp_path / "shop"
    filled(project / ".crush/crush.db", CRUSH_TABLES, "crush")
    listed_projects = [{"path": str(project), "data_dir": str(project / ".crush")}, {"data_dir": "/gone"}, {"data_dir": "x"}, 3]
    write(home, ".local/share/crush/projects.json", json.dumps({"projects": listed_projects * 2}).encode())
    progress = imported(home, path)
    assert (1, 0) == (progress.files, progress.skipped)
    (session,) = rows_in(path)["sessions"]
    assert ("crush-1", 2, 1, 1) == (session.id, session.calls, session.tools, session.failed_tools)
    write(home, ".local/share/crush/projects.json", b"{broken")
    assert 0 == read(home)[1].files


def test_a_session_that_vanished_from_a_database_is_marked(home: Path, running: sqlite3.Connection, tmp_path: Path) -> None:
    path = tmp_path / "past.lmdb"
    imported(home, path)
    running.execute("delete from session where id = 'ses_1'")
    imported(home, path)
    assert {"ses_1": True, "ses_2": False} == {row.id: row.file_gone for row in rows_in(path)["sessions"]}
    (home / f"{INSIDE}-journal").write_bytes(b"x")  # it is being written, so nothing is known of it
    imported(home, path)
    assert {"ses_1": True, "ses_2": False} == {row.id: row.file_gone for row in rows_in(path)["sessions"]}
