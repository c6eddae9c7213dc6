"""What to read next, behind a report."""

from __future__ import annotations

import pytest

from agentsight_rx.cli.report.shown.ask import next_said, report_called
from agentsight_rx.cli.report.shown.screen import Whole


@pytest.mark.parametrize(
    ("db", "said"),
    [
        ("a.lmdb", "next: {0} context 3 --db a.lmdb · {0} diff 2 3 --db a.lmdb"),
        ("x" * 100, f"next: {{0}} context 3 --db {'x' * 100} (also diff 2 3)"),  # a long path stands once
    ],
)
def test_a_long_path_stands_once(db: str, said: str) -> None:
    called = report_called("")
    assert Whole(said.format(called)) == next_said(["context 3", "diff 2 3"], lambda name: f"{report_called(name)} --db {db}")
