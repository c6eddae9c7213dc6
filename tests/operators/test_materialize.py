from __future__ import annotations

from typing import Any

import msgspec
import pytest

from agentsight_rx.core.stream import Operator
from agentsight_rx.events import (
    Event,
    FileEvent,
    HttpRequest,
    NetEvent,
    Origin,
    ProcessExec,
    ProcessSeen,
    Reply,
    TcpTraffic,
    Tick,
    TlsClose,
    ToolCall,
    Usage,
    time_of,
)
from agentsight_rx.operators import materialize, merge_sse, parse_http
from agentsight_rx.store.rows.kinds import process_id
from agentsight_rx.store.rows.tally import Tally
from agentsight_rx.view import AuditRow, CallRow, ProcessRow, Row, SessionRow, TokenRow, ToolRow
from tests.operators import MS, Running, Wire, run
from tests.view.scenes import (
    AGENT,
    HOST,
    OTHER,
    SERVER,
    TICK,
    answers,
    asks,
    emitted,
    execs,
    exits,
    forks,
    last,
    origin,
    served,
    streams,
)

# -- calls ------------------------------------------------------------------------------------------------------------------


def test_events_go_by_in_front_of_their_rows() -> None:
    request, tick = asks(1000), Tick(origin(1))
    made = emitted(tick, request)
    assert made[:2] == [tick, request]
    assert [type(row) for row in made[2:4]] == [CallRow, AuditRow]


def test_a_call_is_pending_and_then_complete_under_one_id() -> None:
    made = emitted(asks(1000), answers(2000))
    assert [row.status for row in made if isinstance(row, CallRow)] == ["pending", "complete"]
    (call,) = last(CallRow, made)
    assert (call.start_timestamp_ms, call.end_timestamp_ms, call.status_code) == (1000, 2001, 200)
    assert (call.provider, call.model, call.prompt, call.text) == ("anthropic", "claude-x", "hello summary", "hi")
    assert (call.input_tokens, call.output_tokens, call.total_tokens, call.complete) == (10, 5, 15, True)
    assert [(row.action, row.status) for row in last(AuditRow, made)] == [("request", "observed"), ("call", "success")]
    assert [(row.llm_call_id, row.total_tokens) for row in last(TokenRow, made)] == [(call.id, 15)]


def test_a_refused_call_is_an_error() -> None:
    made = emitted(asks(1000), answers(2000, status=429))
    (call,) = last(CallRow, made)
    assert (call.status, call.error_type, call.text) == ("error", "http_429", "rate_limit_error: slow down")
    assert last(AuditRow, made)[-1].status == "failure"
    assert last(TokenRow, made) == []


def test_an_answer_belongs_to_the_request_of_its_connection_and_exchange() -> None:
    made = emitted(
        asks(1000, 1), asks(1001, 2), asks(1002, 1, connection=OTHER),
        answers(1003, 1, connection=OTHER, text="c"), answers(1004, 2, text="b"), answers(1005, 1, text="a"),
    )  # fmt: skip
    assert [(call.start_timestamp_ms, call.text) for call in last(CallRow, made)] == [(1000, "a"), (1001, "b"), (1002, "c")]


def test_an_interim_answer_and_the_head_of_a_stream_end_nothing() -> None:
    made = emitted(
        asks(1000), answers(1001, status=100), answers(1002, streaming=True), streams(1003, Reply(text="hi"), end_ms=1009)
    )
    assert [(call.status, call.end_timestamp_ms) for call in last(CallRow, made)] == [("complete", 1009)]


def test_what_asks_no_model_is_no_call() -> None:
    get = HttpRequest(origin(1), 1, "GET", "/v1/messages", "HTTP/1.1", (HOST,))
    made = emitted(get, answers(2), asks(3, 2, target="/v1/messages/count_tokens"), asks(4, 3, target="/login"), answers(5, 3))
    assert last(CallRow, made) == []


def test_a_message_with_a_hole_makes_the_call_partial() -> None:
    for events, reason in (
        ((asks(1, complete=False, reason="truncated"), answers(2)), "truncated"),
        ((asks(1), answers(2, complete=False, reason="lost")), "lost"),
    ):
        made = emitted(*events)
        assert [(call.status, call.complete, call.reason) for call in last(CallRow, made)] == [("partial", False, reason)]
        assert last(AuditRow, made)[-1].status == "partial"


