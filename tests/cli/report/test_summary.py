"""The first screen: the line of a turn."""

from __future__ import annotations

import pytest

from agentsight_rx.cli.report.shown.screen import Span
from agentsight_rx.cli.report.summary import COLUMNS
from agentsight_rx.store.rows.kinds import ToolRow
from agentsight_rx.view.queries.calls.costs import PricedCall
from agentsight_rx.view.queries.sessions.summary import Turn


@pytest.mark.parametrize(("failed", "said"), [(0, ""), (1, ""), (2, ", 1 failed"), (3, ", 2 failed")])
def test_the_tools_that_are_not_named_do_not_hide_failures(failed: int, said: str) -> None:
    tools = tuple(
        ToolRow(str(at), 1, "c", str(at), "Bash", input='{"command":"pytest"}', status="failed" if at < failed else "completed")
        for at in reversed(range(3))
    )
    cell = COLUMNS[-1].of(Turn(PricedCall("c", 1), tools))
    assert isinstance(cell, Span)
    assert cell.state == ("failed" if failed else "")
    assert cell.text.endswith(f" and 2 more{said}")
