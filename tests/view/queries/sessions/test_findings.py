"""What a session did again, and what that cost."""

from __future__ import annotations

import pytest

from agentsight_rx.view.queries.calls.costs import PricedCall
from agentsight_rx.view.queries.context.falls import Falls
from agentsight_rx.view.queries.sessions.findings import Finding, find, finding_words


def test_retries_cost_what_the_failed_requests_cost() -> None:
    """Twice the request failed: once without an answer, once within it. The third answer is what was wanted."""
    failed = (
        PricedCall("a", 1, status="error"),
        PricedCall("b", 2, status="partial", repeat=1, repeat_of="a", retry=True, cost_usd=0.01),
    )
    calls = [*failed, PricedCall("c", 3, repeat=2, repeat_of="a", retry=True, cost_usd=0.04)]
    (found,) = [each for each in find(calls, [], Falls()) if each.kind == "retried"]
    assert (2, 0.01) == (found.amount, found.cost_usd)
    (alone,) = [each for each in find([failed[0], calls[2]], [], Falls()) if each.kind == "retried"]
    assert alone.cost_usd is None, "an answer that did not come has no price"


def test_tries_of_one_request_name_their_turn_once_and_no_turn_is_left_out() -> None:
    calls = [
        PricedCall(f"{turn}-{at}", 10 * turn + at, turn=turn, status="error", error_type="http_529", retry=at > 0)
        for turn in range(1, 41)
        for at in range(3)
    ]
    found = {each.kind: (each.turns, each.amount) for each in find(calls, [], Falls())}
    assert {"failed": (tuple(range(1, 41)), 120), "retried": (tuple(range(1, 41)), 80)} == found


@pytest.mark.parametrize(
    ("finding", "said"),
    [
        (
            Finding("loop", (2,), 3, what='Bash {"command": "make"}'),
            ("Same command, same result", "three times, nothing else in between", "make"),
        ),
        (Finding("repeated", (2,), 1), ("Same request sent again", "1 request unchanged", "")),
        (Finding("retried", (2,), 2), ("Retries", "2 retries after a failure", "")),
        (Finding("failed", (2,), 2, what="http_529"), ("The model did not answer", "2 calls failed", "HTTP 529")),
        (Finding("limit", (2,), 1), ("Ended at a limit", "1 answer ended at the limit of tokens", "")),
        (Finding("uncached", (2,), 4000), ("Cache lost", "4.0 k tokens were paid again", "")),
        (
            Finding("uncached", (2,), 4000, what="another model"),
            ("Cache lost", "another model, 4.0 k tokens were paid again", ""),
        ),
        (Finding("growth", (2, 9), 4000), ("Context grows", "4.0 k tokens a turn", "")),
    ],
)
def test_every_view_has_the_same_words_for_a_finding(finding: Finding, said: tuple[str, str, str]) -> None:
    found = finding_words(finding)
    assert said == (found.title, found.text, found.code)
