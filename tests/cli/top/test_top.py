"""agentsight-rx top: its flags, and what it prints where there is no terminal."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import msgspec
import pytest
from rich.cells import cell_len

from agentsight_rx.cli.report.shown.screen import Screen, render
from agentsight_rx.cli.top import looks
from agentsight_rx.cli.top.families import Families
from agentsight_rx.cli.top.looks import Look, Wanted
from agentsight_rx.cli.top.table import COLUMNS, screen_lines
from agentsight_rx.errors import StoreError, UsageError
from agentsight_rx.sources.session_files.files import Home
from agentsight_rx.view.queries.top.top import TopRow
from tests.cli.report.story import recorded, small_story
from tests.cli.top.scene import HOSTILE, printed, row
from tests.fake_proc import FakeProc
from tests.view.transcripts.samples import CLAUDE, SECRET


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(recorded(tmp_path_factory.mktemp("store") / "run.lmdb", small_story()))


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeProc:
    """A machine with a session file of Claude Code; nothing of the real one is looked at."""
    file = tmp_path / "home" / ".claude" / "projects" / "-work-shop" / "1a2b.jsonl"
    file.parent.mkdir(parents=True)
    file.write_bytes(CLAUDE)
    proc = FakeProc(tmp_path / "proc")

    monkeypatch.setattr(looks, "Families", lambda: Families(proc.path))
    monkeypatch.setattr(looks, "home_of_user", lambda: Home(str(tmp_path / "home"), os.geteuid()))
    monkeypatch.setattr(looks.Live, "first_s", None)
    return proc


def test_one_look_at_a_recording_says_what_it_is_from(store: str) -> None:
    first, *lines = printed("--db", store).splitlines()
    assert first.endswith(f"1 session · 0 live · 80.1 k tokens · $0.096 · from {store}")
    assert any(line.split()[:4] == ["5e5510", "claude", "12345", "failed"] for line in lines)
    assert "note: the recording has ended: processor and memory are the most that they were" in lines


def test_a_look_at_the_machine_needs_no_rights(machine: FakeProc) -> None:
    machine.put(100, "claude", comm="claude", cwd="/work/other", rss_mb=100)
    text = printed("--once")
    assert "from /proc and the agents' own session files" in text
    assert "nothing is traced" in text
    rows = [line.split() for line in text.splitlines()]
    assert ["proc:100", "claude", "100", "live"] in [words[:4] for words in rows]
    assert ["claude:1a2b", "claude"] in [words[:2] for words in rows]
    assert SECRET not in text


def test_json_is_a_session_a_line(machine: FakeProc) -> None:
    machine.put(100, "claude", cwd="/work/shop", rss_mb=100, start_s=-40_000_000)
    (line,) = printed("--json").splitlines()
    row = msgspec.json.decode(line, type=TopRow)
    assert (row.session, row.pid, row.rss_mb, row.evidence) == ("claude:1a2b", 100, 100, ("logs", "/proc", "cwd"))
    assert row.cost_usd is not None
    keys = set(msgspec.json.decode(line))
    assert [keys] == [set(msgspec.json.decode(each)) for each in printed("--once", "--json").splitlines()]


def test_a_machine_without_agents_says_so(machine: FakeProc, tmp_path: Path) -> None:
    (tmp_path / "home" / ".claude" / "projects" / "-work-shop" / "1a2b.jsonl").unlink()
    machine.put(7, "vim")
    assert "no agent runs, and no session was found" in printed()
    assert printed("--json") == ""


def test_rows_are_chosen_and_counted(machine: FakeProc) -> None:
    for pid, name in ((11, "codex"), (12, "codex"), (13, "aider")):
        machine.put(pid, name)
    text = printed("-c", "codex", "--rows", "1", "--sort", "rss")
    assert (text.count("proc:"), " 1 more: --rows 2" in text.splitlines()) == (1, True)
    assert [msgspec.json.decode(line, type=TopRow).pid for line in printed("-p", "13", "--json").splitlines()] == [13]
    assert "no session fits --pid and --comm" in printed("-p", "4")


def test_so_many_looks_with_pauses_between_them(store: str, monkeypatch: pytest.MonkeyPatch) -> None:
    pauses: list[float] = []
    monkeypatch.setattr(time, "sleep", pauses.append)
    assert printed("--db", store, "--json", "-n", "2", "-i", "60").count("\n") == 2
    assert printed("--db", store, "--batch", "-n", "3", "-i", "60").count(f"from {store}") == 3
    assert printed("--db", store, "--batch", "--json", "-n", "2", "-i", "60").count("\n") == 2
    assert pauses == [60.0] * 4


def test_a_view_is_one_kind_of_activity(store: str) -> None:
    def kinds(view: str) -> list[str]:
        names = ("processes", "files", "network", "models", "tools")
        return [line.split()[0] for line in printed("--db", store, "--view", view).splitlines() if line.startswith(names)]

    assert (kinds("all"), kinds("files"), kinds("models")) == (
        ["processes", "files", "network", "models", "tools"], ["files"], ["models", "tools"],
    )  # fmt: skip


def test_hostile_text_does_nothing_to_a_terminal(machine: FakeProc) -> None:
    machine.put(100, "claude", HOSTILE, cwd=f"/tmp/{HOSTILE}".replace("\x00", ""))
    text = printed("--once")
    assert [char for char in text if char in "\x1b\x07\u202e"] == []
    assert "evil" in text


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--sort", "size"], "--sort size is not known; there are cpu, rss, tokens"),
        (["--view", "x"], "--view x is not known; there are all, processes"),
        (["-i", "0"], "-i 0.0: expected at least 0.2 seconds"),
        (["-n", "3"], "-n counts the looks of --batch or --json"),
        (["--once", "--json", "-n", "3"], "-n counts the looks of --batch or --json"),
        (["--once", "--batch"], "--once, --batch and --plain do not go together"),
        (["--text", "--plain"], "nor --json or --text with --plain"),
        (["--json", "--text"], "--json and --text do not go together"),
        (["--json", "--plain"], "nor --json or --text with --plain"),
    ],
)
def test_flags_that_mean_nothing_are_errors(words: list[str], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        printed(*words)


def test_a_recording_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="does not exist; `agentsight-rx report list` shows"):
        printed("--db", str(tmp_path / "none.lmdb"))


def test_a_look_taken_while_a_recording_is_written_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    live = recorded(tmp_path / "live.lmdb", small_story(), ended=False)
    monkeypatch.setattr(looks, "is_being_written", Path.exists)
    assert f"from {live}, which is being written" in printed("--db", str(live))


MUCH: dict[str, Any] = {
    "agent": "claude-code",
    "pid": 1_234_567,
    "model": "claude-sonnet-4-5-20250929",
    "started_ms": 1,
    "age_s": 90_000,
    "last_message_ms": 1_764_266_404_000,
    "cpu_percent": 101.5,
    "rss_mb": 1513,
    "processes": 12,
    "tokens": 1_234_567,
    "cost_usd": 12.4,
    "tools": 192_300,
    "execs": 192_301,
    "failures": 1204,
    "files": 2048,
    "network": 4096,
    "workspace": "/home/ada/code/parcel",
}


def lines_at(width: int) -> list[str]:
    look = Look(
        (row("claude:5e5510-1a2b-3c4d", **MUCH),), 1_764_266_404_000, "/proc and the agents' own session files", ("n " * 90,)
    )
    screen = Screen(width=width)
    return [line for each in screen_lines(look, Wanted(), screen) for line in render(each, screen).splitlines()]


@pytest.mark.parametrize("width", [80, 100, 132, 200, 300])
def test_on_a_narrow_terminal_ids_give_way_and_what_an_agent_costs_stays(width: int) -> None:
    lines = lines_at(width)
    assert max(map(cell_len, lines)) <= width
    titles = next(line for line in lines if " agent " in line).split()
    assert {"agent", "state", "tokens", "cost", "cpu", "activity"} <= set(titles)
    (shown,) = (line for line in lines if " claude-code " in line)
    assert {"1.2", "$12.40", "101.5"} <= set(shown.split())
    assert "1,204 fail, 12 proc" in shown
    said = " ".join(" ".join(lines).split())
    absent = [column.title for column in COLUMNS if column.title not in titles]
    assert (f"too narrow for {', '.join(absent)}: widen the terminal, or take --json" in said) == bool(absent)
    assert "session" in absent or width > 80


def test_the_words_above_and_below_the_table_are_whole() -> None:
    said = " ".join(lines_at(80))
    assert "from /proc and the agents' own session files" in said
    assert said.count("n ") >= 90