def test_a_stream_whose_request_nobody_saw_is_a_call_of_less_confidence() -> None:
    reply = Reply("msg_1", "claude-y", "hi", usage=Usage(10, 5))
    (call,) = last(CallRow, emitted(streams(1000, reply, host="api.anthropic.com", target="/v1/messages")))
    assert (call.status, call.reason, call.confidence, call.match_method) == ("partial", "request_unseen", 0.35, "none")
    assert (call.provider, call.model, call.total_tokens) == ("anthropic", "claude-y", 15)
    assert last(CallRow, emitted(answers(1000))) == []


def test_time_to_the_first_chunk_counts_from_the_request() -> None:
    made = emitted(asks(1000), streams(1200, Reply(text="hi"), end_ms=1700, first_chunk_ns=1500 * MS))
    assert [call.time_to_first_chunk_ms for call in last(CallRow, made)] == [500]


def test_a_stream_that_goes_on_after_silence_is_one_call_and_counts_its_tokens_once() -> None:
    partial = streams(2, Reply(text="a", usage=Usage(10, 1)), end_ms=3, complete=False, reason="timeout")
    whole = streams(2, Reply(text="ab", usage=Usage(10, 5)), end_ms=9, revision=1)
    made = emitted(asks(1), partial, whole)
    assert [call.status for call in made if isinstance(call, CallRow)] == ["pending", "partial", "complete"]
    (call,) = last(CallRow, made)
    assert (call.text, call.complete, call.end_timestamp_ms) == ("ab", True, 9)
    assert [row.total_tokens for row in last(TokenRow, made)] == [15]
    assert [call.status for call in last(CallRow, emitted(asks(1), partial))] == ["partial"]


def test_a_call_without_an_answer_is_aborted_when_its_connection_closes() -> None:
    made = emitted(asks(1), asks(2, connection=OTHER), TlsClose(origin(5)), answers(6, connection=OTHER))
    assert [(call.status, call.reason, call.end_timestamp_ms) for call in last(CallRow, made)] == [
        ("aborted", "closed", 5),
        ("complete", None, 7),
    ]


def test_a_call_without_an_answer_is_aborted_at_the_end_of_the_capture() -> None:
    made = emitted(asks(1))
    assert [(call.status, call.complete, call.reason) for call in last(CallRow, made)] == [("aborted", False, "capture_end")]


def test_an_answer_that_comes_before_its_request_has_ended_ends_the_call_all_the_same() -> None:
    wire = Wire()
    head = b"POST /v1/messages HTTP/1.1\r\nHost: api.anthropic.com\r\nContent-Length: 9000\r\n\r\n"
    refused = b'{"type":"error","error":{"type":"rate_limit_error","message":"slow down"}}'
    answer = b"HTTP/1.1 429 Too Many Requests\r\nContent-Length: %d\r\n\r\n%b" % (len(refused), refused)
    for rest in ([wire.writes(b"x" * 8000)], []):
        wire = Wire()
        events: list[Any] = [wire.writes(head + b"x" * 1000), wire.reads(answer), *rest, wire.closes()]
        made = run(as_any(materialize()), run(merge_sse(), run(parse_http(), events)))
        (call,) = last(CallRow, made)
        assert (call.status, call.status_code, call.error_type) == ("error", 429, "http_429")


def test_an_answer_that_was_streamed_before_the_request_had_ended_is_its_answer() -> None:
    asked = asks(1000)
    early = streams(1100, Reply(text="no", usage=Usage(1, 2)), end_ms=1200, method="POST", target=asked.target, host="h")
    made = emitted(early, asked)
    (call,) = last(CallRow, made)
    assert (call.text, call.status, call.reason) == ("no", "complete", None)
    (unasked,) = last(CallRow, [*emitted(early), *run(as_any(materialize()), [early])])
    assert (unasked.text, unasked.reason) == ("no", "request_unseen")


def test_an_answer_that_came_before_a_request_of_an_unknown_path_ends_its_call() -> None:
    early = answers(1000, method="POST", target="/v1/messages", host="h")
    made = emitted(early, asks(1100, target="/unknown"), streams(1200, Reply(text="late")))
    (call,) = last(CallRow, made)
    assert (call.path, call.text, call.status) == ("/unknown", "hi", "complete")


