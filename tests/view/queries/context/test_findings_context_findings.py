"""What a session need not have paid: servers never called, files not mentioned again, the same twice, lost caches."""

from __future__ import annotations

from agentsight_rx.view.queries.context.findings import avoidable
from agentsight_rx.view.queries.context.words import sentence_of
from tests.view.queries.context_story import begun, context_of, is_true, words


def test_what_was_never_used_is_named_with_its_cost() -> None:
    agent = begun()
    for at in range(55):
        agent.turn("Tool2", {"command": f"step {at}"}, words(30, 30 + at), "Next.")
    agent.said("once more").turn("Tool1", {"file_path": "/work/src/ledger/post.py"}, words(500, 11), "Done with it.")
    agent.ask("Done.")
    found = context_of(agent)
    is_true(agent, found)
    by_kind = {each.kind: each for each in avoidable(found, {"Tool1", "Tool2", "mcp__ledger__tool0"})}
    assert by_kind["uncalled"].what == ("weather",)
    assert by_kind["unmentioned"].what == ("/work/src/ledger/book.py",)
    assert by_kind["twice"].what == ("/work/src/ledger/post.py",)
    assert {"uncalled": "tools", "unmentioned": "file", "twice": "file"} == {
        kind: each.origin for kind, each in by_kind.items()
    }
    assert all(each.usd is not None and each.usd > 0 for each in by_kind.values())
    assert sentence_of(found, found.turns[-1], list(by_kind.values())) == (
        "At turn 60, 900 of 8.0 k are files read before turn 10 and never mentioned again."
    )


def test_a_short_session_has_nothing_to_save() -> None:
    agent = begun()
    agent.ask("Done.")
    found = avoidable(context_of(agent), {"mcp__ledger__tool0", "mcp__weather__tool1"})
    assert found == []


def test_lost_caches_are_one_finding() -> None:
    agent = begun()
    for _ in range(2):
        agent.wait(400)
        agent.said("More.").ask("Done.")
    (found,) = [each for each in avoidable(context_of(agent), set()) if each.kind == "lost"]
    assert (found.what, found.turns) == (("idle",), (4, 5))
