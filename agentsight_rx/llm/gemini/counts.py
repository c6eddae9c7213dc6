"""`usageMetadata` of Google's Gemini API -> Usage."""

from __future__ import annotations

from msgspec import Raw, Struct, field

from ...events import Usage
from ..decode import Count
from ..lenient import Fields
from ..reader import Draft
from ..usage import counted
from ..usage import take_usage as usage_of_event

__all__ = ["take_usage"]


class _Usage(Struct, rename="camel"):
    prompt_token_count: Count | None = None
    candidates_token_count: Count | None = None
    response_token_count: Count | None = None  # of the Live API
    thoughts_token_count: Count | None = None
    tool_use_prompt_token_count: Count | None = None
    cached_content_token_count: Count | None = None
    snake_prompt: Count | None = field(default=None, name="prompt_token_count")
    snake_candidates: Count | None = field(default=None, name="candidates_token_count")
    snake_thoughts: Count | None = field(default=None, name="thoughts_token_count")
    snake_tools: Count | None = field(default=None, name="tool_use_prompt_token_count")
    snake_cached: Count | None = field(default=None, name="cached_content_token_count")

    def normal(self) -> Usage | None:
        """`promptTokenCount` includes the cached ones, `candidatesTokenCount` does not include the thoughts."""
        prompt = _first(self.prompt_token_count, self.snake_prompt)
        said = _first(self.candidates_token_count, _first(self.response_token_count, self.snake_candidates))
        thoughts = _first(self.thoughts_token_count, self.snake_thoughts)
        if prompt is None and said is None and thoughts is None:
            return None
        tools = _first(self.tool_use_prompt_token_count, self.snake_tools) or 0
        cached = _first(self.cached_content_token_count, self.snake_cached) or 0
        return counted((prompt or 0) + tools, (said or 0) + (thoughts or 0), read=cached, reasoning=thoughts or 0)


_USAGE = Fields(_Usage)


def take_usage(draft: Draft, usage: Raw, /) -> None:
    """Take the counts of a chunk: counts that it leaves out stay as they were."""
    usage_of_event(draft, usage, _USAGE, _Usage.normal, name="usageMetadata")


def _first(first: int | None, second: int | None) -> int | None:
    return second if first is None else first
