"""Rows become one tree of spans a session, whatever order they come in."""

from __future__ import annotations

import pytest
from msgspec.structs import replace
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from agentsight_rx.sinks.otel.spans import Planned
from agentsight_rx.sinks.otel.tree import Call, Tree
from agentsight_rx.view import AuditRow, CallRow, Output, ProcessRow, RowGone, SessionRow, ToolRow
from tests.otlp_conformance import problems, shape_of, values
from tests.sinks.otel.recordings import AGENT, MS, SHELL, Recording, everything, items, nested, result, text
from tests.sinks.test_otel import sent

SESSION = SessionRow("s", 1000, agent="claude", pid=AGENT, process_id="p-agent")
CALL = CallRow("llm-1", 1000, 2000, status="complete", model="m", session_id="s", provider="anthropic")
TOOL = ToolRow("tool-1", 2000, "llm-1", "t1", tool_name="Bash", session_id="s", start_timestamp_ms=2000)
ANSWERED = replace(TOOL, status="completed", end_timestamp_ms=3000)
SHELL_ROW = ProcessRow("p-sh", 7, ppid=AGENT, start_timestamp_ms=2100, command="/bin/sh", argv=("sh",), tool_call_id="tool-1")
ENDED = replace(SHELL_ROW, status="success", exit_code=0, end_timestamp_ms=2500)
OPENED = AuditRow("audit-1", 2200, "file", action="open", target="/x", status="success", tool_id="tool-1", process_id="p-sh")


def planned(*rows: Output) -> list[Planned]:
    """All spans of these rows, in the order in which they are sent."""
    tree = Tree(capture_content=False)
    found = [each for row in rows for each in tree.add(row)] + tree.close()
    return [each.span if isinstance(each, Call) else each for each in found]


def named(spans: list[Planned], name: str) -> Planned:
    (found,) = [span for span in spans if span.name == name]
    return found


def test_a_session_is_a_tree_of_agent_calls_tools_and_processes() -> None:
    spans = sent(items(everything())).spans
    assert {
        "invoke_agent claude": {
            "chat claude-sonnet-4-5": {"execute_tool Bash": {"sh": {"make": {}}}},
            "chat claude-sonnet-4-5'": {},
            "invoke_agent claude": {"chat claude-sonnet-4-5": {}},
            "chat gpt-5": {},
        }
    } == shape_of(spans)
    assert 1 == len({span.trace_id for span in spans})


def test_an_agent_that_a_tool_runs_is_in_the_same_trace_below_the_tool() -> None:
    spans = sent(items(nested())).spans
    tree = shape_of(spans)["invoke_agent claude"]
    assert {"chat claude-sonnet-4-5": {}} == tree["chat claude-sonnet-4-5"]["execute_tool Bash"]["invoke_agent claude"]
    assert [] == problems(spans, with_content=False)


def span_of(spans: list[Span], name: str) -> Span:
    return next(span for span in spans if span.name == name)


def test_a_process_has_its_argv_its_exit_code_and_its_time() -> None:
    span = span_of(sent(items(everything())).spans, "make")
    said = values(span.attributes)
    assert (["/usr/bin/make", "test"], "/usr/bin/make", 2) == tuple(
        said[f"process.{name}"] for name in ("command_args", "executable.path", "exit.code")
    )
    assert ("exit_2", "exit_2") == (said["error.type"], span.status.message)


def test_files_and_connections_are_events_of_the_tool() -> None:
    events = span_of(sent(items(everything())).spans, "execute_tool Bash").events
    file, connection = (values(event.attributes) for event in events)
    assert ["agentsight.file", "agentsight.network"] == [event.name for event in events]
    assert ("/home/ada/out.log", "open", SHELL + 1) == (file["file.path"], file["agentsight.action"], file["process.pid"])
    assert ("127.0.0.1", 5432, "tcp") == tuple(
        connection[f"network.{name}"] for name in ("peer.address", "peer.port", "transport")
    )


def test_a_replay_gives_the_same_spans() -> None:
    first, again = (sent(items(everything()), capture_content=True).spans for _ in range(2))
    assert [span.SerializeToString() for span in first] == [span.SerializeToString() for span in again]


ORDERS = [
    [SESSION, CALL, TOOL, SHELL_ROW, OPENED, ENDED, ANSWERED],
    [ENDED, ANSWERED, OPENED, CALL, SESSION],
    [CALL, CALL, SESSION, SESSION, TOOL, ANSWERED, OPENED, ANSWERED, ENDED, ENDED, CALL],
]


