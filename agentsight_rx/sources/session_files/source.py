"""
Session files of agents -> SessionEntry events: the newest file first, each line once, also where the program was killed.

Longer than 300 lines because files and sessions of databases are read by one reader, which goes on where it was.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from hashlib import blake2b
from typing import Annotated, Any, TypeAlias, cast

import msgspec
from msgspec import Raw, Struct
from msgspec.structs import replace

from ...core.options import Options, at_least
from ...core.stream import Stream, origin
from ...events import Loss, Origin, SessionEntry, Witness
from ...events.loss import Reason
from ...llm.agents.session_files import Parser, parser_for, read_agents
from ...llm.agents.session_files.fields import mapping
from ...llm.resent import decoded
from ...store.rows.kinds import SAID
from ...wire.sqlite import SqliteError
from .database import SUFFIXES, Changed, Databases
from .files import AgentFile, Home, Listing, OpenedFile, Place, Version, is_missing, read_beside
from .given import given

Said: TypeAlias = SessionEntry | Witness | Loss

_READ = 1 << 20  # bytes at once
_LINE_MOST = 16 << 20  # bytes; a tool's result with pictures in base64 fits
_LOOK_S = 1.0  # between two looks for what has grown
_HEAD = 512  # bytes by which a file is known again
_SETTLED_NS = 10_000_000_000  # since a session of a database changed; it is looked at again before
_WAITING_NS = 3_600_000_000_000  # the same, where its newest message may go on
_APART_NS = 1_000_000_000  # between two entries, so that the fold looks back at few of them
_BROKEN = (msgspec.MsgspecError, ValueError, TypeError, KeyError, AttributeError, RecursionError, OverflowError)


class TranscriptsOptions(Options, frozen=True):
    """
    The session files below a home, and where `variables` of the environment say, that belong to the user `uid`: of these
    `agents`, or of all agents that are known. `paths` are read in their place, files of any user: homes, copies of an agent's
    folder, files. Older files than `since_ms` are left out. `follow` goes on with new lines until the run is stopped.
    """

    home: str
    uid: int | None
    variables: tuple[tuple[str, str], ...] = ()
    paths: tuple[str, ...] = ()
    agents: tuple[str, ...] = ()
    since_ms: Annotated[int, at_least(0)] = 0
    follow: bool = False


class Progress:
    """How far the reading is; the reader's thread writes it, any may read it."""

    def __init__(self) -> None:
        self.files = self.read_files = 0
        self.size = self.read = 0  # bytes
        self.unreadable = 0  # lines
        self.skipped = 0  # files that are not the user's own regular files, or could not be opened
        self.caught_up = threading.Event()  # all that stood in the files is handed on


def transcripts(options: TranscriptsOptions, progress: Progress | None = None) -> Stream[Said]:
    """
    What stands in the session files of agents, by the word of the agents alone. A line that is no JSON object, or longer than
    16 MiB, is counted with its file and number. A run that goes on (`resume`) reads on where the files were read to; one that
    shrank or is another one is read anew. Raises UsageError for one of `paths` that is of no agent.
    """
    given_places = given(options.paths, options.agents)
    return origin(
        "transcripts", lambda: _Reader(options, given_places, progress or Progress()), time_of=None, options=options.home
    )


_NONE = Raw(b"\xc0")  # of msgpack


class _FileState(Struct, frozen=True, array_like=True):
    """How far a file was read, as it was then. `is_read`: to its end, but for a line that had not ended."""

    path: str
    version: Version
    is_read: bool = False
    offset: int = 0
    lines: int = 0
    head: bytes = b""
    parser: Raw = _NONE
    agent: str = ""
    session: str = ""  # "": of a sub-agent
    is_gone: bool = False


class _Places(Struct, frozen=True, array_like=True):
    time_ns: int
    files: list[_FileState]
    gone: list[tuple[str, str]] = []


# Decoders are made beforehand: two threads that use a type first at the same time end the process
_PLACES: msgspec.msgpack.Decoder[_Places] = msgspec.msgpack.Decoder(_Places)
_JSON: msgspec.json.Decoder[object] = msgspec.json.Decoder(object)


