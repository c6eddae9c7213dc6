"""Families and session files to rows: who works on which file, and what is known of both."""

from __future__ import annotations

from typing import Any

from agentsight_rx.events import Usage
from agentsight_rx.llm.prices import Prices
from agentsight_rx.view.queries.top.live import Family, live_rows
from agentsight_rx.view.transcripts import Transcript, TranscriptCall, TranscriptTool
from agentsight_rx.view.transcripts.matching import Located

NOW = 1_764_266_404_000
MODEL = "claude-sonnet-4-5"
PATH = "/home/ada/.claude/projects/x/1a2b3c4d5e6f7a8b.jsonl"


def family(**more: Any) -> Family:
    given: dict[str, Any] = {"pid": 100, "start_ms": NOW - 60_000, "agent": "claude", "comm": "claude", **more}
    return Family(**given)


CALLS = tuple(TranscriptCall(id=str(n), model=MODEL, usage=Usage(90_000, 200), time_ms=NOW - 1000) for n in range(10))
TOOLS = (TranscriptTool(name="Bash"), TranscriptTool(name="Bash", input="{}", output="no\x1b[1m", is_error=True))


def session(path: str = PATH, **more: Any) -> Located:
    given: dict[str, Any] = {
        "agent": "claude",
        "session_id": "s1",
        "cwd": "/code",
        "models": (MODEL,),
        "start_ms": NOW - 50_000,
        "end_ms": NOW - 1000,
        "title": "Fix\nit",
        "totals": {MODEL: Usage(900_000, 2000)},
        "calls": CALLS,
        "files": ("/code/a",),
        "tools": TOOLS,
        **more,
    }
    return Located(path, Transcript(**given))


def rows(families: list[Family], sessions: list[Located]) -> Any:
    return live_rows(families, sessions, Prices(), now_ms=NOW)[0]


def test_a_session_file_and_its_process_are_one_row() -> None:
    (row,) = rows([family(cwd="/code", cpu_percent=12.5, rss_mb=512, processes=2, commands={"sh": 1})], [session()])
    assert (row.session, row.pid, row.state, row.evidence) == ("claude:1a2b3c.f7a8b", 100, "live", ("logs", "/proc", "cwd"))
    assert (row.cpu_percent, row.rss_mb, row.processes, row.age_s) == (12.5, 512, 2, 60)
    assert (row.tokens, row.tools, row.failures, row.files, row.execs) == (902_000, 2, 1, 1, None)
    assert (round(row.cost_usd, 3), row.context) == (2.73, "Fix it")  # no call has a long prompt
    assert row.breakdown["tools"] == {"Bash": 2}
    assert len(row.failed) == 1


def test_a_file_that_is_open_is_better_than_the_same_directory() -> None:
    first, second = family(pid=1, cwd="/code"), family(pid=2, open_files=(PATH,))
    found = rows([first, second], [session()])
    assert [(row.session, row.pid, row.evidence) for row in found] == [
        ("claude:1a2b3c.f7a8b", 2, ("logs", "/proc", "fd")),
        ("proc:1", 1, ("/proc",)),
    ]


def test_a_session_whose_process_has_ended_is_history_or_failed() -> None:
    over = session(PATH.replace("1a", "2b"), tools=())
    assert [row.state for row in rows([], [session(), over])] == ["failed", "history"]
    assert [row.cpu_percent for row in rows([], [session()])] == [None]


def test_an_agent_without_a_session_file_is_a_row_of_its_own() -> None:
    (row,) = rows([family(agent="aider", argv=("aider", "--model", "x"), cwd="/code")], [])
    assert (row.session, row.agent, row.tokens, row.context, row.workspace) == (
        "proc:100", "aider", None, "aider --model x", "/code",
    )  # fmt: skip


def test_a_process_that_closed_its_file_is_known_by_the_look_before() -> None:
    _, before = live_rows([family(open_files=(PATH,))], [session()], Prices(), now_ms=NOW)
    found, _ = live_rows([family()], [session()], Prices(), now_ms=NOW, before=before)
    assert [(row.pid, row.evidence) for row in found] == [(100, ("logs", "/proc", "linked"))]


def test_the_cost_is_unknown_where_a_price_is() -> None:
    strange = TranscriptCall(id="1", model="no-such-model-x", usage=Usage(5, 5))
    (row,) = rows([], [session(totals={"no-such-model-x": Usage(5, 5)}, calls=(strange,))])
    assert (row.cost_usd, row.tokens) == (None, 10)


def test_the_cost_is_unknown_where_calls_are_missing() -> None:
    (row,) = rows([], [session(totals={MODEL: Usage(900_001, 2000)})])
    assert row.cost_usd is None
