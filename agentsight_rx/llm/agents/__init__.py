"""
The agents themselves: how a process is known as one, and what they say of themselves to a model.

`registry` says how a process is known as an agent, `programs` which program a command runs. `said` and `answers` know the texts
and the exit codes of agents and their tools.
"""

from .known import AGENTS, Agent
from .registry import add_agent, agent_named, agent_of, set_own_agents

__all__ = ["AGENTS", "Agent", "add_agent", "agent_named", "agent_of", "set_own_agents"]