@pytest.mark.parametrize("rows", ORDERS, ids=["as it was", "backwards", "twice"])
def test_rows_in_any_order_and_more_than_once_give_one_tree(rows: list[Output]) -> None:
    spans = planned(*rows)
    agent, call, tool, shell = (named(spans, name) for name in ("invoke_agent claude", "chat m", "execute_tool Bash", "sh"))
    assert 4 == len(spans)
    assert (0, agent.id, call.id, tool.id) == (agent.parent, call.parent, tool.parent, shell.parent)
    assert 1 == len({agent.trace, call.trace, tool.trace, shell.trace})
    assert ["/x"] == [event.attributes["file.path"] for event in tool.events]


def test_a_span_is_sent_once_it_has_ended_and_before_the_capture_does() -> None:
    """As long as its rows may be amended, it waits: 6 s by the time of the rows."""
    tree = Tree(capture_content=False)
    assert [] == [each for row in (SESSION, CALL, TOOL, SHELL_ROW, OPENED, ANSWERED, ENDED) for each in tree.add(row)]
    later = replace(OPENED, id="audit-9", timestamp_ms=9000, tool_id=None)
    call, *others = tree.add(later)
    assert isinstance(call, Call)
    assert ["sh", "execute_tool Bash"] == sorted((each.name for each in others if isinstance(each, Planned)), reverse=True)
    ended = replace(SESSION, status="ended", end_timestamp_ms=9000)
    assert [] == [*tree.add(ended)]
    (agent,) = tree.add(replace(later, timestamp_ms=19_000))
    assert isinstance(agent, Planned)
    assert ("invoke_agent claude", True) == (agent.name, agent.attributes["agentsight.complete"])
    assert [] == tree.close()


def test_what_a_process_does_after_the_result_is_an_event_of_the_process() -> None:
    later = replace(OPENED, id="audit-2", timestamp_ms=11_000, target="/late")
    end = replace(ENDED, end_timestamp_ms=11_500)
    tick = replace(OPENED, id="audit-3", timestamp_ms=10_000, tool_id=None)
    spans = planned(SESSION, CALL, TOOL, SHELL_ROW, OPENED, ANSWERED, tick, later, end)
    assert ["/x"] == [event.attributes["file.path"] for event in named(spans, "execute_tool Bash").events]
    assert ["/late"] == [event.attributes["file.path"] for event in named(spans, "sh").events]


def test_the_same_file_is_one_event_and_the_rest_is_counted() -> None:
    same = [replace(OPENED, id=f"audit-{number}") for number in range(10)]
    others = [replace(OPENED, id=f"audit-{number}", target=f"/{number}") for number in range(200)]
    tool = named(planned(SESSION, CALL, TOOL, *same, *others, ANSWERED), "execute_tool Bash")
    assert (128, 200 + 1 - 128) == (len(tool.events), tool.attributes["agentsight.events.dropped"])


def test_a_build_with_thousands_of_processes_has_some_hundred_spans() -> None:
    ended = [replace(ENDED, id=f"p-{number}", pid=1000 + number) for number in range(1000)]
    spans = planned(SESSION, CALL, TOOL, *ended, ANSWERED)
    assert 256 == len([span for span in spans if span.name == "sh"])
    assert 1000 - 256 == named(spans, "execute_tool Bash").attributes["agentsight.processes.dropped"]


def test_what_has_not_ended_is_sent_as_it_is_at_the_end() -> None:
    spans = planned(SESSION, CALL, TOOL, SHELL_ROW)
    reasons = {span.name: span.attributes.get("agentsight.reason") for span in spans}
    assert {
        "chat m": None,
        "sh": "capture_end",
        "execute_tool Bash": "no_result",
        "invoke_agent claude": "capture_end",
    } == reasons
    assert all(span.end_ns >= span.start_ns > 0 for span in spans)


def test_more_sessions_and_tools_than_are_kept_lose_none_of_their_spans() -> None:
    sessions = [replace(SESSION, id=f"s-{number}") for number in range(3000)]
    tools = [replace(TOOL, id=f"tool-{number}", session_id=f"s-{number}") for number in range(3000)]
    again = [replace(row, status="completed", end_timestamp_ms=3000) for row in tools]
    spans = planned(*sessions, *tools, *again, *sessions)
    assert 6000 == len(spans) == len({span.id for span in spans})


