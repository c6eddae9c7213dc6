from __future__ import annotations

import json
from typing import Any

import pytest
from msgspec.structs import replace

from agentsight_rx.events import Event, FileEvent, NetEvent, Reply, ToolCall
from agentsight_rx.store.fold.needles import contained, runs, strings_in
from agentsight_rx.view import AuditRow, NetworkRow, ProcessRow, ToolRow
from tests.view.scenes import AGENT, asks, emitted, execs, exits, forks, last, origin, streams


def wants(ms: int, *tools: ToolCall, exchange: int = 1) -> list[Event]:
    return [
        asks(ms, exchange, messages=[{"role": "user", "content": f"go {ms}"}]),
        streams(ms + 1, Reply(tool_calls=tools), exchange),
    ]


def gives(ms: int, *ids: str, exchange: int = 2) -> Event:
    content: list[Any] = [{"type": "tool_result", "tool_use_id": each, "content": "done"} for each in ids]
    return asks(ms, exchange, messages=[{"role": "user", "content": content}])


def bash(id: str, command: str) -> ToolCall:
    return ToolCall(id, "Bash", f'{{"command":"{command}"}}')


def wrote(ms: int, pid: int, path: str) -> FileEvent:
    return FileEvent(origin(ms, pid, None), 0, action="close", path=path, written_bytes=9)


def tool_of(made: list[Any], path: str) -> tuple[str | None, str | None]:
    (row,) = [row for row in last(AuditRow, made) if row.target == path]
    return row.tool_id, row.link


def test_all_that_a_tool_s_processes_do_is_the_tool_s() -> None:
    made = emitted(
        *wants(1, bash("t", "make all")), forks(3, 42), execs(3, 42, "sh", "-c", "make all", start=3),
        forks(4, 43, 42), execs(5, 43, "cc", "a.c", ppid=42, start=4), wrote(6, 43, "/src/a.o"),
        NetEvent(origin(7, 43, None), 0, action="connect", family="ipv4", protocol="tcp", peer="10.0.0.1", port=80),
        exits(8, 43, ppid=42, start=4), exits(9, 42, 2, start=3), gives(10, "t"),
    )  # fmt: skip
    (tool,) = last(ToolRow, made)
    assert (tool.related_pid, tool.exit_code, tool.link, tool.confidence, tool.status) == (42, 2, "argv", 0.95, "completed")
    assert tool_of(made, "/src/a.o") == (tool.id, "lineage")
    assert {row.tool_id for row in last(AuditRow, made) if row.audit_type == "network"} == {tool.id}
    assert {row.pid: row.tool_call_id for row in last(ProcessRow, made)} == {42: tool.id, 43: tool.id}


def test_a_file_that_the_agent_writes_itself_is_that_of_the_tool_that_names_it() -> None:
    edit = ToolCall("t", "Edit", '{"file_path":"src/a.py","new_string":"x = 1"}')
    made = emitted(
        execs(1, AGENT, "claude", ppid=1), *wants(2, edit), wrote(4, AGENT, "/w/src/a.py"), wrote(5, AGENT, "/w/other.py")
    )
    (tool,) = last(ToolRow, made)
    assert tool_of(made, "/w/src/a.py") == (tool.id, "path")
    assert tool_of(made, "/w/other.py") == (None, None)


def test_after_its_result_a_tool_has_no_more_effects() -> None:
    edit = ToolCall("t", "Edit", '{"file_path":"/w/a.py"}')
    made = emitted(*wants(1, edit), gives(3, "t"), wrote(4, AGENT, "/w/a.py"))
    assert tool_of(made, "/w/a.py") == (None, None)


def test_a_file_that_two_tools_name_is_that_of_the_one_that_is_still_open() -> None:
    edit = '{"file_path":"/src/a.py"}'
    made = emitted(
        *wants(0, ToolCall("t-1", "Edit", edit)),
        *wants(2, ToolCall("t-2", "Edit", edit), exchange=2),
        gives(4, "t-2", exchange=3),
        wrote(5, AGENT, "/src/a.py"),
    )
    first, _ = last(ToolRow, made)
    assert ("t-1", (first.id, "path")) == (first.tool_call_id, tool_of(made, "/src/a.py"))


def test_a_shell_that_runs_already_gets_the_command_and_its_programs_are_found() -> None:
    made = emitted(
        forks(1, 41), execs(1, 41, "bash", start=1), *wants(2, bash("t", "cd /w && pytest -q; git diff")),
        execs(4, 42, "pytest", "-q", ppid=41), execs(5, 43, "git", "diff", ppid=41), execs(6, 44, "git", "status", ppid=41),
    )  # fmt: skip
    (tool,) = last(ToolRow, made)
    assert (tool.related_pid, tool.related_argv, tool.confidence) == (42, ("pytest", "-q"), 0.8)
    linked = {row.pid: row.tool_call_id for row in last(ProcessRow, made)}
    assert linked == {41: None, 42: tool.id, 43: tool.id, 44: None}


def test_the_only_program_between_a_call_and_its_result_ran_the_tool() -> None:
    made = emitted(
        *wants(1, ToolCall("t", "search", '{"q":"x"}')), execs(3, 42, "rg", "--json"), exits(4, 42, 1), gives(5, "t")
    )
    (tool,) = last(ToolRow, made)
    assert (tool.related_pid, tool.link, tool.confidence, tool.exit_code) == (42, "time", 0.5, 1)


