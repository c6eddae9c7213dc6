"""What the parsers of session files have in common: the facts of a session, and the entries that they make."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar, Generic, Self, TypeVar

import msgspec
from msgspec import Struct

from ....events import EntryKind, Origin, SessionEntry
from ..said import MADE_UP
from .fields import moment

_NS = 1_000_000  # of a millisecond


class Tables(Struct, frozen=True):
    """
    Where a database has its sessions: a table with their `id` and `parent`, and when each `changed`; one of messages, with
    `session_id`; one of parts of them, with `message_id`, where it has such.
    """

    session: str
    changed: str
    message: str
    created: str  # of a message: by it they are in order
    parent: str = ""
    part: str = ""


class State(Struct):
    """What a parser knows of a file behind a line. Of a database `done` is the newest message that will not change."""

    session: str
    time_ms: int = 0
    folder: str = ""
    branch: str = ""
    version: str = ""
    project: str = ""
    title: str = ""
    model: str = ""
    is_out: bool = True  # there is an entry with these
    number: int = 0  # of answers, or of tools, without an id
    begun_ms: int = 0  # what is older is of another session
    agent: str = ""  # where it is not the parser's own
    thread: str = ""
    done: str = ""
    waiting: str = ""  # a message behind it that may change


S = TypeVar("S", bound=State)


class Parser(Generic[S]):
    """
    The values of one file, line by line -> its entries. A parser with the `saved` state of another one goes on behind it.
    `at_once`: later lines change what earlier ones said, so all of the file is read again where it has grown, up to `finish`.

    `tables`: of a database. Its values of a session are an object `session`, which is the row and names the `root` of its
    parents, and objects `message`, each a row, with its `parts` where these have a table. They begin behind the message that is
    `done`.
    """

    agent: ClassVar[str]
    tables: ClassVar[Tables | None] = None
    in_folder: ClassVar[int] = 0  # so many folders above the file is the one that is named as the session
    at_once: ClassVar[bool] = False
    state_type: ClassVar[Any]  # S

    def __init__(self, name: str) -> None:
        """`name`: of the file without its suffix, the id of a session that names none."""
        self.state: S = self.state_type(name)
        self.dropped = 0  # what was one too many
        self.broken = 0  # values that are not of the agent's form
        self.times: list[int] = []  # Unix ms at which something happened, that the last lines say

    def saved(self) -> bytes:
        return msgspec.msgpack.encode(self.state)

    def restore(self, saved: bytes) -> None:
        self.state = msgspec.msgpack.decode(saved, type=self.state_type)

    def take(self, value: Mapping[str, object], /) -> Iterator[SessionEntry]:
        raise NotImplementedError

    def finish(self) -> Iterator[SessionEntry]:
        """The entries that are known at the end of the file alone."""
        return iter(())

    @classmethod
    def of(cls, path: str, /) -> Self:
        """The parser of a file; behind `#` is the session of a database."""
        name = path.split("/")[-1 - cls.in_folder]
        return cls(name.partition("#")[2] or (name if cls.in_folder else name.rpartition(".")[0]))

    @classmethod
    def databases(cls, value: Mapping[str, object], /) -> list[str]:
        """The paths of databases that a file lists."""
        return []

    @classmethod
    def beside(cls, path: str, /) -> str:
        """The path of a file that says more about the session of this one; "": there is none."""
        return ""

    def facts_beside(self, value: Mapping[str, object], /) -> Iterator[SessionEntry]:
        """What that file says."""
        return iter(())

    def root(self, row: Mapping[str, object], **facts: str) -> Iterator[SessionEntry]:
        """The row of a session in a database: one that another one asked for is a thread of that."""
        state, identity = self.state, row.get("id") if isinstance(row.get("id"), str) else self.state.session
        root = row.get("root")
        state.session, state.waiting = str(root or identity), ""
        state.thread = "" if state.session == identity else str(identity)
        if not state.thread:  # the title of a sub-agent is not the one of the session
            yield from self.facts(**facts)

    def passed(self, message: str, *, is_done: bool) -> None:
        """A message of a database was read; the ones before it do not change any more."""
        self.state.done = message if is_done else self.state.waiting or self.state.done
        self.state.waiting = "" if is_done else message

    def saw(self, time_ms: int) -> None:
        """It is that time; 0: unknown."""
        if time_ms:
            self.times.append(time_ms)
            self.state.time_ms = time_ms

    def began(self, said: object) -> None:
        """The session began then, where no line has had a time yet."""
        if not self.state.time_ms:
            self.saw(moment(said))

    def entry(self, kind: EntryKind, **said: Any) -> SessionEntry:
        """An entry at the newest time."""
        agent = self.state.agent or self.agent
        origin = Origin(0, 0, comm=agent, wall_ns=self.state.time_ms * _NS)
        said.setdefault("thread", self.state.thread)
        return SessionEntry(origin, agent, self.state.session, kind, **said)

    def note(self, **found: str) -> None:
        """Keep facts of the whole session."""
        for name, value in found.items():
            if value and getattr(self.state, name) != value:
                setattr(self.state, name, value)
                self.state.is_out = False

    def facts(self, **found: str) -> Iterator[SessionEntry]:
        """The same, as an entry where there is something new."""
        self.note(**found)
        state = self.state
        if not state.is_out:
            state.is_out = True
            yield self.entry(
                "session",
                folder=state.folder,
                branch=state.branch,
                version=state.version,
                project=state.project,
                text=state.title,
                model=state.model,
            )

    def made_up(self) -> str:
        """An id in the place of one that the file does not have."""
        self.state.number += 1
        return f"{MADE_UP}{self.state.number}"
