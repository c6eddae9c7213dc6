"""What a rule judges: one thing that an agent did, by file, connection, process, tool, call or prompt, with its chain."""

from __future__ import annotations

from typing import Any, Protocol, TypeAlias

from msgspec import Struct


class Chain(Protocol):
    """Where a deed comes from: its process, the tool that ran the process, the session. An unknown text is empty."""

    @property
    def agent(self) -> str: ...
    @property
    def workspace(self) -> str: ...
    @property
    def tool_name(self) -> str: ...
    @property
    def tool_input(self) -> str: ...
    @property
    def argv(self) -> str: ...
    @property
    def program(self) -> str: ...
    @property
    def own(self) -> bool:
        """The agent's own program did it."""
        ...

    @property
    def cost(self) -> float:
        """US dollars of the session so far, as far as they are known."""
        ...

    @property
    def tokens(self) -> int: ...
    @property
    def calls(self) -> int: ...
    @property
    def minutes(self) -> float: ...
    @property
    def day_cost(self) -> float: ...
    @property
    def agent_cost(self) -> float:
        """US dollars of the sub-agent."""
        ...

    @property
    def agent_calls(self) -> int: ...
    def outside(self, path: str, /) -> bool:
        """Is this path outside of the workspace? False where the workspace is not known."""
        ...

    def came_by(self, path: str, /) -> bool:
        """Does the program search a tree, and came by this file, without being asked for it?"""
        ...


class FileDeed(Struct, frozen=True, gc=False):
    """`op`: read, write, rename, link, remove, mkdir. `error` is an errno; 0: it succeeded."""

    chain: Chain
    path: str
    op: str
    error: int = 0
    target: str = ""  # the new name of a rename or a link
    by: str = ""  # another name of the file, which was used


class NetDeed(Struct, frozen=True, gc=False):
    """A request to a host, or the bytes of a connection that was not read. `new`: no earlier session of the workspace did."""

    chain: Chain
    host: str
    new: bool
    sent: int = 0
    named: bool = False  # the input of an open tool of the agent names the host


class ProcessDeed(Struct, frozen=True, gc=False):
    """
    A program started. `danger` is a word of `danger.DANGERS`, or none; `target` is what it is about. `asked`: an agent's own
    file has that it was asked for, and not whether it started.
    """

    chain: Chain
    danger: str = "none"
    target: str = ""
    asked: bool = False


class ToolDeed(Struct, frozen=True, gc=False):
    """A tool was asked for, or failed. `failures`: so often in a row, whatever its description says."""

    chain: Chain
    failures: int = 0
    unsandboxed: bool = False


class CallDeed(Struct, frozen=True, gc=False):
    """A call of a model ended: the sums of its session, its day and its sub-agent with it, in US dollars as far as known."""

    chain: Chain
    cost: float = 0.0
    tokens: int = 0
    calls: int = 0
    day_cost: float = 0.0
    agent_cost: float = 0.0
    agent_calls: int = 0


class PromptDeed(Struct, frozen=True, gc=False):
    """The redaction found a secret in what a call sent for the first time: its kind, its label, and where."""

    chain: Chain
    secret: str
    label: str
    place: str  # prompt, or the name of the tool whose result it was in


class LeftDeed(Struct, frozen=True, gc=False):
    """A file was read, and after that a part of it, or bytes of the same command, left to a host."""

    chain: Chain
    file: str
    host: str
    sent: int = 0
    by_content: bool = False  # a secret, or the result of reading this file, is in what was sent
    turn: int = 0  # of the call in which it left


class UnreadDeed(Struct, frozen=True, gc=False):
    """The traffic of a process of an agent could not be read."""

    chain: Chain
    size: int
    looks_like: str = ""


Deed: TypeAlias = FileDeed | NetDeed | ProcessDeed | ToolDeed | CallDeed | PromptDeed | LeftDeed | UnreadDeed

# By the word that rules use for it
DEEDS: dict[str, type[Any]] = {
    "file": FileDeed,
    "net": NetDeed,
    "process": ProcessDeed,
    "tool": ToolDeed,
    "call": CallDeed,
    "prompt": PromptDeed,
    "left": LeftDeed,
    "unread": UnreadDeed,
}
_WORDS = {kind: word for word, kind in DEEDS.items()}


def kind_of(deed: Deed, /) -> str:
    """The word that rules use for it."""
    return _WORDS[type(deed)]
