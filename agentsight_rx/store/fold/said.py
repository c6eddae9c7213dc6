"""SessionEntry -> calls, tools and sessions, as an agent's own file has them: without a process, host or file that was seen."""

from __future__ import annotations

from collections.abc import Callable
from hashlib import blake2b
from typing import TypeAlias

from msgspec import Struct
from msgspec.structs import replace

from ...core.bounded import Recent
from ...events import SessionEntry, ToolCall, milliseconds
from ...events.tokens import Usage, counts_of
from ...llm import ToolResult
from ...llm.agents.said import MADE_UP, typed
from ..rows.ids import is_unique, said_id
from ..rows.kinds import AuditRow, CallRow, Row, RowGone, SessionRow
from ..words import cut
from .call_rows import TEXT_MOST, WRITTEN_MOST, ended_rows
from .sessions import TITLE, Sessions
from .tools import Changed, Tools

_THREADS_MOST = 4096  # of all sessions; agents have a handful
_ANSWERS_MOST = 65_536  # ids of answers, 6 MB: a resumed session has those of the one before again
_OPEN_MOST = 64  # answers that may be written on: of each file the newest
GONE = {"gone": True, "returned": False}  # notes of the reader about the file of a session
NOTES = {"compacted": "the agent had compacted its context", "interrupted": "the user had interrupted the agent"}


class _Before(Struct, frozen=True, array_like=True):
    """What stands in a thread since its last answer."""

    texts: tuple[str, ...] = ()
    results: int = 0
    time_ns: int = 0
    note: str = ""


class _Open(Struct, frozen=True, array_like=True):
    """An answer that may be written on, and the ids of its tools."""

    row: CallRow
    tools: tuple[str, ...] = ()


class SaidState(Struct, array_like=True):
    """What `Said.snapshot` keeps."""

    before: list[tuple[tuple[str, str], _Before]] = []
    threads: list[tuple[str, str]] = []
    open: list[tuple[str, _Open]] = []
    answers: tuple[list[str], list[str]] = ([], [])


Judged: TypeAlias = Callable[[list[Changed]], list[Row]]


