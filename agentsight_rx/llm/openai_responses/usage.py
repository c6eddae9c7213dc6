"""`usage` of the Responses and Realtime APIs -> Usage."""

from __future__ import annotations

from msgspec import Raw, Struct

from ...events import Usage
from ..decode import Count
from ..lenient import Fields
from ..reader import Draft
from ..usage import counted, take_usage

__all__ = ["take_response_usage"]


class _Details(Struct):
    cached_tokens: Count | None = None
    cache_write_tokens: Count | None = None
    reasoning_tokens: Count | None = None


class _Usage(Struct):
    input_tokens: Count | None = None
    output_tokens: Count | None = None
    input_tokens_details: _Details | None = None
    output_tokens_details: _Details | None = None

    input_token_details: _Details | None = None  # of the Realtime API
    output_token_details: _Details | None = None


def _normal(usage: _Usage) -> Usage | None:
    """`input_tokens` includes what came from a cache and went to it, `output_tokens` includes the reasoning."""
    if usage.input_tokens is None and usage.output_tokens is None:
        return None
    into = usage.input_tokens_details or usage.input_token_details or _Details()
    out = usage.output_tokens_details or usage.output_token_details or _Details()
    created, read = into.cache_write_tokens or 0, into.cached_tokens or 0
    reasoning = out.reasoning_tokens or 0
    return counted(usage.input_tokens or 0, usage.output_tokens or 0, read=read, written=created, reasoning=reasoning)


_USAGE = Fields(_Usage)


def take_response_usage(draft: Draft, raw: Raw, /) -> None:
    """The counts of a response."""
    take_usage(draft, raw, _USAGE, _normal)
