"""The processes of a store -> their tree, from the roots, each with its session and the tool and prompt that started it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from msgspec.structs import asdict, replace

from ...store.rows.kinds import ProcessRow
from .causes import Cause, Causes

__all__ = ["Process", "process_list", "process_tree"]


class Process(ProcessRow, frozen=True, tag="process_node", omit_defaults=True):
    """
    One process, with its session as far as it is known. `depth` counts from the roots; `starts`: it is the first of its
    tool: the others are below it.
    """

    depth: int = 0
    children: int = 0
    of_agent: str | None = None  # the nearest known agent: itself, or what started it
    cause: Cause | None = None
    starts: bool = False


def process_tree(rows: Iterable[ProcessRow], causes: Causes) -> Iterator[Process]:
    """The processes, each behind the one that started it. Roots are processes whose parent is not among them."""
    chosen = sorted(rows, key=_began)
    known = {row.id for row in chosen}
    below: dict[str, list[ProcessRow]] = {}
    for row in chosen:
        parent = causes.parent(row)
        below.setdefault(parent.id if parent is not None and parent.id in known else "", []).append(row)
    waiting = [(0, row) for row in reversed(below.get("", ()))]
    while waiting:
        depth, row = waiting.pop()
        children = below.get(row.id, [])
        yield _process(row, causes, depth=depth, children=len(children))
        waiting += [(depth + 1, child) for child in reversed(children)]


def process_list(rows: Iterable[ProcessRow], causes: Causes) -> Iterator[Process]:
    """The processes in the order in which they began."""
    return (_process(row, causes) for row in sorted(rows, key=_began))


def _process(row: ProcessRow, causes: Causes, *, depth: int = 0, children: int = 0) -> Process:
    chain = causes.chain(row.id)
    parent = chain[1] if len(chain) > 1 else None
    return Process(
        **asdict(replace(row, session_id=causes.session_of(row.id))),
        depth=depth,
        children=children,
        of_agent=next((each.agent for each in chain if each.agent), None),
        cause=causes.of_process(row.id),
        starts=row.tool_call_id is not None and (parent is None or parent.tool_call_id != row.tool_call_id),
    )


def _began(row: ProcessRow) -> tuple[int, int]:
    return row.start_timestamp_ms or 0, row.pid
