"""The five kinds of session files, and what is read of each."""

from __future__ import annotations

from collections.abc import Iterable

from agentsight_rx.policy.redaction.redactor import Redactor
from agentsight_rx.view.transcripts import Parser, Transcript
from agentsight_rx.view.transcripts.claude import claude
from agentsight_rx.view.transcripts.codex import codex
from agentsight_rx.view.transcripts.gemini import gemini_json, gemini_lines
from agentsight_rx.view.transcripts.opencode import opencode
from tests.view.transcripts.samples import CLAUDE, CODEX, GEMINI, GEMINI_LINES, OPENCODE_LINES

__all__ = ["KINDS", "REDACTOR", "read"]

KINDS: list[tuple[Parser, bytes]] = [
    (claude, CLAUDE),
    (codex, CODEX),
    (gemini_json, GEMINI),
    (gemini_lines, GEMINI_LINES),
    (opencode, OPENCODE_LINES),
]
REDACTOR = Redactor(b"k" * 32)


def read(parser: Parser, chunks: bytes | Iterable[bytes], name: str = "file") -> Transcript:
    return parser([chunks] if isinstance(chunks, bytes) else chunks, name=name, redactor=REDACTOR)
