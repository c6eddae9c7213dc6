from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from agentsight_rx.events import Event, Headers, HttpRequest, ProcessExec, ProcessExit, ProcessSeen, Reply, ToolCall, Usage
from agentsight_rx.view import CallRow, HttpRow, SessionRow, ToolRow, UnknownRow
from tests.operators import CONNECTION
from tests.view import scenes
from tests.view.scenes import AGENT, HOST, OTHER, answers, asks, emitted, exits, last, streams

ROOT = CONNECTION.start_ns


def starts(ms: int, pid: int, *argv: str, ppid: int = 1) -> ProcessExec:
    """A program, the start of whose process is that of the connections of these tests."""
    return replace(scenes.execs(ms, pid, *argv, ppid=ppid), start_ns=ROOT)


def ends(ms: int, pid: int) -> ProcessExit:
    return replace(exits(ms, pid), start_ns=ROOT)


def named(
    ms: int, exchange: int = 1, *, headers: Headers = (), body: dict[str, Any] | None = None, **fields: Any
) -> HttpRequest:
    event = asks(ms, exchange, **fields)
    made = {**json.loads(event.body), **(body or {})}
    return replace(event, headers=(HOST, *headers), body=json.dumps(made).encode())


def session(name: str) -> Headers:
    return (("x-claude-code-session-id", name),)


def test_calls_of_one_process_are_one_session() -> None:
    made = emitted(starts(1, AGENT, "claude"), asks(2, 1), answers(3, 1), asks(4, 2, messages=[]), answers(5, 2))
    (found,) = last(SessionRow, made)
    assert (found.agent, found.pid, found.named, found.title) == ("claude", AGENT, False, "hello summary")
    assert (found.calls, found.total_tokens, found.model, found.models) == (2, 30, "claude-x", ("claude-x",))
    assert {call.session_id for call in last(CallRow, made)} == {found.id}
    assert [call.turn for call in last(CallRow, made)] == [1, 2]
    assert [row.session_id for row in last(HttpRow, made)] == [found.id, found.id]


def test_without_process_events_a_session_is_that_of_the_connection_s_process() -> None:
    made = emitted(asks(2, 1), asks(3, 1, connection=OTHER, messages=[]))
    assert [(row.pid, row.calls, row.agent) for row in last(SessionRow, made)] == [(AGENT, 2, None)]


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        (session("s-1"), {}),
        ((("session-id", "s-1"),), {}),
        ((), {"metadata": {"user_id": "user_1_account_2_session_s-1"}}),
        ((), {"session_id": "s-1"}),
    ],
)
def test_a_client_names_its_session_in_its_head_or_its_body(headers: Headers, body: dict[str, Any]) -> None:
    made = emitted(named(1, headers=headers, body=body), answers(2))
    assert [(row.id, row.named) for row in last(SessionRow, made)] == [("s-1", True)]


def agent(value: str) -> Headers:
    return (("user-agent", value),)


def test_the_newest_version_that_an_agent_names_is_that_of_its_session() -> None:
    others = [agent("my-server/9.1"), agent("codex_cli_rs/0.5"), agent("Anthropic/JS 0.71"), agent("claude-cli/dev"), ()]
    heads = [agent("claude-cli/2.1.3 (external, cli)"), *others, agent("claude-cli/2.1.4"), *others]
    events = [named(2 + at, 1 + at, headers=(*session("s"), *head), messages=[]) for at, head in enumerate(heads)]
    assert [row.agent_version for row in last(SessionRow, emitted(starts(1, AGENT, "claude"), *events[:6]))] == ["2.1.3"]
    (found,) = last(SessionRow, emitted(starts(1, AGENT, "claude"), *events))
    assert (found.agent_version, found.who_and_version) == ("2.1.4", "claude 2.1.4")


def test_a_program_that_its_requests_name_has_their_version() -> None:
    (found,) = last(SessionRow, emitted(named(2, headers=agent("my-bot/1.2"))))
    assert (found.program, found.agent_version) == ("my-bot", "1.2")
    (unnamed,) = last(SessionRow, emitted(named(2)))
    assert (unnamed.agent_version, unnamed.who_and_version) == ("", unnamed.who)


