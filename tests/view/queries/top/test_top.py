"""Rows of top: their order, which are meant, and what they do most."""

from __future__ import annotations

from typing import Any

import pytest

from agentsight_rx.view.queries.top.top import Activity, Sort, TopRow, activity, leading, meant, sorted_rows, state_of


def row(session: str, **more: Any) -> TopRow:
    given: dict[str, Any] = {"agent": "claude", "state": "live", "evidence": ("/proc",), **more}
    return TopRow(session=session, **given)


ROWS = [
    row("a", cpu_percent=1.0, tokens=5, cost_usd=0.1, failures=2, agent="codex"),
    row("b", cpu_percent=90.0, rss_mb=10, execs=3, network=1),
    row("c", rss_mb=900, tokens=0, files=7, agent="aider"),
]


@pytest.mark.parametrize(
    ("sort", "order"),
    [
        ("cpu", "bac"), ("rss", "cba"), ("tokens", "acb"), ("cost", "abc"), ("execs", "bac"), ("fail", "abc"), ("files", "cba"),
        ("net", "bac"), ("agent", "cba"),
    ],
)  # fmt: skip
def test_the_largest_is_first_and_what_is_not_known_last(sort: Sort, order: str) -> None:
    assert "".join(each.session for each in sorted_rows(ROWS, sort)) == order
    assert "".join(each.session for each in sorted_rows(reversed(ROWS), sort)) == order


def test_of_equal_ones_those_that_run_are_first_then_the_newest() -> None:
    rows = [row("old", state="history", last_message_ms=5), row("new", state="history", last_message_ms=9), row("runs")]
    assert [each.session for each in sorted_rows(rows, "tokens")] == ["runs", "new", "old"]


def test_rows_are_meant_by_process_or_name() -> None:
    rows = [row("a", pid=7), row("b", agent="claude-code", pid=8), row("c", agent="codex")]
    assert [each.session for each in meant(rows, name="claude")] == ["a", "b"]
    assert [each.session for each in meant(rows, pid=8)] == ["b"]
    assert meant(rows, pid=8, name="codex") == []


@pytest.mark.parametrize(
    ("runs", "failures", "saved", "state"),
    [(True, 3, True, "live"), (False, 3, True, "failed"), (False, 0, True, "saved"), (False, None, False, "history")],
)
def test_only_one_that_is_over_has_failed(runs: bool, failures: int | None, saved: bool, state: str) -> None:
    assert state_of(runs=runs, failures=failures, saved=saved) == state


def test_activity_is_the_sum_of_all_rows() -> None:
    rows = [
        row("a", breakdown={"tools": {"Bash": 2, "Edit": 1}, "models": {"m": 5}}),
        row("b", breakdown={"tools": {"Edit": 4}}),
    ]
    assert activity(rows, "tools") == [Activity("tools", (("Edit", 5), ("Bash", 2)))]
    assert [each.view for each in activity(rows)] == ["models", "tools"]
    assert [each.view for each in activity(rows, "models")] == ["models", "tools"]
    assert activity(rows, "network") == []


def test_a_breakdown_has_the_ten_largest() -> None:
    assert list(leading({str(n): n for n in range(30)})) == [str(n) for n in range(29, 19, -1)]
