"""Events -> a strategy of hypothesis that cuts them into batches."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from hypothesis import strategies as st

__all__ = ["batches_of"]

E = TypeVar("E")


@st.composite
def batches_of(draw: st.DrawFn, events: Sequence[E]) -> list[Sequence[E]]:
    """`events` cut at random places; some batches are empty."""
    cuts = sorted(draw(st.lists(st.integers(0, len(events)), max_size=6)))
    return [events[start:end] for start, end in zip([0, *cuts], [*cuts, len(events)], strict=True)]