def test_a_call_without_an_id_belongs_to_the_newest_session_of_its_process() -> None:
    made = emitted(named(1, 1, headers=session("s-1")), asks(2, 2, messages=[]))
    assert [(row.id, row.calls) for row in last(SessionRow, made)] == [("s-1", 2)]


def test_a_resumed_session_goes_on_in_another_process() -> None:
    later = replace(named(9, headers=session("s-1"), messages=[]), origin=scenes.origin(9, 77, replace(OTHER, pid=77)))
    (found,) = last(SessionRow, emitted(named(1, headers=session("s-1")), answers(2), later))
    assert (found.calls, found.status, found.pid) == (2, "live", AGENT)


def test_sub_agents_are_counted_and_named_in_their_calls() -> None:
    sub: Headers = (*session("s-1"), ("x-claude-code-agent-id", "a-1"), ("x-claude-code-parent-agent-id", "main"))
    made = emitted(
        named(1, 1, headers=session("s-1")), named(2, 2, headers=sub, messages=[]), named(3, 3, headers=sub, body={"x": 1})
    )
    assert [(row.calls, row.sub_agents) for row in last(SessionRow, made)] == [(3, 1)]
    assert [(row.agent_id, row.parent_agent_id) for row in last(CallRow, made)] == [
        (None, None), ("a-1", "main"), ("a-1", "main")
    ]  # fmt: skip


def test_a_request_that_goes_on_from_a_response_belongs_to_its_session() -> None:
    first = named(1, 1, target="/v1/responses", body={"input": "hi", "session_id": "s-1"})
    reply = Reply("resp_1", "gpt", "hello", usage=Usage(3, 1))
    elsewhere = replace(OTHER, pid=77)
    second = replace(
        named(5, 1, target="/v1/responses", body={"input": "more", "previous_response_id": "resp_1"}),
        origin=scenes.origin(5, 77, elsewhere),
    )
    made = emitted(first, replace(streams(2, reply), dialect="openai_responses"), second)
    assert [(row.id, row.calls) for row in last(SessionRow, made)] == [("s-1", 2)]


def test_an_agent_that_an_agent_starts_is_a_session_of_its_own_below_it() -> None:
    child = replace(OTHER, pid=77, start_ns=ROOT)
    inner = replace(asks(9, connection=child, messages=[]), origin=scenes.origin(9, 77, child))
    made = emitted(
        starts(1, AGENT, "claude"), asks(2), answers(3), starts(5, 70, "bash", "-c", "codex exec", ppid=AGENT),
        starts(6, 77, "codex", "exec", ppid=70), inner,
    )  # fmt: skip
    outer, nested = last(SessionRow, made)
    assert (outer.agent, nested.agent, nested.pid, nested.parent_session_id) == ("claude", "codex", 77, outer.id)


def speaks(ms: int, pid: int, exchange: int = 1) -> HttpRequest:
    """A request of this process."""
    mine = replace(OTHER, pid=pid, start_ns=ROOT)
    return replace(named(ms, exchange, body={"x": ms}), origin=scenes.origin(ms, pid, mine))


def test_a_program_that_an_agent_started_is_a_session_of_its_own_and_not_of_the_shell() -> None:
    child = replace(OTHER, pid=77, start_ns=ROOT)
    inner = replace(asks(9, connection=child, messages=[]), origin=scenes.origin(9, 77, child))
    made = emitted(
        starts(1, AGENT, "claude"), asks(2), starts(5, 70, "bash", "-c", "python a.py", ppid=AGENT),
        starts(6, 77, "python", "a.py", ppid=70), inner,
    )  # fmt: skip
    outer, nested = last(SessionRow, made)
    assert (nested.pid, nested.agent, nested.parent_session_id) == (77, None, outer.id)


def test_two_unknown_agents_below_one_shell_are_two_sessions() -> None:
    made = emitted(
        starts(1, 70, "sh", "-c", "python a.py & python b.py"), starts(2, 77, "python", "a.py", ppid=70),
        starts(3, 78, "python", "b.py", ppid=70), speaks(4, 77), speaks(5, 78), speaks(6, 77, 2),
    )  # fmt: skip
    assert [(row.pid, row.calls) for row in last(SessionRow, made)] == [(77, 2), (78, 1)]
    assert [(row.pid, row.turn) for row in last(CallRow, made)] == [(77, 1), (78, 1), (77, 2)]


