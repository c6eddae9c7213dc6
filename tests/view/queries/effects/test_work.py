"""Calls by the prompt, the commit and the branch that they were for."""

from __future__ import annotations

import pytest

from agentsight_rx.store.rows.kind import put
from agentsight_rx.store.rows.kinds import CallRow, ProcessRow
from agentsight_rx.store.state import MemoryStore
from agentsight_rx.view.queries.effects.work import of_git, prompted
from agentsight_rx.view.queries.selection import Selection


def call(at: int, *, prompt: str = "", session: str = "s", aside: str = "", turn: int = 1) -> CallRow:
    return CallRow(str(at), at, session_id=session, prompt=prompt, aside=aside, turn=turn)


def ran(at: int, *argv: str, code: int = 0, session: str = "s") -> ProcessRow:
    return ProcessRow(
        f"p{at}", at, start_timestamp_ms=at, end_timestamp_ms=at + 1, argv=argv, exit_code=code, session_id=session
    )


def git(*rows: ProcessRow, what: str, at: int) -> str:
    store = MemoryStore()
    store.commit(list(map(put, rows)))
    return of_git(store, Selection(), what)(call(at))


def test_a_call_belongs_to_the_newest_prompt_of_its_session() -> None:
    group = prompted()
    assert group(call(1)) == "before the first prompt"
    assert group(call(2, prompt="fix  it\nnow", turn=2)) == "turn 2: fix it now"
    assert group(call(3, session="other")) == "before the first prompt"
    assert group(call(4, prompt="a title", aside="title")) == "turn 2: fix it now"
    assert group(call(5, prompt="x" * 100, turn=5)).endswith("…")


def test_a_call_belongs_to_the_next_commit_that_succeeded() -> None:
    rows = (
        ran(10, "git", "commit", "-m", "One\n\nWhy"),
        ran(20, "git", "-C", "/work", "commit", "--message=Two"),
        ran(30, "git", "commit", "-am", "Refused", code=1),
        ran(40, "/usr/bin/git", "commit"),
        ran(45, "git", "commit", "--dry-run", "-m", "No"),
        ran(46, "make", "commit", "-m", "No"),
        ran(47, "git", "commit", "-m", "Elsewhere", session="other"),
    )
    found = [git(*rows, what="commit", at=at) for at in (5, 11, 15, 25, 44)]
    assert found == ["One", "Two", "Two", "a commit by process 40", "since the last commit"]
    assert git(what="commit", at=1) == "no commit was seen"


@pytest.mark.parametrize(
    ("argv", "branch"),
    [
        (("git", "switch", "-c", "topic"), "topic"),
        (("git", "checkout", "-b", "topic", "origin/main"), "topic"),
        (("git", "checkout", "main"), "main"),
        (("git", "checkout", "main", "file.py"), ""),
        (("git", "checkout", "--", "file.py"), ""),
        (("git", "status"), ""),
        (("git",), ""),
        ((), ""),
    ],
)
def test_a_call_belongs_to_the_branch_that_was_chosen_last(argv: tuple[str, ...], branch: str) -> None:
    assert git(ran(10, *argv), what="branch", at=20) == branch
    assert git(ran(10, *argv), what="branch", at=5) == ""
