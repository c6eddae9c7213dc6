from __future__ import annotations

import os
import pwd
from pathlib import Path
from typing import Any

import pytest

from agentsight_rx.cli.places import session_files as transcripts
from agentsight_rx.cli.places.session_files import Found, TranscriptFiles
from agentsight_rx.sources.session_files import files as opening
from agentsight_rx.sources.session_files.files import Home, home_of_user
from tests.view.transcripts.reading import REDACTOR
from tests.view.transcripts.samples import CLAUDE, CODEX, GEMINI, GEMINI_LINES, logged, opencode_database

FILES = {
    ".claude/projects/-work-shop/1a2b.jsonl": CLAUDE,
    ".codex/sessions/2026/11/01/rollout-2026-11-01T10-00-00-019a.jsonl": CODEX,
    ".gemini/tmp/a94a/chats/session-1.json": GEMINI,
    ".gemini/tmp/a94a/chats/session-2.jsonl": GEMINI_LINES,
}


def write(home: Path, inside: str, content: bytes, *, second: int = 0) -> Path:
    path = home / inside
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    os.utime(path, (second, second))
    return path


@pytest.fixture
def home(tmp_path: Path) -> Path:
    for second, (inside, content) in enumerate(FILES.items()):
        write(tmp_path, inside, content, second=second)
    return tmp_path


def look(home: Path, most: int = 25) -> Found:
    return TranscriptFiles(Home(str(home), os.geteuid()), REDACTOR).newest(most)


def paths(found: Found) -> list[str]:
    return [session.path for session in found.sessions]


def test_sessions_of_all_agents_are_found_the_newest_first(home: Path) -> None:
    found = look(home)
    assert [str(home / inside) for inside in reversed(FILES)] == paths(found)
    assert ["gemini", "gemini", "codex", "claude"] == [session.transcript.agent for session in found.sessions]
    assert (0, 0) == (found.older, found.skipped)


def test_other_files_are_no_sessions(home: Path) -> None:
    for inside in (
        ".claude/projects/x/notes.txt",
        ".codex/sessions/history.jsonl",
        ".gemini/tmp/a94a/logs.json",
        ".aider/x.jsonl",
    ):
        write(home, inside, CLAUDE)
    assert 4 == len(look(home).sessions)


def test_at_most_so_many_newest_sessions_are_given(home: Path) -> None:
    found = look(home, 1)
    assert (1, 3) == (len(found.sessions), found.older)
    assert paths(look(home))[:1] == paths(found)


def test_files_that_are_first_are_read_before_newer_ones_and_the_newest_stands_first_all_the_same(home: Path) -> None:
    files = TranscriptFiles(Home(str(home), os.geteuid()), REDACTOR)
    found = files.newest(2, first=lambda path: path.endswith("1a2b.jsonl"))
    oldest, *_, newest = FILES
    assert [str(home / inside) for inside in (newest, oldest)] == paths(found)
    assert found.older == 2


def test_files_without_a_session_are_left_out(home: Path) -> None:
    write(home, ".claude/projects/x/empty.jsonl", b"{}\n", second=99)
    assert (4, 0) == (len(look(home, 4).sessions), look(home).skipped)


def test_at_most_75_files_are_read(tmp_path: Path) -> None:
    for number in range(80):
        write(tmp_path, f".claude/projects/x/{number}.jsonl", b"{}\n")
    assert Found(older=5) == look(tmp_path)