@pytest.mark.parametrize(
    ("above", "program", "caller"),
    [
        (("sh", "-c", "pi"), 77, ("node", "/usr/bin/pi")),
        (("sudo", "python", "a.py"), 77, ("python", "a.py")),
        (("make", "eval"), 77, ("python", "a.py")),
        (("python", "run.py"), 77, ("python", "a.py")),
        (("sh", "-c", "curl x"), 77, ("curl", "x")),
        (("bash",), 77, ("curl", "x")),
        (("bash", "agent.sh"), 70, ("curl", "x")),
        (("python", "a.py"), 70, ("curl", "x")),
        (("python", "a.py"), 70, ("python", "-c", "from multiprocessing.spawn import spawn_main", "--multiprocessing-fork")),
        (("node", "a.js"), 70, ("node", "a.js")),
        (("/opt/cursor/cursor",), 70, ("/opt/cursor/cursor", "--type=utility")),
        (("claude",), 77, ("claude", "-p", "x")),
        (("claude",), 77, ("curl", "x")),
    ],
)
def test_the_program_that_calls_is_the_agent_and_its_workers_and_clients_are_part_of_it(
    above: tuple[str, ...], program: int, caller: tuple[str, ...]
) -> None:
    made = emitted(starts(1, 70, *above), starts(2, 77, *caller, ppid=70), speaks(3, 77))
    assert [row.pid for row in last(SessionRow, made)] == [program]


@pytest.mark.parametrize(
    ("program", "headers", "who"),
    [
        (("node", "/lib/node_modules/my-bot/index.js"), (), "my-bot"),
        (("python", "a.py"), (("user-agent", "my-bot/1"),), "my-bot"),
        (("python", "a.py"), (("user-agent", "OpenAI/Python 3"),), "a.py"),
        (("python", "a.py"), (("user-agent", "GeminiCLI/0.61"),), "gemini"),
        (("claude",), (("user-agent", "my-bot/1"),), "claude"),
    ],
)
def test_an_unknown_agent_has_the_name_of_its_requests_or_of_its_package(
    program: tuple[str, ...], headers: Headers, who: str
) -> None:
    made = emitted(starts(1, AGENT, *program), named(2, headers=headers))
    assert [row.who for row in last(SessionRow, made)] == [who]
    assert [row.agent for row in last(CallRow, made)] == [who]


def test_a_process_that_only_forked_is_part_of_the_program_of_its_parent() -> None:
    fork = replace(scenes.forks(2, 77, 70), start_ns=ROOT)
    made = emitted(starts(1, 70, "claude"), fork, speaks(3, 77))
    assert [(row.pid, row.agent) for row in last(SessionRow, made)] == [(70, "claude")]


@given(
    st.lists(st.sampled_from([("sh", "-c", "x"), ("env", "x"), ("sudo", "x"), ("bash", "-lc", "x"), ("-bash",)]), max_size=6)
)
def test_whatever_launched_a_program_is_not_the_agent(launchers: list[tuple[str, ...]]) -> None:
    started = [starts(ms, 70 + ms, *argv, ppid=69 + ms) for ms, argv in enumerate(launchers, 1)]
    pid = 71 + len(launchers)
    made = emitted(*started, starts(20, pid, "python", "a.py", ppid=pid - 1), speaks(21, pid))
    assert [row.pid for row in last(SessionRow, made)] == [pid]


def test_a_session_ends_with_its_process() -> None:
    made = emitted(starts(1, AGENT, "claude"), asks(2), answers(3), ends(9, AGENT))
    assert [(row.status, row.end_timestamp_ms) for row in last(SessionRow, made)] == [("ended", 9)]


def test_a_stream_that_went_on_counts_its_tokens_once() -> None:
    partial = streams(2, Reply(text="a", usage=Usage(10, 1)), end_ms=3, complete=False, reason="timeout")
    whole = streams(2, Reply(text="ab", usage=Usage(10, 5)), end_ms=9, revision=1)
    (found,) = last(SessionRow, emitted(asks(1), partial, whole))
    assert (found.calls, found.total_tokens, found.partial_calls, found.model_ms) == (1, 15, 0, 8)


