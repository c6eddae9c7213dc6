"""
The files that agents keep of their sessions -> SessionEntry events: a parser an agent, of what `fields` makes of any value.

`parser` is what all of them have in common.
"""

from __future__ import annotations

from typing import Any

from .claude import ClaudeCode
from .codex import Codex
from .gemini import GeminiCli
from .parser import Parser

__all__ = ["PARSERS", "Parser", "parser_for"]

# (agent, suffix of the file) -> its parser
PARSERS: dict[tuple[str, str], type[Parser[Any]]] = {
    ("claude", ".jsonl"): ClaudeCode,
    ("codex", ".jsonl"): Codex,
    ("gemini", ".json"): GeminiCli,
    ("gemini", ".jsonl"): GeminiCli,
}


def parser_for(agent: str, path: str, /) -> Parser[Any] | None:
    """The parser of a session file of an agent; None: there is none."""
    name = path.rpartition("/")[2]
    stem, dot, suffix = name.rpartition(".")
    made = PARSERS.get((agent, f"{dot}{suffix}"))
    return None if made is None else made(stem)
