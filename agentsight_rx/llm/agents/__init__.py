"""
The agents themselves: how a process is known as one, what they write down of a session, what of it was captured.

`registry` says how a process is known as an agent. `transcripts` reads the session files that agents write, and `matching`
finds the process of each file. `comparison` finds the differences between a file and the wire.
"""

from .known import AGENTS, Agent
from .registry import add_agent, agent_named, agent_of, set_own_agents

__all__ = ["AGENTS", "Agent", "add_agent", "agent_named", "agent_of", "set_own_agents"]