def test_a_forked_shell_without_a_program_is_not_a_span_and_its_child_is_below_the_program() -> None:
    it = Recording()
    it.starts(AGENT, 1, "/usr/bin/claude")
    it.answers(AGENT, it.asks(AGENT, text("go")), ("t1", "Bash", {"command": "sort x"}))
    it.starts(SHELL, AGENT, "/bin/sh", "-c", "sort x")
    it.forks(SHELL + 1, SHELL)
    it.starts(SHELL + 2, SHELL + 1, "/usr/bin/sort", "x")
    it.ends(SHELL + 2)
    it.ends(SHELL + 1)
    it.ends(SHELL, signal=9)
    it.answers(AGENT, it.asks(AGENT, result("t1")))
    spans = sent(items(it.events)).spans
    assert {"sh": {"sort": {}}} == shape_of(spans)["invoke_agent claude"]["chat claude-sonnet-4-5"]["execute_tool Bash"]
    assert "SIGKILL" == values(span_of(spans, "sh").attributes)["error.type"]


def test_a_program_that_was_found_by_time_is_the_span_of_the_tool_too() -> None:
    ended = replace(ENDED, tool_call_id=None)
    by_time = replace(ANSWERED, link="time", process_id="p-sh")
    spans = planned(SESSION, CALL, TOOL, replace(SHELL_ROW, tool_call_id=None), ended, by_time)
    assert named(spans, "execute_tool Bash").id == named(spans, "sh").parent


def test_an_agent_within_an_agent_counts_its_own_tokens_and_the_session_all() -> None:
    spans = sent(items(everything())).spans
    agents = sorted(
        (values(span.attributes) for span in spans if span.name == "invoke_agent claude"),
        key=lambda said: "gen_ai.agent.id" in said,
    )
    whole, within = agents
    assert ("scout", 4310, 20, 1) == tuple(
        within[name]
        for name in ("gen_ai.agent.id", "gen_ai.usage.input_tokens", "gen_ai.usage.output_tokens", "agentsight.calls")
    )
    assert (3 * 4310 + 70, 3 * 20 + 3, 4) == tuple(
        whole[name] for name in ("gen_ai.usage.input_tokens", "gen_ai.usage.output_tokens", "agentsight.calls")
    )


def test_the_span_of_an_agent_contains_all_of_its_calls() -> None:
    spans = sent(items(everything())).spans
    root = next(span for span in spans if not span.parent_span_id)
    assert all(root.start_time_unix_nano - MS <= span.start_time_unix_nano for span in spans)
    assert all(span.end_time_unix_nano <= root.end_time_unix_nano for span in spans)


# -- rows that are amended ---------------------------------------------------------------------------------------------


def test_a_call_that_turns_out_to_be_of_another_session_is_a_span_of_that_one() -> None:
    other = replace(SESSION, id="other")
    moved = replace(CALL, session_id="other")
    spans = planned(SESSION, CALL, TOOL, RowGone(CALL), moved, RowGone(SESSION), other, replace(TOOL, session_id="other"))
    assert ["chat m", "execute_tool Bash", "invoke_agent claude"] == sorted(span.name for span in spans)
    (agent,) = (span for span in spans if span.name == "invoke_agent claude")
    assert {agent.trace} == {span.trace for span in spans}
    assert agent.id == named(spans, "chat m").parent


def test_a_call_that_turns_out_to_be_a_servers_has_no_span() -> None:
    served = replace(CALL, id="llm-2")
    spans = planned(SESSION, CALL, served, replace(served, twin="llm-1"))
    assert ["chat m", "invoke_agent claude"] == sorted(span.name for span in spans)


def test_a_tool_gets_the_process_that_is_known_later() -> None:
    """The start and the end of its program came seconds behind the result of the tool."""
    unknown = replace(SHELL_ROW, tool_call_id=None)
    spans = planned(SESSION, CALL, TOOL, unknown, replace(ENDED, tool_call_id=None), ANSWERED, ENDED)
    assert named(spans, "execute_tool Bash").id == named(spans, "sh").parent


def test_a_file_that_was_not_the_tools_is_no_event_of_it() -> None:
    wrong = replace(OPENED, id="audit-4", target="/wrong")
    spans = planned(SESSION, CALL, TOOL, OPENED, wrong, RowGone(wrong), replace(wrong, tool_id=None), ANSWERED)
    assert ["/x"] == [event.attributes["file.path"] for event in named(spans, "execute_tool Bash").events]


def test_what_has_ended_is_sent_where_nothing_else_comes() -> None:
    tree = Tree(capture_content=False)
    assert [] == [each for row in (SESSION, CALL, TOOL, SHELL_ROW, ENDED, ANSWERED) for each in tree.add(row)]
    assert 3 == len(tree.idle())
    assert [] == tree.idle()
