"""Strategies that cut: bytes into pieces; events into batches, as the shared test of operators does."""

from __future__ import annotations

from hypothesis import strategies as st

from agentsight_rx.runtime.testing.operators.driven import batches_of

__all__ = ["batches_of", "pieces_of"]


@st.composite
def pieces_of(draw: st.DrawFn, whole: bytes, most: int = 4) -> list[bytes]:
    """`whole` cut at random places into pieces that are not empty."""
    cuts = sorted(draw(st.lists(st.integers(1, max(1, len(whole) - 1)), max_size=most, unique=True)))
    return [piece for start, end in zip([0, *cuts], [*cuts, len(whole)], strict=True) if (piece := whole[start:end])]
