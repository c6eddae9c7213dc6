"""An agent that is known by the name of its program."""

from agentsight_rx.llm import Agent

__all__ = ["PARROT_CLI"]

PARROT_CLI = Agent(id="parrot-cli", title="Parrot CLI", names=("parrot-cli",), capture="agentsight-rx record -- parrot-cli")