def test_a_file_is_read_again_only_when_it_changed(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = TranscriptFiles(Home(str(home), os.geteuid()), REDACTOR)
    first = files.newest()
    opened: list[object] = []
    whole = transcripts.OpenedFile  # type: ignore[attr-defined]  # to count what is opened

    def counted(*each: Any) -> object:
        opened.append(each)
        return whole(*each)

    monkeypatch.setattr(transcripts, "OpenedFile", counted)
    assert first == files.newest()
    assert [] == opened
    write(home, next(iter(FILES)), CLAUDE + CLAUDE[:-1], second=50)
    changed = files.newest()
    assert 1 == len(opened)
    assert str(home / next(iter(FILES))) == changed.sessions[0].path


def test_links_are_not_followed(home: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    outside = tmp_path_factory.mktemp("outside")
    write(outside, "secret.jsonl", CLAUDE)
    projects = home / ".claude/projects"
    (projects / "link.jsonl").symlink_to(outside / "secret.jsonl")
    (projects / "folder").symlink_to(outside)
    found = look(home)
    assert 4 == len(found.sessions)
    assert 1 == found.skipped  # the folder is none, since it is a link


def test_the_directory_of_an_agent_may_be_kept_elsewhere(tmp_path: Path) -> None:
    write(tmp_path, "dotfiles/claude/projects/x/1.jsonl", CLAUDE)
    (tmp_path / ".claude").symlink_to(tmp_path / "dotfiles/claude")
    assert [str(tmp_path / ".claude/projects/x/1.jsonl")] == paths(look(tmp_path))


@pytest.mark.parametrize("kind", ["pipe", "directory"])
def test_what_is_no_regular_file_is_not_read(home: Path, kind: str) -> None:
    path = home / ".claude/projects/x/1.jsonl"
    path.parent.mkdir()
    if kind == "pipe":
        os.mkfifo(path)
    else:
        path.mkdir()
    found = look(home)
    assert (4, kind == "pipe") == (len(found.sessions), bool(found.skipped))


@pytest.mark.needs("root")
def test_files_and_directories_of_other_users_are_not_read(home: Path) -> None:
    theirs = write(home, ".claude/projects/x/theirs.jsonl", CLAUDE, second=50)
    os.chown(theirs, 12_345, 12_345)
    found = look(home)
    assert (4, 1) == (len(found.sessions), found.skipped)
    os.chown(home / ".codex/sessions", 12_345, 12_345)
    found = look(home)
    assert (3, 2) == (len(found.sessions), found.skipped)


def test_a_link_that_takes_the_place_of_a_file_is_not_read(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between the list of a directory and the read of a file its user may exchange it."""
    path = home / next(iter(FILES))
    whole = transcripts.OpenedFile  # type: ignore[attr-defined]  # to act right before

    def exchanged(*each: Any) -> object:
        if path.is_file() and not path.is_symlink():
            path.rename(path.with_suffix(".kept"))
            path.symlink_to(path.with_suffix(".kept"))
        return whole(*each)

    monkeypatch.setattr(transcripts, "OpenedFile", exchanged)
    found = look(home)
    assert (3, 1) == (len(found.sessions), found.skipped)


def test_of_a_large_file_the_begin_and_the_end_are_read(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(opening, "_BEGIN", 1000)
    monkeypatch.setattr(opening, "_FILE_MOST", 3000)
    monkeypatch.setattr(opening, "_CHUNK", 7)
    first, answer = CLAUDE.splitlines(keepends=True)[2], CLAUDE.splitlines(keepends=True)[5]
    content = first + b'{"type": "user"}\n' * 1000 + answer
    write(home, ".claude/projects/x/1.jsonl", content, second=50)
    found = look(home).sessions[0].transcript
    assert (["msg_01"], 0) == ([call.id for call in found.calls], found.unreadable)
    assert "/work/shop" == found.cwd
    assert len(content) - 3000 <= found.unread < len(content)


def test_a_whole_file_that_is_too_large_is_skipped(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(opening, "_FILE_MOST", len(GEMINI) - 1)
    monkeypatch.setattr(opening, "_BEGIN", 100)
    found = look(home)
    assert 1 == found.skipped
    assert str(home / ".gemini/tmp/a94a/chats/session-1.json") not in paths(found)


def test_memory_is_bounded(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transcripts, "_WEIGHT_MOST", 1)
    files = TranscriptFiles(Home(str(home), os.geteuid()), REDACTOR)
    assert (1, 3) == (len(files.newest().sessions), files.newest().older)


@pytest.mark.parametrize("depth", [8, 9])
def test_directories_are_entered_so_deep(tmp_path: Path, depth: int) -> None:
    write(tmp_path, f".claude/projects/{'d/' * depth}1.jsonl", CLAUDE)
    found = look(tmp_path)
    assert (depth == 8, depth == 9) == (bool(found.sessions), bool(found.skipped))


def test_a_directory_with_too_many_entries_is_read_in_part(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(opening, "_ENTRIES_MOST", 2)
    assert 0 < look(home).skipped


def test_a_home_without_agents_has_no_sessions(tmp_path: Path) -> None:
    assert Found() == look(tmp_path)
    (tmp_path / ".claude").write_text("a file")
    assert Found() == look(tmp_path)


def test_under_sudo_the_home_is_that_of_the_invoking_user(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    user = pwd.getpwuid(1)  # daemon, on every machine
    assert Home(user.pw_dir, 1) == home_of_user({"SUDO_USER": user.pw_name, "HOME": "/root"})
    assert Home("/root", 0) == home_of_user({"SUDO_USER": "no-such-user", "HOME": "/root"})


def test_without_sudo_it_is_the_current_home(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert Home("/home/me", 1000) == home_of_user({"SUDO_USER": "daemon", "HOME": "/home/me"})


# -- databases -------------------------------------------------------------------------------------------------------------


def test_each_session_of_a_database_is_one_and_newer_files_come_first(home: Path) -> None:
    database = write(home, ".local/share/opencode/opencode.db", opencode_database("ses_1", "ses_2"), second=99)
    found = look(home)
    assert [f"{database}#ses_2", f"{database}#ses_1"] == paths(found)[:2]
    assert {"opencode"} == {session.transcript.agent for session in found.sessions[:2]}
    assert (6, 0) == (len(found.sessions), found.skipped)


def test_a_database_that_is_none_is_skipped(home: Path) -> None:
    write(home, ".local/share/opencode/opencode.db", b"x" * 5000)
    assert (4, 1) == (len(look(home).sessions), look(home).skipped)


def test_a_change_in_the_log_alone_is_seen(home: Path, tmp_path: Path) -> None:
    data, log = logged(tmp_path, "ses_1")
    database = write(home, ".local/share/opencode/opencode.db", data, second=99)
    files = TranscriptFiles(Home(str(home), os.geteuid()), REDACTOR)
    assert (4, 0) == (len(files.newest(25).sessions), files.newest(25).skipped)
    write(home, ".local/share/opencode/opencode.db-wal", log, second=99)
    assert f"{database}#ses_1" in paths(files.newest(25))