def test_what_a_tool_server_streams_is_no_call() -> None:
    assert last(CallRow, emitted(msgspec.structs.replace(streams(1000, Reply()), dialect="mcp"))) == []


def test_two_connections_at_one_address_are_two_calls() -> None:
    events: list[Any] = []
    for start in (0, 100):
        wire = Wire(start_ns=start * MS)
        asked = asks(1)
        head = f"POST {asked.target} HTTP/1.1\r\nHost: api.anthropic.com\r\nContent-Length: {len(asked.body)}\r\n\r\n"
        body = answers(1).body
        answer = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)
        events += [wire.writes(head.encode() + asked.body), wire.reads(answer), wire.closes()]
    made = run(as_any(materialize()), run(merge_sse(), run(parse_http(), events)))
    assert [call.status for call in last(CallRow, made)] == ["complete", "complete"]


def as_any(operator: Operator[Event, Event | Row]) -> Operator[Any, Event | Row]:
    return operator


# -- processes --------------------------------------------------------------------------------------------------------------


def test_a_pid_that_is_used_again_is_another_process() -> None:
    made = emitted(
        execs(1000, 42, "a"), execs(1500, 42, "b"), exits(2000, 42), execs(3000, 42, "c", start=9), exits(4000, 42, 1, start=9)
    )
    assert [(row.argv, row.status, row.exit_code, row.end_timestamp_ms) for row in last(ProcessRow, made)] == [
        (("b",), "success", 0, 2000),
        (("c",), "failure", 1, 4000),
    ]


def test_another_exec_is_the_same_process_with_another_program() -> None:
    made = emitted(forks(1, 42), execs(2, 42, "sh", "-c", "ls", start=1), execs(3, 42, "ls", start=1, filename="/bin/ls"))
    (row,) = last(ProcessRow, made)
    assert (row.argv, row.command, row.start_timestamp_ms, row.status) == (("ls",), "/bin/ls", 1, "running")
    assert [audit.action for audit in last(AuditRow, made)] == ["exec", "exec"]


def test_a_fork_without_an_exec_is_a_process_and_no_program() -> None:
    made = emitted(
        execs(1, 42, "python", "x.py", ppid=1, start=1), forks(2, 43, 42), forks(3, 44, 43), exits(4, 44, ppid=43, start=3)
    )
    assert [(row.pid, row.ppid, row.root_pid, row.argv, row.status) for row in last(ProcessRow, made)] == [
        (42, 1, 42, ("python", "x.py"), "running"),
        (43, 42, 42, (), "running"),
        (44, 43, 42, (), "success"),
    ]
    assert [row.command for row in last(ProcessRow, made)] == ["/bin/sh", None, None]
    tally = Tally()
    tally.add(made)
    assert (tally.totals.programs, tally.totals.processes) == (1, 3)


def test_a_failed_spawn_is_not_the_end_of_the_agent() -> None:
    made = emitted(execs(1, 42, "agent", start=1), forks(2, 43, 42), exits(3, 43, 127, ppid=42, start=2))
    assert [(row.pid, row.argv, row.status) for row in last(ProcessRow, made)] == [
        (42, ("agent",), "running"),
        (43, (), "failure"),
    ]


def test_a_process_that_ran_already_is_the_root() -> None:
    seen = ProcessSeen(origin(1000, 42, None), 7, 5 * TICK, "/usr/bin/agent", ("agent", "-x"), "/src")
    made = emitted(seen, forks(1001, 43, 42), exits(2000, 42, start=5))
    rows = [(row.pid, row.ppid, row.root_pid, row.argv, row.view_source) for row in last(ProcessRow, made)]
    assert rows == [(42, 7, 42, ("agent", "-x"), "seed"), (43, 42, 42, (), "view")]


