"""report transcripts and report compare: session files in a home directory beside a recording."""

from __future__ import annotations

import json
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from agentsight_rx.errors import UsageError
from agentsight_rx.events import HttpResponse
from agentsight_rx.llm.agents.known import AGENTS
from agentsight_rx.policy.redaction.redactor import Redactor
from agentsight_rx.store.state import META, LmdbStore, Put
from tests.cli.report.asking import text, values
from tests.cli.report.story import AGENT, BEGAN_MS, recorded, small_story

SESSION = "5e5510"
CWD = "/home/ada/code/parcel"
MODEL = "claude-sonnet-4-5"
INSIDE = f".claude/projects/-home-ada-code-parcel/{SESSION}.jsonl"


def moment(ms: int) -> str:
    seconds, rest = divmod(BEGAN_MS + ms - 1_764_266_400_000, 1000)
    return f"2025-11-27T18:00:{seconds:02}.{rest:03}Z"


def said(ms: int, kind: str, message: dict[str, object], **more: object) -> dict[str, object]:
    return {"type": kind, "sessionId": SESSION, "cwd": CWD, "timestamp": moment(ms), "message": message, **more}


def answer(ms: int, id: str, output: int, *tools: tuple[str, str], **usage: int) -> dict[str, object]:
    content = [{"type": "tool_use", "id": tool, "name": name, "input": {"a": 1}} for tool, name in tools]
    tokens = {"input_tokens": 2400, "cache_read_input_tokens": 24_600, "output_tokens": output} | usage
    message: dict[str, object] = {
        "id": id,
        "type": "message",
        "role": "assistant",
        "model": MODEL,
        "content": content,
        "usage": tokens,
    }
    return said(ms, "assistant", message, requestId=f"req_{id}")


def prompt(ms: int, words: str) -> dict[str, object]:
    return said(ms, "user", {"role": "user", "content": words})


# All calls of the recording but the last, one with another count, and one call and one tool more
LINES = [
    prompt(0, "Invoice totals are off"),
    answer(6300, "msg_1", 640, ("t1", "Bash"), input_tokens=6200, cache_read_input_tokens=12_000),
    answer(11_700, "msg_2", 220, ("t2", "Bash")),
    answer(17_000, "msg_3", 219, ("t3", "Edit")),
    answer(17_100, "msg_unseen", 5, ("t9", "Read")),
]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.delenv("SUDO_USER", raising=False)
    return tmp_path / "home"


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return recorded(tmp_path / "run.lmdb", small_story())


def write(home: Path, lines: list[dict[str, object]] = LINES, inside: str = INSIDE) -> Path:
    path = home / inside
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


def the_one(found: list[Any]) -> Any:
    (value,) = found
    return value


def test_a_file_has_its_counts_and_the_session_that_it_is(home: Path, store: Path) -> None:
    path = write(home)
    found = the_one(values(store, "transcripts"))
    assert (found["path"], found["agent"], found["session_id"], found["cwd"]) == (str(path), "claude", SESSION, CWD)
    assert (found["calls"], found["tools"], found["input_tokens"], found["output_tokens"]) == (4, 4, 13_400, 1084)
    assert (found["sessions"], found["method"], found["confidence"], found["pid"]) == ([SESSION], "session_id", 1.0, AGENT)
    head, line = text(store, "transcripts")
    assert "known by" in head
    assert "session_id 1.00" in line


def test_a_file_of_no_recorded_session_is_listed_without_one(home: Path, store: Path) -> None:
    other = [line | {"sessionId": "0th3r", "cwd": "/elsewhere"} for line in LINES]
    write(home, other, ".claude/projects/-elsewhere/0th3r.jsonl")
    found = the_one(values(store, "transcripts"))
    assert (found["sessions"], found["method"], found["confidence"]) == ([], None, None)
    assert "not recorded" in text(store, "transcripts")[1]


def test_files_are_chosen_by_their_own_agent_and_id_and_by_those_of_the_recording(home: Path, store: Path) -> None:
    write(home)
    for flags in (("--agent", "claude"), ("--session", SESSION[:3]), ("--pid", str(AGENT)), ("--until", "2025-11-28")):
        assert len(values(store, "transcripts", *flags)) == 1
    for flags in (("--agent", "codex"), ("--session", "x"), ("--pid", "1"), ("--since", "2025-11-28")):
        assert values(store, "transcripts", *flags) == []


def test_without_files_the_report_says_so(home: Path, store: Path) -> None:
    assert text(store, "transcripts") == ["no session file"]
    assert values(store, "transcripts") == []


def test_secrets_in_a_file_have_the_labels_of_the_store(home: Path, store: Path) -> None:
    with closing(LmdbStore.open(store)) as writing:
        writing.commit([Put(META, "redaction_key", "ab" * 32)])
    secret = "sk-ant-api03-" + "Ab3dEf6hIj" * 9 + "AA"
    write(home, [prompt(0, f"the key is {secret}"), *LINES[1:]])
    shown = [the_one(values(store, "transcripts"))["prompt"] for _ in range(2)]
    label = Redactor(b"\xab" * 32).label("anthropic", secret.encode()).decode()
    assert shown == [f"the key is {label}"] * 2


