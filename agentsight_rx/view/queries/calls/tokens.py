"""Stores, selection -> tokens and costs, summed by model, provider, session, agent, its version, process, folder or time."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, tzinfo
from typing import Literal, TypeAlias, get_args

from ....core.bounded import Recent
from ....events.tokens import Counts, Usage, counts_of
from ....llm.prices import Prices
from ....store.rows.kinds import SAID, CallRow
from ....store.rows.tables import PROCESSES
from ....store.state import Store
from ..effects.work import of_git, prompted
from ..selection import Selection
from ..sessions.once import Once, Place
from .costs import Costs, CostSum, PricedCall, priced

Grouping: TypeAlias = Literal[
    "model",
    "provider",
    "session",
    "agent",
    "agent-version",
    "comm",
    "pid",
    "dir",
    "project",
    "day",
    "week",
    "month",
    "prompt",
    "sub-agent",
    "commit",
    "branch",
]
GROUPINGS: tuple[Grouping, ...] = get_args(Grouping)

_TIMES: dict[Grouping, str] = {"day": "%Y-%m-%d", "week": "%G-W%V", "month": "%Y-%m"}
_PROCESSES_MOST = 16_384  # of which the directory is remembered


class TokenGroup(Counts, frozen=True, omit_defaults=False):
    """
    The tokens of the calls of one group, in normal form, and their cost. `said_calls` are known from agents' own files alone.
    """

    group: str
    calls: int
    sessions: int
    repeated_calls: int
    said_calls: int
    cost: CostSum


def read_tokens(
    store: Store, selection: Selection, prices: Prices, /, *, group_by: Grouping = "model", zone: tzinfo | None = None
) -> list[TokenGroup]:
    """The groups, the one with most tokens first; days, weeks and months in their order, in the time zone `zone`."""
    return tokens_of(Once([Place(store, selection)]), prices, group_by=group_by, zone=zone)


def tokens_of(once: Once, prices: Prices, /, *, group_by: Grouping = "model", zone: tzinfo | None = None) -> list[TokenGroup]:
    """The same of several stores, in which each call counts once."""
    groups: dict[str, _Group] = {}
    group_of = {place.store: _grouped_by(once, place, group_by, zone) for place in once.places}
    for store, call in once.calls():
        groups.setdefault(group_of[store](call), _Group()).add(priced(call, prices))
    found = [group.total(name) for name, group in groups.items()]
    if group_by in _TIMES:
        return sorted(found, key=lambda group: group.group)
    return sorted(found, key=lambda group: (-group.total_tokens, group.group))


class _Group:
    def __init__(self) -> None:
        self._usage = Usage()
        self._calls = self._repeated = self._said = 0
        self._sessions: set[str] = set()
        self._costs = Costs()

    def add(self, call: PricedCall) -> None:
        self._usage += call.usage
        self._calls += 1
        self._repeated += call.repeat > 0
        self._said += call.view_source == SAID
        if call.session_id:
            self._sessions.add(call.session_id)
        self._costs.add(call)

    def total(self, name: str) -> TokenGroup:
        sessions = len(self._sessions)
        return TokenGroup(
            name,
            calls=self._calls,
            sessions=sessions,
            repeated_calls=self._repeated,
            said_calls=self._said,
            cost=self._costs.total(),
            **counts_of(self._usage),
        )


def _grouped_by(once: Once, place: Place, group_by: Grouping, zone: tzinfo | None) -> Callable[[CallRow], str]:
    if group_by in _TIMES:
        form = _TIMES[group_by]
        return lambda call: datetime.fromtimestamp(call.start_timestamp_ms / 1000, zone).strftime(form)
    if group_by in ("dir", "project"):
        return _directories(once, place.store)
    if group_by == "agent-version":
        return lambda call: row.who_and_version if (row := once.rows.get(call.session_id or "")) else "unknown"
    if group_by == "session":
        return lambda call: call.session_id or "unknown"
    if group_by == "sub-agent":
        return lambda call: ", ".join(filter(None, (call.agent_name, call.agent_id))) or "main agent"
    if group_by == "prompt":
        return prompted()
    if group_by == "branch":
        chosen = of_git(place.store, place.selection, group_by)
        return lambda call: chosen(call) or ((row := once.rows.get(call.session_id or "")) and row.branch) or "unknown"
    if group_by == "commit":
        return of_git(place.store, place.selection, group_by)
    return lambda call: str(getattr(call, group_by) or "unknown")


def _directories(once: Once, store: Store) -> Callable[[CallRow], str]:
    """The working directory of the session, else of the process."""
    of_session = {id: row.cwd for id, row in once.rows.items()}
    known: Recent[str, str] = Recent(_PROCESSES_MOST)

    def directory(call: CallRow) -> str:
        found = of_session.get(call.session_id or "")
        if found or call.process_id is None:
            return found or "unknown"
        if call.process_id not in known:
            process = store.get(PROCESSES, call.process_id)
            known.put(call.process_id, (process and process.cwd) or "unknown")
        return known.get(call.process_id) or "unknown"

    return directory