@pytest.mark.parametrize("at", [900, 1500, 2500], ids=["before", "within", "behind"])
@pytest.mark.parametrize("action", ["carried", "connect", "open"])
def test_what_a_process_did_is_its_own_also_behind_its_end(action: str, at: int) -> None:
    """The kernel counts what a connection carried when its socket ends, which is behind the end of the process."""
    place = origin(at, 42, None)
    did: dict[str, Event] = {
        "carried": TcpTraffic(place, 5 * TICK, 1, peer="1.1.1.1", port=443, sent=1, received=2, judged=True),
        "connect": NetEvent(place, 5 * TICK, "connect", family="ipv4", protocol="tcp", peer="1.1.1.1", port=443),
        "open": FileEvent(place, 5 * TICK, "open", "/tmp/x"),
    }
    before: list[Event] = [execs(100, 42, "sh", start=3), exits(800, 42, start=3)]  # an earlier process had its number
    own: list[Event] = [execs(1000, 42, "agent", start=5), exits(2000, 42, start=5)]
    made = emitted(*sorted([*before, *own, did[action]], key=time_of))
    (line,) = [row for row in last(AuditRow, made) if row.action == action]
    assert line.process_id == process_id(42, 5 * TICK)


def test_equal_audit_rows_of_one_nanosecond_are_two() -> None:
    close = FileEvent(origin(1000, 42, None), 0, "close", "/tmp/x")
    made = emitted(close, close, close)
    ids = [row.id for row in made if isinstance(row, AuditRow)]
    assert len(set(ids)) == 3
    assert [row.id for row in emitted(close, close, close) if isinstance(row, AuditRow)] == ids


def test_audit_rows_of_one_millisecond_sort_as_they_happened() -> None:
    done = [FileEvent(Origin(ns, 42), 0, action, "/tmp/x") for ns, action in ((15, "unlink"), (16, "open"), (200, "close"))]
    rows = [row for row in emitted(*done) if isinstance(row, AuditRow)]
    assert [row.action for row in sorted(rows, key=lambda row: (row.timestamp_ms, row.id))] == ["unlink", "open", "close"]


def test_a_call_that_a_server_in_the_tree_receives_counts_once() -> None:
    client, server = asks(1000), msgspec.structs.replace(asks(1001), origin=served(1001))
    answered = msgspec.structs.replace(answers(1500), origin=served(1500))
    made = emitted(client, server, answered, answers(2000))
    rows = {row.pid: row for row in last(CallRow, made)}
    assert (rows[AGENT].twin, rows[SERVER].twin) == (None, rows[AGENT].id)
    assert {row.llm_call_id for row in made if isinstance(row, TokenRow)} == {rows[AGENT].id}
    tally = Tally()
    tally.add(made)
    assert tally.totals.calls == 1


def test_a_call_whose_server_is_seen_first_counts_once() -> None:
    client, server = asks(1001), msgspec.structs.replace(asks(1000), origin=served(1000))
    answered = msgspec.structs.replace(answers(1500), origin=served(1500))
    made = emitted(server, client, answered, answers(2000))
    rows = {row.pid: row for row in last(CallRow, made)}
    assert (rows[AGENT].twin, rows[SERVER].twin) == (None, rows[AGENT].id)
    assert [rows[AGENT].turn, rows[SERVER].turn] == [1, 0]
    assert {row.llm_call_id for row in made if isinstance(row, TokenRow)} == {rows[AGENT].id}
    sessions = {row.id: row for row in made if isinstance(row, SessionRow)}
    assert sum(row.calls for row in sessions.values()) == 1
    tally = Tally()
    tally.add(made)
    assert tally.totals.calls == 1


def test_a_killed_process_has_a_signal_and_no_exit_code() -> None:
    made = emitted(forks(1, 42), exits(2, 42, None, start=1, signal=9))
    assert [(row.status, row.exit_code, row.signal) for row in last(ProcessRow, made)] == [("killed", None, 9)]
    assert [audit.summary for audit in last(AuditRow, made)] == ["killed by signal 9 (5ms)"]


def test_the_end_of_a_process_that_nobody_saw_begin_is_told() -> None:
    (row,) = last(ProcessRow, emitted(exits(2, 42, 3)))
    assert (row.pid, row.status, row.exit_code, row.start_timestamp_ms) == (42, "failure", 3, None)


# -- tools ------------------------------------------------------------------------------------------------------------------

BASH = ToolCall("toolu_1", "Bash", '{"command":"npm test","description":"Runs the tests"}')


def result(ms: int, tool_id: str = "toolu_1", *, is_error: bool = False) -> HttpRequest:
    block = {"type": "tool_result", "tool_use_id": tool_id, "content": "1 passed", "is_error": is_error}
    return asks(ms, 2, messages=[{"role": "user", "content": [block]}])