class Said:
    """Calls and sessions of files. `judged` makes the rows of tools of which more is known."""

    def __init__(self, sessions: Sessions, tools: Tools, judged: Judged) -> None:
        self._sessions = sessions
        self._tools = tools
        self._judged = judged
        self._before: Recent[tuple[str, str], _Before] = Recent(_THREADS_MOST)
        self._threads: Recent[tuple[str, str], None] = Recent(_THREADS_MOST)  # that have had an answer
        self._open: Recent[str, _Open] = Recent(_OPEN_MOST)
        self._answers: Recent[str, str] = Recent(_ANSWERS_MOST)  # agent, model and id -> the call that counts

    def read(self, entry: SessionEntry) -> list[Row]:
        self._sessions.widen()
        match entry.kind:
            case "session":
                return self._session(entry)
            case "answer":
                return self._answer(entry)
            case "prompt":
                return self._comes(entry, text=entry.text)
            case "result":
                return self._result(entry)
            case "note" if entry.text in GONE:
                return self._file_gone(entry)
            case "note":
                return self._comes(entry, note=NOTES.get(entry.text, ""))
            case "sum" | "hint":
                return []

    def _session(self, entry: SessionEntry) -> list[Row]:
        row = self._row_of(entry)
        changed = replace(
            row,
            cwd=entry.folder or row.cwd,
            branch=entry.branch or row.branch,
            agent_version=entry.version or row.agent_version,
            title=" ".join(entry.text.split())[:TITLE] or row.title,
        )
        return self._sessions.keep(changed)

    def _file_gone(self, entry: SessionEntry) -> list[Row]:
        known, is_gone = self._sessions.get(entry.session), GONE[entry.text]
        return [] if known is None or known.file_gone == is_gone else self._sessions.keep(replace(known, file_gone=is_gone))

    def _row_of(self, entry: SessionEntry) -> SessionRow:
        time_ms = milliseconds(entry.origin.wall_ns)
        known = self._sessions.get(entry.session)
        if known is None:
            return SessionRow(entry.session, time_ms, time_ms, agent=entry.agent, named=True, status="ended")
        if not time_ms:
            return known
        start_ms = min(known.start_timestamp_ms or time_ms, time_ms)
        return replace(known, start_timestamp_ms=start_ms, end_timestamp_ms=max(known.end_timestamp_ms or 0, time_ms))

    def _result(self, entry: SessionEntry) -> list[Row]:
        time_ms = milliseconds(entry.origin.wall_ns)
        to = CallRow("", time_ms, session_id=entry.session)  # which call sends it is not known yet
        changed = self._tools.answered([ToolResult(entry.id, entry.text, entry.is_error, "")], to)
        self._comes(entry, results=len(changed))
        return self._judged(changed)

    def _comes(self, entry: SessionEntry, *, text: str = "", results: int = 0, note: str = "") -> list[Row]:
        """Something that the next answer of the thread is to."""
        key = (entry.session, entry.thread)
        before = self._before.get(key) or _Before()
        if text in before.texts and entry.origin.wall_ns <= before.time_ns:
            return []  # of a file that is read from its begin again
        made = _Before(
            (*before.texts, text) if text else before.texts,
            before.results + results,
            entry.origin.wall_ns or before.time_ns,
            note or before.note,
        )
        self._before.put(key, made)
        return []

    def _answer(self, entry: SessionEntry) -> list[Row]:
        when = "" if is_unique(entry.id) else f" {entry.origin.wall_ns}"
        id = said_id(entry.session, entry.id + when)
        made_up = entry.id.startswith(MADE_UP)  # such ids are not those of a model
        for given in filter(None, (id if made_up else entry.id, entry.request_id)):
            name = _short(f"{entry.agent} {entry.model} {given}{when}")  # local servers give one id to several agents
            counted = self._answers.get(name)
            if counted is not None and (counted != id or id not in self._open):
                self._before.pop((entry.session, entry.thread), None)
                return []  # of a session that goes on from another one, or of a file that is read anew
            self._answers.put(name, id)
        known = self._open.get(id)
        rows: list[Row] = []
        if known is None:
            asked, rows = self._begun(entry, id)
            known = _Open(asked)
        else:
            self._read_anew(entry, known.row)
        before = known.row if known.row.status != "pending" else None
        new = tuple(tool for tool in entry.tools if tool.id not in known.tools)
        known = _Open(known.row, (*known.tools, *(tool.id for tool in new)))
        row = _ended(known.row, entry, len(known.tools))
        gone = [RowGone(line) for line in ended_rows(before) if isinstance(line, AuditRow)] if before is not None else []
        rows += [*gone, *ended_rows(row), *self._sessions.end(row, before)]
        rows += self._asked(row, new)
        self._open.put(id, _Open(row, known.tools))
        return rows

    def _read_anew(self, entry: SessionEntry, known: CallRow) -> None:
        """Where a file is read from its begin again, a prompt whose answer is known is not one of the next answer."""
        key = (entry.session, entry.thread)
        before = self._before.get(key)
        if before is not None and before.texts and typed(_joined(before))[:TEXT_MOST] == known.prompt:
            self._before.put(key, replace(before, texts=()))

    def _begun(self, entry: SessionEntry, id: str) -> tuple[CallRow, list[Row]]:
        key = (entry.session, entry.thread)
        before = self._before.pop(key, _Before())
        session = self._row_of(entry)
        text = _joined(before)
        prompt = typed(text)
        row = CallRow(
            id,
            milliseconds(before.time_ns or entry.origin.wall_ns),
            start_ns=before.time_ns or entry.origin.wall_ns,
            provider=entry.provider or None,
            model=entry.model or None,
            session_id=entry.session,
            prompt=prompt[:TEXT_MOST],
            written="" if prompt or before.results else cut(" ".join(text[:TEXT_MOST].split()), WRITTEN_MOST),
            new_results=before.results,
            match_method="file",
            agent=entry.agent,
            agent_id=entry.thread or None,
            note=before.note or None,
        )
        row = self._sessions.threads.numbered(row, session, is_below=bool(entry.thread))
        new_thread = bool(entry.thread) and key not in self._threads
        self._threads.put(key, None)
        session = replace(
            session,
            start_timestamp_ms=min(filter(None, (session.start_timestamp_ms, row.start_timestamp_ms)), default=0),
            calls=session.calls + 1,
            turns=max(session.turns, row.turn),
            sub_agents=session.sub_agents + new_thread,
            title=session.title or (prompt[:TITLE] if row.is_prompted else ""),
        )
        return row, self._sessions.keep(session)

    def _asked(self, call: CallRow, tools: tuple[ToolCall, ...]) -> list[Row]:
        if not tools:
            return []
        asked = self._tools.asked(call, tools, call.end_timestamp_ms or call.start_timestamp_ms)
        return [*asked, *self._sessions.asked(call.session_id, len(asked))]

    def snapshot(self) -> SaidState:
        return SaidState(list(self._before.items()), list(self._threads), list(self._open.items()), self._answers.columns)

    def restore(self, state: SaidState) -> None:
        for mine in (self._before, self._threads, self._open):
            mine.clear()
        self._before.update(state.before)
        self._threads.update(dict.fromkeys(state.threads))
        self._open.update(state.open)
        self._answers.fill(state.answers)


def _short(name: str) -> str:
    return blake2b(name.encode("utf-8", "surrogatepass"), digest_size=12).hexdigest()


def _joined(before: _Before) -> str:
    return "\n\n".join(before.texts)


def _ended(row: CallRow, entry: SessionEntry, tools: int) -> CallRow:
    end_ns = max(entry.origin.wall_ns, row.end_ns)
    return replace(
        row,
        model=entry.model or row.model,
        response_model=entry.model or row.response_model,
        response_id=row.response_id if entry.id.startswith(MADE_UP) else entry.id,
        text=entry.text[:TEXT_MOST],
        thinking=entry.thinking[:TEXT_MOST],
        status="error" if entry.is_error else "complete",
        end_timestamp_ms=milliseconds(end_ns) or None,
        end_ns=end_ns,
        tools=tools,
        **counts_of(entry.usage or Usage()),
    )
