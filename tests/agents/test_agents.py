"""Real agents and clients, each with a TLS stack of its own: every byte of every body that the fake server logged is seen."""

from __future__ import annotations

import pytest

from tests.agents.agent import Agent
from tests.agents.agents import AGENTS
from tests.agents.capture import run_agent

pytestmark = pytest.mark.agents


@pytest.mark.parametrize("agent", AGENTS, ids=lambda agent: agent.name)
def test_every_byte_is_seen(agent: Agent) -> None:
    result = run_agent(agent)
    assert ("", (), ()) == (result.trouble, result.differences, result.incomplete)
    assert result.served == result.seen
