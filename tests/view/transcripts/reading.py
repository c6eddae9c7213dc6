"""The kinds of session files, and what is read of each."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeAlias

from agentsight_rx.llm.agents.session_files import parser_for
from agentsight_rx.policy.redaction.redactor import Redactor
from agentsight_rx.view.transcripts import Transcript, of_file
from tests.view.transcripts.other_samples import OTHERS
from tests.view.transcripts.samples import CLAUDE, CODEX, GEMINI, GEMINI_LINES, OPENCODE_LINES

__all__ = ["KINDS", "NAMES", "REDACTOR", "Kind", "claude", "codex", "gemini_json", "gemini_lines", "opencode", "read"]

Kind: TypeAlias = tuple[str, str]  # agent, suffix of the file

claude, codex = ("claude", ".jsonl"), ("codex", ".jsonl")
gemini_json, gemini_lines = ("gemini", ".json"), ("gemini", ".jsonl")
opencode = ("opencode", ".jsonl")  # the values of a session, a line each

KINDS: list[tuple[Kind, bytes]] = [
    (claude, CLAUDE),
    (codex, CODEX),
    (gemini_json, GEMINI),
    (gemini_lines, GEMINI_LINES),
    (opencode, OPENCODE_LINES),
    *(((agent, ".json" if path.endswith(".json") else ".jsonl"), content) for (agent, path), content in OTHERS.items()),
]
NAMES = [f"{agent}{suffix}" for (agent, suffix), _ in KINDS]
REDACTOR = Redactor(b"k" * 32)


def read(kind: Kind, chunks: bytes | Iterable[bytes], name: str = "file") -> Transcript:
    agent, suffix = kind
    parser = parser_for(agent, f"{name}/{name}/{'main' if agent == 'kimi' else name}/{name}{suffix}")
    assert parser is not None
    whole = [chunks] if isinstance(chunks, bytes) else chunks
    return of_file(parser, whole, is_whole=suffix == ".json", redactor=REDACTOR)
