"""
Store, session -> the contexts of its agents, turn by turn.

Nothing of it is stored. A request is stored by the pieces that it shares with others, so reading one takes the time of its new
part, and a recording that goes on is read on.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial

from ....core.bounded import Recent
from ....events import HttpRequest
from ....llm.context import Anatomy
from ....llm.prices import Prices
from ....store.fold.said import NOTES
from ....store.log.reading import read_requests
from ....store.log.whole import SaidTurn, read_entries, said_turns
from ....store.rows.kinds import SAID, CallRow
from ....store.rows.tables import CALLS
from ....store.state import Store
from ..calls.mcp import tools_of
from ..reading import selected
from ..selection import Selection
from .context import AgentContext
from .edits import read_edits
from .falls import compactions, is_beside
from .reader import Reader
from .said import SaidRequests

_SESSIONS_MOST = 3  # that are kept to be read on


def read_contexts(store: Store, session: str, prices: Prices, /) -> list[AgentContext]:
    """The agents of a session, the main one first."""
    return Contexts(prices).read(store, session)


def read_beside(store: Store, call: CallRow, prices: Prices, /) -> AgentContext:
    """The request of one call alone, such as one that an agent makes for itself."""
    reader = Reader(call.agent_id)
    reader.add(call, next((request for _, request in read_requests(store, [call.id])), None), prices)
    return reader.context(prices, ())


class Contexts:
    """The contexts of sessions. A session that was read before is read on behind the calls that had ended then."""

    def __init__(self, prices: Prices) -> None:
        self._prices = prices
        self._kept: Recent[str, _Session] = Recent(_SESSIONS_MOST)

    def read(self, store: Store, session: str, /) -> list[AgentContext]:
        """The agents of a session as the store has them now, the main one first."""
        calls = [call for call in selected(store, CALLS, Selection(sessions=frozenset({session}))) if call.twin is None]
        ended = next((at for at, call in enumerate(calls) if call.status == "pending" or call.more), len(calls))
        kept = self._kept.use(session)
        if kept is None or calls[: len(kept.calls)] != kept.calls or len(kept.calls) > ended:
            kept = _Session()
            self._kept.put(session, kept)
        compacted = compactions(calls)
        kept.add(store, calls[len(kept.calls) : ended], self._prices, compacted)
        shown = kept
        if ended < len(calls):
            shown = kept.copy()
            shown.add(store, calls[ended:], self._prices, compacted)
        summaries = [call for call in calls if call.aside == "summary"]
        found = [reader.context(self._prices, summaries) for reader in shown.readers.values()]
        return sorted(found, key=lambda each: (each.agent_id is not None, each.turns[0].turn))


class _Session:
    def __init__(self) -> None:
        self.calls: list[CallRow] = []
        self.readers: dict[str | None, Reader] = {}
        self._responses: dict[str, str] = {}  # ids of calls, by the ids of their responses
        self._said: dict[str | None, SaidRequests] = {}  # of a session file

    def copy(self) -> _Session:
        found = _Session()
        found.calls, found._responses = [*self.calls], {**self._responses}
        found.readers = {agent: reader.copy() for agent, reader in self.readers.items()}
        found._said = {agent: said.copy() for agent, said in self._said.items()}
        return found

    def add(self, store: Store, calls: Sequence[CallRow], prices: Prices, compacted: frozenset[str]) -> None:
        self.calls += calls
        self._responses.update((call.response_id, call.id) for call in calls if call.response_id)
        turns: dict[str | None, list[SaidTurn]] = {}
        for call, request in _in_turn(store, [call for call in calls if not is_beside(call)]):
            reader = self.readers.get(call.agent_id)
            if reader is None:
                reader = self.readers[call.agent_id] = Reader(call.agent_id)
            before = self._responses.get(call.previous_response_id or "", "")
            found = self._in_file(store, call, turns) if call.view_source == SAID else request
            edits, asked = partial(read_edits, store, call.id), partial(tools_of, store, before)
            is_smaller = call.id in compacted or call.note == NOTES["compacted"]
            reader.add(call, found, prices, is_compacted=is_smaller, edits=edits, asked=asked)

    def _in_file(self, store: Store, call: CallRow, turns: dict[str | None, list[SaidTurn]]) -> Anatomy | None:
        """The parts of the request that the file has. `turns` keeps the turns of the session that were read, by agent."""
        if call.agent_id not in turns:
            turns[call.agent_id] = said_turns(read_entries(store, call.session_id or ""), call.agent_id)
        return self._said.setdefault(call.agent_id, SaidRequests()).of(call, turns[call.agent_id])


def _in_turn(store: Store, calls: Sequence[CallRow]) -> Iterator[tuple[CallRow, HttpRequest | None]]:
    """Each call with its request, in the order of the log; None where that is not in it."""
    by_id = {call.id: call for call in calls}
    waiting = iter(calls)
    passed = set[str]()
    for id, request in read_requests(store, [call.id for call in calls]):
        call = by_id[id]
        if id in passed:
            continue
        for other in waiting:  # calls before it of which no request is there
            if other.id == id:
                break
            if other.id not in passed and other.start_timestamp_ms <= call.start_timestamp_ms:
                passed.add(other.id)
                yield other, None
        passed.add(id)
        yield call, request
    yield from ((call, None) for call in calls if call.id not in passed)
