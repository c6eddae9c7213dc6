"""Two sessions -> where their steps part, their numbers, and what is known of neither or of one alone."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from agentsight_rx.store.rows.kinds import ToolRow
from agentsight_rx.view.queries.calls.costs import PricedCall
from agentsight_rx.view.queries.sessions.diff import RunFacts
from agentsight_rx.view.queries.sessions.findings import Finding
from agentsight_rx.view.queries.sessions.listing import ListRow
from agentsight_rx.view.queries.sessions.side_by_side import Compared, Part, Step, first_commit, side_by_side, steps_of


def tools(*asked: tuple[str, str] | tuple[str, str, str]) -> list[ToolRow]:
    found = list[ToolRow]()
    for at, (name, text, *status) in enumerate(asked):
        found.append(ToolRow(f"t{at}", at, "c", f"u{at}", name, "s", input=text, status=status[0] if status else "completed"))
    return found


def part(*asked: Any, folder: str = "", recorded: bool = True, prompt: str = "Mend it", **more: Any) -> Part:
    row = ListRow("s", "r", "Claude Code", 0, 10, recorded=recorded, file=not recorded, files=2)
    facts = RunFacts({"calls": 3, "programs": 4, "cost": 1.5}, hosts={"a.example": 1})
    given: dict[str, Any] = {"calls": [PricedCall("c", 0)], "findings": (), "context": (5, 6)}
    return Part(row, tools=tools(*asked), facts=facts, folder=folder, prompt=prompt, **(given | more))


def numbers(found: Compared) -> dict[str, tuple[float | None, float | None]]:
    return {each.name: (each.a, each.b) for each in found.numbers}


def test_a_step_is_a_kind_and_a_target_from_the_folder_of_the_session() -> None:
    asked = [
        ("Read", '{"file_path": "/work/a/src/x.py"}'),
        ("Grep", '{"pattern": "thread"}'),
        ("Edit", '{"file_path": "/work/a/src/x.py"}'),
        ("apply_patch", "*** Begin Patch\n*** Update File: src/y.py\n"),
        ("Bash", '{"command": "pytest -q"}'),
        ("Task", '{"description": "review"}'),
        ("mcp__git__log", "{}"),
        ("Dance", "x"),
    ]
    steps = steps_of(tools(*asked), "/work/a")
    assert ["read", "search", "write", "write", "run", "sub-agent", "MCP", "Dance"] == [step.kind for step in steps]
    assert ["src/x.py", "thread", "src/x.py", "src/y.py", "pytest -q", "review"] == [step.target for step in steps[:6]]


def test_equal_steps_behind_each_other_are_one_and_a_failed_one_is_another() -> None:
    (first, second) = steps_of(tools(("Bash", "a"), ("Bash", "a"), ("Bash", "a", "failed")), "")
    assert (1, 2, False) == (first.n, first.times, first.bad)
    assert (3, 1, True) == (second.n, second.times, second.bad)


def test_they_part_at_the_first_step_that_differs() -> None:
    """Work trees have other folders, and what came back is not compared."""
    a = part(("Read", "/a/x.py"), ("Bash", "pytest"), ("Edit", "/a/x.py"), folder="/a")
    b = part(("Read", "/b/x.py"), ("Bash", "pytest"), ("Bash", "pytest -x", "failed"), folder="/b")
    found = side_by_side(a, b)
    assert (3, ["x.py", "pytest"]) == (found.part, [step.target for step in found.same])
    assert ["write"] == [step.kind for step in found.a.steps]
    assert ("pytest -x", True) == (found.b.steps[0].target, found.b.last_failed)
    assert not found.a.last_failed


def test_equal_sessions_part_nowhere_and_one_that_ends_first_parts_behind_its_end() -> None:
    whole = part(("Read", "x"), ("Bash", "y"))
    assert (0, 2) == (side_by_side(whole, whole).part, len(side_by_side(whole, whole).same))
    shorter = side_by_side(part(("Read", "x")), whole)
    assert (2, (), 1) == (shorter.part, shorter.a.steps, len(shorter.b.steps))
    assert 0 == side_by_side(part(), part()).part


def test_of_a_file_processes_and_hosts_are_not_known() -> None:
    found = numbers(side_by_side(part(), part(recorded=False)))
    assert ((4, None), (1, None)) == (found["Processes"], found["Hosts"])
    assert ((3, 3), (1.5, 1.5), (0, 0)) == (found["Model calls"], found["Cost"], found["Files changed"])


def test_prompts_are_compared_by_words_and_one_that_is_not_there_is_not_known() -> None:
    a = part(prompt="Move the worker")
    said = [side_by_side(a, part(prompt=each)).prompt_words for each in ("Move  the worker", "Move the other worker", "")]
    assert [0, 1, None] == said


def test_long_sessions_are_cut_and_say_by_how_much() -> None:
    long = part(*(("Bash", f"step {at}") for at in range(400)), context=tuple(range(1000)))
    found = side_by_side(long, part())
    assert (90, 310, 400) == (len(found.a.steps), found.a.more, found.a.total)
    assert (240, 999) == (len(found.a.context), found.a.context[-1])
    same = side_by_side(long, long)
    assert (60, 340) == (len(same.same), same.more)


def test_a_finding_of_both_is_in_none_of_the_lists() -> None:
    one, two = (Finding(kind, (1,), 2) for kind in ("retried", "uncached"))
    found = side_by_side(part(findings=(one, two)), part(findings=(one,)))
    assert (1, 0) == (len(found.a.only), len(found.b.only))
    assert Step(1, "read").name == ("read", "")


@pytest.mark.parametrize(
    ("command", "is_one"),
    [
        ("git commit -m 'x'", True),
        ("cd /a && git -C /b -c user.name=x commit -am y", True),
        ("git add -A; git commit --amend", True),
        ("git commit --dry-run", False),
        ("git commit-tree HEAD^{tree}", False),
        ("git log --grep commit", False),
        ("echo commit", False),
        ("grep -rn 'commit' .", False),
    ],
)
def test_the_first_commit_is_that_of_a_command_that_makes_one(command: str, is_one: bool) -> None:
    made = tools(("Bash", '{"command": "pytest"}'), ("Bash", command))
    assert (2 * is_one, "") == first_commit(made)


def test_the_first_commit_has_the_hash_that_git_said_and_a_failed_one_is_none() -> None:
    failed, made, later = tools(("Bash", "git commit -m a", "failed"), ("Bash", "git commit -m b"), ("Bash", "git commit -m c"))
    made = replace(made, output="[main (root-commit) 4f2c9a1] b\n 1 file changed\n")
    assert (2, "4f2c9a1") == first_commit([failed, made, later])
    found = side_by_side(part(("Bash", "git commit -m b")), part(("Read", "x")))
    assert (1, 0) == (found.a.commit_step, found.b.commit_step)
