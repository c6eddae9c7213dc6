"""What the guard remembers between events. Every table is bounded; its entries are replaced, and never change."""

from __future__ import annotations

from typing import TypeVar

from msgspec import Struct

from ....core.bounded import Recent
from ....policy.rules.guard.values import HOMES_MOST
from ...rows.kinds import AlertRow, CallRow

K = TypeVar("K")
V = TypeVar("V")

_ALERTS_MOST = 4096  # that are still counted; one that was evicted begins again
_READS_MOST = 1024  # tools and processes that read a secret file
_FILES_MOST = 16  # of one of them
_HOSTS_MOST = 16_384
_ROOTS_MOST = 1024
_TOOLS_MOST = 4096
_CALLS_MOST = 4096
_SUMS_MOST = 4096
_PROCESSES_MOST = 4096
_TREES_MOST = 16  # of one session
_NAMES_MOST = 256  # secret files that were renamed


class Read(Struct, array_like=True, frozen=True):
    """A file was read: `by_name` by the agent itself, for a tool that names it."""

    path: str
    event: str
    by_name: bool = False


class Noted(Struct, array_like=True, frozen=True):
    """A call, as known when one of its tools does something."""

    turn: int
    prompt: str
    cost: float | None = None
    tokens: int = 0


class Sum(Struct, array_like=True, frozen=True):
    """The calls of a session, a sub-agent or a day that have ended."""

    calls: int = 0
    tokens: int = 0
    cost: float = 0.0


_NOTHING = Sum()


def host_key(workspace: str, host: str, /) -> str:
    """Under which it is known who spoke to a host first."""
    return f"{workspace}\n{host}"


class GuardState(Struct, array_like=True):
    """What `Memory.snapshot` keeps."""

    number: int
    alerts: tuple[list[str], list[AlertRow]]
    reads: tuple[list[str], list[tuple[Read, ...]]]
    hosts: tuple[list[str], list[str]]
    roots: tuple[list[str], list[str]]
    failures: tuple[list[str], list[tuple[int, str]]]
    calls: tuple[list[str], list[Noted]]
    prompts: tuple[list[str], list[str]]
    sums: tuple[list[str], list[Sum]]
    tools: tuple[list[str], list[str]]
    spoke: tuple[list[str], list[str]]
    names: tuple[list[str], list[str]]
    loaded: str = ""  # the rules that were loaded in the run; empty: the given ones hold
    homes: tuple[list[str], list[str]] = ([], [])
    worktrees: tuple[list[str], list[tuple[str, ...]]] = ([], [])

    @property
    def entries(self) -> int:
        """How much is known, roughly."""
        return sum(len(getattr(self, name)[0]) for name in _TABLES)


_TABLES = tuple(name for name in GuardState.__struct_fields__ if name not in ("number", "loaded"))


class _Kept(Recent[K, V]):
    """Its columns stay the same object until it changes: what has not changed is neither copied nor filled again."""

    def __init__(self, most: int) -> None:
        super().__init__(most)
        self._columns: tuple[list[K], list[V]] | None = None

    @property
    def columns(self) -> tuple[list[K], list[V]]:
        if self._columns is None:
            self._columns = super().columns
        return self._columns

    def fill(self, columns: tuple[list[K], list[V]], /) -> None:
        if columns is not self._columns:
            super().fill(columns)
            self._columns = columns

    def use(self, key: K, /) -> V | None:
        self._columns = None
        return super().use(key)

    def put(self, key: K, value: V, /) -> tuple[K, V] | None:
        self._columns = None
        self[key] = value
        self.move_to_end(key)
        return self.popitem(last=False) if len(self) > self.most else None

    def drop(self, key: K, /) -> None:
        """Remove an entry, if it is there."""
        if self.pop(key, None) is not None:
            self._columns = None


class Memory:
    """The tables."""

    def __init__(self) -> None:
        self.number = 0  # of the newest alert
        self.alerts = _Kept[str, AlertRow](_ALERTS_MOST)
        self.reads = _Kept[str, tuple[Read, ...]](_READS_MOST)  # by the id of a tool or of a process
        self.hosts = _Kept[str, str](_HOSTS_MOST)  # workspace and host -> who spoke to it first
        self.roots = _Kept[str, str](_ROOTS_MOST)  # session -> the root of its git repository
        self.failures = _Kept[str, tuple[int, str]](_TOOLS_MOST)  # in a row, and the tool that was last
        self.calls = _Kept[str, Noted](_CALLS_MOST)
        self.prompts = _Kept[str, str](_ROOTS_MOST)  # what a person typed last, by session
        self.sums = _Kept[str, Sum](_SUMS_MOST)
        self.tools = _Kept[str, str](_PROCESSES_MOST)  # process that has ended -> its tool
        self.spoke = _Kept[str, str](_PROCESSES_MOST)  # process of which requests were read -> the host of the last
        self.names = _Kept[str, str](_NAMES_MOST)  # new name -> the name of the file before
        self.worktrees = _Kept[str, tuple[str, ...]](_ROOTS_MOST)  # session -> more working trees of its repository
        self.homes = _Kept[str, str](HOMES_MOST)  # of users, beside the usual ones; "" is the root -> who said so

    def read(self, key: str | None, read: Read) -> None:
        """Remember that a tool or a process read a file."""
        if key is None:
            return
        known = self.reads.get(key, ())
        if all(each.path != read.path for each in known):
            self.reads.put(key, (*known[-_FILES_MOST + 1 :], read))

    def works_in(self, owner: str, folder: str) -> None:
        """Remember another working tree of a session."""
        known = self.worktrees.get(owner, ())
        if folder not in known:
            self.worktrees.put(owner, (*known[-_TREES_MOST + 1 :], folder))

    def call(self, row: CallRow, cost: float | None, keys: tuple[str, ...]) -> list[Sum]:
        """The sums with what a call cost, in the place of what an earlier row of it said."""
        known = self.calls.get(row.id) or Noted(row.turn, "")
        noted = Noted(known.turn or row.turn, known.prompt, cost, row.total_tokens)
        self.calls.put(row.id, noted)
        tokens, spent = noted.tokens - known.tokens, (cost or 0.0) - (known.cost or 0.0)
        sums = list[Sum]()
        for key in keys:
            before = self.sums.get(key, _NOTHING)
            found = Sum(before.calls, before.tokens + tokens, before.cost + spent)
            self.sums.put(key, found)
            sums.append(found)
        return sums

    def begins(self, row: CallRow, prompt: str, keys: tuple[str, ...]) -> None:
        """A call that is not known began, for this prompt."""
        self.calls.put(row.id, Noted(row.turn, prompt))
        for key in keys:
            before = self.sums.get(key, _NOTHING)
            self.sums.put(key, Sum(before.calls + 1, before.tokens, before.cost))

    def snapshot(self, loaded: str = "") -> GuardState:
        return GuardState(self.number, loaded=loaded, **{name: getattr(self, name).columns for name in _TABLES})

    def restore(self, state: GuardState | None) -> None:
        state = state or Memory().snapshot()
        self.number = state.number
        for name in _TABLES:
            getattr(self, name).fill(getattr(state, name))