def test_failed_and_unfinished_calls_are_counted() -> None:
    (found,) = last(SessionRow, emitted(asks(1, 1), answers(2, 1, status=429), asks(3, 2, messages=[])))
    assert (found.calls, found.failed_calls, found.partial_calls) == (2, 1, 1)


# -- what a turn sent ------------------------------------------------------------------------------------------------------

TALK: list[Any] = [
    {"role": "user", "content": "list the files"},
    {"role": "assistant", "content": [{"type": "tool_use", "id": "t1", "name": "Bash", "input": {"command": "ls -la"}}]},
    {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t1", "content": "a b"}]},
]


def test_a_second_turn_has_what_it_sent_and_not_the_first_prompt_again() -> None:
    made = emitted(asks(1, 1, messages=TALK[:1]), answers(2, 1), asks(3, 2, messages=TALK), answers(4, 2))
    assert [(row.prompt, row.new_results, row.messages) for row in last(CallRow, made)] == [
        ("list the files", 0, 1),
        ("", 1, 3),
    ]


@pytest.mark.parametrize(
    ("more", "written"),
    [
        ([{"role": "user", "content": "<system-reminder>The todo list\n is empty.</system-reminder>"}], True),
        ([{"role": "user", "content": "Observation: the tool said 7"}], True),
        ([{"role": "developer", "content": "Go on with the plan."}], True),
        ([{"role": "user", "content": "x" * 300}], False),  # somebody typed it
        ([{"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t1", "content": "a b"}]}], False),
        ([{"role": "user", "content": ""}], False),
    ],
)
def test_a_turn_that_nobody_typed_has_what_the_agent_wrote(more: list[Any], written: bool) -> None:
    (row,) = last(CallRow, emitted(asks(1, 1, messages=[*TALK[:2], *more])))
    said = " ".join(str(more[-1]["content"]).split())[:200]
    assert (said if written else "") == row.written
    assert written == (not row.prompt and not row.new_results and more[-1]["content"] != "")


# -- repeats ---------------------------------------------------------------------------------------------------------------


def test_an_equal_request_is_a_repeat_and_after_a_failure_a_retry() -> None:
    events: list[Event] = [asks(1, 1), answers(2, 1, status=529), asks(3, 2), answers(4, 2), asks(5, 3), answers(6, 3)]
    first, second, third = last(CallRow, made := emitted(*events))
    assert [(row.repeat, row.repeat_of, row.retry) for row in (first, second, third)] == [
        (0, None, False), (1, first.id, True), (2, first.id, False)
    ]  # fmt: skip
    (found,) = last(SessionRow, made)
    assert (found.repeated_calls, found.repeated_tokens) == (2, 30)


@pytest.mark.parametrize(("wait_ms", "turns"), [(8_200, [1, 1]), (600_000, [1, 1]), (601_000, [1, 2])])
def test_a_retry_is_of_the_same_turn_for_ten_minutes(wait_ms: int, turns: list[int]) -> None:
    events: list[Event] = [asks(1, 1), answers(2, 1, status=529), asks(2 + wait_ms, 2), answers(3 + wait_ms, 2)]
    made = emitted(*events)
    assert turns == [row.turn for row in last(CallRow, made)]
    assert [turns[-1]] == [row.turns for row in last(SessionRow, made)]


@pytest.mark.parametrize(
    ("said", "seconds"), [("8", 8), ("Wed, 21 Oct 2026 07:28:00 GMT", None), ("-1", None), ("٣", None), ("", None)]
)
def test_a_failed_call_has_the_pause_that_its_answer_asks_for(said: str, seconds: int | None) -> None:
    event = replace(answers(2, 1, status=429), headers=(("Retry-After", said),))
    (row,) = last(CallRow, emitted(asks(1, 1), event))
    assert seconds == row.retry_after_s


