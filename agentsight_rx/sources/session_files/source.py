"""
Session files of agents -> SessionEntry events: the oldest file first, each line once, also where the program was killed.

Longer than 300 lines because files and sessions of databases are read by one reader, which goes on where it was.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from hashlib import blake2b
from typing import Any, TypeAlias, cast

import msgspec
from msgspec import Raw
from msgspec.structs import replace

from ...core.stream import Stream, origin
from ...events import Loss, Origin, SessionEntry, Witness
from ...events.loss import Reason
from ...llm.agents.session_files import Parser, parser_for
from ...llm.agents.session_files.fields import mapping
from ...llm.resent import decoded
from ...store.rows.kinds import SAID
from ...wire.sqlite import SqliteError
from .database import Changed, Databases
from .files import AgentFile, Home, OpenedFile, Place, home_of_user, read_beside
from .given import given
from .look import FileState, Look, Places, Progress, TranscriptsOptions
from .stirred import Stirred

Said: TypeAlias = SessionEntry | Witness | Loss

_READ = 1 << 20  # bytes at once
_LINE_MOST = 16 << 20  # bytes; a tool's result with pictures in base64 fits
_LOOK_S = 1.0  # between two looks for what has grown, where inotify does not say it
_SELDOM_S = 60.0  # between two, where it does: file systems of other machines do not
_TIMES_LONGER = 9  # than a look takes: so many times longer is the pause behind it
_HEAD = 512  # bytes by which a file is known again
_SETTLED_NS = 10_000_000_000  # since a session of a database changed; it is looked at again before
_WAITING_NS = 3_600_000_000_000  # the same, where its newest message may go on
_APART_NS = 1_000_000_000  # between two entries, so that the fold looks back at few of them
_BROKEN = (msgspec.MsgspecError, ValueError, TypeError, KeyError, AttributeError, RecursionError, OverflowError)


def transcripts(options: TranscriptsOptions, progress: Progress | None = None) -> Stream[SessionEntry | Witness | Loss]:
    """
    What stands in the session files of agents, by the word of the agents alone. A line that is no JSON object, or longer than
    16 MiB, is counted with its file and number. A run that goes on (`resume`) reads on where the files were read to; one that
    shrank or is another one is read anew. Raises UsageError for one of `paths` that is of no agent.
    """
    if not options.home:
        own = home_of_user()
        options = replace(options, home=own.path, uid=own.uid, variables=own.variables)
    given_places = given(options.paths, options.agents)
    return origin(
        "transcripts", lambda: _Reader(options, given_places, progress or Progress()), time_of=None, options=options.home
    )


# A decoder is made beforehand: two threads that use a type first at the same time end the process
_JSON: msgspec.json.Decoder[object] = msgspec.json.Decoder(object)


class _Reader:
    def __init__(self, options: TranscriptsOptions, given_places: list[Place], progress: Progress) -> None:
        self._options = options
        self._given = given_places
        self._home = Home(options.home, None if given_places else options.uid, options.variables)
        self._databases = Databases(self._home)
        self._progress = progress
        self._places = Places()
        self._looked: Look | None = None  # of which the marks of files that are gone are not made yet
        self._waiting: Iterator[AgentFile] | None = None
        self._file: AgentFile | None = None
        self._witnessed = False
        self._time_ns = 0
        self._looked_s = self._took_s = 0.0
        self._stirred = Stirred() if options.follow else None
        self._is_due = False  # a file has changed
        self._restless = False  # something is not read that no change of a file will say

    # -- a run that goes on --------------------------------------------------------------------------------------------

    def place(self) -> bytes:
        return self._places.saved(self._time_ns)

    def go_on(self, place: bytes, /) -> None:
        self._time_ns = self._places.restore(place)

    # -- reading -------------------------------------------------------------------------------------------------------

    def open(self) -> None:
        self._look()

    def _look(self) -> None:
        began_s = time.monotonic()
        look = self._looked = Look(self._options, self._given, self._databases)
        new = self._places.new(look)
        self._progress.looked(look, self._places, new)
        self._waiting, self._looked_s, self._took_s = iter(new), time.monotonic(), time.monotonic() - began_s
        self._restless = self._databases.unsettled
        if self._stirred is not None:
            self._restless |= self._stirred.watch(look.folders, look.places)

    def poll(self, timeout: float, /) -> Sequence[Said] | None:
        if not self._witnessed:
            self._witnessed = True
            return [Witness(self._at(), SAID)]
        self._file = self._file or next(self._waiting or iter(()), None)
        if self._file is not None:
            return self._read(self._file)
        if self._looked is not None:
            marks, self._looked = self._marks(self._looked), None
            if marks:
                return marks
        self._progress.caught_up.set()
        if not self._options.follow:
            return None
        self._wait(timeout)
        return ()

    def _wait(self, timeout: float) -> None:
        """For a change of a file, and then until the next look. It comes within a second, and takes a tenth of the time."""
        assert self._stirred is not None, "only a reader that follows waits"
        is_told = self._stirred.is_whole and not self._restless
        pause_s = (_SELDOM_S if is_told else _LOOK_S) if not self._is_due else min(_LOOK_S, self._took_s * _TIMES_LONGER)
        left_s = self._looked_s + pause_s - time.monotonic()
        if left_s <= 0:
            self._is_due = False
            self._look()
        elif self._is_due:
            time.sleep(min(timeout, left_s))
        else:
            self._is_due = self._stirred.within(min(timeout, left_s))

    def _marks(self, look: Look) -> list[Said]:
        words = {True: "gone", False: "returned"}
        return [
            SessionEntry(self._at(agent), agent, session, "note", text=words[is_gone])
            for agent, session, is_gone in self._places.marks(look)
        ]

    def _read(self, file: AgentFile) -> list[Said]:
        """One piece of a file, or a session of a database."""
        if file.session:
            self._file = None
            return self._session(file)
        try:
            opened = OpenedFile(file, self._home)
        except OSError:
            self._file = None
            self._progress.skipped += 1
            return []
        try:
            return self._piece(file, opened)
        finally:
            opened.close()

    def _piece(self, file: AgentFile, opened: OpenedFile) -> list[Said]:
        parser = parser_for(file.agent, file.path)
        assert parser is not None, "others are not waited for"
        state = self._state(file, opened)
        if parser.at_once:
            lines, offset = _whole(opened, is_lines=file.path.endswith(".jsonl"))
            state = replace(state, offset=0, lines=0)
        else:
            lines, offset = _lines(opened, state.offset)
            if state.offset:
                parser.restore(bytes(state.parser))
        found = (*parser.facts_beside(self._beside(parser, file)), *self._entries(parser, state, lines, file.path))
        entries = [self._placed(each) for each in _joined(iter(found))]
        is_read = offset == state.offset or offset >= opened.size  # but for a line that is still written
        read = FileState(
            file.path,
            opened.version,
            is_read,
            offset=offset,
            lines=state.lines + len(lines),
            head=_head(opened, offset),
            parser=Raw(parser.saved()),
            **self._of(parser, file),
        )
        self._places.note(read)
        self._progress.read += offset - state.offset
        if is_read:
            self._file = None
            self._progress.read_files += 1
        return entries

    def _beside(self, parser: Parser[Any], file: AgentFile) -> Mapping[str, object]:
        """The file that says more about the session of this one."""
        inside = parser.beside(file.inside) if file.version[2] else ""
        return mapping(decoded(_JSON, read_beside(file, inside, self._home))) if inside else {}

    def _session(self, file: AgentFile) -> list[Said]:
        """What a database says of a session behind the message that was done before."""
        parser, known = parser_for(file.agent, file.path), self._places.known.get(file.path)
        assert parser is not None, "others are not waited for"
        if known is not None and known.version[:2] == file.version[:2]:
            parser.restore(bytes(known.parser))
        entries: list[Said] = []
        try:
            values = self._databases.values(file, parser.state.done)
        except Changed:
            self._restless = True
            return []  # the next look
        except (OSError, SqliteError) as error:
            entries.append(self._lost(Reason.MALFORMED, 0, f"{file.path}: {str(error)[:100]}"))
            values = []
        for number, value in enumerate(values):
            try:
                entries += parser.take(value)
            except _BROKEN as error:
                entries.append(self._lost(Reason.MALFORMED, 0, f"{file.path} row {number}: {str(error)[:100]}"))
        if parser.broken:
            entries.append(
                self._lost(Reason.MALFORMED, 0, f"{file.path}: {parser.broken:,} values are not as {parser.agent} writes them")
            )
        # Its row may not have changed with its newest message, or have its time in seconds
        left_ns = time.time_ns() - file.changed_ns - (_WAITING_NS if parser.state.waiting else _SETTLED_NS)
        self._restless |= time.time_ns() - file.changed_ns < _SETTLED_NS
        self._places.note(
            FileState(file.path, file.version, is_read=left_ns > 0, parser=Raw(parser.saved()), **self._of(parser, file))
        )
        self._progress.read_files += 1
        return [self._placed(each) for each in entries]

    def _of(self, parser: Parser[Any], file: AgentFile) -> dict[str, Any]:
        known, state = self._places.known.get(file.path), parser.state
        session = "" if state.thread else state.session
        return {"agent": state.agent or parser.agent, "session": session, "is_gone": known is not None and known.is_gone}

    def _state(self, file: AgentFile, opened: OpenedFile) -> FileState:
        """Where to read on: at the begin of a file that is not the one that was read."""
        known = self._places.known.get(file.path)
        if known is None or known.version[:2] != opened.version[:2] or known.offset > opened.size:
            return FileState(file.path, opened.version)
        return known if known.head == _head(opened, known.offset) else FileState(file.path, opened.version)

    def _entries(self, parser: Parser[Any], state: FileState, lines: Sequence[bytes], path: str) -> Iterator[Said]:
        for number, line in enumerate(lines, state.lines + 1):
            if len(line) > _LINE_MOST:
                yield self._lost(Reason.TRUNCATED, len(line), f"{path} line {number}: it has more than 16 MiB")
            elif line.strip():
                try:
                    value = decoded(_JSON, line)
                    if not isinstance(value, dict):
                        raise ValueError("it is no JSON object")
                    yield from parser.take(cast("dict[str, object]", value))
                    if parser.broken:
                        parser.broken = 0
                        raise ValueError(f"it is not as {parser.agent} writes it")
                except _BROKEN as error:
                    yield self._lost(Reason.MALFORMED, len(line), f"{path} line {number}: {str(error)[:100]}")
        yield from parser.finish()

    def _placed(self, entry: Said) -> Said:
        return replace(entry, origin=self._at(entry.origin.comm, entry.origin.wall_ns))

    def _at(self, agent: str = "", wall_ns: int = 0) -> Origin:
        """The next place in the order of reading."""
        self._time_ns += _APART_NS
        return Origin(self._time_ns, 0, comm=agent, wall_ns=wall_ns)

    def _lost(self, reason: Reason, size: int, note: str) -> Loss:
        self._progress.unreadable += 1
        return Loss(Origin(0, 0), "transcripts", reason, 1, size=size, note=note)

    def lost(self) -> Sequence[Said]:
        return ()

    def close(self) -> Sequence[Said]:
        self._databases.close()
        if self._stirred is not None:
            self._stirred.close()
        return ()


def _lines(opened: OpenedFile, offset: int) -> tuple[list[bytes], int]:
    """The lines of a piece from there on, and where the next one begins. Of one that is too long only so much as shows it."""
    data = opened.read_at(offset, _READ)
    end = data.rfind(b"\n")
    if end >= 0:
        return data[:end].split(b"\n"), offset + end + 1
    parts, size = [data], len(data)
    while piece := opened.read_at(offset + size, _READ):
        end = piece.find(b"\n")
        size += len(piece) if end < 0 else end
        if size - len(piece) <= _LINE_MOST:
            parts.append(piece if end < 0 else piece[:end])
        if end >= 0:
            return [b"".join(parts)], offset + size + 1
    return [], offset


def _whole(opened: OpenedFile, *, is_lines: bool) -> tuple[list[bytes], int]:
    """All of a file. One that is too large becomes one line that is."""
    data = b"".join(opened.chunks()) if not opened.is_too_large else b" " * (_LINE_MOST + 1)
    return data.splitlines() if is_lines else [data], opened.size


def _joined(entries: Iterator[Said]) -> Iterator[Said]:
    """An answer that stands in several lines, one behind the other, is one entry."""
    before: Said | None = None
    for entry in entries:
        if isinstance(before, SessionEntry) and isinstance(entry, SessionEntry) and _goes_on(before, entry):
            before = replace(entry, tools=before.tools + entry.tools, paths=before.paths + entry.paths)
            continue
        if before is not None:
            yield before
        before = entry
    if before is not None:
        yield before


def _goes_on(before: SessionEntry, entry: SessionEntry) -> bool:
    """Both are of one answer."""
    return before.kind == entry.kind == "answer" and (before.session, before.id) == (entry.session, entry.id)


def _head(opened: OpenedFile, offset: int) -> bytes:
    return blake2b(opened.read_at(0, min(_HEAD, offset)), digest_size=16).digest()