def called(*calls: ToolCall) -> list[Event]:
    return [asks(1000), streams(1100, Reply(tool_calls=calls), end_ms=1500)]


def test_a_tool_call_is_tied_to_its_process_its_exit_code_and_its_result() -> None:
    ran: list[Event] = [
        forks(1600, 42),
        execs(1601, 42, "/bin/sh", "-c", "npm test", start=1600),
        exits(1900, 42, 1, start=1600),
    ]
    made = emitted(*called(BASH), *ran, result(2000))
    (tool,) = last(ToolRow, made)
    assert (tool.tool_name, tool.tool_call_id, tool.input, tool.link) == ("Bash", "toolu_1", BASH.input, "argv")
    assert (tool.related_pid, tool.related_argv, tool.exit_code) == (42, ("/bin/sh", "-c", "npm test"), 1)
    assert (tool.status, tool.output, tool.start_timestamp_ms) == ("completed", "1 passed", 1601)
    assert (tool.duration_ms, tool.pause_ms) == (299, 100)  # of the process, and of the agent behind it
    assert [row.tool_call_id for row in last(ProcessRow, made)] == [tool.id]
    assert [row.llm_call_id for row in last(ToolRow, made)] == [last(CallRow, made)[0].id]


def test_a_wrapped_command_and_one_that_is_the_whole_argv_are_found() -> None:
    for argv in (("bash", "-lc", "cd /src && npm test 2>&1"), ("npm", "test")):
        assert [tool.related_pid for tool in last(ToolRow, emitted(*called(BASH), execs(1600, 42, *argv)))] == [42]


def test_a_tool_runs_below_the_agent_at_any_depth() -> None:
    made = emitted(
        *called(BASH), forks(1600, 42), forks(1601, 43, 42), execs(1602, 43, "sh", "-c", "npm test", ppid=42, start=1601)
    )
    assert [tool.related_pid for tool in last(ToolRow, made)] == [43]


@pytest.mark.parametrize(
    "event", [execs(1600, 42, "sh", "-c", "npm test", ppid=1), execs(1600, 42, "sh", "-c", "ls"), execs(1600, 42, "npm")]
)
def test_other_programs_are_not_tied_to_it(event: ProcessExec) -> None:
    assert [tool.related_pid for tool in last(ToolRow, emitted(*called(BASH), event))] == [None]


def test_a_killed_tool_has_a_signal() -> None:
    made = emitted(*called(BASH), execs(1600, 42, "sh", "-c", "npm test"), exits(1700, 42, None, signal=15))
    assert [(tool.exit_code, tool.signal) for tool in last(ToolRow, made)] == [(None, 15)]


def test_a_result_that_is_an_error_is_a_failed_tool() -> None:
    assert [tool.status for tool in last(ToolRow, emitted(*called(BASH), result(2000, is_error=True)))] == ["failed"]


def test_a_result_of_another_tool_ends_nothing() -> None:
    assert [tool.status for tool in last(ToolRow, emitted(*called(BASH), result(2000, "toolu_9")))] == ["observed"]


def test_two_tools_of_one_answer_are_two_rows_and_a_revision_adds_none() -> None:
    reply = Reply(tool_calls=(BASH, ToolCall("toolu_2", "Read", '{"path":"/x"}')))
    partial = streams(1100, reply, complete=False, reason="timeout")
    made = emitted(asks(1000), partial, streams(1100, reply, revision=1))
    assert [tool.tool_call_id for tool in made if isinstance(tool, ToolRow)] == ["toolu_1", "toolu_2"]


# -- checkpoints ------------------------------------------------------------------------------------------------------------


def test_going_on_from_a_checkpoint_changes_nothing() -> None:
    events = [
        *called(BASH),
        forks(1600, 42),
        execs(1601, 42, "sh", "-c", "npm test", start=1600),
        exits(1900, 42, 1, start=1600),
        result(2000),
    ]
    expected = emitted(*events)
    for cut in range(len(events)):
        before, after = Running(materialize()), Running(materialize())
        made = before.feed(*events[:cut])
        after.restore(msgspec.msgpack.decode(msgspec.msgpack.encode(before.snapshot())))
        assert made + after.feed(*events[cut:]) + after.finish() == expected
