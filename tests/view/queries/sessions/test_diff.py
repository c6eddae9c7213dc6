"""What two runs of one task did differently."""

from __future__ import annotations

from msgspec.structs import replace

from agentsight_rx.store.rows.kinds import SAID
from agentsight_rx.view import AuditRow, CallRow, ProcessRow, Row, ToolRow
from agentsight_rx.view.queries.sessions.diff import RunFacts, difference_of, facts_of
from tests.view.queries.rows import BASE, causes, did, http


def facts(*audits: AuditRow, rows: tuple[Row, ...] = BASE, cost: float | None = None) -> RunFacts:
    return facts_of(
        [row for row in rows if isinstance(row, CallRow)],
        [row for row in rows if isinstance(row, ToolRow)],
        [row for row in rows if isinstance(row, ProcessRow)],
        audits,
        exchanges=[http(1, "a.test", "/")],
        causes=causes(*rows),
        cost=cost,
    )


def test_the_facts_have_no_pids_and_no_times() -> None:
    found = facts(did("mkdir", "/w"), did("unlink", "/r"), did("open", "/o", flags=0))
    assert (found.models, found.tools, found.hosts) == ({"m": 1}, {"Bash make": 1}, {"a.test": 1})
    assert found.commands == {"claude → no end seen": 1, "sh -c make → exit 2": 1}
    assert (found.written, found.removed, found.read) == ({"/w": 1}, {"/r": 1}, {"/o": 1})
    assert (found.numbers["calls"], found.numbers["duration ms"]) == (1, 2400)


def test_paths_are_those_that_another_run_would_use() -> None:
    rows = tuple(replace(row, cwd="/tmp/run7") if isinstance(row, ProcessRow) else row for row in BASE)
    found = facts(did("mkdir", "/tmp/run7/out"), did("open", "/proc/77/maps", flags=0), rows=rows)
    assert (found.written, found.read) == ({"out": 1}, {"/proc/PID/maps": 1})


def test_equal_runs_do_not_differ() -> None:
    found = difference_of(facts(did("mkdir", "/w")), facts(did("mkdir", "/w")))
    assert found.differences == ()
    assert (found.equal["written"], found.equal["command"], found.equal["number"]) == (1, 2, 10)


def test_what_is_only_in_one_comes_before_what_differs() -> None:
    found = difference_of(
        RunFacts({}, tools={"a": 1, "both": 2, "same": 1}), RunFacts({}, tools={"b": 3, "both": 1, "same": 1})
    )
    assert [(each.what, each.first, each.second) for each in found.differences] == [("a", 1, 0), ("b", 0, 3), ("both", 2, 1)]
    assert found.equal["tool"] == 1


def test_what_an_own_file_cannot_say_is_not_compared() -> None:
    seen = facts(did("mkdir", "/w"))
    said = facts(rows=tuple(replace(row, view_source=SAID) for row in BASE if isinstance(row, CallRow | ToolRow)))
    for found, who in ((difference_of(seen, said), ("second",)), (difference_of(said, seen), ("first",))):
        assert found.not_known == who
        assert {each.kind for each in found.differences} <= {"number"}
        assert "programs" not in {each.what for each in found.differences}
        assert (found.equal["tool"], found.equal["number"], "written" in found.equal) == (1, 8, False)
    assert difference_of(seen, seen).not_known == ()


def test_another_exit_code_is_another_command() -> None:
    other = tuple(replace(row, exit_code=0) if isinstance(row, ProcessRow) and row.pid == 2 else row for row in BASE)
    found = difference_of(facts(), facts(rows=other)).differences
    assert [(each.kind, each.what, each.first, each.second) for each in found] == [
        ("command", "sh -c make → exit 2", 1, 0),
        ("command", "sh -c make → exit 0", 0, 1),
    ]


def test_numbers_that_differ_have_both_values() -> None:
    found = difference_of(facts(cost=0.5), facts(cost=None)).differences
    assert [(each.kind, each.what, each.first, each.second) for each in found] == [("number", "cost", 0.5, None)]
