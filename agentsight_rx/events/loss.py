"""Losses and why: a closed list of reasons, and the ledger that counts them."""

from __future__ import annotations

import time
from collections.abc import Iterator
from enum import StrEnum

from msgspec import Struct


class Reason(StrEnum):
    """Why something seen by one stage did not reach the next."""

    # intended
    FILTERED = "filtered"
    SAMPLED = "sampled"
    REPEATED = "repeated"
    OVERHEAD = "overhead"  # frames of a protocol that carry no part of a message
    OTHER_PROTOCOL = "other_protocol"  # bytes that are neither TLS nor HTTP
    PAUSED = "paused"  # a person wanted nothing recorded for a while
    LIMITED = "limited"  # bytes behind as many of one call as are to be kept
    # unintended: each of these makes a capture incomplete
    KERNEL_LOST = "kernel_lost"
    QUEUE_FULL = "queue_full"
    SHED = "shed"  # content that was not taken, since the memory of the recorder was over its soft limit
    TRUNCATED = "truncated"
    MALFORMED = "malformed"
    EVICTED = "evicted"
    SINK_FAILED = "sink_failed"
    UNREADABLE = "unreadable"
    NOT_OPENED = "not_opened"  # a source that the kernel did not allow: all that it would have seen
    OTHER_ABI = "other_abi"  # what 32-bit programs do: the tracepoints of system calls do not show it
    OPENED_LATE = "opened_late"  # what an agent did before a source was open on a busy machine
    UNSEEN = "unseen"  # a command that we started, and of which the kernel reported nothing
    UNFOLLOWED = "unfollowed"  # a process that breakpoints do not look into, or no more
    LEFT_RUNNING = "left_running"  # what processes do that the recorded command left, behind the end of the capture
    LATE = "late"  # came behind the window of its time, or so that pairs with it could be missing
    NOT_RUNNING = "not_running"  # what a live source did not show between two runs of which one goes on with the other's state
    UNFINISHED = "unfinished"  # what a graph waited for from other threads, and for no longer
    BUG = "bug"

    @property
    def intended(self) -> bool:
        """True for what a capture leaves out on purpose: it is complete all the same."""
        return self in _INTENDED


_INTENDED = frozenset(
    {Reason.FILTERED, Reason.SAMPLED, Reason.REPEATED, Reason.OVERHEAD, Reason.OTHER_PROTOCOL, Reason.LIMITED, Reason.PAUSED}
)

# Operators that drop what a person does not want to see; others drop events that are there twice
_FILTERS = frozenset({"filter_http", "filter_tls", "drop_marked", "keep_long_lived"})


def stage_name(stage: str, /) -> str:
    """Of `tls/parse_http#2` it is `parse_http`."""
    return stage.rpartition("/")[2].partition("#")[0]


class Entry(Struct, frozen=True):
    """One line of the ledger: `count` things (and `size` bytes, where known) that `stage` did not pass on."""

    stage: str
    reason: Reason
    count: int
    size: int = 0

    @property
    def by_filter(self) -> bool:
        """True for events that a filter left out."""
        return self.reason is Reason.FILTERED and stage_name(self.stage) in _FILTERS


class RuleCounts(Struct):
    """One filter in one run. `seen` counts the events that its rules apply to, `dropped` the events that a rule matched."""

    name: str  # SSLFilter, HTTPFilter
    seen: int = 0
    dropped: int = 0

    @property
    def passed(self) -> int:
        return self.seen - self.dropped


class Meter:
    """The counts of one stage. Exactly one thread writes it; any thread may read it."""

    __slots__ = ("_lost", "passed", "rules", "seen", "spent_ns", "stage")

    def __init__(self, stage: str) -> None:
        self.stage = stage
        self.seen = 0
        self.passed = 0
        self.spent_ns = 0  # in its operator, where the run was asked to measure that
        self.rules: RuleCounts | None = None  # of a filter
        self._lost: dict[Reason, tuple[int, int]] = {}

    def lose(self, reason: Reason, count: int, size: int = 0) -> None:
        """Count `count` things of `size` bytes in all as lost."""
        if count or size:
            old_count, old_size = self._lost.get(reason, (0, 0))
            self._lost[reason] = (old_count + count, old_size + size)

    def lost(self, reason: Reason | None = None) -> int:
        """How many were lost: for one reason, or in all."""
        if reason is not None:
            return self._lost.get(reason, (0, 0))[0]
        return sum(count for count, _ in list(self._lost.values()))

    def entries(self) -> list[Entry]:
        return [Entry(self.stage, reason, count, size) for reason, (count, size) in list(self._lost.items())]


class Ledger:
    """The account of a run: one `Meter` for each stage, made when the stage starts, and how long the run captured."""

    def __init__(self) -> None:
        self._meters: dict[str, Meter] = {}
        self.began_ms = 0  # Unix time at which everything was attached; 0 = not yet
        self._began_s = 0.0
        self._ended_s: float | None = None

    def begin(self) -> None:
        """The run captures from now on."""
        self.began_ms, self._began_s = time.time_ns() // 1_000_000, time.monotonic()

    def end(self) -> None:
        """The run captures no more."""
        if self._ended_s is None:
            self._ended_s = time.monotonic()

    @property
    def seconds(self) -> float:
        """How long the run has captured so far, or did in all."""
        if not self.began_ms:
            return 0.0
        return (time.monotonic() if self._ended_s is None else self._ended_s) - self._began_s

    def meter(self, stage: str) -> Meter:
        """The meter of `stage`; a second stage of the same name gets a meter of its own, named `stage#2`."""
        name, number = stage, 1
        while name in self._meters:
            number += 1
            name = f"{stage}#{number}"
        return self._meters.setdefault(name, Meter(name))

    def shared(self, stage: str) -> Meter:
        """The meter of `stage`, the same object for every caller; all of them must be on one thread."""
        return self._meters.setdefault(stage, Meter(stage))

    def __repr__(self) -> str:
        lost = ", ".join(f"{each.count:,} {each.reason} at {each.stage}" for each in self.unintended())
        return f"<Ledger of {len(self._meters)} stages, {lost or 'nothing lost'}>"

    def __iter__(self) -> Iterator[Meter]:
        return iter(list(self._meters.values()))

    def entries(self) -> list[Entry]:
        """Every (stage, reason) that has a count, in the order in which the stages started."""
        return [entry for meter in self for entry in meter.entries()]

    def unintended(self) -> list[Entry]:
        """The losses that make a capture incomplete."""
        return [entry for entry in self.entries() if not entry.reason.intended]

    def rules(self) -> list[RuleCounts]:
        """The counts of each filter that has rules."""
        return [meter.rules for meter in self if meter.rules is not None]

    @property
    def complete(self) -> bool:
        """True if nothing was lost unintentionally."""
        return not self.unintended()
