"""
One look at all session files, and how far each was read -> the ones that have more, and the sessions whose files are gone.

It opens databases alone, and imports nothing that reads a file: an import of nothing new ends here.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator, Mapping
from typing import Annotated

import msgspec
from msgspec import Raw, Struct
from msgspec.structs import replace

from ...core.options import Options, at_least
from ...llm.agents.session_files import read_agents
from .database import SUFFIXES, Databases
from .files import AgentFile, Home, Listing, Place, Version, is_missing


class TranscriptsOptions(Options, frozen=True):
    """
    The session files below a home, and where `variables` of the environment say, that belong to the user `uid` (None: to any):
    of these `agents`, or of all agents that are known. Without a `home` it is the one of the user, with their variables and
    files. `paths` are read in its place, files of any user: homes, copies of an agent's folder, files. Older files than
    `since_ms` are left out. `follow` goes on with new lines until the run is stopped.
    """

    home: str = ""
    uid: int | None = None
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

    def looked(self, look: Look, places: Places, new: list[AgentFile]) -> None:
        self.files, self.size = len(look.files), sum(each.version[2] for each in look.files)
        self.read_files, self.read = len(look.files) - len(new), self.size - sum(map(places.left, new))
        self.skipped = look.skipped


class Look:
    """The session files that are there, and the folders in which they are."""

    def __init__(self, options: TranscriptsOptions, given: list[Place], databases: Databases) -> None:
        home = Home(options.home, options.uid, options.variables)
        agents = [each for each in read_agents() if not options.agents or each.id in options.agents]
        databases.look()
        listing = Listing(replace(home, uid=None) if given else home)
        listed = (file for place in given for file in listing.inside(place))
        if not given:
            listed = (file for agent in agents for file in listing.files(agent))
        found = {each.path: each for file in listed for each in databases.sessions(file)}
        since_ns = options.since_ms * 1_000_000
        self.paths = found.keys()
        self.files = [each for each in found.values() if each.changed_ns >= since_ns]
        self.folders = listing.folders | {os.path.dirname(os.path.join(each.root, each.inside)) for each in self.files}
        self.places = set[str]() if given else {place for agent in agents for place in home.places(agent)}
        self.skipped = listing.skipped + databases.skipped
        self.roots = listing.roots
        self._databases = databases.listed

    def lacks(self, path: str) -> bool:
        """Whether a file is surely gone. A place that cannot be looked at, as in a home that is not mounted, says nothing."""
        if path in self.paths:
            return False
        database, _, session = path.rpartition("#")
        is_inside = bool(session) and database.endswith(SUFFIXES)
        if is_inside and database in self._databases:
            return True
        file = database if is_inside else path
        return any(file.startswith(f"{root}/") for root in self.roots) and is_missing(file)


NOTHING = Raw(b"\xc0")  # of msgpack


class FileState(Struct, frozen=True, array_like=True):
    """How far a file was read, as it was then. `is_read`: to its end, but for a line that had not ended."""

    path: str
    version: Version
    is_read: bool = False
    offset: int = 0
    lines: int = 0
    head: bytes = b""
    parser: Raw = NOTHING
    agent: str = ""
    session: str = ""  # "": of a sub-agent
    is_gone: bool = False


class _Saved(Struct, frozen=True, array_like=True):
    time_ns: int
    files: list[FileState]
    gone: list[tuple[str, str]] = []


# Decoders are made beforehand: two threads that use a type first at the same time end the process
_SAVED: msgspec.msgpack.Decoder[_Saved] = msgspec.msgpack.Decoder(_Saved)


class Places:
    """How far each file was read."""

    def __init__(self) -> None:
        self._known: dict[str, FileState] = {}
        self._encoded: dict[str, Raw] = {}  # one of thousands changes at a time
        self._gone: set[tuple[str, str]] = set()  # agents and sessions of which all files are

    @property
    def known(self) -> Mapping[str, FileState]:
        return self._known

    def saved(self, time_ns: int) -> bytes:
        return msgspec.msgpack.encode((time_ns, list(self._encoded.values()), sorted(self._gone)))

    def restore(self, saved: bytes) -> int:
        """Returns the time that was saved with them."""
        found = _SAVED.decode(saved)
        self._gone = set(found.gone)
        for each in found.files:
            self.note(each)
        return found.time_ns

    def note(self, state: FileState) -> None:
        self._known[state.path] = state
        self._encoded[state.path] = Raw(msgspec.msgpack.encode(state))

    def new(self, look: Look) -> list[AgentFile]:
        """
        What there is to read, the oldest first: a session that goes on from another one, and has its calls again, adds its own
        alone, and the answers that are still written are the last that were read.
        """
        return sorted(filter(self._has_more, look.files), key=lambda file: file.changed_ns)

    def _has_more(self, file: AgentFile) -> bool:
        known = self._known.get(file.path)
        return known is None or not known.is_read or known.version != file.version

    def left(self, file: AgentFile) -> int:
        """So many bytes of it are not read."""
        known = self._known.get(file.path)
        return file.version[2] - (known.offset if known is not None else 0)

    def turned(self, look: Look) -> list[FileState]:
        """The files that are gone since the last look, and the ones that are there again."""
        return [
            replace(each, is_gone=not each.is_gone)
            for each in self._known.values()
            if each.is_gone != (each.path not in look.paths and (each.is_gone or look.lacks(each.path)))
        ]

    def marks(self, look: Look) -> Iterator[tuple[str, str, bool]]:
        """Each agent and session whose files are all gone since the last look, or that has one again."""
        for each in self.turned(look):
            self.note(each)
        there = {(each.agent, each.session) for each in self._known.values() if not each.is_gone}
        before, self._gone = self._gone, {(each.agent, each.session) for each in self._known.values() if each.session} - there
        for agent, session in sorted(before ^ self._gone):
            yield agent, session, (agent, session) in self._gone


def is_all_read(
    options: TranscriptsOptions,
    given: list[Place],
    saved: bytes,
    progress: Progress,
    *,
    looked: Callable[[Look], object] = lambda _: None,
) -> bool:
    """
    Whether a run that goes on from there would find nothing new. `progress` is then the one of its end. `looked` gets what was
    looked at.
    """
    places, databases = Places(), Databases(Home(options.home, None if given else options.uid, options.variables))
    try:
        places.restore(saved)
        look = Look(options, given, databases)
    except msgspec.MsgspecError:
        return False
    finally:
        databases.close()
    looked(look)
    new = places.new(look)
    progress.looked(look, places, new)
    if new or places.turned(look):
        return False
    progress.caught_up.set()
    return True
