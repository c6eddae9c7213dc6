from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentsight_rx.llm.agents.said import says_refused
from agentsight_rx.store.rows.kinds import ToolRow
from agentsight_rx.store.rows.tool_words import has_failed, outcome_of, outcome_said
from agentsight_rx.view.queries.effects.work import FilesTouched
from agentsight_rx.view.queries.sessions.verdict import deeds_of, verdict_of


def tool(name: str = "Bash", number: int = 1, **fields: object) -> ToolRow:
    return ToolRow(f"tool-{number}", number, "llm-1", str(number), name, **fields)  # type: ignore[arg-type]  # fields of a row


@pytest.mark.parametrize(
    ("row", "outcome", "said"),
    [
        (tool(), "asked", "no result seen"),
        (tool(status="completed"), "unknown", "no process seen"),
        (tool(status="completed", related_pid=7), "ran", "done"),
        (tool(status="completed", exit_code=0), "ran", "exit 0"),
        (tool(exit_code=0), "ran", "exit 0"),
        (tool(exit_code=2), "failed", "exit 2"),
        (tool(signal=9), "failed", "killed by signal 9"),
        (tool(status="failed", output="no such file"), "failed", "failed"),
        (tool(status="failed", exit_code=0), "failed", "exit 0"),
        (tool("Read", status="completed"), "ran", "done"),
        (tool("Edit", status="failed", output="The user doesn't want to proceed with this tool use."), "refused", "refused"),
        (tool(status="completed", output="exec command rejected by user"), "refused", "refused"),
        (tool(status="completed", related_pid=7, output="rejected by user"), "ran", "done"),
    ],
)
def test_what_became_of_a_tool_is_one_word(row: ToolRow, outcome: str, said: str) -> None:
    assert (outcome, said) == (outcome_of(row), outcome_said(row))
    assert has_failed(row) == (outcome == "failed")


@pytest.mark.parametrize(
    "result",
    [
        "The user doesn't want to take this action right now.",
        "Permission to use Bash with command rm -rf / has been denied.",
        "Claude requested permissions to write to /a, but you haven't granted it yet.",
        "PreToolUse:Bash hook error: no",
        '{"error":"[Operation Cancelled] Reason: User did not allow tool call"}',
        "<tool_use_error>This command requires approval</tool_use_error>",
        "Error: The user rejected permission to use this specific tool call.",
        "The user denied this operation.",
        "The user has declined to run this tool.",
        "Command not executed. The user rejected your commands with the following message: no",
        "Error: request to call tool denied. User reason: no",
    ],
)
def test_a_result_that_says_that_it_was_refused(result: str) -> None:
    assert says_refused(result)


@pytest.mark.parametrize("result", ["", "1 passed", "grep: permission denied", "the user list", 'x = "rejected by user"'])
def test_an_ordinary_result_is_not_refused(result: str) -> None:
    assert not says_refused(result)


def _tool(name: str, status: str, pid: int | None, code: int | None, output: str) -> ToolRow:
    return tool(name, status=status, related_pid=pid, exit_code=code, output=output)


TOOLS = st.lists(
    st.builds(
        _tool,
        st.sampled_from(["Bash", "exec_command", "Read", "Edit", "Task"]),
        st.sampled_from(["observed", "completed", "failed"]),
        st.sampled_from([None, 7]),
        st.sampled_from([None, 0, 1]),
        st.sampled_from(["", "rejected by user", "hi"]),
    ),
    max_size=12,
)


@given(TOOLS)
def test_commands_that_ran_are_those_that_the_kernel_saw(tools: list[ToolRow]) -> None:
    deeds = deeds_of([], tools, FilesTouched())
    shells = [row for row in tools if row.tool_name in ("Bash", "exec_command")]
    seen = [row for row in tools if row.tool_name != "Edit" and row.related_pid is not None]
    seen += [row for row in shells if row.related_pid is None and row.exit_code is not None]
    assert len(seen) == deeds.commands
    said = verdict_of(deeds, {}).sentence
    assert ("an " in said and f"an {len(seen)} command" in said) == bool(seen)
    outcomes = [outcome_of(row) for row in tools]
    assert (outcomes.count("failed"), outcomes.count("refused")) == (deeds.failed_tools, deeds.refused_tools)
    never = sum(row.related_pid is None and row.exit_code is None and outcome_of(row) != "refused" for row in shells)
    assert never == deeds.commands_unseen
