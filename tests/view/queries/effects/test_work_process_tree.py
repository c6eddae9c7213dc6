"""Processes behind those that started them."""

from __future__ import annotations

from agentsight_rx.view import ProcessRow
from agentsight_rx.view.queries.effects.work import process_list, process_tree
from tests.view.queries.rows import BASE, causes

ROWS = [row for row in BASE if isinstance(row, ProcessRow)]


def began(pid: int, ppid: int, ms: int, id: str = "") -> ProcessRow:
    return ProcessRow(id or f"process-{pid}-{ms}", pid, ppid, start_timestamp_ms=ms)


def placed(*rows: ProcessRow) -> list[tuple[int, int]]:
    return [(each.depth, each.pid) for each in process_tree(rows, causes(*rows))]


def test_each_stands_behind_its_parent() -> None:
    rows = [began(4, 1, 40), began(1, 0, 10), began(3, 2, 30), began(2, 1, 20)]
    assert placed(*rows) == [(0, 1), (1, 2), (2, 3), (1, 4)]


def test_of_processes_with_one_pid_the_newest_that_began_before_is_the_parent() -> None:
    rows = [began(1, 0, 10), began(9, 1, 15), began(1, 0, 20), began(9, 1, 25), began(9, 1, 5)]
    found = [(each.depth, each.start_timestamp_ms) for each in process_tree(rows, causes(*rows))]
    assert found == [(0, 5), (0, 10), (1, 15), (0, 20), (1, 25)]


def test_processes_that_name_each_other_are_all_there() -> None:
    assert sorted(pid for _, pid in placed(began(1, 2, 10), began(2, 1, 10))) == [1, 2]


def test_the_parent_of_a_part_may_not_be_in_it() -> None:
    rows = [began(1, 0, 10), began(2, 1, 20)]
    assert [(each.depth, each.pid) for each in process_tree(rows[1:], causes(*rows))] == [(0, 2)]


def test_a_process_has_its_agent_session_tool_and_prompt() -> None:
    agent, shell, make = process_tree(ROWS, causes())
    assert [(each.of_agent, each.session_id) for each in (agent, shell, make)] == [("claude", "s")] * 3
    assert (agent.cause, agent.children) == (None, 1)
    assert shell.cause is not None
    assert (shell.cause.tool, shell.cause.turn, shell.cause.prompt) == ("Bash", 3, "fix it")
    assert [each.starts for each in (agent, shell, make)] == [False, True, False]


def test_the_flat_list_is_in_order_of_time() -> None:
    rows = [began(4, 1, 40), began(1, 0, 10), began(3, 2, 30)]
    assert [(each.depth, each.pid) for each in process_list(rows, causes(*rows))] == [(0, 1), (0, 3), (0, 4)]
