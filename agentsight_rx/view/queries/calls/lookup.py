"""
A store -> its calls and tools by their ids: the turn of a call, and the cause that a tool is. The newest are kept, in a limited
number of bytes, and older ones are looked up.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

from msgspec import Struct

from ....core.bounded import Recent, Weighed
from ....store.rows.kind import newest_fitting
from ....store.rows.kinds import CallRow, ToolRow
from ....store.rows.tables import CALLS, TOOLS
from ....store.state import Store, by_index
from ..reading import newest_first, rows_of
from ..selection import Selection

_PROMPT = 200  # characters
_INPUT = 400
_CALLS_SIZE = 2_000_000  # bytes that are kept: 5,000 calls
_TOOLS_SIZE = 4_000_000  # 4,500 tools
_LOOKED_UP_SIZE = 1_000_000  # of calls, and of tools: those used last
_EVERYTHING = 1 << 60  # of a store without indexes, where nothing can be looked up
_SPANS_MOST = 1000
_BACK_MOST = 2000  # calls of a session that are looked at for the prompt before an older one
_ENTRY = 350  # bytes of an entry without its texts


class Cause(Struct, frozen=True):
    """The tool call that led to something: of which turn, and the prompt that the user had given."""

    tool_id: str
    tool: str
    call_id: str
    input: str = ""
    session_id: str | None = None
    turn: int = 0
    prompt: str = ""
    prompt_turn: int = 0


class _Call(Struct, frozen=True):
    """`prompt` is what a person typed last until then, in turn `prompt_turn`."""

    id: str
    turn: int
    prompt: str = ""
    prompt_turn: int = 0


class _Span(Struct, frozen=True):
    """From one call of a session to another one, no person typed anything else."""

    first: tuple[int, str]  # when it began, and its id
    last: tuple[int, str]
    said: tuple[str, int]  # the prompt and its turn


class Called:
    """Calls of clients and tools, by their ids."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._spans: Recent[str, _Span] = Recent(_SPANS_MOST)
        self._old_calls: Weighed[str, tuple[_Call, ...]] = Weighed(1 << 20, _LOOKED_UP_SIZE, _weight_of_found)
        self._old_tools: Weighed[str, tuple[Cause, ...]] = Weighed(1 << 20, _LOOKED_UP_SIZE, _weight_of_found)
        clients = (row for row in newest_first(store, CALLS, Selection()) if row.twin is None)
        shorts, self._whole = newest_fitting(
            ((row.session_id, row.is_prompted, (row.start_timestamp_ms, row.id), _short(row)) for row in clients),
            _CALLS_SIZE if store.indexed else _EVERYTHING,
            lambda each: _weight(each[3]),
        )
        self._calls: dict[str, _Call] = {}
        newest: dict[str | None, tuple[str, int]] = {}
        for session, is_prompted, at, call in shorts:
            if is_prompted:
                newest[session] = call.prompt, call.turn
            elif session not in newest:
                newest[session] = ("", 0) if self._whole else self._before(session, at)
            prompt, turn = newest[session]
            self._calls[call.id] = _Call(call.id, call.turn, prompt, turn)
        self._tools, self._has_all_tools = self._newest_tools()

    def call(self, id: str, /) -> _Call | None:
        """None: no client made a call of that id."""
        found = self._calls.get(id)
        if found is None and not self._whole:
            return next(iter(self._old_calls.looked_up(id, self._find_call)), None)
        return found

    def tool(self, id: str, /) -> Cause | None:
        found = self._tools.get(id)
        if found is None and not self._has_all_tools:
            return next(iter(self._old_tools.looked_up(id, self._find_tool)), None)
        return found

    def _newest_tools(self) -> tuple[dict[str, Cause], bool]:
        """A table is read three times as fast as it lies than by an index, so first it is tried whether all of it fits."""
        size = _TOOLS_SIZE if self._store.indexed else _EVERYTHING
        found, whole = newest_fitting(map(self._cause, rows_of(self._store, TOOLS)), size, _weight)
        if not whole:
            newest = newest_first(self._store, TOOLS, Selection())
            found, _ = newest_fitting(map(self._cause, newest), size, _weight)
        return {each.tool_id: each for each in found}, whole

    def _cause(self, tool: ToolRow) -> Cause:
        call = self.call(tool.llm_call_id)
        return Cause(
            tool.id,
            tool.tool_name,
            tool.llm_call_id,
            input=tool.input[:_INPUT],
            session_id=tool.session_id,
            turn=call.turn if call else 0,
            prompt=call.prompt if call else "",
            prompt_turn=call.prompt_turn if call else 0,
        )

    def _find_tool(self, id: str) -> tuple[Cause, ...]:
        row = self._store.get(TOOLS, id)
        return () if row is None else (self._cause(row),)

    def _find_call(self, id: str) -> tuple[_Call, ...]:
        row = call_row(self._store, id)
        if row is None or row.twin is not None:
            return ()
        said = (row.prompt[:_PROMPT], row.turn) if row.is_prompted else self._before(row.session_id, _at(row))
        return (_Call(row.id, row.turn, *said),)

    def _before(self, session: str | None, at: tuple[int, str]) -> tuple[str, int]:
        """The prompt before the call at `at`, and its turn. Calls are mostly looked up close to each other."""
        if session is None:
            return "", 0
        known, first, said = self._spans.use(session), at, ("", 0)
        if known is not None and known.first <= at <= known.last:
            return known.said
        for row in self._back(session, at):
            first = _at(row)
            if row.is_prompted:
                said = row.prompt[:_PROMPT], row.turn
                break
            if known is not None and known.first <= first <= known.last:
                first, said = known.first, known.said
                break
        self._spans.put(session, _Span(first, at, said))
        return said

    def _back(self, session: str, at: tuple[int, str]) -> Iterator[CallRow]:
        rows = by_index(self._store, CALLS, "session", prefix=(session,), stop=(session, *at), reverse=True)
        return (row for _, row in islice(rows, _BACK_MOST) if row.twin is None)


def call_row(store: Store, id: str, /) -> CallRow | None:
    """The call of that id."""
    return next((row for _, row in by_index(store, CALLS, "id", prefix=(id,), limit=1)), None)


def turn_of_call(store: Store, id: str, /) -> int:
    """Its number; 0 where the store does not have it."""
    row = call_row(store, id)
    return row.turn if row is not None else 0


def _short(row: CallRow) -> _Call:
    return _Call(row.id, row.turn, row.prompt[:_PROMPT] if row.is_prompted else "")


def _at(row: CallRow) -> tuple[int, str]:
    return row.start_timestamp_ms, row.id


def _weight(entry: _Call | Cause) -> int:
    if isinstance(entry, Cause):
        return 2 * _ENTRY + len(entry.tool) + len(entry.input) + len(entry.tool_id)
    return _ENTRY + len(entry.prompt)


def _weight_of_found(found: tuple[_Call, ...] | tuple[Cause, ...]) -> int:
    return _ENTRY + sum(_weight(each) for each in found)
