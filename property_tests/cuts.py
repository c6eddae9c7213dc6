"""Strategies that cut: bytes into pieces, events into batches."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from hypothesis import strategies as st

__all__ = ["batches_of", "pieces_of"]

E = TypeVar("E")


@st.composite
def pieces_of(draw: st.DrawFn, whole: bytes, most: int = 4) -> list[bytes]:
    """`whole` cut at random places into pieces that are not empty."""
    cuts = sorted(draw(st.lists(st.integers(1, max(1, len(whole) - 1)), max_size=most, unique=True)))
    return [piece for start, end in zip([0, *cuts], [*cuts, len(whole)], strict=True) if (piece := whole[start:end])]


@st.composite
def batches_of(draw: st.DrawFn, events: Sequence[E]) -> list[Sequence[E]]:
    """`events` cut at random places; some batches are empty."""
    cuts = sorted(draw(st.lists(st.integers(0, len(events)), max_size=6)))
    return [events[start:end] for start, end in zip([0, *cuts], [*cuts, len(events)], strict=True)]
