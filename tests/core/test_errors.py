"""What errors say."""

from __future__ import annotations

import pytest

from agentsight_rx.errors import GraphError


@pytest.mark.parametrize(
    ("operator", "event", "said"),
    [
        ("map", "HttpRequest", "the graph ended by an error in map, given HttpRequest: KeyError: 'url'"),
        ("map", "", "the graph ended by an error in map: KeyError: 'url'"),
        ("", "", "the graph ended by an error in an operator: KeyError: 'url'"),
    ],
)
def test_a_graph_error_says_what_is_known(operator: str, event: str, said: str) -> None:
    cause = KeyError("url")
    error = GraphError(operator, event, cause)
    assert (str(error), error.__cause__, error.exit_status) == (said, cause, 1)
