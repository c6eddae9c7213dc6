"""What a session did again, and what that cost."""

from __future__ import annotations

from agentsight_rx.view.queries.calls.costs import PricedCall
from agentsight_rx.view.queries.context.falls import Falls
from agentsight_rx.view.queries.sessions.findings import find


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
