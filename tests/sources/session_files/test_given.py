"""Which agent's session files a path has: by the agent's own folders, parts of them, or the names of files."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from agentsight_rx.core.errors import UsageError
from agentsight_rx.events import SessionEntry
from agentsight_rx.sources.session_files.files import Home, Listing, Place
from agentsight_rx.sources.session_files.given import given
from tests.sources.session_files.test_source import FILES, NAME, home, imported, read, rows_in, write
from tests.view.transcripts.samples import CLAUDE, CODEX, GEMINI_LINES

__all__ = ["home"]
ROLLOUT = "sessions/2026/11/01/rollout-1.jsonl"
LAYOUTS = {
    "claude": (".claude/projects/-w/1.jsonl", ("", ".claude", ".claude/projects", ".claude/projects/-w")),
    "codex": (".codex/archived_sessions/rollout-1.jsonl", ("", ".codex", ".codex/archived_sessions")),
    "opencode": (".local/share/opencode/opencode.db", ("", ".local", ".local/share", ".local/share/opencode")),
    "crush": ("shop/.crush/crush.db", ("shop", "shop/.crush")),
}


def found(*places: Place) -> list[str]:
    return [file.path for place in places for file in Listing(Home("", None)).inside(place)]


@pytest.mark.parametrize("agent", LAYOUTS)
def test_the_folders_of_an_agent_say_whose_files_they_are(agent: str, tmp_path: Path) -> None:
    inside, paths = LAYOUTS[agent]
    file = write(tmp_path, inside, b"{}\n")
    for path in (*paths, inside):
        (place,) = given([str(tmp_path / path)])
        assert (agent, [str(file)]) == (place.agent.id, found(place)), path


def test_a_home_has_all_agents(home: Path) -> None:
    assert sorted(str(home / path) for path in FILES) == sorted(found(*given([str(home)])))
    assert [str(home / NAME)] == found(*given([str(home)], ("claude",)))


@pytest.mark.parametrize(
    ("path", "agent"),
    [("old/projects/-w/1.jsonl", "claude"), (f"old/{ROLLOUT}", "codex"), ("old/x/rollout-1.jsonl", "codex"), ("old/s.db", "")],
)
def test_a_copy_by_another_name_is_known_by_what_is_in_it(path: str, agent: str, tmp_path: Path) -> None:
    file = write(tmp_path, path, b"{}\n")
    if agent:
        (place,) = given([str(tmp_path / "old")])
        assert (agent, [str(file)]) == (place.agent.id, found(place))
    else:
        with pytest.raises(UsageError, match="old: no session file was found in it; import reads session files of claude, "):
            given([str(tmp_path / "old")])


def test_a_file_is_known_by_its_name_or_named(tmp_path: Path) -> None:
    file = write(tmp_path, "a.jsonl", b"{}\n")
    (rollout,) = given([str(write(tmp_path, "rollout-2.jsonl", b"{}\n"))])
    assert "codex" == rollout.agent.id
    with pytest.raises(UsageError, match=r"a\.jsonl: its files may be of claude, droid, pi, own; say which by --agent"):
        given([str(file)])
    assert [("claude", [str(file)])] == [(each.agent.id, found(each)) for each in given([str(file)], ("claude",))]
    (other,) = given([str(write(tmp_path, "kept.txt", b"{}\n"))], ("codex",))
    assert ("codex", "kept.txt") == (other.agent.id, other.inside)


def test_what_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"gone: No such file or directory; give a file or a folder"):
        given([str(tmp_path / "gone")])
    with pytest.raises(UsageError, match="no session file was found"):
        given([str(write(tmp_path, ".claude/projects/-w/notes.txt", b""))])


def test_files_of_a_path_may_be_of_any_user_and_a_link_leads_to_its_file(tmp_path: Path, home: Path) -> None:
    link = tmp_path / "link.jsonl"
    link.symlink_to(home / NAME)
    (place,) = given([str(link)])
    assert [str(home / NAME)] == found(place)
    assert [] == list(Listing(Home("", os.geteuid() + 1)).inside(place))


def test_a_path_is_read_in_place_of_the_home(home: Path, tmp_path: Path) -> None:
    copy = write(tmp_path, "copy/.codex/sessions/rollout-1.jsonl", CODEX)
    events, progress = read(home, paths=(str(tmp_path / "copy"), str(copy)))
    assert ({"codex"}, 1) == ({each.agent for each in events if isinstance(each, SessionEntry)}, progress.files)


def test_a_copy_beside_the_home_adds_no_row(home: Path, tmp_path: Path) -> None:
    path = tmp_path / "past.lmdb"
    imported(home, path)
    before = rows_in(path)
    for inside, content in (
        (".claude/projects/-w/1a2b.jsonl", CLAUDE),
        (".gemini/tmp/a94a/chats/session-2.jsonl", GEMINI_LINES),
    ):
        write(tmp_path / "copy", inside, content)
    imported(home, path, paths=(str(tmp_path / "copy"),))
    imported(home, path)
    after = rows_in(path)
    assert {name: len(rows) for name, rows in before.items()} == {name: len(rows) for name, rows in after.items()}
