"""The body of an answer, as the fake server sent it -> the tokens that it says, in normal form."""

from __future__ import annotations

import re
from dataclasses import dataclass

__all__ = ["ANTHROPIC", "CONVERSE", "GEMINI", "OLLAMA", "OPENAI", "RESPONSES", "TOKENS", "Counts"]

TOKENS = ("input_tokens", "output_tokens", "cache_creation_tokens", "cache_read_tokens")  # of a row


@dataclass(frozen=True)
class Counts:
    """The names of an API for TOKENS, empty where it has none; `inclusive`: those of the input include what was cached."""

    asked: str
    answered: str
    written: str = ""
    read: str = ""
    inclusive: bool = False

    def of(self, body: bytes) -> list[int]:
        """The last of each, in the order of TOKENS: 0 where it is not said."""
        asked, answered, written, read = (_last(name, body) for name in (self.asked, self.answered, self.written, self.read))
        return [asked - read if self.inclusive else asked, answered, written, read]


def _last(name: str, body: bytes) -> int:
    found = re.findall(rb'"%b": ?(\d+)' % name.encode(), body) if name else []
    return int(found[-1]) if found else 0


ANTHROPIC = Counts("input_tokens", "output_tokens", "cache_creation_input_tokens", "cache_read_input_tokens")
OPENAI = Counts("prompt_tokens", "completion_tokens", read="cached_tokens", inclusive=True)
RESPONSES = Counts("input_tokens", "output_tokens", read="cached_tokens", inclusive=True)
GEMINI = Counts("promptTokenCount", "candidatesTokenCount", read="cachedContentTokenCount", inclusive=True)
CONVERSE = Counts("inputTokens", "outputTokens", "cacheWriteInputTokens", "cacheReadInputTokens")
OLLAMA = Counts("prompt_eval_count", "eval_count")
