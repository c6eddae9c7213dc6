"""The first screen has the reason of a lost cache, and what costs a tenth and could be saved."""

from __future__ import annotations

from agentsight_rx.llm.prices import Prices
from agentsight_rx.view.queries.calls.call import read_calls
from agentsight_rx.view.queries.context.falls import Falls
from agentsight_rx.view.queries.context.reading import read_contexts
from agentsight_rx.view.queries.explained import explained
from agentsight_rx.view.queries.selection import Selection
from agentsight_rx.view.queries.sessions.findings import Finding, find
from tests.view.page.story import stored
from tests.view.queries.context_story import PRICES, SESSION, Agent, begun, words


def read(agent: Agent, prices: Prices = PRICES) -> tuple[list[Finding], str]:
    store = stored(agent.events)
    calls = list(read_calls(store, Selection(), prices))
    called = {"mcp__ledger__tool0", "mcp__weather__tool0"}
    falls, dearest = explained(calls, called, lambda: read_contexts(store, SESSION, prices))
    return [each for each in find(calls, [], falls) if each.kind == "uncached"], dearest.kind if dearest else ""


def lost() -> Agent:
    agent = begun()
    agent.said(words(9000, 50)).turn("Tool2", {"command": "ls"}, "out")
    agent.wait(400)
    agent.ask("Done.")
    return agent


def test_a_lost_cache_has_its_reason_and_its_price() -> None:
    (finding,), dearest = read(lost())
    assert finding.what == "idle 6 min, the cache had expired after 5"
    assert finding.cost_usd is not None
    assert dearest == "lost"


def test_without_a_price_nothing_could_be_saved() -> None:
    agent = lost()
    agent.model = "nobody-knows-1"
    agent.ask("More.")
    findings, dearest = read(agent)
    assert [each.what for each in findings][:1] == ["idle 6 min, the cache had expired after 5"]
    assert dearest in ("", "lost")


def test_a_session_without_losses_has_no_sentence() -> None:
    agent = begun()
    agent.ask("Done.")
    assert read(agent) == ([], "")
    assert explained([], (), None) == (Falls({}, frozenset()), None)
