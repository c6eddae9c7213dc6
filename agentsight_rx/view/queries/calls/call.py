"""Store, number or id -> one call whole: its request and answer, its cost, its tools with their processes and files."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import TypeVar

from msgspec import Struct

from ....llm import New, new_in
from ....llm.canonical import LlmCall
from ....llm.prices import Prices
from ....store.log.whole import whole_call
from ....store.rows.kinds import AuditRow, CallRow, ProcessRow, ToolRow
from ....store.rows.tables import AUDIT, CALLS, PROCESSES, TOOLS
from ....store.state import Store, by_index, pages
from ..context.falls import is_beside, lost_tokens
from ..effects.file_fates import FateKind, Lives, kinds_of
from ..reading import newest_session, selected
from ..selection import Selection
from .costs import PricedCall, priced
from .lookup import call_row
from .mcp import tools_of

R = TypeVar("R")

_PROCESSES_MOST = 20_000  # looked at for those of one tool
_EFFECTS_MOST = 20_000
_LATE_MS = 2000  # a process may start, and an effect be seen, so long behind the result
_FOUND_MOST = 20


class ToolWork(Struct, frozen=True):
    """
    A tool that the call asked for, the programs that ran for it, what they did to files, and by path what became of these, see
    `FileUse`.
    """

    tool: ToolRow
    processes: tuple[ProcessRow, ...] = ()
    files: tuple[AuditRow, ...] = ()
    fates: dict[str, FateKind] = {}


class WholeCall(Struct, frozen=True):
    """
    One call. `exchange` is the whole request and answer; None where the events of it are not in the store. `new` is what the
    request added to the conversation, and `results_of` names the tools whose results it sent, by the ids of their calls.
    """

    call: PricedCall
    exchange: LlmCall | None
    new: New
    results_of: dict[str, ToolRow]
    tools: tuple[ToolWork, ...]
    uncached: int = 0  # tokens that the call before read from the cache or wrote to it, and this one did not read


def find_calls(store: Store, wanted: str, selection: Selection, /) -> list[CallRow]:
    """
    The calls that `wanted` may mean: a number is the turn in the newest session, or in the sessions of the selection, and
    `30.2` the second turn of a sub-agent that works for turn 30; else it is an id, or the begin of one.
    """
    turn, _, own = wanted.partition(".")
    if all(each.isdecimal() and len(each) <= 9 for each in (turn, own or "0")):
        found = list(_of_turn(store, (int(turn), int(own or 0)), selection))
        if found:
            return found
    exact = call_row(store, wanted)
    if exact is not None:
        return [exact]
    begun: list[CallRow] = []
    for _, row in pages(store, CALLS):
        if row.id.startswith(wanted) or row.id.removeprefix("llm-").startswith(wanted):
            begun.append(row)
            if len(begun) >= _FOUND_MOST:
                break
    return begun


def _of_turn(store: Store, turn: tuple[int, int], selection: Selection) -> Iterable[CallRow]:
    """Where a call was tried several times, the last try."""
    if selection.sessions is None:
        newest = newest_session(store)
        if newest is not None:
            selection = Selection(sessions=frozenset({newest.id}), pid=selection.pid)
    found = selected(store, CALLS, selection, where=lambda row: (row.turn, row.own_turn) == turn and row.twin is None)
    return {(row.session_id, row.agent_id): row for row in found}.values()


def read_call(store: Store, row: CallRow, prices: Prices, /) -> WholeCall:
    """The whole of a call."""
    whole = whole_call(store, row)
    new = new_in(whole.asked) if whole else New(text=row.prompt)
    lives = Lives(store)
    asked_before = {tool.tool_call_id: tool for tool in _tools_before(store, row)} if new.results else {}
    return WholeCall(
        priced(row, prices),
        whole,
        new,
        results_of={each.id: asked_before[each.id] for each in new.results if each.id in asked_before},
        tools=tuple(_work(store, tool, lives) for tool in tools_of(store, row.id)),
        uncached=_uncached(store, row),
    )


def _tools_before(store: Store, row: CallRow) -> Iterator[ToolRow]:
    sessions = None if row.session_id is None else frozenset({row.session_id})
    return selected(store, TOOLS, Selection(sessions=sessions, until_ms=row.start_timestamp_ms + 1, limit=1000))


def _uncached(store: Store, row: CallRow) -> int:
    """The tokens that were in the cache at the call before it, of the same agent, and were not read from it now."""
    if row.session_id is None or is_beside(row):
        return 0
    before = Selection(sessions=frozenset({row.session_id}), until_ms=row.start_timestamp_ms, limit=1)

    def is_like(other: CallRow) -> bool:
        return other.agent_id == row.agent_id and other.id != row.id and other.total_tokens > 0 and not is_beside(other)

    last = next(iter(selected(store, CALLS, before, where=is_like)), None)
    return lost_tokens(last, row)


def _work(store: Store, tool: ToolRow, lives: Lives) -> ToolWork:
    begin = tool.start_timestamp_ms or tool.timestamp_ms
    end = None if tool.end_timestamp_ms is None else tool.end_timestamp_ms + _LATE_MS
    processes = [
        row
        for row in _first(by_index(store, PROCESSES, "time", start=begin, stop=end), _PROCESSES_MOST)
        if row.tool_call_id == tool.id and row.command
    ]
    lines = _first(
        by_index(store, AUDIT, "type", prefix="file", start=("file", begin), stop=None if end is None else ("file", end)),
        _EFFECTS_MOST,
    )
    files = tuple(row for row in lines if row.tool_id == tool.id)
    return ToolWork(tool, tuple(processes), files, kinds_of(files, lives))


def _first(found: Iterator[tuple[object, R]], most: int) -> Iterator[R]:
    return (row for _, row in islice(found, most))


# -- calls ---------------------------------------------------------------------------------------------------------
# Store, selection -> the calls of models with their costs.


def read_calls(
    store: Store, selection: Selection, prices: Prices, /, *, where: Callable[[CallRow], bool] | None = None
) -> Iterator[PricedCall]:
    """The calls that clients made, oldest first. What a server in the watched tree received is the same call again."""

    def is_asked(row: CallRow) -> bool:
        return row.twin is None and (where is None or where(row))

    return (priced(call, prices) for call in selected(store, CALLS, selection, where=is_asked))