class _Reader:
    def __init__(self, options: TranscriptsOptions, given_places: list[Place], progress: Progress) -> None:
        self._given = given_places
        self._home = Home(options.home, None if given_places else options.uid, options.variables)
        self._databases = Databases(self._home)
        self._agents = [each for each in read_agents() if not options.agents or each.id in options.agents]
        self._since_ns = options.since_ms * 1_000_000
        self._follow = options.follow
        self._progress = progress
        self._known: dict[str, _FileState] = {}
        self._places: dict[str, Raw] = {}  # the same, encoded: one of thousands changes at a time
        self._waiting: Iterator[AgentFile] | None = None
        self._present: set[str] = set()  # at the last look
        self._roots: list[str] = []
        self._unmarked = False
        self._gone: set[tuple[str, str]] = set()  # agents and sessions of which all files are
        self._file: AgentFile | None = None
        self._witnessed = False
        self._time_ns = 0
        self._looked_s = 0.0

    # -- a run that goes on --------------------------------------------------------------------------------------------

    def place(self) -> bytes:
        return msgspec.msgpack.encode((self._time_ns, list(self._places.values()), sorted(self._gone)))

    def go_on(self, place: bytes, /) -> None:
        places = _PLACES.decode(place)
        self._time_ns, self._gone = places.time_ns, set(places.gone)
        for each in places.files:
            self._note(each)

    def _note(self, state: _FileState) -> None:
        self._known[state.path] = state
        self._places[state.path] = Raw(msgspec.msgpack.encode(state))

    # -- reading -------------------------------------------------------------------------------------------------------

    def open(self) -> None:
        self._look()

    def _look(self) -> None:
        """What there is to read, the newest first."""
        listing, progress = Listing(self._home), self._progress
        found = (each for file in self._listed(listing) for each in self._databases.sessions(file))
        files = list({each.path: each for each in found}.values())
        self._present, self._roots, self._unmarked = {each.path for each in files}, listing.roots, True
        files = [each for each in files if each.changed_ns >= self._since_ns and parser_for(each.agent, each.path) is not None]
        new = sorted(filter(self._has_more, files), key=lambda file: -file.changed_ns)
        progress.files, progress.size = len(files), sum(each.version[2] for each in files)
        progress.skipped = listing.skipped + self._databases.skipped
        progress.read_files, progress.read = len(files) - len(new), progress.size - sum(self._left(each) for each in new)
        self._waiting, self._looked_s = iter(new), time.monotonic()

    def _listed(self, listing: Listing) -> Iterator[AgentFile]:
        for place in self._given:
            yield from listing.inside(place)
        for agent in () if self._given else self._agents:
            yield from listing.files(agent)

    def _has_more(self, file: AgentFile) -> bool:
        known = self._known.get(file.path)
        return known is None or not known.is_read or known.version != file.version

    def _left(self, file: AgentFile) -> int:
        known = self._known.get(file.path)
        return file.version[2] - (known.offset if known is not None else 0)

    def poll(self, timeout: float, /) -> Sequence[Said] | None:
        if not self._witnessed:
            self._witnessed = True
            return [Witness(self._at(), SAID)]
        self._file = self._file or next(self._waiting or iter(()), None)
        if self._file is not None:
            return self._read(self._file)
        if self._unmarked:
            self._unmarked = False
            if marks := self._marks():
                return marks
        self._progress.caught_up.set()
        if not self._follow:
            return None
        left_s = self._looked_s + _LOOK_S - time.monotonic()
        if left_s > 0:
            time.sleep(min(timeout, left_s))
        else:
            self._look()
        return ()

    def _marks(self) -> list[Said]:
        """The sessions whose files are all gone since the last look, and the ones that have a file again."""
        for each in [each for each in self._known.values() if each.is_gone != self._is_gone(each)]:
            self._note(replace(each, is_gone=not each.is_gone))
        there = {(each.agent, each.session) for each in self._known.values() if not each.is_gone}
        gone = {(each.agent, each.session) for each in self._known.values() if each.session} - there
        changed, self._gone = sorted(gone ^ self._gone), gone
        words = {True: "gone", False: "returned"}
        return [SessionEntry(self._at(agent), agent, id, "note", text=words[(agent, id) in gone]) for agent, id in changed]

    def _is_gone(self, state: _FileState) -> bool:
        """A place that cannot be looked at, as in a home that is not mounted, says nothing."""
        if state.path in self._present or state.is_gone:
            return state.path not in self._present
        database, _, session = state.path.rpartition("#")
        is_inside = bool(session) and database.endswith(SUFFIXES)
        if is_inside and database in self._databases.listed:
            return True
        path = database if is_inside else state.path
        return any(path.startswith(f"{root}/") for root in self._roots) and is_missing(path)

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
        read = _FileState(
            file.path,
            opened.version,
            is_read,
            offset=offset,
            lines=state.lines + len(lines),
            head=_head(opened, offset),
            parser=Raw(parser.saved()),
            **self._of(parser, file),
        )
        self._note(read)
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
        parser, known = parser_for(file.agent, file.path), self._known.get(file.path)
        assert parser is not None, "others are not waited for"
        if known is not None and known.version[:2] == file.version[:2]:
            parser.restore(bytes(known.parser))
        entries: list[Said] = []
        try:
            values = self._databases.values(file, parser.state.done)
        except Changed:
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
        self._note(
            _FileState(file.path, file.version, is_read=left_ns > 0, parser=Raw(parser.saved()), **self._of(parser, file))
        )
        self._progress.read_files += 1
        return [self._placed(each) for each in entries]

    def _of(self, parser: Parser[Any], file: AgentFile) -> dict[str, Any]:
        known, state = self._known.get(file.path), parser.state
        session = "" if state.thread else state.session
        return {"agent": state.agent or parser.agent, "session": session, "is_gone": known is not None and known.is_gone}

    def _state(self, file: AgentFile, opened: OpenedFile) -> _FileState:
        """Where to read on: at the begin of a file that is not the one that was read."""
        known = self._known.get(file.path)
        if known is None or known.version[:2] != opened.version[:2] or known.offset > opened.size:
            return _FileState(file.path, opened.version)
        return known if known.head == _head(opened, known.offset) else _FileState(file.path, opened.version)

    def _entries(self, parser: Parser[Any], state: _FileState, lines: Sequence[bytes], path: str) -> Iterator[Said]:
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
