"""The context of an agent, now and as it was."""

from __future__ import annotations

import pytest

from tests.view.queries.context_story import begun, compacted, context_of, words


def test_a_file_that_is_named_later_was_not_named_then() -> None:
    agent = begun()
    agent.ask("And book.py once more.")
    agent.said("Go on.").ask("Done. " + words(9, 1))
    found = context_of(agent)
    assert [found.at(turn).mentioned("/work/src/ledger/book.py") for turn in (1, 3, 4, 5)] == [0, 2, 2, 4]
    assert found.at(5) is found
    assert found.at(99) is found
    with pytest.raises(KeyError, match="turn 0"):
        found.at(0)


def test_a_price_is_known_of_all_requests_or_of_none() -> None:
    agent = begun()
    agent.ask("Done.")
    assert context_of(agent).is_priced
    agent.model = "nobody-knows-1"
    agent.said("More.").ask("Done.")
    found = context_of(agent)
    assert (found.is_priced, found.at(4).is_priced) == (False, True)


def test_what_a_compaction_dropped_has_a_size() -> None:
    found = context_of(compacted(words(200, 8)))
    fall = found.turns[7].compaction
    assert fall is not None
    assert fall.tokens == sum(each.tokens for each in fall.dropped) > 2000
    assert found.held is found.thread.held
