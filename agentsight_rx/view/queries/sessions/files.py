"""Store, selection -> the sessions of agents, and the session files that belong to them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from msgspec import Struct

from ....events.tokens import Counts, Usage, counts_of
from ....store.rows.kinds import ProcessRow, SessionRow
from ....store.rows.tables import AUDIT, PROCESSES, SESSIONS
from ....store.state import Store, by_index
from ...transcripts import Transcript, display_id
from ...transcripts.matching import Located, Match, Tree, matches
from ..effects.causes import Causes
from ..reading import rows_of, selected
from ..selection import Selection

# -- session files -------------------------------------------------------------------------------------------------
# Store, session files of agents -> which session of the recording each file is, how that is known and how certain it is.


class Matched(Struct, frozen=True):
    """A session file and the sessions of the recording that it is; no `match`: none of them."""

    located: Located
    match: Match | None = None
    sessions: tuple[SessionRow, ...] = ()

    @property
    def transcript(self) -> Transcript:
        return self.located.transcript


class SessionFile(Counts, frozen=True, kw_only=True, omit_defaults=False):
    """
    The content of a session file, in short: counts, and tokens in normal form. `sessions` are ids of the recording; `method`
    and `confidence` say how they are known to be the same, see `agents.matching`.
    """

    path: str
    name: str
    agent: str
    session_id: str
    cwd: str | None = None
    title: str = ""
    prompt: str = ""
    models: tuple[str, ...] = ()
    start_timestamp_ms: int | None = None
    end_timestamp_ms: int | None = None
    calls: int = 0
    tools: int = 0
    unreadable: int = 0  # lines
    dropped: int = 0  # calls, tools and texts that were one too many
    unread_bytes: int = 0
    unfinished: bool = False
    sessions: tuple[str, ...] = ()
    pid: int | None = None
    process_id: str | None = None
    method: str | None = None
    confidence: float | None = None


def session_file(matched: Matched) -> SessionFile:
    """The short form of a file."""
    found, match = matched.transcript, matched.match
    usages = list(found.totals.values()) or [call.usage for call in found.calls]
    return SessionFile(
        path=matched.located.path,
        name=display_id(found.agent, matched.located.path),
        agent=found.agent,
        session_id=found.session_id,
        cwd=found.cwd or None,
        title=found.title,
        prompt=found.prompt,
        models=found.models,
        start_timestamp_ms=found.start_ms or None,
        end_timestamp_ms=found.end_ms or None,
        calls=len(found.calls),
        tools=len(found.tools),
        **counts_of(sum(usages, Usage())),
        unreadable=found.unreadable,
        dropped=found.dropped,
        unread_bytes=found.unread,
        unfinished=found.unfinished,
        sessions=tuple(row.id for row in matched.sessions),
        pid=next((row.pid for row in matched.sessions), None),
        process_id=match.tree_id if match else None,
        method=match.method if match else None,
        confidence=match.confidence if match else None,
    )


def is_of_recording(store: Store) -> Callable[[str], bool]:
    """Whether the path of a file has the id of a session of the recording in it, or a process in the recording used it."""
    ids = [id for row in rows_of(store, SESSIONS) for id in _names(row)]
    return lambda path: any(id in path for id in ids) or next(_users(store, path), None) is not None


def match_files(store: Store, files: Sequence[Located]) -> list[Matched]:
    """Each file with its sessions, in the order of the files."""
    trees, sessions = _trees(store, files)
    known = {match.path: match for match in matches(files, trees)}
    named = {file.transcript.session_id for file in files}
    return [_matched(file, known.get(file.path), sessions, named) for file in files]


def _matched(file: Located, match: Match | None, sessions: dict[str, list[SessionRow]], named: set[str]) -> Matched:
    """The sessions of the file, of a process with many: the ones that it names, else the ones that no other file names."""
    if match is None:
        return Matched(file)
    rows = sessions.get(match.tree_id, [])
    mine = [row for row in rows if file.transcript.session_id in _names(row)]
    return Matched(file, match, tuple(mine or [row for row in rows if named.isdisjoint(_names(row))]))


def _names(row: SessionRow) -> list[str]:
    """The ids that the client itself gave."""
    return [id for id in (row.id if row.named else None, row.conversation_id) if id]


def _trees(store: Store, files: Sequence[Located]) -> tuple[list[Tree], dict[str, list[SessionRow]]]:
    """The processes of agents, with a session or without a seen call."""
    causes = Causes(store)
    sessions: dict[str, list[SessionRow]] = {}
    for row in rows_of(store, SESSIONS):
        if row.agent and row.process_id:
            sessions.setdefault(row.process_id, []).append(row)
    used = _used(store, files, causes, sessions)
    trees = [_tree(id, rows, causes.process(id), used.get(id, ())) for id, rows in sessions.items()]
    return [*trees, *_silent(store, causes, sessions, used)], sessions


def _tree(id: str, rows: Sequence[SessionRow], process: ProcessRow | None, files: Sequence[str]) -> Tree:
    starts = [row.start_timestamp_ms for row in rows]
    ends = [row.end_timestamp_ms or row.start_timestamp_ms for row in rows]
    if process is None:
        start_ms, end_ms = min(starts), max(ends)
    else:
        start_ms, end_ms = process.start_timestamp_ms or min(starts), process.end_timestamp_ms or 0
    return Tree(
        id=id,
        agent=rows[0].agent,
        session_ids={name for row in rows for name in _names(row)},
        files=files,
        cwd=next((row.cwd for row in rows if row.cwd), None) or (process.cwd if process else None) or "",
        start_ms=start_ms,
        end_ms=end_ms,
    )


def _silent(store: Store, causes: Causes, sessions: Mapping[str, object], used: Mapping[str, Sequence[str]]) -> Iterator[Tree]:
    """Processes of agents without a session in their tree, the uppermost of each tree."""
    speaking = {row.id for id in sessions for row in causes.chain(id)}
    for row in rows_of(store, PROCESSES):
        if not row.agent or row.id in speaking or _agent_of(causes, row.id, sessions) != row.id:
            continue
        yield Tree(
            id=row.id,
            agent=row.agent,
            files=used.get(row.id, ()),
            cwd=row.cwd or "",
            start_ms=row.start_timestamp_ms or 0,
            end_ms=row.end_timestamp_ms or 0,
        )


def _used(
    store: Store, files: Sequence[Located], causes: Causes, sessions: dict[str, list[SessionRow]]
) -> dict[str, list[str]]:
    """By the id of an agent's process, the session files that it or a descendant used."""
    used: dict[str, list[str]] = {}
    for file in files:
        for user in {_agent_of(causes, process, sessions) for process in set(_users(store, file.path))}:
            used.setdefault(user, []).append(file.path)
    return used


def _agent_of(causes: Causes, process: str, sessions: Mapping[str, object]) -> str:
    """The nearest process above that has a session, else the uppermost agent; "": none."""
    chain = causes.chain(process)
    agents = [row.id for row in reversed(chain) if row.agent]
    return next((row.id for row in chain if row.id in sessions), next(iter(agents), ""))


def _users(store: Store, path: str) -> Iterator[str]:
    """The processes that used a file."""
    for _, row in by_index(store, AUDIT, "target", prefix=(path,)):
        if row.audit_type == "file" and row.target == path and row.process_id and not row.details.get("errno"):
            yield row.process_id


# ------------------------------------------------------------------------------------------------------------------------


def read_sessions(store: Store, selection: Selection, /) -> Iterator[SessionRow]:
    """The sessions that were seen in the time of the selection, in the order in which they began."""
    return selected(store, SESSIONS, selection)
