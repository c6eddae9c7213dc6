"""
The files that agents keep of their sessions -> SessionEntry events: a parser an agent, of what `fields` makes of any value.

`parser` is what all of them have in common.
"""

from __future__ import annotations

from typing import Any

from ..known import Agent
from ..registry import all_agents
from .by_event import OWN, Copilot, Kimi, Own, Vibe
from .by_form import Amp, Cline, Crush, Droid, Goose, Gptme, Mini, Pi, Qwen
from .claude import ClaudeCode
from .codex import Codex
from .gemini import GeminiCli
from .opencode import Opencode
from .parser import Parser, Tables

__all__ = ["PARSERS", "Parser", "Tables", "add_parser", "parser_for", "read_agents"]

# A parser an agent; which files are the agent's sessions says the table of agents
_OURS = (
    ClaudeCode,
    Codex,
    GeminiCli,
    Opencode,
    Pi,
    Copilot,
    Vibe,
    Qwen,
    Kimi,
    Cline,
    Gptme,
    Mini,
    Droid,
    Amp,
    Goose,
    Crush,
    Own,
)
PARSERS: dict[str, type[Parser[Any]]] = {made.agent: made for made in _OURS}


def parser_for(agent: str, path: str, /) -> Parser[Any] | None:
    """The parser of a session file of an agent; None: there is none."""
    made = PARSERS.get(agent)
    return None if made is None else made.of(path)


def add_parser(made: type[Parser[Any]], /) -> None:
    """Read the session files of an agent of another package from here on."""
    PARSERS[made.agent] = made


def read_agents() -> list[Agent]:
    """The agents whose session files are read."""
    return [each for each in (*all_agents(), OWN) if each.id in PARSERS and each.session_files]
