"""
Store, session files with their sessions -> the entries that only the wire or only the files have, and different counts of
tokens.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from msgspec import Struct

from ....events.tokens import counts_of
from ....store.log.reading import read_exchange
from ....store.rows.kinds import CallRow, SessionRow, ToolRow
from ....store.rows.tables import CALLS, REMOVED, RUNS, TOOLS
from ....store.state import Store
from ...transcripts import Transcript, TranscriptCall, TranscriptTool, together
from ...transcripts.comparison import Comparison, Pair, compare
from ..reading import selected
from ..selection import Selection
from .files import Matched

_LOOKED_UP_MOST = 1000  # calls whose request id is taken from the event log
_REQUEST_IDS = ("request-id", "x-request-id")  # of Anthropic, of OpenAI


class CallPair(Struct, frozen=True, kw_only=True):
    """One call that both have. `differs` has the counts that are not the same: on the wire, in the file."""

    id: str
    turn: int
    start_timestamp_ms: int
    model: str | None
    method: str
    differs: dict[str, tuple[int, int]] = {}


class SessionComparison(Struct, frozen=True, kw_only=True):
    """
    A session of the recording and its session files; no `sessions`: no call of the agent was seen. `outside` counts calls and
    tools of the files from before or after the recording, `tools` the tools that both have.
    """

    sessions: tuple[str, ...]
    agent: str
    title: str = ""
    start_timestamp_ms: int = 0
    paths: tuple[str, ...] = ()
    file_session_id: str = ""
    method: str = ""
    confidence: float = 0.0
    calls: tuple[CallPair, ...] = ()
    calls_only_wire: tuple[CallRow, ...] = ()
    calls_only_file: tuple[TranscriptCall, ...] = ()
    tools: int = 0
    tools_only_wire: tuple[ToolRow, ...] = ()
    tools_only_file: tuple[TranscriptTool, ...] = ()
    outside: int = 0

    @property
    def name(self) -> str:
        """The id to ask for it by."""
        return next(iter(self.sessions), self.file_session_id)

    @property
    def differing(self) -> tuple[CallPair, ...]:
        return tuple(pair for pair in self.calls if pair.differs)


def compare_sessions(store: Store, files: Sequence[Matched]) -> Iterator[SessionComparison]:
    """
    One for each session that has files, the newest first. The files of a session, as of its sub-agents, are one. An agent of
    which no call was seen has no session, and all that its file has is missing.
    """
    groups: dict[tuple[str, ...], list[Matched]] = {}
    for file in files:
        if file.match is not None:
            groups.setdefault(tuple(row.id for row in file.sessions) or ("", file.match.tree_id), []).append(file)
    for group in sorted(groups.values(), key=lambda each: _time_of(each[0])[1], reverse=True):
        yield _compared(store, sorted(group, key=lambda file: file.transcript.start_ms))


def _seen_last(row: SessionRow) -> int:
    return row.end_timestamp_ms or row.start_timestamp_ms


def _time_of(file: Matched) -> tuple[int, int]:
    """From when to when: of the sessions, else of the file."""
    rows, transcript = file.sessions, file.transcript
    if not rows:
        return transcript.start_ms, transcript.end_ms
    return min(row.start_timestamp_ms for row in rows), max(map(_seen_last, rows))


def _compared(store: Store, group: Sequence[Matched]) -> SessionComparison:
    first = group[0]
    transcript = together([file.transcript for file in group])
    ids = tuple(row.id for row in first.sessions)
    found = _comparison(store, transcript, frozenset(ids), _time_of(first))
    best = max((file.match for file in group if file.match), key=lambda match: match.confidence)
    return SessionComparison(
        sessions=ids,
        agent=transcript.agent,
        title=transcript.title or next((row.title for row in first.sessions), transcript.prompt),
        start_timestamp_ms=_time_of(first)[0],
        paths=tuple(file.located.path for file in group),
        file_session_id=transcript.session_id,
        method=best.method,
        confidence=best.confidence,
        calls=tuple(map(_pair, found.both)),
        calls_only_wire=found.only_wire,
        calls_only_file=found.only_file,
        tools=len(found.tools),
        tools_only_wire=found.tools_only_wire,
        tools_only_file=found.tools_only_file,
        outside=found.outside,
    )


def _comparison(
    store: Store, transcript: Transcript, sessions: frozenset[str], time: tuple[int, int]
) -> Comparison[CallRow, ToolRow]:
    selection = Selection(sessions=sessions)
    calls, tools = list(selected(store, CALLS, selection)), list(selected(store, TOOLS, selection))
    captured = captured_in(store, time)
    found = compare(transcript, calls, tools, captured=captured)
    paired = {id(pair.file) for pair in found.both}
    open_ids = any(call.request_id and id(call) not in paired for call in transcript.calls)
    if not (open_ids and found.only_wire):  # the event log is read only where it can decide
        return found
    request_ids = {call.id: _request_id(store, call.id) for call in found.only_wire[-_LOOKED_UP_MOST:]}
    return compare(transcript, calls, tools, request_ids=request_ids, captured=captured)


def captured_in(store: Store, time: tuple[int, int]) -> list[tuple[int, int]]:
    """When a session of that time could be seen: in the recordings that saw it. In one that was replayed, all of its time."""
    first, last = time
    runs = [(run.started_ms, max(run.committed_ms, run.started_ms)) for _, run in store.scan(RUNS)]
    seen = [(start, end) for start, end in runs if start <= last and first <= end] or [(first, last)]
    removed = store.get(REMOVED, 0)
    return [(max(start, removed.before_ms), end) for start, end in seen] if removed else seen


def _request_id(store: Store, call: str) -> str:
    """As the head of the answer has it; empty where it has none."""
    answer = read_exchange(store, call).response
    heads = {name.lower(): value for name, value in answer.headers} if answer else {}
    return next((heads[name] for name in _REQUEST_IDS if name in heads), "")


def _pair(pair: Pair[CallRow, TranscriptCall]) -> CallPair:
    row, theirs = pair.wire, counts_of(pair.file.usage)
    return CallPair(
        id=row.id,
        turn=row.turn,
        start_timestamp_ms=row.start_timestamp_ms,
        model=row.response_model or row.model,
        method=pair.method,
        differs={name: (getattr(row, name), theirs[name]) for name in pair.differs},
    )
