"""
The tokens of calls: what an answer counted, the same counts as the fields of a row, and sums of both.

A new kind of count is a field of `Usage` and of `Counts`; sums, differences, rows and reports then have it.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from operator import attrgetter
from typing import Any, Self

from msgspec import Struct
from msgspec.structs import astuple


class Usage(Struct, frozen=True, gc=False):
    """
    Tokens of one call, or of many. `input` excludes the tokens that came from a cache (`cache_read`) or went to it
    (`cache_creation`, of which `cache_creation_1h` are kept for an hour); `output` includes the tokens of reasoning.
    """

    input: int = 0
    output: int = 0
    cache_creation: int = 0
    cache_read: int = 0
    reasoning: int = 0
    cache_creation_1h: int = 0

    @property
    def cached(self) -> int:
        """Read from a cache or written to it."""
        return self.cache_creation + self.cache_read

    @property
    def asked(self) -> int:
        """All that was sent, cached or not."""
        return self.input + self.cached

    @property
    def total(self) -> int:
        return self.asked + self.output

    def __add__(self, other: Usage, /) -> Self:
        return self._with(other, int.__add__)

    def __sub__(self, other: Usage, /) -> Self:
        return self._with(other, int.__sub__)

    def without(self, other: Usage, /) -> Self:
        """The difference, of each count at least nothing: `other` may have been counted elsewhere."""
        return self._with(other, lambda mine, theirs: max(0, mine - theirs))

    def largest(self, other: Usage, /) -> Self:
        """The larger one of each count: the counts of a call grow while it is streamed."""
        return self._with(other, max)

    def _with(self, other: Usage, made: Callable[[int, int], int]) -> Self:
        return type(self)(*map(made, astuple(self), astuple(other)))


class Counts(Struct, frozen=True, gc=False, kw_only=True, omit_defaults=True):
    """The counts of a `Usage` as fields of a row, each with `_tokens` behind its name, and their total."""

    input_tokens: int = 0
    output_tokens: int = 0
    cache_creation_tokens: int = 0
    cache_read_tokens: int = 0
    reasoning_tokens: int = 0
    cache_creation_1h_tokens: int = 0
    total_tokens: int = 0

    @property
    def usage(self) -> Usage:
        return Usage(*_counts(self))

    @property
    def cached_tokens(self) -> int:
        return self.cache_creation_tokens + self.cache_read_tokens

    @property
    def asked_tokens(self) -> int:
        """All that was sent, cached or not."""
        return self.input_tokens + self.cache_creation_tokens + self.cache_read_tokens


def counts_of(usage: Usage, /) -> dict[str, Any]:
    """The fields of a `Counts`, by name; the values are int, and Any lets them stand beside other fields of a row."""
    fields: dict[str, Any] = dict(zip(_names(type(usage)), astuple(usage), strict=True))
    fields["total_tokens"] = usage.total
    return fields


@cache
def _names(kind: type[Usage]) -> tuple[str, ...]:
    return tuple(f"{name}_tokens" for name in kind.__struct_fields__)


_counts: Callable[[Counts], tuple[int, ...]] = attrgetter(*_names(Usage))
