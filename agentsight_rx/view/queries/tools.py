"""Store, selection -> the tools that models asked for."""

from __future__ import annotations

from collections.abc import Iterator

from ...store.rows.kinds import ToolRow
from ...store.rows.tables import TOOLS
from ...store.rows.tool_outcome import has_failed
from ...store.state import Store
from .reading import selected
from .selection import Selection

__all__ = ["read_tools", "tools_of"]


def read_tools(store: Store, selection: Selection, /, *, failed: bool = False, name: str | None = None) -> Iterator[ToolRow]:
    """The tools, oldest first: all, or the failed ones, or the ones of a name."""
    return selected(
        store, TOOLS, selection, where=lambda row: (not failed or has_failed(row)) and (name is None or row.tool_name == name)
    )


def tools_of(store: Store, call: str, /) -> tuple[ToolRow, ...]:
    """The tools that a call asked for, whose ids begin with its own."""
    begin = f"tool-{call}-"
    return tuple(row for _, row in store.scan(TOOLS, start=begin, stop=begin[:-1] + "."))
