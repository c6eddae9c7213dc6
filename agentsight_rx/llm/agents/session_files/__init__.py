"""
The files that agents keep of their sessions -> SessionEntry events: a parser an agent, of what `fields` makes of any value.

`parser` is what all of them have in common.
"""

from __future__ import annotations

from typing import Any

from .claude import ClaudeCode
from .codex import Codex
from .gemini import GeminiCli
from .opencode import Opencode
from .parser import Parser, Tables

__all__ = ["PARSERS", "Parser", "Tables", "parser_for"]

# A parser an agent; which files are the agent's sessions says the table of agents
PARSERS: dict[str, type[Parser[Any]]] = {made.agent: made for made in (ClaudeCode, Codex, GeminiCli, Opencode)}


def parser_for(agent: str, path: str, /) -> Parser[Any] | None:
    """The parser of a session file of an agent; None: there is none. Behind `#` is the session of a database."""
    made = PARSERS.get(agent)
    if made is None:
        return None
    name = path.rpartition("/")[2]
    return made(name.partition("#")[2] or name.rpartition(".")[0])