def test_equal_tool_calls_are_marked_and_a_loop_where_nothing_stands_in_between() -> None:
    def tool(ms: int, exchange: int, name: str) -> list[Event]:
        reply = Reply(tool_calls=(ToolCall(f"t{exchange}", name, '{"command":"pytest"}'),))
        return [asks(ms, exchange, messages=[{"role": "user", "content": str(ms)}]), streams(ms + 1, reply, exchange)]

    made = emitted(*tool(1, 1, "Bash"), *tool(3, 2, "Bash"), *tool(5, 3, "Read"), *tool(7, 4, "Bash"))
    rows = last(ToolRow, made)
    assert [(row.repeat, row.loop) for row in rows] == [(0, False), (1, True), (0, False), (2, False)]
    assert rows[3].repeat_of == rows[0].id
    assert [row.tools for row in last(SessionRow, made)] == [4]


ABOUT = st.dictionaries(
    st.sampled_from(["description", "timeout", "tool_call_id", "request_id", "timestamp", "_meta"]), st.text(max_size=5)
)


@given(st.lists(ABOUT, min_size=2, max_size=5), st.sampled_from([{"command": "pytest"}, {"query": "x"}, {"cmd": ["ls", "-l"]}]))
def test_a_call_that_executes_the_same_is_a_loop_whatever_is_said_about_it(
    about: list[dict[str, str]], given_input: dict[str, Any]
) -> None:
    events: list[Event] = []
    for at, more in enumerate(about):
        reply = Reply(tool_calls=(ToolCall(f"t{at}", "Bash", json.dumps({**more, **given_input})),))
        asked = asks(2 * at + 1, at + 1, messages=[{"role": "user", "content": str(at)}])
        events += [asked, streams(2 * at + 2, reply, at + 1)]
    rows = last(ToolRow, emitted(*events))
    assert [(row.repeat, row.loop) for row in rows] == [(at, at > 0) for at in range(len(about))]


def test_calls_that_execute_something_else_are_no_loop() -> None:
    other: tuple[dict[str, object], ...] = (
        {"command": "ls"},
        {"command": "ls", "workdir": "/a"},
        {"path": "a", "offset": 1},
        {"path": "a", "offset": 2},
        {},
    )
    events: list[Event] = []
    for at, given_input in enumerate(other):
        reply = Reply(tool_calls=(ToolCall(f"t{at}", "Bash", json.dumps(given_input)),))
        asked = asks(2 * at + 1, at + 1, messages=[{"role": "user", "content": str(at)}])
        events += [asked, streams(2 * at + 2, reply, at + 1)]
    assert [row.repeat for row in last(ToolRow, emitted(*events))] == [0] * len(other)


# -- fields that cannot be read --------------------------------------------------------------------------------------------


def test_a_field_that_cannot_be_read_is_named_and_counted_and_the_rest_stands() -> None:
    made = emitted(named(1, 1, body={"max_tokens": "many"}), answers(2, 1), named(3, 2, body={"max_tokens": []}), answers(4, 2))
    assert [(row.status, row.prompt, row.unknown) for row in last(CallRow, made)] == [
        ("complete", "hello summary", ("max_tokens",)), ("complete", "hello summary", ("max_tokens",))
    ]  # fmt: skip
    (found,) = last(UnknownRow, made)
    assert (found.provider, found.field, found.count, found.first_call_id) == (
        "anthropic", "max_tokens", 2, last(CallRow, made)[0].id
    )  # fmt: skip


def test_a_stream_of_a_model_makes_a_call_of_a_request_whose_path_is_not_known() -> None:
    made = emitted(
        asks(1, target="/proxy/v9/talk"), streams(2, Reply("m", "claude-y", "hi", usage=Usage(1, 2)), target="/proxy")
    )
    (call,) = last(CallRow, made)
    assert (call.status, call.reason, call.prompt, call.model, call.total_tokens) == (
        "complete", None, "hello summary", "claude-x", 3
    )  # fmt: skip


def test_a_session_names_the_container_of_its_agent() -> None:
    program = replace(starts(1, AGENT, "claude"), container_id="a1" * 32, container="team/web-1/app")
    (found,) = last(SessionRow, emitted(program, asks(2, 1), answers(3, 1)))
    assert ("claude", "team/web-1/app") == (found.agent, found.container)
    seen = ProcessSeen(program.origin, 1, ROOT, filename="/bin/claude", argv=("claude",), cwd="/", container="box")
    assert ["box"] == [row.container for row in last(SessionRow, emitted(seen, asks(2, 1), answers(3, 1)))]
