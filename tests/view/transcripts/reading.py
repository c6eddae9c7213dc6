"""The five kinds of session files, and what is read of each."""

from __future__ import annotations

from collections.abc import Iterable

from agentsight_rx.policy.redaction.redactor import Redactor
from agentsight_rx.view.transcripts import PARSERS, Parser, Transcript
from tests.view.transcripts.samples import CLAUDE, CODEX, GEMINI, GEMINI_LINES, OPENCODE_LINES

__all__ = ["KINDS", "REDACTOR", "claude", "codex", "gemini_json", "gemini_lines", "opencode", "read"]

claude, codex = PARSERS["claude", ".jsonl"], PARSERS["codex", ".jsonl"]
gemini_json, gemini_lines = PARSERS["gemini", ".json"], PARSERS["gemini", ".jsonl"]
opencode = PARSERS["opencode", ".db"]

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
