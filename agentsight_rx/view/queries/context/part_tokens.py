"""Stores, selection -> the input tokens and costs of the parts of requests, by origin, tool, file or MCP server."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Literal, TypeAlias, get_args

from msgspec import Struct

from ....llm.prices import Prices
from ....store.state import Store
from ..selection import Selection
from ..sessions.once import Once, Place
from .findings import with_instruction_files
from .reading import read_contexts
from .segments import BUILT_IN, Segment, each_segment, server_of
from .words import ORIGINS

PartGrouping: TypeAlias = Literal["origin", "tool", "file", "mcp-server"]
PART_GROUPINGS: tuple[PartGrouping, ...] = get_args(PartGrouping)


class PartGroup(Struct, frozen=True):
    """
    Parts of requests. `carried` is the sum of their tokens over all requests that sent them, `parts` how many different ones
    there are, `cost` the cost of sending them in US dollars; None where no price is known.
    """

    group: str
    carried: int
    parts: int
    requests: int
    sessions: int
    cost: float | None


def read_parts(store: Store, selection: Selection, prices: Prices, /, by: PartGrouping) -> list[PartGroup]:
    """The dearest first. Parts that belong to no tool, file or server are not in these groups."""
    return parts_of(Once([Place(store, selection)]), prices, by)


def parts_of(once: Once, prices: Prices, /, by: PartGrouping) -> list[PartGroup]:
    """The same of several stores, in which each session counts once: as the store that counts has it."""
    return _read(once, prices, (by,))[by]


def all_parts_of(once: Once, prices: Prices, /) -> dict[PartGrouping, list[PartGroup]]:
    """The same by each of the groupings."""
    return _read(once, prices, PART_GROUPINGS)


def _read(once: Once, prices: Prices, kinds: tuple[PartGrouping, ...]) -> dict[PartGrouping, list[PartGroup]]:
    groups: dict[PartGrouping, dict[str, list[tuple[str, Segment]]]] = {by: {} for by in kinds}
    for found in once.sessions():
        store, session = once.places[found.at].store, found.row.id
        for agent in with_instruction_files(store, read_contexts(store, session, prices)):
            for segment in each_segment(agent):
                for by, named in groups.items():
                    for name in _groups_of(segment, by):
                        named.setdefault(name, []).append((session, segment))
    return {by: _sorted(_summed(name, some) for name, some in named.items()) for by, named in groups.items()}


def _sorted(groups: Iterable[PartGroup]) -> list[PartGroup]:
    return sorted(groups, key=lambda each: (-(each.cost or 0.0), -each.carried, each.group))


def _groups_of(segment: Segment, by: PartGrouping) -> Iterator[str]:
    if by == "origin":
        yield ORIGINS.get(segment.origin, segment.origin)
    elif by == "tool" and segment.tool:
        yield segment.tool
    elif by == "file" and (segment.file or segment.origin == "instructions"):
        yield segment.file or segment.name
    elif by == "mcp-server" and segment.origin == "tools":
        yield server_of(segment.name) or BUILT_IN
    elif by == "mcp-server" and segment.tool:
        yield server_of(segment.tool) or BUILT_IN


def _summed(name: str, some: list[tuple[str, Segment]]) -> PartGroup:
    costs = [segment.cost for _, segment in some if segment.cost is not None]
    return PartGroup(
        name,
        carried=sum(segment.carried for _, segment in some),
        parts=len(some),
        requests=max(segment.requests for _, segment in some),
        sessions=len({session for session, _ in some}),
        cost=sum(costs) if costs else None,
    )
