"""Words that several reports use."""

from __future__ import annotations

import pytest

from agentsight_rx.cli.report.shown.words import finding_said, often
from agentsight_rx.view.queries.sessions.findings import Finding


@pytest.mark.parametrize(
    ("finding", "said"),
    [
        (Finding("retried", (4, 5), 3, cost_usd=0.12), "Retries: 3 retries after a failure (turns 4, 5: $0.120)"),
        (Finding("failed", (2,), 1, what="http_529"), "The model did not answer: 1 call failed (turn 2): HTTP 529"),
        (Finding("growth", (2, 9), 4000), "Context grows: 4.0 k tokens a turn"),
        (Finding("limit", (1, 2, 3, 4, 5, 6, 7), 7), "Ended at a limit: 7 answers ended at the limit of tokens"),
    ],
)
def test_a_finding_is_one_line_with_its_turns_and_its_cost(finding: Finding, said: str) -> None:
    assert finding_said(finding).startswith(said)


def test_what_never_was_is_a_dash() -> None:
    assert ["×3", "×1,204", "–", "–"] == [often(times) for times in (3.0, 1204, 0, None)]
