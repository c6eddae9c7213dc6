"""
The session files that agents write: a parser for each, and the table of all.

`draft` is the common part of all parsers.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from ...policy.redaction.redactor import Redactor
from .claude import claude
from .codex import codex
from .gemini import gemini_json, gemini_lines
from .opencode import OpencodeDatabase, opencode
from .transcript import Transcript, TranscriptCall, TranscriptTool, display_id, together

__all__ = [
    "PARSERS",
    "OpencodeDatabase",
    "Parser",
    "Transcript",
    "TranscriptCall",
    "TranscriptTool",
    "display_id",
    "opencode",
    "parser_of",
    "together",
]


class Parser(Protocol):
    """The bytes of a file -> its content, without secrets. `name`: of the file without its suffix."""

    def __call__(self, chunks: Iterable[bytes], /, *, name: str, redactor: Redactor) -> Transcript: ...


# (agent, suffix) -> parser
PARSERS: dict[tuple[str, str], Parser] = {
    ("claude", ".jsonl"): claude,
    ("codex", ".jsonl"): codex,
    ("gemini", ".json"): gemini_json,
    ("gemini", ".jsonl"): gemini_lines,
    ("opencode", ".db"): opencode,  # the lines of a session in it
}


def parser_of(agent: str, path: str, /) -> Parser | None:
    """The parser of a session file of an agent; None: there is none."""
    name = path.rpartition("/")[2]
    return PARSERS.get((agent, name[name.rfind(".") :])) if "." in name else None
