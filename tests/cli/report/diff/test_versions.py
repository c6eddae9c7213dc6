"""report diff of two versions of an agent: its system text and its tools, in words and as JSON."""

from __future__ import annotations

from pathlib import Path

import pytest

from agentsight_rx import sinks
from agentsight_rx.errors import StoreError, UsageError
from agentsight_rx.events.loss import Ledger
from agentsight_rx.view import CallRow, Output, SessionRow
from tests.cli.report.asking import bytes_of, text, values
from tests.cli.report.story import Story, recorded, small_story
from tests.cli.report.story import text as said

LINES = [f"Rule {number}." for number in range(9)]


def tool(name: str, about: str, **properties: object) -> dict[str, object]:
    return {"name": name, "description": about, "input_schema": {"type": "object", "properties": properties}}


def story(version: str, session: str, pid: int, lines: list[str], *tools: dict[str, object], folder: str = "/work/a") -> Story:
    began_s = pid / 10
    made = Story(
        pid=pid,
        session=session,
        began_s=began_s,
        version=version,
        sent={"system": "\n".join([*lines, f"You work in {folder}."]), "tools": list(tools)},
    )
    made.runs("claude -p fix", cwd=folder)
    made.now_s += 0.1
    made.asks(said("Go"), answer=[said("Done.")], usage={"input_tokens": 1000 * len(lines), "output_tokens": 5})
    return made


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    bash, grep = tool("Bash", "Run it.", command={"type": "string"}), tool("Grep", "Search.")
    first = story("2.1.3", "a-1", 101, LINES, bash, grep, tool("Old", "Gone soon."))
    other = tool("Bash", "Run it in a sandbox.", command={"type": "string"})
    lines = [*LINES[:4], "Another rule.", *LINES[5:], "One more rule."]
    second = story("2.1.4", "b-1", 102, lines, other, grep, tool("New", "Just came."), folder="/home/ada/b")
    newest = story("2.1.4", "b-2", 103, lines, other, grep, tool("New", "Just came."), folder="/home/ada/c")
    return recorded(tmp_path_factory.mktemp("versions") / "run.lmdb", first, second, newest, Story())


def test_two_versions_of_an_agent_differ_in_their_system_text_and_tools(store: Path) -> None:
    assert text(store, "diff", "claude@2.1.3", "claude@2.1.4") == [
        "claude 2.1.3 → claude 2.1.4",
        "                                first  second",
        " system text, characters           89     110  +24 %",
        " tools                              3       3",
        " their definitions, characters    202     215  +6 %",
        " tokens in, first request       9,000  10,000  +11 %",
        "",
        "system text",
        "   Rule 0.",
        "   Rule 1.",
        "   Rule 2.",
        "   Rule 3.",
        " - Rule 4.",
        " + Another rule.",
        "   Rule 5.",
        "   Rule 6.",
        "   Rule 7.",
        "   Rule 8.",
        " + One more rule.",
        "   You work in $PWD.",
        "",
        "tools",
        " ~ Bash  99 → 112 characters",
        "    - Run it.",
        "    + Run it in a sandbox.",
        "      {",
        '        "type": "object",',
        '        "properties": {',
        "      5 lines unchanged",
        " - Old  53 characters",
        " + New  53 characters",
        "   1 tool unchanged",
        "",
        "of the sessions a-1 and b-2; $PWD is the folder of each",
    ]


def test_sessions_and_recordings_are_compared_in_the_same_way(store: Path) -> None:
    (found,) = values(store, "diff", "a-1", "b-1", "--system")
    assert (found["first"]["version"], found["second"]["session_id"]) == ("2.1.3", "b-1")
    assert [(each["change"], each["name"]) for each in found["tools"]] == [("changed", "Bash"), ("gone", "Old"), ("new", "New")]
    lines = bytes_of("diff", str(store), str(store), "--system", "--text").decode().splitlines()
    assert lines[0] == "claude 2.1.4 → claude 2.1.4"
    assert "   3 tools unchanged" in lines
    assert "they send the same" in lines


def test_without_a_system_text_it_is_said(tmp_path: Path) -> None:
    path = recorded(tmp_path / "small.lmdb", small_story())
    lines = bytes_of("diff", str(path), str(path), "--system", "--text").decode().splitlines()
    assert lines[0] == "claude of an unknown version → claude of an unknown version"
    assert "   neither has one" in lines


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("claude@2.1.3", "claude@9"), r"no session of claude@9 is in .*; there are claude@2\.1\.3, claude@2\.1\.4"),
        (("codex@2.1.3", "claude@2.1.3"), "no session of codex@2.1.3"),
        (("@2.1.3", "b"), "b may be 2 sessions"),
        (("nothing", "b-1", "--system"), "nothing is no recording, no session and no version of an agent"),
    ],
)
def test_what_is_not_there_is_said(store: Path, words: tuple[str, ...], says: str) -> None:
    with pytest.raises(UsageError, match=says):
        bytes_of("diff", *words, "--db", str(store))


def test_a_store_without_versions_or_sessions_says_so(tmp_path: Path) -> None:
    path = recorded(tmp_path / "small.lmdb", small_story())
    with pytest.raises(UsageError, match="there are none that names its version"):
        bytes_of("diff", "@1", "@2", "--db", str(path))
    empty = recorded(tmp_path / "empty.lmdb", Story())
    with pytest.raises(StoreError, match=r"no session of an agent is in .*empty\.lmdb"):
        bytes_of("diff", str(empty), str(path), "--system")


def test_a_session_of_which_only_the_rows_are_there_is_an_error(tmp_path: Path) -> None:
    counts = Ledger()
    counts.begin()
    writer = sinks.store(tmp_path / "rows.lmdb").open(counts)
    rows: list[Output] = [
        CallRow("llm-1", 1, session_id="s"),
        SessionRow("s", 1, calls=1, agent="claude", agent_version="2.1.3"),
    ]
    writer.write(rows)
    writer.close()
    with pytest.raises(StoreError, match="no request of session s is in the store: only its rows are"):
        bytes_of("diff", "@2.1.3", "@2.1.3", "--db", str(tmp_path / "rows.lmdb"))
