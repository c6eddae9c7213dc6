"""What a call said that was new, in a few words."""

from __future__ import annotations

import pytest

from agentsight_rx.cli.report.call_words import new_in_call
from agentsight_rx.view import CallRow


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (CallRow("1", 0, prompt="list the files", messages=1), "“list the files”"),
        (CallRow("1", 0, prompt="list them", messages=1, repeat=2), "the same again (3rd time)"),
        (CallRow("1", 0, prompt="list them", messages=1, repeat=1, retry=True), "a retry"),
        (CallRow("1", 0, new_results=2, messages=5), "2 tool results"),
        (CallRow("1", 0, written="Go on.", messages=3), "words of the agent itself: “Go on.”"),
        (CallRow("1", 0, messages=3), "no new message"),
        (CallRow("1", 0, agent_id="a-1", agent_name="explore", prompt="look", messages=1), "sub-agent explore: “look”"),
        (CallRow("1", 0), ""),
    ],
)
def test_what_is_new(call: CallRow, said: str) -> None:
    assert said == new_in_call(call)
