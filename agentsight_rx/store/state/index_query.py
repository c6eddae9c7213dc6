"""A question to an index of a packed table, as each store takes it."""

from __future__ import annotations

from typing import NamedTuple

from .table import Part

__all__ = ["Sought"]


class Sought(NamedTuple):
    """
    The rows that the index `by` finds by `part`, or by their times alone where that is None: at most `limit` of the ones with
    `low` <= entry < `high`, in the order of their entries. An entry is what a row is found by and then its key, in bytes.
    """

    by: str
    part: Part | None
    low: bytes
    high: bytes
    reverse: bool = False
    limit: int | None = None
