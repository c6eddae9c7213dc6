"""What the collected tests need is installed before the first one; then there is no network but loopback."""

from __future__ import annotations

import sys
from typing import Any

import pytest

from tests.agents.agent import Agent
from tests.agents.agents import agent_named
from tests.agents.install import install
from tests.agents.network import leave_the_network


@pytest.fixture(scope="session", autouse=True)
def alone(request: pytest.FixtureRequest) -> None:
    needs = dict.fromkeys(part for item in request.session.items for part in _needs(item))
    install(list(needs), say=lambda text: print(text, file=sys.stderr))
    leave_the_network()


def _needs(item: pytest.Item) -> tuple[str, ...]:
    """Each test has an agent, or the name of one, or its file says what it needs."""
    params: dict[str, Any] = getattr(getattr(item, "callspec", None), "params", {})
    agent: Agent | None = params.get("agent") or (agent_named(params["name"]) if "name" in params else None)
    return agent.needs if agent else getattr(getattr(item, "module", None), "NEEDS", ())
