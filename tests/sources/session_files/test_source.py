"""Session files are read on from where they were, each line once, and what cannot be read is counted with its place."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from agentsight_rx import op, run, sinks, sources
from agentsight_rx.core.sink import Sink
from agentsight_rx.events import Loss, SessionEntry, Witness
from agentsight_rx.events.loss import Reason
from agentsight_rx.runtime.run import Run
from agentsight_rx.sources.session_files import source
from agentsight_rx.sources.session_files.look import Progress, TranscriptsOptions
from agentsight_rx.sources.session_files.source import transcripts
from agentsight_rx.store.rows.kind import ROW_TABLES
from agentsight_rx.store.state import LmdbStore
from tests.runtime.test_resume import copies, saved_always
from tests.view.transcripts.other_samples import BESIDE, OTHERS
from tests.view.transcripts.samples import CLAUDE, CODEX, GEMINI, GEMINI_LINES, SECRET

FILES = {
    ".claude/projects/-work-shop/1a2b.jsonl": CLAUDE,
    ".codex/sessions/2026/11/01/rollout-2026-11-01T10-00-00-019a.jsonl": CODEX,
    ".gemini/tmp/a94a/chats/session-1.json": GEMINI,
    ".gemini/tmp/a94a/chats/session-2.jsonl": GEMINI_LINES,
}
NAME = ".claude/projects/-work-shop/1a2b.jsonl"


def write(home: Path, inside: str, content: bytes) -> Path:
    path = home / inside
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


@pytest.fixture
def home(tmp_path: Path) -> Path:
    for inside, content in FILES.items():
        write(tmp_path / "home", inside, content)
    return tmp_path / "home"


def options(home: Path, **more: Any) -> TranscriptsOptions:
    return TranscriptsOptions(home=str(home), uid=os.geteuid(), **more)


class Kept:
    def __init__(self) -> None:
        self.events: list[Any] = []

    def write(self, batch: Sequence[Any], /) -> None:
        self.events.extend(batch)

    def flush(self) -> None:
        pass

    def close(self) -> None:
        pass


def read(home: Path, **more: Any) -> tuple[list[Any], Progress]:
    kept, progress = Kept(), Progress()
    run(transcripts(options(home, **more), progress), [Sink("kept", lambda _: kept)])
    return kept.events, progress


def imported(home: Path, path: Path, **more: Any) -> Progress:
    """All that stands there now, as the command reads it: its end is not the end of the sessions."""
    progress = Progress()
    graph = transcripts(options(home, follow=True, **more), progress).pipe(op.remove_auth(key=b"k" * 32), op.materialize())
    with Run(graph, [sinks.store(path)], resume=path) as running:
        assert progress.caught_up.wait(60)
        running.stop().raised()
    return progress


def rows_in(path: Path) -> dict[str, Any]:
    store = LmdbStore.open(path, readonly=True)
    try:
        return {table.name: [row for _, row in store.scan(table)] for table in ROW_TABLES}
    finally:
        store.close()


def test_sessions_of_all_agents_are_read(home: Path) -> None:
    events, progress = read(home)
    assert isinstance(events[0], Witness)
    assert {"claude", "codex", "gemini"} == {each.agent for each in events if isinstance(each, SessionEntry)}
    assert (4, 4, sum(map(len, FILES.values()))) == (progress.files, progress.read_files, progress.read)
    times = [each.origin.time_ns for each in events]
    assert times == sorted(set(times))


def test_the_oldest_file_comes_first(home: Path) -> None:
    for age, path in enumerate(sorted(FILES)):
        os.utime(home / path, (10_000 - age, 10_000 - age))
    events, _ = read(home)
    agents = [each.agent for each in events if isinstance(each, SessionEntry)]
    assert ["gemini", "codex", "claude"] == list(dict.fromkeys(agents))


def test_a_session_that_was_copied_keeps_its_calls_whichever_name_is_first(home: Path) -> None:
    """As of `claude --resume` of old releases: the newer file has the lines of the older one again, under its own session."""
    path = next(home / each for each in FILES if ".claude" in each)
    lines = path.read_bytes()
    session = next(said["sessionId"] for line in lines.splitlines() if "sessionId" in (said := json.loads(line))).encode()
    for name in ("0-copy", "z-copy"):
        copy = path.with_name(f"{name}.jsonl")
        copy.write_bytes(lines.replace(session, name.encode()))
        later = path.stat().st_mtime + 10
        os.utime(copy, (later, later))
        events, _ = read(home)
        told = (each for each in events if isinstance(each, SessionEntry) and (each.kind, each.agent) == ("answer", "claude"))
        assert next(told).session == session.decode()
        copy.unlink()


def test_only_what_was_asked_for_is_read(home: Path) -> None:
    events, _ = read(home, agents=("codex",))
    assert {"codex"} == {each.agent for each in events if isinstance(each, SessionEntry)}
    os.utime(home / NAME, (1000, 1000))
    events, progress = read(home, since_ms=2_000_000)
    assert "claude" not in {each.agent for each in events if isinstance(each, SessionEntry)}
    assert progress.files == 3


def test_an_answer_of_several_lines_is_one_entry(home: Path) -> None:
    events, _ = read(home, agents=("claude",))
    ids = [each.id for each in events if isinstance(each, SessionEntry) and each.kind == "answer"]
    assert len(ids) == len(set(ids))


def test_a_file_that_grows_costs_its_new_lines(home: Path, tmp_path: Path) -> None:
    path, lines = tmp_path / "past.lmdb", CLAUDE.splitlines(keepends=True)
    whole = tmp_path / "whole.lmdb"
    imported(home, whole)
    for cut in (3, 5, 6):
        write(home, NAME, b"".join(lines[:cut]) + lines[cut][:20])
        imported(home, path)
    write(home, NAME, CLAUDE)
    grown = imported(home, path)
    assert rows_in(whole) == rows_in(path)
    assert grown.unreadable == 0
    assert imported(home, path).read_files == 4
    assert rows_in(whole) == rows_in(path)


def test_a_file_that_is_another_one_is_read_anew(home: Path, tmp_path: Path) -> None:
    path = tmp_path / "past.lmdb"
    imported(home, path)
    before = rows_in(path)
    write(home, NAME, CLAUDE.replace(b"1a2b3c4d-0000", b"ffff3c4d-0000").replace(b"msg_", b"new_").replace(b"req_", b"ren_"))
    imported(home, path)
    sessions = {row.id for row in rows_in(path)["sessions"]}
    assert {row.id for row in before["sessions"]} < sessions
    (home / NAME).unlink()
    imported(home, path)
    assert sessions == {row.id for row in rows_in(path)["sessions"]}, "what was read stays when its file goes"


def gone(path: Path) -> dict[str, bool]:
    return {row.agent or "": row.file_gone for row in rows_in(path)["sessions"]}


def test_a_session_whose_file_is_gone_is_marked_until_it_is_there_again(home: Path, tmp_path: Path) -> None:
    path, before = tmp_path / "past.lmdb", rows_in
    imported(home, path)
    rows = before(path)
    content = (home / NAME).read_bytes()
    (home / NAME).unlink()
    for _ in range(2):
        imported(home, path)
        assert {"claude": True, "codex": False, "gemini": False} == gone(path)
    assert rows["llm_calls"] == rows_in(path)["llm_calls"], "what was read stays"
    write(home, ".claude/projects/-elsewhere/1a2b.jsonl", content)
    imported(home, path)
    assert not any(gone(path).values()), "another file has it"
    assert rows == rows_in(path)


def test_what_cannot_be_looked_at_is_not_gone(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "past.lmdb"
    imported(home, path)
    (home / ".claude").rename(home / "away")
    imported(home, path)
    assert not any(gone(path).values()), "its place is not there, as in a home that is not mounted"
    (home / "away").rename(home / ".claude")
    write(home, ".claude/projects/other.jsonl", b"{}\n")
    imported(home, path, agents=("codex",))
    imported(home, path, since_ms=4_000_000_000_000)
    imported(home, path, paths=(str(home / ".codex"),))
    assert not any(gone(path).values())


def test_a_kill_while_a_file_goes_changes_no_row(home: Path, tmp_path: Path) -> None:
    path, folder = tmp_path / "past.lmdb", tmp_path / "copies"
    folder.mkdir()
    imported(home, path)
    (home / NAME).rename(home / NAME.replace("1a2b", "3c4d"))
    next(home.glob(".codex/**/*.jsonl")).unlink()
    with saved_always(), copies(path, folder) as killed:
        imported(home, path)
    expected = rows_in(path)
    assert {"claude": False, "codex": True, "gemini": False} == gone(path)
    assert killed
    for left in killed:
        imported(home, left)
        assert expected == rows_in(left), left.name


def test_a_kill_at_any_moment_changes_no_row(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(source, "_READ", 700)
    path, folder = tmp_path / "past.lmdb", tmp_path / "copies"
    folder.mkdir()
    with saved_always(), copies(path, folder) as killed:
        imported(home, path)
    expected = rows_in(path)
    assert len(killed) > 10
    for left in killed:
        imported(home, left)
        assert expected == rows_in(left), left.name


def test_lines_that_cannot_be_read_are_counted_with_their_place(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(source, "_LINE_MOST", 20_000)
    monkeypatch.setattr(source, "_READ", 1000)
    first, *rest = CLAUDE.splitlines(keepends=True)
    long = json.dumps({"type": "user", "message": {"content": "x" * 30_000}}).encode() + b"\n"
    path = write(home, NAME, first + b"{broken\n" + long + b"[1]\n\n" + b"".join(rest))
    events, progress = read(home, agents=("claude",))
    losses = [each for each in events if isinstance(each, Loss)]
    assert [Reason.MALFORMED, Reason.TRUNCATED, Reason.MALFORMED] == [each.reason for each in losses]
    for loss, line in zip(losses, (2, 3, 4), strict=True):
        assert loss.note.startswith(f"{path} line {line}: ")
    assert progress.unreadable == 3
    whole, _ = read(shutil.copytree(home, home.with_name("second"), dirs_exist_ok=True), agents=("claude",))
    answers = [each.id for each in whole if isinstance(each, SessionEntry) and each.kind == "answer"]
    assert len(answers) > 1


def test_links_and_files_of_others_are_not_opened(home: Path, tmp_path: Path) -> None:
    secret = tmp_path / "secret.jsonl"
    secret.write_bytes(CLAUDE)
    (home / ".claude/projects/-work-shop/link.jsonl").symlink_to(secret)
    _, progress = read(home)
    assert (4, 1) == (progress.files, progress.skipped)


PLACES = {
    "pi": ".pi/agent/sessions",
    "droid": ".factory/sessions",
    "qwen": ".qwen/projects",
    "gptme": ".local/share/gptme/logs",
    "cline": ".cline/data/sessions",
    "amp": ".local/share/amp/threads",
    "mini": ".config/mini-swe-agent",
    "copilot": ".copilot/session-state",
    "kimi": ".kimi-code/sessions",
    "vibe": ".vibe/logs/session",
    "own": ".local/share/agentsight-rx/sessions",
}


@pytest.mark.parametrize("agent", PLACES)
def test_sessions_of_other_agents_are_read_and_go_on(agent: str, tmp_path: Path) -> None:
    home, inside = tmp_path / "home", next(path for each, path in OTHERS if each == agent)
    content = OTHERS[agent, inside]
    if agent in BESIDE:
        beside, said = BESIDE[agent]
        write(home, f"{PLACES[agent]}/{beside}", json.dumps(said).encode())
    path, whole = tmp_path / "past.lmdb", tmp_path / "whole.lmdb"
    if inside.endswith(".jsonl"):
        lines = content.splitlines(keepends=True)
        for cut in range(1, len(lines)):
            write(home, f"{PLACES[agent]}/{inside}", b"".join(lines[:cut]) + lines[cut][:9])
            imported(home, path)
    write(home, f"{PLACES[agent]}/{inside}", content)
    imported(home, path)
    imported(home, whole)
    rows, parts = rows_in(whole), rows_in(path)
    assert rows["llm_calls"] == parts["llm_calls"]
    assert rows["tool_calls"] == parts["tool_calls"]
    (session,), (grown,) = rows["sessions"], parts["sessions"]
    assert ("shopbot" if agent == "own" else agent, 2, 1) == (session.agent, session.calls, session.tools)
    assert (session.title, session.cwd, session.calls) == (grown.title, grown.cwd, grown.calls)
    assert (["completed"] if agent == "gptme" else ["failed"]) == [tool.status for tool in rows["tool_calls"]]
    assert SECRET not in repr(rows)


def test_variables_of_the_environment_name_other_places(home: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    write(elsewhere, "archived_sessions/rollout-2.jsonl", CODEX.replace(b"019a-0001", b"019a-0002"))
    write(home, ".codex/archived_sessions/rollout-3.jsonl", CODEX.replace(b"019a-0001", b"019a-0003"))
    found, _ = read(home, agents=("codex",), variables=(("CODEX_HOME", str(elsewhere)), ("XDG_DATA_HOME", "not/absolute")))
    sessions = {each.session for each in found if isinstance(each, SessionEntry)}
    assert {"019a-0001", "019a-0002", "019a-0003"} == sessions


def test_a_place_that_is_reached_by_two_paths_is_one(home: Path) -> None:
    (home / ".config").mkdir()
    (home / ".config/claude").symlink_to(home / ".claude")
    _, progress = read(home, agents=("claude",), variables=(("CLAUDE_CONFIG_DIR", str(home / ".claude")),))
    assert 1 == progress.files


def test_copies_that_pi_keeps_of_sub_agents_are_left_out(home: Path) -> None:
    content = next(content for (agent, _), content in OTHERS.items() if agent == "pi")
    for inside in ("--x--/a.jsonl", "--x--/run-0/session.jsonl", "--x--/subagent-artifacts/b.jsonl"):
        write(home, f".pi/agent/sessions/{inside}", content)
    _, progress = read(home, agents=("pi",))
    assert 2 == progress.files


def test_a_line_that_is_not_of_our_form_is_counted_with_its_place(home: Path) -> None:
    path = write(home, ".local/share/agentsight-rx/sessions/bot/x.jsonl", b'{"kind": "thought"}\n')
    events, progress = read(home, agents=("own",))
    (loss,) = [each for each in events if isinstance(each, Loss)]
    assert (1, f"{path} line 1: it is not as own writes it") == (progress.unreadable, loss.note)


def test_no_secret_is_stored(home: Path, tmp_path: Path) -> None:
    path = tmp_path / "past.lmdb"
    imported(home, path)
    assert SECRET not in repr(rows_in(path))
    assert "[redacted:" in repr(rows_in(path))


def test_a_reader_that_follows_reads_what_an_inotify_event_tells_of(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(source, "_LOOK_S", 3600.0)
    monkeypatch.setattr(source, "_SELDOM_S", 3600.0)
    monkeypatch.setattr(source, "_TIMES_LONGER", 0)
    kept, progress = Kept(), Progress()

    def until(told: Callable[[], bool]) -> None:
        for _ in range(1000):
            if told() or running.ended(0.02):
                break
        assert told()

    with Run(transcripts(options(home, follow=True), progress), [Sink("kept", lambda _: kept)]) as running:
        assert progress.caught_up.wait(60)
        with (home / NAME).open("ab") as file:
            file.write(b'{"type": "summary", "summary": "Another title"}\n')
        until(lambda: any(isinstance(each, SessionEntry) and each.text == "Another title" for each in kept.events))
        write(home, ".pi/agent/sessions/--x--/a.jsonl", OTHERS[next(key for key in OTHERS if key[0] == "pi")])
        until(lambda: any(isinstance(each, SessionEntry) and each.agent == "pi" for each in kept.events))
        running.stop().raised()


def test_without_a_home_it_is_the_one_of_the_user(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(home))
    for name in ("SUDO_USER", "XDG_DATA_HOME"):
        monkeypatch.delenv(name, raising=False)
    kept = Kept()
    run(sources.transcripts(sources.TranscriptsOptions()), [Sink("kept", lambda _: kept)])
    assert {"claude", "codex", "gemini"} == {each.agent for each in kept.events if isinstance(each, SessionEntry)}
