"""Whose effect something was, in a recording whose processes are all kept, and in one where they are looked up."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentsight_rx.store.state import MemoryStore
from agentsight_rx.view import ProcessRow, SessionRow
from agentsight_rx.view.queries.effects import causes as module
from agentsight_rx.view.queries.effects.causes import Causes
from tests.view.queries.rows import AGENT, BASE, SHELL, TOOL, did, stored


@st.composite
def processes(draw: st.DrawFn) -> list[ProcessRow]:
    """Few pids, so that they are used again; a parent may be unknown, and is sometimes an agent."""
    found = [
        ProcessRow(
            f"process-{draw(st.sampled_from([3, 4, 5]))}-{number}",
            pid,
            draw(st.sampled_from([0, 3, 4, 5])),
            start_timestamp_ms=draw(st.integers(0, 6)),
            comm="x",
            cwd=draw(st.sampled_from(["", "/", "/work"])),
            agent=draw(st.sampled_from([None, "claude"])),
            session_id=draw(st.sampled_from([None, "s"])),
            tool_call_id=draw(st.sampled_from([None, TOOL])),
        )
        for number, pid in enumerate(draw(st.lists(st.sampled_from([3, 4, 5]), max_size=12)))
    ]
    return list({row.id: row for row in found}.values())


def told(store: MemoryStore, rows: list[ProcessRow]) -> list[object]:
    causes = Causes(store)
    return [
        causes.folder,
        [
            (
                causes.process(row.id),
                causes.of_process(row.id),
                causes.actor(row.pid, row.comm, row.id),
                causes.session_of(row.id),
                causes.parent(row),
                causes.chain(row.id),
            )
            for row in rows
        ],
        causes.process("process-9-9"),
    ]


@given(processes())
def test_processes_that_are_looked_up_are_as_those_that_are_kept(rows: list[ProcessRow]) -> None:
    store = stored(*BASE, *rows, SessionRow("s2", 1, process_id=rows[0].id if rows else None))
    everything = [row for row in (*BASE, *rows) if isinstance(row, ProcessRow)]
    kept = told(store, everything)
    with pytest.MonkeyPatch.context() as few:
        few.setattr(module, "_PROCESSES_SIZE", 2_000)
        assert kept == told(store, everything)


def test_what_a_program_of_a_tool_did_has_its_tool_and_session() -> None:
    causes = Causes(stored(*BASE))
    cause = causes.of(did("open", "/x"))
    assert cause is not None
    assert (cause.tool_id, cause.turn, cause.prompt, causes.session_of(SHELL)) == (TOOL, 3, "fix it", "s")
    assert causes.session_of(AGENT) == "s"