@pytest.mark.parametrize(
    "between",
    [
        [execs(3, 42, "rg"), exits(4, 42), execs(4, 43, "ls"), exits(5, 43)],  # two programs
        [execs(3, 42, "rg")],  # one that still runs
        [execs(3, 42, "rg", ppid=9), exits(4, 42, ppid=9)],  # not the agent's
        [],
    ],
)
def test_otherwise_no_program_is_named(between: list[Event]) -> None:
    made = emitted(*wants(1, ToolCall("t", "search", '{"q":"x"}')), *between, gives(6, "t"))
    assert [(tool.related_pid, tool.link, tool.status) for tool in last(ToolRow, made)] == [(None, None, "completed")]


def test_while_two_tools_run_time_says_nothing() -> None:
    tools = (ToolCall("t", "search", '{"q":"x"}'), ToolCall("u", "look", '{"q":"y"}'))
    made = emitted(*wants(1, *tools), execs(3, 42, "rg"), exits(4, 42), gives(5, "t"))
    assert [tool.related_pid for tool in last(ToolRow, made)] == [None, None]


def gemini(ms: int, *contents: dict[str, Any], exchange: int = 2) -> Event:
    target = "/v1beta/models/gemini-2.5-flash:generateContent"
    return replace(asks(ms, exchange, target=target), body=json.dumps({"contents": contents}).encode())


def gemini_call(id: str, name: str = "ls") -> dict[str, Any]:
    return {"functionCall": {"id": id, "name": name, "args": {}}}


def gemini_result(id: str, output: str, name: str = "ls") -> dict[str, Any]:
    return {"role": "user", "parts": [{"functionResponse": {"id": id, "name": name, "response": {"output": output}}}]}


def test_a_call_without_an_id_is_answered_by_the_result_under_an_id_of_the_client() -> None:
    made = emitted(
        *wants(1, ToolCall("ls-0", "ls", "{}"), ToolCall("ls-1", "ls", "{}")),
        gemini(
            5,
            {"role": "user", "parts": [{"text": "go"}]},
            {"role": "model", "parts": [{"text": "I look"}, gemini_call("mine-a"), gemini_call("mine-b")]},
            gemini_result("mine-b", "second"),
        ),
        gemini(
            7,
            {"role": "model", "parts": [gemini_call("mine-a"), gemini_call("mine-b")]},
            gemini_result("mine-b", "second"),
            gemini_result("mine-a", "first"),
            exchange=3,
        ),
    )  # fmt: skip
    assert [(tool.tool_call_id, tool.status, tool.output) for tool in last(ToolRow, made)] == [
        ("ls-0", "completed", "first"),
        ("ls-1", "completed", "second"),
    ]


def test_a_result_of_an_older_answer_does_not_answer_the_newest_call() -> None:
    made = emitted(
        *wants(1, ToolCall("ls-0", "ls", "{}")),
        gemini(
            5,
            {"role": "model", "parts": [gemini_call("old")]},
            gemini_result("old", "before"),
            {"role": "model", "parts": [{"text": "Done."}]},
            {"role": "user", "parts": [{"text": "again"}]},
        ),
    )
    assert [tool.status for tool in last(ToolRow, made)] == ["observed"]


def test_a_result_without_a_call_answers_no_call_without_an_id() -> None:
    made = emitted(*wants(1, ToolCall("", "ls", "{}")), gemini(5, {"role": "model", "parts": []}, gemini_result("x", "a")))
    assert [tool.status for tool in last(ToolRow, made)] == ["observed"]


def test_effects_have_their_process_and_session() -> None:
    made = emitted(
        execs(1, AGENT, "claude", ppid=1), *wants(2, bash("t", "make")), execs(4, 42, "sh", "-c", "make"), wrote(5, 42, "/a")
    )
    (row,) = [row for row in last(AuditRow, made) if row.audit_type == "file"]
    assert row.process_id == last(ProcessRow, made)[-1].id
    assert row.session_id is not None
    assert [net.session_id for net in last(NetworkRow, made)] in ([], [row.session_id])


@pytest.mark.parametrize(
    ("argv", "command", "expected"),
    [
        (("pytest", "-q"), "cd /w && pytest -q", True),
        (("pytest", "-q"), "pytest -q 2>&1 | tail", False),  # 2 belongs to a redirection, and could be an argument
        (("pytest", "-q"), "pytest -q | tail", True),
        (("git", "status"), "git status --short", False),
        (("git", "status"), "(git status)", True),
        (("ls",), "ls", False),  # too short
        (("npm",), "npm test", False),
    ],
)
def test_a_program_is_in_a_command_only_at_its_boundaries(argv: tuple[str, ...], command: str, expected: bool) -> None:
    assert contained(argv, command) is expected


def test_the_texts_of_an_input() -> None:
    assert strings_in('{"command":["bash","-lc","ls -la"],"a":{"b":"deep"},"n":1,"s":"x"}') == ["bash -lc ls -la", "deep"]
    assert strings_in("*** Begin Patch") == ["*** Begin Patch"]
    assert strings_in("") == strings_in('"' * 3_000_000) == []
    assert runs(("sh", "-c", "ls -la"), "ls -la")
