"""
~/.local/share/opencode/opencode.db -> its sessions, and of each the lines that give a Transcript.

The database (opencode 1.2 and later) has the tables `session`, `message` and `part`; the last two keep JSON in `data`. A
message has its role and the model, its parts have the text, each tool with its state, and as `step-finish` the tokens of a
call. As lines they are objects with one member, named as the table: so the parser is one of lines like the others.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress

from ...core.bounded import Recent
from ...events import Usage
from ...llm.agents.session_files.fields import count, mapping, moment, shown, text
from ...policy.redaction.redactor import Redactor
from .draft import Draft
from .transcript import Transcript, TranscriptCall, TranscriptTool

_MESSAGES_MOST = 20_000
_SESSIONS_MOST = 75  # the newest: as many files as are read in one look
_HEADER = 100  # bytes of a database before its first page
_ROLLBACK = b"\x01\x01"  # at 18: no write-ahead log, which is another file


class OpencodeDatabase:
    """The bytes of a database, including its write-ahead log. Raises ValueError for any other bytes."""

    def __init__(self, data: bytes) -> None:
        self._rows = sqlite3.connect(":memory:")
        self._rows.text_factory = bytes
        try:
            if len(data) < _HEADER:
                raise ValueError("no database: it is too short")
            self._rows.deserialize(data[:18] + _ROLLBACK + data[20:])
            found = self._rows.execute(
                "select id, time_updated from session order by time_updated desc limit ?", (_SESSIONS_MOST,)
            ).fetchall()
        except sqlite3.Error as error:
            self._rows.close()
            raise ValueError(f"no database of opencode: {error}") from error
        except ValueError:
            self._rows.close()
            raise
        self.sessions: dict[str, int] = {_decoded(id): moment(updated) for id, updated in found}  # when each changed, Unix ms

    def lines(self, session: str) -> Iterator[bytes]:
        """The rows about a session, a line of JSON each."""
        with suppress(sqlite3.Error):  # a page that is broken ends the session there
            for id, directory, title, *times in self._rows.execute(
                "select id, directory, title, time_created, time_updated from session where id = ?", (session,)
            ):
                row = {"id": _decoded(id), "directory": _decoded(directory), "title": _decoded(title), "time": times}
                yield json.dumps({"session": row}).encode() + b"\n"
            for table in ("message", "part"):
                message = "id" if table == "message" else "message_id"
                for id, of, data in self._rows.execute(
                    f"select id, {message}, data from {table} where session_id = ? order by time_created, id", (session,)
                ):
                    ids = json.dumps({"id": _decoded(id), "of": _decoded(of)})[:-1].encode()
                    yield b'{"%b":%b,"data":%b}}\n' % (table.encode(), ids, _bytes(data).replace(b"\n", b" ") or b"null")

    def close(self) -> None:
        self._rows.close()


def _bytes(value: object) -> bytes:
    return value if isinstance(value, bytes) else b""


def _decoded(value: object) -> str:
    return _bytes(value).decode("utf-8", "replace")


def opencode(chunks: Iterable[bytes], /, *, name: str, redactor: Redactor) -> Transcript:
    """`chunks`: the lines of a session, cut anywhere. `name`: of the session."""
    draft = Draft("opencode", name, redactor)
    messages: Recent[str, Mapping[str, object]] = Recent(_MESSAGES_MOST)
    counted: set[str] = set()  # messages whose calls were counted by their parts
    for line in draft.lines(chunks):
        session, message, part = (mapping(line.get(kind)) for kind in ("session", "message", "part"))
        if session:
            _session(draft, session)
        elif message:
            if messages.put(text(message.get("id")), mapping(message.get("data"))) is not None:
                draft.drop()
            _seen(draft, mapping(message, "data", "time"))
        elif part:
            of = text(part.get("of"))
            if _part(draft, text(part.get("id")), mapping(part.get("data")), messages.get(of) or {}):
                counted.add(of)
    for id, data in messages.items():
        if data.get("role") == "assistant" and id not in counted:
            _call(draft, id, data, mapping(data.get("tokens")))
    return draft.done()


def _session(draft: Draft, session: Mapping[str, object]) -> None:
    draft.session_id = text(session.get("id")) or draft.session_id
    draft.cwd = text(session.get("directory"))
    draft.title = text(session.get("title"))


def _seen(draft: Draft, times: Mapping[str, object]) -> None:
    for time in times.values():
        draft.seen(moment(time))


def _part(draft: Draft, id: str, part: Mapping[str, object], message: Mapping[str, object]) -> bool:
    """True for one that has the tokens of a call."""
    match part.get("type"):
        case "text" if message.get("role") == "user" and not part.get("synthetic"):
            draft.prompted(text(part.get("text")))
        case "tool":
            _tool(draft, part)
        case "step-finish":
            _call(draft, id, message, mapping(part.get("tokens")))
            return True
        case _:
            pass
    return False


def _call(draft: Draft, key: str, message: Mapping[str, object], tokens: Mapping[str, object]) -> None:
    usage, model = _usage(tokens), text(message.get("modelID"))
    if usage.total:
        times = mapping(message.get("time"))
        time_ms = moment(times.get("completed")) or moment(times.get("created"))
        draft.call(key, TranscriptCall(model=model, usage=usage, time_ms=time_ms))


def _usage(tokens: Mapping[str, object]) -> Usage:
    """`input` has no cached tokens. Whether `output` has the tokens of reasoning depends on the release: the sum shows it."""
    asked, output, thought = (count(tokens.get(name)) for name in ("input", "output", "reasoning"))
    read, written = (count(mapping(tokens.get("cache")).get(name)) for name in ("read", "write"))
    beside = count(tokens.get("total")) == asked + output + thought + read + written or thought > output
    return Usage(asked, output + thought if beside else output, cache_creation=written, cache_read=read, reasoning=thought)


def _tool(draft: Draft, part: Mapping[str, object]) -> None:
    state, identity = mapping(part.get("state")), text(part.get("callID"))
    given, times = state.get("input"), mapping(state.get("time"))
    name = text(part.get("tool"))
    draft.tool(TranscriptTool(id=identity, name=name, input=shown(given), time_ms=moment(times.get("start"))))
    draft.file(text(mapping(given).get("filePath")))
    failed = state.get("status") == "error"
    if identity and (failed or state.get("status") == "completed"):
        said = shown(state.get("error") if failed else state.get("output"))
        draft.result(identity, said, is_error=failed, time_ms=moment(times.get("end")))
