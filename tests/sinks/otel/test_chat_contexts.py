"""Spans have the same sums of a context as the reports of the recording."""

from __future__ import annotations

from collections import Counter

import pytest
from msgspec.structs import replace

from agentsight_rx.events import HttpRequest
from agentsight_rx.sinks.otel import chat as contexts
from agentsight_rx.sinks.otel.chat import Contexts
from agentsight_rx.sinks.otel.spans import Planned
from agentsight_rx.sinks.otel.tree import Call, Tree
from agentsight_rx.view import CallRow
from agentsight_rx.view.queries.context.reading import read_contexts
from tests.sinks.otel.recordings import items
from tests.view.page.story import stored
from tests.view.queries.context_story import PRICES, RULES, SESSION, Agent, begun, words

PREFIX, SUFFIX = "agentsight.context.", ".tokens"


def spans_of(agent: Agent) -> tuple[list[Planned], Planned]:
    """The spans of the calls in order, and that of the agent."""
    tree = Tree(capture_content=False)
    found = [each for item in items(agent.events) for each in tree.add(item)] + tree.close()
    spans = [each.span if isinstance(each, Call) else each for each in found]
    calls = sorted((span for span in spans if span.name.startswith("chat")), key=lambda span: span.start_ns)
    (main,) = [span for span in spans if span.name.startswith("invoke_agent")]
    return calls, main


def sums_of(span: Planned) -> dict[str, object]:
    names = {name: name.removeprefix(PREFIX).removesuffix(SUFFIX) for name in span.attributes if name.startswith(PREFIX)}
    return {short: span.attributes[name] for name, short in names.items() if name.endswith(SUFFIX)}


def test_a_call_has_its_tokens_by_origin_and_why_its_cache_was_lost() -> None:
    agent = begun()
    agent.add_tool("mcp__ledger__close")
    agent.turn("Tool2", {"command": "ls"}, words(30, 3), "On.")
    agent.ask("Done.")
    calls, main = spans_of(agent)
    (truth,) = read_contexts(stored(agent.events), SESSION, PRICES)
    assert [sums_of(span) for span in calls] == [turn.sums for turn in truth.turns]
    for span in calls:
        assert sum(sums_of(span).values()) == span.attributes["gen_ai.usage.input_tokens"]  # type: ignore[arg-type]
        assert "agentsight.context.estimated" not in span.attributes
    lost = {span.attributes.get("agentsight.cache.lost.tokens"): at for at, span in enumerate(calls, 1)}
    turn = next(turn for turn in truth.turns if turn.lost is not None)
    assert turn.lost is not None
    assert lost == {None: 5, turn.lost.tokens: turn.turn}
    assert calls[turn.turn - 1].attributes["agentsight.cache.lost.reason"] == "tools"
    whole: Counter[str] = Counter()
    for each in truth.turns:
        whole.update(each.sums)
    assert sums_of(main) == dict(whole)
    assert main.attributes["agentsight.cache.lost.tokens"] == turn.lost.tokens


def test_a_compaction_and_estimates_are_named() -> None:
    agent = begun()
    for at in range(4):
        agent.turn("Tool1", {"file_path": f"/work/src/{at}.py"}, words(600, 20 + at), "More.")
    agent.messages = []
    agent.said(RULES).said("This session is being continued from a previous conversation. " + words(200, 8))
    agent.ask("Going on.")
    calls, _ = spans_of(agent)
    (truth,) = read_contexts(stored(agent.events), SESSION, PRICES)
    fall = truth.turns[-1].compaction
    assert fall is not None
    assert calls[-1].attributes["agentsight.context.dropped.tokens"] == fall.tokens
    agent = Agent()
    agent.counts = False
    agent.said("go").ask("Done.")
    ((call,), _) = spans_of(agent)
    assert call.attributes["agentsight.context.estimated"] is True


def test_what_is_no_part_of_the_conversation_has_no_context() -> None:
    agent = begun()
    request = next(event for event in agent.events if isinstance(event, HttpRequest))
    row = CallRow("c", 1000, 2000, status="complete", session_id="s", call_kind="anthropic")
    found = Contexts()
    assert found.of(row) == {}
    for other in (replace(row, aside="title"), replace(row, twin="other")):
        found.asked("c", request)
        assert found.of(other) == {}
    found.asked("c", request)
    assert found.of(row)


def test_a_context_of_too_many_pieces_is_begun_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    """The provider counts nothing here, so every size is an estimate and the same in both."""
    agent = begun()
    requests = [event for event in agent.events if isinstance(event, HttpRequest)]
    whole, anew = Contexts(), Contexts()
    for at, request in enumerate(requests):
        row = CallRow(f"c{at}", 1000 + at, 2000, status="complete", session_id="s", call_kind="anthropic", turn=at + 1)
        whole.asked(row.id, request)
        anew.asked(row.id, request)
        first = whole.of(row)
        with monkeypatch.context() as patched:
            patched.setattr(contexts, "_PIECES_MOST", 3)
            again = anew.of(row)
        assert first["context_tools"] == again["context_tools"]
        assert again["context_estimated"] is True
