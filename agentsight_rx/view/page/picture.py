"""One moment of a store -> what several questions of the page need, each read at most once."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from typing import TypeVar

from msgspec import Struct

from ...core.bounded import Recent
from ...llm.canonical import LlmCall
from ...loss import Entry
from ...prices import Prices
from ...state import Store, Table
from ..queries.calls import read_calls
from ..queries.causes import Causes, within
from ..queries.context import AgentContext, read_contexts
from ..queries.costs import PricedCall
from ..queries.decided import Decisions
from ..queries.file_fates import Lives
from ..queries.health import Health, read_health
from ..queries.reading import newest_of_kind, rows_of, selected
from ..queries.selection import Selection
from ..rows.kinds import AlertRow, AnyRow, AuditRow, SessionRow, ToolRow
from ..rows.tables import ALERTS, LOSSES, SESSIONS, TOOLS

__all__ = ["WHOLE", "Picture", "Work"]

R = TypeVar("R", bound=AnyRow)

WHOLE = "-"  # in the place of a session: everything that a recording has
_CALLS_MOST = 20_000
_TOOLS_MOST = 40_000
_TABLES_MOST = 8
_KINDS_MOST = 2  # of the audit trail, whose lines are kept: 45 MB each at most
_AUDITS_MOST = 50_000  # lines of the audit trail that are looked at
_EXCHANGES_MOST = 3  # that are kept whole: a turn, the one before, and the one that has its results
_CONTEXTS_MOST = 3  # a session, and how it was at a turn
_ALERTS_MOST = 5000  # of a recording, the newest
_SESSIONS_MOST = 4  # of which calls and tools are kept


class Work(Struct, frozen=True):
    """The calls of a session and of its sub-agents, and their tools, oldest first. `cut`: older ones are not in it."""

    calls: tuple[PricedCall, ...]
    tools: tuple[ToolRow, ...]
    cut: bool = False


class Picture:
    """
    A store as it is now. It reads while it is asked, so it is to be made again once the store has changed. `being_written`: its
    run goes on; `closing`: it has ended, and what ends it in the store is still to come.
    """

    def __init__(
        self, store: Store, prices: Prices, /, *, being_written: bool = False, closing: bool = False, version: int = 0
    ) -> None:
        self.store = store
        self.prices = prices
        self.being_written = being_written
        self._closing = closing
        self.version = version  # of the store, which counts its commits
        self._work: Recent[str, Work] = Recent(_SESSIONS_MOST)
        self._contexts: Recent[tuple[str, int | None], list[AgentContext]] = Recent(_CONTEXTS_MOST)
        self._lives: Lives | None = None
        self._audits: Recent[str, tuple[list[AuditRow], bool]] = Recent(_KINDS_MOST)
        self.tables: Recent[str, tuple[list[Struct], bool]] = Recent(_TABLES_MOST)  # by kind and session
        self.exchanges: Recent[str, LlmCall | None] = Recent(_EXCHANGES_MOST)  # by the id of the call
        self.counted: dict[str, dict[str, int]] = {}  # of a session, by kind of row
        self.decisions = Decisions()  # about its alerts, as of now

    @cached_property
    def causes(self) -> Causes:
        return Causes(self.store)

    @cached_property
    def health(self) -> Health:
        return read_health(self.store, being_written=self.being_written or self._closing)

    @cached_property
    def losses(self) -> list[Entry]:
        return [entry for _, entry in self.store.scan(LOSSES)]

    @cached_property
    def sessions(self) -> dict[str, SessionRow]:
        return {row.id: row for row in rows_of(self.store, SESSIONS)}

    @cached_property
    def _alerts(self) -> dict[str, list[AlertRow]]:
        """
        By session, oldest first. An agent had no session yet when it did something: then it is of the session of its process,
        or of the newest one, so that no alert is in none.
        """
        known = self.sessions
        by_pid = {row.pid: row.id for row in sorted(known.values(), key=lambda row: -row.start_timestamp_ms)}
        otherwise = next((row.id for row in self.roots), WHOLE)
        found: dict[str, list[AlertRow]] = {}
        for row in selected(self.store, ALERTS, Selection(limit=_ALERTS_MOST)):
            session = row.session_id if row.session_id in known else by_pid.get(row.agent_pid)
            found.setdefault(session or otherwise, []).append(row)
        return found

    def alerts_of(self, session: str) -> list[AlertRow]:
        """The alerts of a session and of its sub-sessions, oldest first. Raises KeyError for an unknown one."""
        family = self.family(session)
        rows = [row for id, rows in self._alerts.items() if family is None or id in family for row in rows]
        return sorted(rows, key=lambda row: (row.timestamp_ms, row.number))

    @property
    def lives(self) -> Lives:
        """Which files were made and removed within the recording."""
        if self._lives is None:
            self._lives = Lives(self.store)
        return self._lives

    @property
    def roots(self) -> list[SessionRow]:
        """The sessions that no other one started, the newest first."""
        known = self.sessions
        found = [row for row in known.values() if row.parent_session_id not in known]
        return sorted(found, key=lambda row: (row.start_timestamp_ms, row.id), reverse=True)

    def family(self, session: str) -> frozenset[str] | None:
        """The session and the sessions that it started; None: all of the recording. Raises KeyError for an unknown one."""
        if session == WHOLE:
            return None
        found = [self.sessions[session].id]
        for each in found:
            found += [row.id for row in self.sessions.values() if row.parent_session_id == each and row.id not in found]
        return frozenset(found)

    def selection(self, session: str, limit: int | None = None) -> Selection:
        return Selection(sessions=self.family(session), limit=limit)

    def work(self, session: str) -> Work:
        """Calls and tools of a session, the newest so many."""
        known = self._work.use(session)
        if known is None:
            calls = tuple(read_calls(self.store, self.selection(session, _CALLS_MOST), self.prices))
            tools = tuple(selected(self.store, TOOLS, self.selection(session, _TOOLS_MOST)))
            known = Work(calls, tools, len(calls) == _CALLS_MOST or len(tools) == _TOOLS_MOST)
            self._work.put(session, known)
        return known

    def contexts(self, session: str, *, until_turn: int | None = None) -> list[AgentContext]:
        """The contexts of the agents of a session, the main one first; with `until_turn` as they were then."""
        key = session, until_turn
        known = self._contexts.use(key)
        if known is None:
            family = sorted(self.family(session) or self.sessions, key=lambda id: id != session)
            known = [each for id in family for each in read_contexts(self.store, id, self.prices, until_turn=until_turn)]
            self._contexts.put(key, known)
        return known

    def rows(self, table: Table[R], session: str, *, most: int | None = None) -> Iterator[R]:
        """The rows of a session, oldest first, with what its processes did; the newest `most` of them."""
        return within(self.store, table, self.selection(session, most), self.causes)

    def audits(self, session: str, kind: str) -> tuple[list[AuditRow], bool]:
        """
        The lines of the session and of its processes, of the newest 50,000 lines of a kind, oldest first, and whether there are
        no others.
        """
        key = f"{kind} {session}"
        known = self._audits.use(key)
        if known is None:
            rows, whole = newest_of_kind(self.store, kind, Selection(), most=_AUDITS_MOST)
            if kind == "file" and self._lives is None:
                self._lives = Lives(self.store, rows if whole else None)
            family = self.family(session)
            if family is not None:
                rows = [row for row in rows if self.causes.session_of_row(row) in family]
            known = rows, whole
            self._audits.put(key, known)
        return known
