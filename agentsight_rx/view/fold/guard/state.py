"""What the guard remembers between events. Every table is bounded; its entries are replaced, and never change."""

from __future__ import annotations

from msgspec import Struct

from ....core.bounded import Recent
from ...rows.kinds import AlertRow, CallRow

__all__ = ["GuardState", "Memory", "Noted", "Read", "Sum"]

_ALERTS_MOST = 4096  # that are still counted; one that was evicted begins again
_READS_MOST = 1024  # tools and processes that read a secret file
_FILES_MOST = 16  # of one of them
_HOSTS_MOST = 16_384
_ROOTS_MOST = 1024
_TOOLS_MOST = 4096
_CALLS_MOST = 4096
_SUMS_MOST = 4096
_PROCESSES_MOST = 4096
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

    def plus(self, tokens: int, cost: float, calls: int = 0) -> Sum:
        return Sum(self.calls + calls, self.tokens + tokens, self.cost + cost)


class GuardState(Struct, array_like=True):
    """What `Memory.snapshot` keeps."""

    number: int
    alerts: list[AlertRow]
    reads: tuple[list[str], list[tuple[Read, ...]]]
    hosts: tuple[list[str], list[str]]
    roots: tuple[list[str], list[str]]
    failures: tuple[list[str], list[tuple[int, str]]]
    calls: tuple[list[str], list[Noted]]
    prompts: tuple[list[str], list[str]]
    sums: tuple[list[str], list[Sum]]
    tools: tuple[list[str], list[str]]
    spoke: list[str]
    names: tuple[list[str], list[str]]

    @property
    def entries(self) -> int:
        """How much is known, roughly."""
        known = len(self.alerts) + len(self.spoke)
        return known + sum(len(keys) for keys, _ in (self.calls, self.hosts, self.sums, self.failures, self.tools))


class Memory:
    """The tables."""

    def __init__(self) -> None:
        self.number = 0  # of the newest alert
        self.alerts: Recent[str, AlertRow] = Recent(_ALERTS_MOST)
        self.reads: Recent[str, tuple[Read, ...]] = Recent(_READS_MOST)  # by the id of a tool or of a process
        self.hosts: Recent[str, str] = Recent(_HOSTS_MOST)  # workspace and host -> who spoke to it first
        self.roots: Recent[str, str] = Recent(_ROOTS_MOST)  # session -> the root of its git repository
        self.failures: Recent[str, tuple[int, str]] = Recent(_TOOLS_MOST)  # in a row, and the tool that was last
        self.calls: Recent[str, Noted] = Recent(_CALLS_MOST)
        self.prompts: Recent[str, str] = Recent(_ROOTS_MOST)  # what a person typed last, by session
        self.sums: Recent[str, Sum] = Recent(_SUMS_MOST)
        self.tools: Recent[str, str] = Recent(_PROCESSES_MOST)  # process that has ended -> its tool
        self.spoke: Recent[str, None] = Recent(_PROCESSES_MOST)  # processes of which requests were read
        self.names: Recent[str, str] = Recent(_NAMES_MOST)  # new name -> the name of the file before

    def read(self, key: str | None, read: Read) -> None:
        """Remember that a tool or a process read a file."""
        if key is None:
            return
        known = self.reads.get(key, ())
        if all(each.path != read.path for each in known):
            self.reads.put(key, (*known[-_FILES_MOST + 1 :], read))

    def call(self, row: CallRow, cost: float | None, keys: tuple[str, ...]) -> None:
        """Add what a call cost to the sums, in the place of what an earlier row of it said."""
        before = self.calls.get(row.id)
        known = before or Noted(row.turn, "")
        noted = Noted(known.turn or row.turn, known.prompt, cost, row.total_tokens)
        self.calls.put(row.id, noted)
        tokens, spent = noted.tokens - known.tokens, (cost or 0.0) - (known.cost or 0.0)
        for key in keys:
            self.sums.put(key, self.sums.get(key, Sum()).plus(tokens, spent))

    def begins(self, row: CallRow, prompt: str, keys: tuple[str, ...]) -> None:
        """A call began, for this prompt."""
        if row.id not in self.calls:
            self.calls.put(row.id, Noted(row.turn, prompt))
            for key in keys:
                self.sums.put(key, self.sums.get(key, Sum()).plus(0, 0.0, 1))

    def snapshot(self) -> GuardState:
        return GuardState(
            self.number,
            list(self.alerts.values()),
            reads=self.reads.columns,
            hosts=self.hosts.columns,
            roots=self.roots.columns,
            failures=self.failures.columns,
            calls=self.calls.columns,
            prompts=self.prompts.columns,
            sums=self.sums.columns,
            tools=self.tools.columns,
            spoke=list(self.spoke),
            names=self.names.columns,
        )

    def restore(self, state: GuardState | None) -> None:
        state = state or Memory().snapshot()
        self.number = state.number
        self.alerts.clear()
        self.alerts.update({row.id: row for row in state.alerts})
        for name in ("reads", "hosts", "roots", "failures", "calls", "prompts", "sums", "tools", "names"):
            getattr(self, name).fill(getattr(state, name))
        self.spoke.clear()
        self.spoke.update(dict.fromkeys(state.spoke))