def test_compare_has_what_only_one_of_both_has_and_tokens_that_differ(home: Path, store: Path) -> None:
    path = write(home)
    found = the_one(values(store, "compare"))
    assert (found["sessions"], found["paths"], found["method"]) == ([SESSION], [str(path)], "session_id")
    assert [(pair["turn"], pair["method"]) for pair in found["calls"]] == [
        (1, "response_id"),
        (2, "response_id"),
        (3, "response_id"),
    ]
    assert [pair["differs"] for pair in found["calls"]] == [{}, {}, {"output_tokens": [220, 219]}]
    assert [row["turn"] for row in found["calls_only_wire"]] == [4]
    assert [row["id"] for row in found["calls_only_file"]] == ["msg_unseen"]
    assert (found["tools"], found["tools_only_wire"]) == (3, [])
    assert [row["id"] for row in found["tools_only_file"]] == ["t9"]


def test_compare_says_it_in_lines(home: Path, store: Path) -> None:
    write(home)
    lines = text(store, "compare", SESSION[:3])
    assert "3 calls in both · 1 only on the wire · 1 only in the file" in lines
    assert "3 tools in both · 0 only on the wire · 1 only in the file" in lines
    titles = ["calls only on the wire", "calls only in the file", "calls with other tokens", "tools only in the file"]
    assert [line for line in lines if line in titles] == titles
    assert not any("nothing of the file is missing" in line for line in lines)
    assert any("output" in line and "220" in line and "219" in line for line in lines)


def test_a_file_with_nothing_more_misses_nothing_on_the_wire(home: Path, store: Path) -> None:
    write(home, LINES[:-1])
    assert "nothing of the file is missing on the wire" in text(store, "compare")
    assert not any("session file" in line for line in text(store, "sessions", "--transcripts"))


def test_files_of_sub_agents_are_compared_with_their_session_as_one(home: Path, store: Path) -> None:
    write(home, LINES[:3])
    write(home, LINES[3:4], INSIDE.replace(f"{SESSION}.jsonl", f"{SESSION}/subagents/agent-1.jsonl"))
    found = the_one(values(store, "compare"))
    assert (len(found["paths"]), len(found["calls"]), found["calls_only_file"]) == (2, 3, [])


def test_a_call_whose_answer_has_no_id_is_found_by_the_request_id_of_its_head(home: Path, tmp_path: Path) -> None:
    story = small_story()
    answers = [event for event in story.events if isinstance(event, HttpResponse)]
    body = json.dumps(json.loads(answers[-1].body) | {"id": None}).encode()
    head = (*answers[-1].headers, ("Request-Id", "req_4"))
    at = story.events.index(answers[-1])
    story.events[at] = replace(answers[-1], headers=head, body=body)
    store = recorded(tmp_path / "other.lmdb", story)
    write(home, [answer(19_000, "msg_x", 1) | {"requestId": "req_4"}])
    found = the_one(values(store, "compare"))
    assert [(pair["turn"], pair["method"]) for pair in found["calls"]] == [(4, "request_id")]


def test_a_session_without_a_file_is_an_error_that_says_where_to_look(home: Path, store: Path) -> None:
    with pytest.raises(UsageError, match=r"no session file of session 5e5510 .* report transcripts") as refused:
        text(store, "compare", SESSION)
    assert all(agent.title in str(refused.value) for agent in AGENTS if agent.session_files)
    write(home)
    with pytest.raises(UsageError, match="no session file of session nope"):
        text(store, "compare", "nope")


def test_the_sessions_and_the_first_screen_say_in_a_line_what_the_wire_lacks(home: Path, store: Path) -> None:
    write(home)
    line = f"the session file of {SESSION} has 1 call and 1 tool that the wire does not have"
    hint = f"    agentsight-rx report compare {SESSION} --db {store}"
    for report in ("sessions", "summary"):
        assert text(store, report, "--transcripts")[-2:] == [line, hint]
        assert line not in text(store, report)
        assert the_one(values(store, report, "--transcripts"))["only_in_file"] == {"calls": 1, "tools": 1}
        assert "only_in_file" not in the_one(values(store, report))


def test_a_flag_of_the_first_screen_alone_does_not_go_unused_before_another_report(home: Path, store: Path) -> None:
    with pytest.raises(UsageError, match="--transcripts is of `report` alone"):
        text(store, "--transcripts", "calls")


def test_the_file_of_an_old_recording_is_found_behind_newer_ones(home: Path, store: Path) -> None:
    write(home)
    for number in range(30):
        write(home, [line | {"sessionId": f"n{number}"} for line in LINES], f".claude/projects/-x/n{number}.jsonl")
    assert the_one(values(store, "compare"))["sessions"] == [SESSION]


def test_a_file_that_only_has_the_same_directory_is_compared_but_nothing_is_said_to_be_missing(home: Path, store: Path) -> None:
    write(home, [line | {"sessionId": "0th3r"} for line in LINES], INSIDE.replace(SESSION, "0th3r"))
    assert the_one(values(store, "transcripts"))["method"] == "cwd"
    assert the_one(values(store, "compare"))["confidence"] == 0.55
    assert not any("session file" in line for line in text(store, "sessions", "--transcripts"))
