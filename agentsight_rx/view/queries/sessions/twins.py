"""
Recordings, the store of the agents' own files -> the sessions that both have, each as one: the recording counts, and the file
adds its title, its branch and the calls of other times.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice

from msgspec import Struct
from msgspec.structs import replace

from ....core.bounded import Recent
from ....events.tokens import counts_of
from ....store.rows.gaps import Agreement
from ....store.rows.kinds import CallRow, SessionRow, ToolRow
from ....store.rows.tables import CALLS, SESSIONS, TOOLS
from ....store.state import LmdbStore, MemoryStore, Store, pages
from ...transcripts import Transcript, TranscriptCall, TranscriptTool
from ...transcripts.comparison import compare
from ..reading import selected, session_of
from ..selection import Selection
from .compare import captured_in

_NEAR_MS = 60_000  # between the begin in the file and the first request, where no id says that both are one
_WEEK_MS = 7 * 86_400_000
_TRIED_MOST = 16  # sessions of about that time that are compared
_KNOWN_MOST = 2048  # sessions; of each what only its file has


class _SaidCall(TranscriptCall, frozen=True, kw_only=True):
    row: CallRow


class _SaidTool(TranscriptTool, frozen=True, kw_only=True):
    row: ToolRow


class Twin(Struct, frozen=True):
    """A session that was recorded, the same one in the agent's own file, and what the file alone has, also of other times."""

    seen: SessionRow
    said: SessionRow
    agreement: Agreement
    calls: tuple[CallRow, ...] = ()
    tools: tuple[ToolRow, ...] = ()

    @property
    def row(self) -> SessionRow:
        """The session once: what was seen, and of the file what only it has."""
        seen, said = self.seen, self.said
        return replace(
            seen,
            start_timestamp_ms=min(filter(None, (seen.start_timestamp_ms, said.start_timestamp_ms)), default=0),
            end_timestamp_ms=max(filter(None, (seen.end_timestamp_ms, said.end_timestamp_ms)), default=None),
            title=said.title or seen.title,
            branch=seen.branch or said.branch,
            file_gone=said.file_gone,
            cwd=seen.cwd or said.cwd,
            agent_version=seen.agent_version or said.agent_version,
            models=tuple(dict.fromkeys((*seen.models, *said.models))),
            calls=seen.calls + len(self.calls),
            failed_calls=seen.failed_calls + sum(row.status == "error" for row in self.calls),
            tools=seen.tools + len(self.tools),
            failed_tools=seen.failed_tools + sum(row.status == "failed" for row in self.tools),
            sub_agents=max(seen.sub_agents, said.sub_agents),
            **counts_of(sum((row.usage for row in self.calls), seen.usage)),
        )


class Twins:
    """The agents' own files beside recordings. Each twin is known until its session, or the store of the files, changes."""

    def __init__(self, past: LmdbStore | MemoryStore) -> None:
        self.past = past
        self._known: Recent[str, tuple[SessionRow, int, Twin | None]] = Recent(_KNOWN_MOST)

    def of(self, store: Store, seen: SessionRow) -> Twin | None:
        """The twin of a session of that recording; None: the files have none."""
        version = self.past.version()
        known = self._known.use(seen.id)
        if known is not None and known[:2] == (seen, version):
            return known[2]
        found = self._twin(store, seen)
        self._known.put(seen.id, (seen, version, found))
        return found

    def said_of(self, store: Store, seen: SessionRow) -> SessionRow | None:
        """The same session in the agent's own file, which takes no comparison where its client named it."""
        said = self._named(seen)
        if said is not None:
            return said
        found = self.of(store, seen)
        return None if found is None else found.said

    def _named(self, seen: SessionRow) -> SessionRow | None:
        ids = (id for id in (seen.id if seen.named else None, seen.conversation_id) if id)
        return next(filter(None, (session_of(self.past, id) for id in ids)), None)

    def _twin(self, store: Store, seen: SessionRow) -> Twin | None:
        """By an id that its client named, else the session of its agent and time that has the same answers."""
        said = self._named(seen)
        if said is not None:
            return _compared(store, seen, self.past, said)
        near = [_compared(store, seen, self.past, row) for row in islice(self._near(seen), _TRIED_MOST)]
        return max(filter(_are_one, near), key=lambda twin: twin.agreement.found, default=None)

    def _near(self, seen: SessionRow) -> Iterator[SessionRow]:
        """Sessions of the agent that were written at the time, and began at most a week before."""
        start_ms, end_ms = seen.start_timestamp_ms, seen.end_timestamp_ms or seen.start_timestamp_ms
        at_the_time = Selection(since_ms=start_ms - _NEAR_MS, until_ms=end_ms + _NEAR_MS)
        rows = pages(self.past, SESSIONS, start=max(0, start_ms - _WEEK_MS), stop=end_ms + _NEAR_MS)
        return (row for _, row in rows if row.agent == seen.agent and at_the_time.has(row))


def _are_one(twin: Twin) -> bool:
    """At least half of the calls of the one that has fewer are in the other."""
    found = twin.agreement.found
    return found > 0 and found >= min(twin.agreement.calls - found, len(twin.calls))


def _compared(store: Store, seen: SessionRow, past: Store, said: SessionRow) -> Twin:
    mine, theirs = Selection(sessions=frozenset((seen.id,))), Selection(sessions=frozenset((said.id,)))
    transcript = _transcript(said, selected(past, CALLS, theirs), selected(past, TOOLS, theirs))
    found = compare(
        transcript,
        list(selected(store, CALLS, mine)),
        list(selected(store, TOOLS, mine)),
        captured=captured_in(store, (seen.start_timestamp_ms, seen.end_timestamp_ms or seen.start_timestamp_ms)),
    )
    paired = {id(pair.file) for pair in found.both} | {id(pair.file) for pair in found.tools}
    methods = [pair.method for pair in found.both]
    agreement = Agreement(
        len(found.both) + len(found.only_wire),
        len(found.both),
        differing=sum(bool(pair.differs) for pair in found.both),
        calls_only_file=len(found.only_file),
        tools_only_file=len(found.tools_only_file),
        method=max(set(methods), key=methods.count) if methods else "",
    )
    return Twin(
        seen,
        said,
        agreement,
        tuple(call.row for call in transcript.calls if isinstance(call, _SaidCall) and id(call) not in paired),
        tuple(tool.row for tool in transcript.tools if isinstance(tool, _SaidTool) and id(tool) not in paired),
    )


def _transcript(session: SessionRow, calls: Iterable[CallRow], tools: Iterable[ToolRow]) -> Transcript:
    """The rows of a session, as the reader of its file has them."""
    return Transcript(
        agent=session.who,
        session_id=session.id,
        cwd=session.cwd or "",
        start_ms=session.start_timestamp_ms,
        end_ms=session.end_timestamp_ms or 0,
        title=session.title,
        calls=tuple(
            _SaidCall(
                id=row.response_id or "",
                model=row.response_model or row.model or "",
                usage=row.usage,
                time_ms=row.end_timestamp_ms or row.start_timestamp_ms,
                row=row,
            )
            for row in calls
            if row.total_tokens or row.model
        ),
        tools=tuple(
            _SaidTool(id=row.tool_call_id, name=row.tool_name, input=row.input, time_ms=row.timestamp_ms, row=row)
            for row in tools
        ),
    )
