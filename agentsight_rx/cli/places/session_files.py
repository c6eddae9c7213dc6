"""A home directory -> the newest session files of agents in it, read without following links, within limits, and once each."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing

from msgspec import Struct
from msgspec.structs import replace

from ...core.bounded import Weighed
from ...llm.agents.known import Agent
from ...llm.agents.session_files import parser_for, read_agents
from ...policy.redaction.redactor import Redactor
from ...sources.session_files.database import Changed, Databases
from ...sources.session_files.files import AgentFile, Home, Listing, OpenedFile, Version, read_beside
from ...view.transcripts import Transcript, of_file, of_values
from ...view.transcripts.matching import Located
from ...wire.sqlite import SqliteError

_SHOWN_MOST = 25  # sessions of one look
_READ_FEWEST, _READ_MOST = 10, 75  # files that are read for them: some are empty
_WEIGHT_MOST = 128 << 20  # bytes of memory of the sessions of one look, and of those that are known


class Found(Struct, frozen=True, kw_only=True):
    """
    The sessions of one look, the newest first. `older` counts files that were not read since others were before them, `skipped`
    files that could not be read or are not the user's own regular files.
    """

    sessions: tuple[Located, ...] = ()
    older: int = 0
    skipped: int = 0


class TranscriptFiles:
    """The session files below a home directory. What has not changed since the last look is not read again."""

    def __init__(self, home: Home, redactor: Redactor, *, agents: tuple[Agent, ...] | None = None) -> None:
        self._home = home
        self._redactor = redactor
        self._agents = read_agents() if agents is None else agents
        self._known: Weighed[str, tuple[Version, Transcript]] = Weighed(
            _READ_MOST, _WEIGHT_MOST, lambda read: read[1].weight, least=1
        )

    def newest(self, most: int = _SHOWN_MOST, *, first: Callable[[str], bool] | None = None) -> Found:
        """
        At most so many sessions (1 to 25), of all agents together. Files whose path is `first` are read before newer ones, such
        as files that belong to an old recording.
        """
        most = min(max(most, 1), _SHOWN_MOST)
        listing = Listing(self._home)
        databases = Databases(self._home)
        files = [each for agent in self._agents for file in listing.files(agent) for each in databases.sessions(file)]
        files.sort(key=lambda file: file.changed_ns, reverse=True)
        if first is not None:
            files.sort(key=lambda file: not first(file.path))
        changed: dict[str, int] = {}
        sessions: list[Located] = []
        skipped, read, weight = listing.skipped + databases.skipped, 0, 0
        with closing(databases):
            for file in files[: min(max(3 * most, _READ_FEWEST), _READ_MOST)]:
                if len(sessions) >= most or weight > _WEIGHT_MOST:
                    break
                read += 1
                transcript = self._transcript(file, databases)
                if transcript is None:
                    skipped += 1
                elif not transcript.is_empty:
                    weight += transcript.weight
                    changed[file.path] = file.changed_ns
                    sessions.append(Located(file.path, transcript))
        sessions.sort(key=lambda session: changed[session.path], reverse=True)
        return Found(sessions=tuple(sessions), older=len(files) - read, skipped=skipped)

    def _transcript(self, file: AgentFile, databases: Databases) -> Transcript | None:
        known = self._known.use(file.path)
        if known is not None and known[0] == file.version:
            return known[1]
        found = _rows(file, databases, self._redactor) if file.session else _read(file, self._home, self._redactor)
        if found is not None:
            self._known.put(file.path, found)
        return found[1] if found is not None else None


def _rows(file: AgentFile, databases: Databases, redactor: Redactor) -> tuple[Version, Transcript] | None:
    """The same of a session of a database."""
    parser = parser_for(file.agent, file.path)
    try:
        return None if parser is None else (file.version, of_values(parser, databases.values(file), redactor=redactor))
    except (OSError, SqliteError, Changed):
        return None


def _read(file: AgentFile, home: Home, redactor: Redactor) -> tuple[Version, Transcript] | None:
    """The content of a file, and its version; None: it cannot be read."""
    parser, is_whole = parser_for(file.agent, file.path), not file.path.endswith(".jsonl")
    if parser is None:
        return None
    try:
        opened = OpenedFile(file, home)
    except OSError:
        return None
    try:
        if opened.is_too_large and is_whole:
            return None  # a part of it is no JSON
        beside = read_beside(file, inside, home) if (inside := parser.beside(file.inside)) else b""
        transcript = of_file(parser, opened.chunks(), is_whole=is_whole, redactor=redactor, beside=beside)
    except OSError:
        return None
    finally:
        opened.close()
    return opened.version, replace(transcript, unread=opened.unread)
