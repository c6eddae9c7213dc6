"""A store, a selection -> what the reports say, as values; from the same queries, with the same words and numbers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from html import escape
from itertools import islice
from typing import Any, Literal, TypeAlias, TypeVar

from msgspec.structs import replace

from ...core.errors import UsageError
from ...llm.prices import Prices
from ...store.state import Store
from ...store.words import cut
from ...view.page.searched import Entry, entries_of, whole_texts
from ...view.queries import Selection
from ...view.queries.calls.tokens import GROUPINGS, Grouping, TokenGroup, read_tokens
from ...view.queries.context.part_tokens import PART_GROUPINGS, PartGroup, PartGrouping, read_parts
from ...view.queries.context.reading import read_contexts
from ...view.queries.context.report import CacheLoss, cache_losses, sessions_meant
from ...view.queries.sessions.gaps import Missing, missing_things
from ...view.queries.sessions.health import Health
from .search_base import Base, Hit
from .search_words import words_of

CostGrouping: TypeAlias = Literal[Grouping, PartGrouping]
T = TypeVar("T")

_AT_ONCE = 200  # texts that are put into the index
_ROWS, _CELL = 50, 80  # rows and characters of a cell that a notebook shows


class Rows(list[T]):
    """A list of Structs, which a notebook shows as a table."""

    def _repr_html_(self) -> str:
        shown: Any = self[:_ROWS]
        names = shown[0].__struct_fields__ if shown else ()
        lines = [names, *([getattr(each, name) for name in names] for each in shown)]
        cells = (f"<tr>{''.join(f'<td>{escape(cut(str(cell), _CELL))}</td>' for cell in line)}</tr>" for line in lines)
        more = f"<p>{len(self) - _ROWS:,} more</p>" if len(self) > _ROWS else ""
        return f"<table>{''.join(cells)}</table>{more}" if shown else "<p>nothing</p>"


def as_html(*texts: str) -> str:
    """A paragraph each."""
    return "".join(f"<p>{escape(text)}</p>" for text in texts if text)


def lost_caches(store: Store, selection: Selection, prices: Prices, /) -> list[CacheLoss]:
    """Of the selected sessions; where nothing is selected, of the newest."""
    sessions = sessions_meant(store, selection)
    return cache_losses(agent for session in sessions for agent in read_contexts(store, session.id, prices))


def costs(store: Store, selection: Selection, prices: Prices, /, by: str) -> Rows[TokenGroup] | Rows[PartGroup]:
    """Raises UsageError for an unknown grouping."""
    part = replace(selection, limit=None)
    if by in PART_GROUPINGS:
        return Rows(read_parts(store, part, prices, by)[: selection.limit])
    if by in GROUPINGS:
        return Rows(read_tokens(store, part, prices, group_by=by)[: selection.limit])
    raise UsageError(f"by={by!r} is unknown; expected one of {', '.join((*GROUPINGS, *PART_GROUPINGS))}")


def losses(found: Health, /) -> list[Missing]:
    """Each thing that is missing, the worst first."""
    return list(missing_things(found.gaps))


def search(store: Store, words: str, /, *, name: str, limit: int) -> list[Hit]:
    """By an index in memory, as the page has one in a file."""
    base, keep, waiting = Base(None, None), set[int](), list[Entry]()
    try:
        for entries in _parts(entries_of(store)):
            waiting += base.put(name, entries, keep)
        for entries in _parts(whole_texts(store, waiting)):
            base.put(name, entries, keep)
        return base.find(words_of(words), {name}, limit=limit)
    finally:
        base.close()


def _parts(entries: Iterable[Entry]) -> Iterator[list[Entry]]:
    each = iter(entries)
    return iter(lambda: list(islice(each, _AT_ONCE)), [])
