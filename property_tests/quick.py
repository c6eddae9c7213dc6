"""Properties -> the same properties with fewer examples, where pytest runs without --all."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TypeVar

import pytest
from hypothesis import settings

__all__ = ["fewer", "share_of", "with_fewer_examples"]

T = TypeVar("T")

_USUAL = 100  # examples of a property that names no number; conftest.py says how many it has without --all
_LEAST = 5
_SETTINGS = (
    "_hypothesis_internal_use_settings"  # where hypothesis keeps the settings of a decorated test; it has no public place
)


def fewer(examples: int, /) -> int:
    """`examples`, or without --all its share."""
    return max(min(examples, _LEAST), examples * min(settings().max_examples, _USUAL) // _USUAL)


def share_of(values: Sequence[T], /) -> Sequence[T]:
    """All of them, or without --all its share, evenly spread."""
    return values[:: max(1, len(values) // fewer(len(values)))] if values else values


def with_fewer_examples(items: Iterable[pytest.Item]) -> None:
    for item in items:
        test = getattr(item, "function", None)
        own: settings | None = getattr(test, _SETTINGS, None)
        if own is not None and own.max_examples > settings().max_examples:
            setattr(test, _SETTINGS, settings(own, max_examples=fewer(own.max_examples)))
