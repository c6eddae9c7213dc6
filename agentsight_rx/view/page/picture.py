"""One moment of a store -> what several questions of the page need, each read at most once."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator
from functools import cached_property
from typing import TypeVar

from msgspec import Struct
from msgspec.msgpack import encode

from ...core.bounded import Recent, Weighed
from ...core.messages import program
from ...events.loss import Entry
from ...llm.canonical import LlmCall
from ...llm.prices import Prices
from ...store.rows.kind import newest_fitting, weight_of
from ...store.rows.kinds import AlertRow, AnyRow, AuditRow, CallRow, SessionRow, ToolRow
from ...store.rows.tables import ALERTS, AUDIT, CALLS, LOSSES, SESSIONS, TOOLS
from ...store.state import Store, Table
from ..queries.calls.costs import PricedCall, priced
from ..queries.context.context import AgentContext
from ..queries.context.falls import Falls
from ..queries.context.findings import Avoidable
from ..queries.context.reading import Contexts
from ..queries.decided import Decisions
from ..queries.effects.causes import Causes, newest_within, within
from ..queries.effects.file_fates import Lives
from ..queries.effects.file_lines import FileLines, count_written
from ..queries.explained import explained
from ..queries.reading import newest_first, session_of
from ..queries.selection import Selection
from ..queries.sessions.health import Health, Healths
from ..queries.sessions.twins import Twins

R = TypeVar("R", bound=AnyRow)

WHOLE = "-"  # in the place of a session: everything that a recording has
# Bytes in memory, so that it does not grow with the recording: of one session, and of all that is kept together
_CALLS_SIZE = 8_000_000  # 4,800 calls without text, 1,700 with all the text that a row has
_TOOLS_SIZE = 8_000_000  # 10,000 without text, 2,800 with all of it
_WORKS_SIZE = 16_000_000
_AUDITS_SIZE = 12_000_000  # lines of a kind of the audit trail: 11,000
_ALL_AUDITS_SIZE = 20_000_000
_ROWS_SIZE = 6_000_000  # processes, or exchanges: 7,000
_TABLES_SIZE = 8_000_000
_SESSIONS_SIZE = 3_000_000  # 2,000 sessions
_HEALTH_SIZE = 1_000_000
_LINE = 300  # bytes of a line of a table, beside its text
_MANY = 1000
_EXCHANGES_MOST = 3  # that are kept whole: a turn, the one before, and the one that has its results
_CONTEXTS_MOST = 2  # sessions
_ALERTS_SIZE = 4_000_000  # of a recording, the newest: 2,500


class Work(Struct, frozen=True):
    """The newest calls of a session and of its sub-agents, and their tools, oldest first. `cut`: it has older ones too."""

    calls: tuple[PricedCall, ...]
    tools: tuple[ToolRow, ...]
    cut: bool = False


class Picture:
    """
    A store as it is now. It reads while it is asked, so it is to be made again once the store has changed. `being_written`: its
    run goes on; `closing`: it has ended, and what ends it in the store is still to come. `contexts` and `files` have what
    earlier pictures of the store have read. `place` is the path of the store, for commands. `twins` has imported sessions.

    What it keeps has a limit in bytes, whatever the recording has: of rows the newest, and each answer says whether it has all.
    """

    def __init__(
        self,
        store: Store,
        prices: Prices,
        /,
        *,
        being_written: bool = False,
        closing: bool = False,
        version: int = 0,
        contexts: Contexts | None = None,
        twins: Twins | None = None,
        files: FileLines | None = None,
        place: str = "",
    ) -> None:
        self.store = store
        self._place = place
        self.prices = prices
        self.being_written = being_written
        self._closing = closing
        self._twins = twins
        self.version = version  # of the store, which counts its commits
        self._work: Weighed[str, Work] = Weighed(_MANY, _WORKS_SIZE, _weight_of_work, least=1)
        self._reading = contexts or Contexts(prices)
        self._contexts: Recent[str, list[AgentContext]] = Recent(_CONTEXTS_MOST)
        self._files = files or FileLines()
        self._unheld: Recent[str, int] = Recent(_MANY)  # written files of a session
        self._lives: Lives | None = None
        self._audits: Weighed[str, tuple[list[AuditRow], bool]] = Weighed(_MANY, _ALL_AUDITS_SIZE, _weight_of_rows, least=1)
        # By kind and session
        self.tables: Weighed[str, tuple[list[Struct], bool]] = Weighed(_MANY, _TABLES_SIZE, _weight_of_lines, least=1)
        self.exchanges: Recent[str, LlmCall | None] = Recent(_EXCHANGES_MOST)  # by the id of the call
        self.counted: Recent[str, tuple[dict[str, int], tuple[str, ...]]] = Recent(_MANY)  # of a session, by kind of row
        self.decisions = Decisions()  # about its alerts, as of now

    @cached_property
    def causes(self) -> Causes:
        return Causes(self.store)

    @cached_property
    def healths(self) -> Healths:
        written = self.being_written or self._closing
        return Healths(self.store, being_written=written, size=_HEALTH_SIZE, twins=self._twins)

    @property
    def health(self) -> Health:
        """Of the whole recording."""
        return self.healths.whole

    @cached_property
    def losses(self) -> list[Entry]:
        return [entry for _, entry in self.store.scan(LOSSES)]

    @cached_property
    def sessions(self) -> dict[str, SessionRow]:
        """The newest ones."""
        rows, _ = newest_fitting(newest_first(self.store, SESSIONS, Selection()), _SESSIONS_SIZE, weight_of)
        return {row.id: row for row in rows}

    def session(self, id: str) -> SessionRow:
        """Any of the recording. Raises KeyError for an unknown one."""
        found = self.sessions.get(id)
        if found is None:
            found = session_of(self.store, id)
        if found is None:
            raise KeyError(id)
        return found

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
        rows, _ = newest_fitting(newest_first(self.store, ALERTS, Selection()), _ALERTS_SIZE, weight_of)
        for row in rows:
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

    def is_live(self, session: str) -> bool:
        """It goes on. Raises KeyError for an unknown one."""
        return self.being_written and (session == WHOLE or self.session(session).status == "live")

    def goes_on(self, call: CallRow | PricedCall) -> bool:
        """It has no answer yet, and may get one."""
        return call.status == "pending" and self.is_live(call.session_id or WHOLE)

    def family(self, session: str) -> frozenset[str] | None:
        """The session and the sessions that it started; None: all of the recording. Raises KeyError for an unknown one."""
        if session == WHOLE:
            return None
        found = [self.session(session).id]
        for each in found:
            found += [row.id for row in self.sessions.values() if row.parent_session_id == each and row.id not in found]
        return frozenset(found)

    def _selection(self, session: str) -> Selection:
        return Selection(sessions=self.family(session))

    def work(self, session: str) -> Work:
        """The newest calls and tools of a session."""
        return self._work.looked_up(session, self._read_work)

    def _read_work(self, session: str) -> Work:
        selection = self._selection(session)
        rows = newest_first(self.store, CALLS, selection, where=lambda row: row.twin is None)
        calls, has_all_calls = newest_fitting((priced(row, self.prices) for row in rows), _CALLS_SIZE, weight_of)
        tools, has_all_tools = newest_fitting(newest_first(self.store, TOOLS, selection), _TOOLS_SIZE, weight_of)
        return Work(tuple(calls), tuple(tools), not (has_all_calls and has_all_tools))

    def contexts(self, session: str) -> list[AgentContext]:
        """The contexts of the agents of a session and of its sub-sessions, the main one first."""
        known = self._contexts.use(session)
        if known is None:
            family = sorted(self.family(session) or self.sessions, key=lambda id: id != session)
            known = [each for id in family for each in self._reading.read(self.store, id)]
            self._contexts.put(session, known)
        return known

    def rows(self, table: Table[R], session: str) -> Iterator[R]:
        """The rows of a session, oldest first, with what its processes did."""
        return within(self.store, table, self._selection(session), self.causes)

    def newest_rows(self, table: Table[R], session: str) -> tuple[list[R], bool]:
        """The newest of them, oldest first, and whether these are all."""
        return newest_fitting(newest_within(self.store, table, self._selection(session), self.causes), _ROWS_SIZE, weight_of)

    def falls(self, session: str) -> tuple[Falls, Avoidable | None]:
        """Where caches were lost and why, where the conversation was compacted, and what costs most and could be saved."""
        work = self.work(session)
        called = {tool.tool_name for tool in work.tools}
        is_large = work.cut or session == WHOLE
        return explained(work.calls, called, None if is_large else lambda: self.contexts(session))

    def audits(self, session: str, kind: str) -> tuple[list[AuditRow], bool]:
        """
        The lines of the session and of its processes, of the newest lines of a kind, oldest first, and whether there are no
        others.
        """
        return self._audits.looked_up(f"{kind} {session}", lambda _: self._read_audits(session, kind))

    def _read_audits(self, session: str, kind: str) -> tuple[list[AuditRow], bool]:
        if kind == "file":
            rows, whole = self._files.read(self.store), self._files.has_all
            self._lives = self._lives or Lives(self.store, rows if whole else None)
        else:
            rows, whole = newest_fitting(newest_first(self.store, AUDIT, Selection(), kind=kind), _AUDITS_SIZE, weight_of)
        is_of = self._test_of(session)
        return [row for row in rows if is_of(row)], whole

    def _test_of(self, session: str) -> Callable[[AuditRow], bool]:
        family = self.family(session)
        return lambda row: family is None or self.causes.session_of_row(row) in family

    def written_beside(self, session: str, held: int) -> int:
        """
        Files that the session wrote, beside the `held` ones of which there are lines; -1: perhaps some, which are too many to
        count, or still come.
        """
        self.audits(session, "file")
        if self._files.has_changes:
            return 0
        known = self._unheld.use(session)
        if known is None:
            total = None if self.being_written else count_written(self.store, self._test_of(session))
            known = -1 if total is None else total - held
            self._unheld.put(session, known)
        return known

    def command(self, words: str, session: str) -> str:
        """A command of this program about this store, and about the session."""
        given = [f" --db {shlex.quote(self._place)}"] if self._place else []
        given += [f" --session {shlex.quote(session)}"] if session != WHOLE else []
        return f"{program()} {words}{''.join(given)}"


def _weight_of_work(work: Work) -> int:
    return sum(map(weight_of, work.calls)) + sum(map(weight_of, work.tools))


def _weight_of_rows(kept: tuple[list[AuditRow], bool]) -> int:
    return sum(map(weight_of, kept[0]))


def _weight_of_lines(kept: tuple[list[Struct], bool]) -> int:
    """Their text is about as long as what they are as msgpack."""
    lines, _ = kept
    return _LINE * len(lines) + len(encode(lines))
