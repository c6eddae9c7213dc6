"""Calls -> how often each agent used each model, with tokens and cost, in a few sums that never become smaller."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterable
from decimal import Decimal

from msgspec import Struct
from msgspec.structs import replace

from ...core.bounded import Recent
from ...core.start import regex
from ...events.tokens import Usage
from .kinds import CallRow

OTHER = "other"
PAIRS_MOST = 18  # of model and agent, with a sum of their own
SETTLED_MS = 60_000  # rows of a call change for some seconds; and a reader that comes each minute sees the 0 of a pair before

_WAITING_MOST = 1024  # calls that ended and may change
_COUNTED_MOST = 4096  # ids of calls that are counted, so that a later row of one counts nothing
_NAME_MOST = 64  # characters; the longest name in the list of prices has 58
_PATH = regex(r"^[/~.\\]|^\w:\\")


class Use(Struct, frozen=True):
    """
    Some calls that ended. `usd` is the cost of the `priced` ones at list price; `unpriced` ones used tokens and have no known
    price.
    """

    calls: int = 0
    usage: Usage = Usage()
    usd: Decimal = Decimal(0)
    priced: int = 0
    unpriced: int = 0

    def __add__(self, other: Use, /) -> Use:
        return Use(
            self.calls + other.calls,
            self.usage + other.usage,
            self.usd + other.usd,
            self.priced + other.priced,
            self.unpriced + other.unpriced,
        )


class Uses:
    """
    A call is counted once, `SETTLED_MS` after its end, with its newest row. Until then another row may name it as the twin of
    a call, and a reader takes a smaller sum for a new start. Meanwhile its pair of model and agent is there with 0, because a
    reader knows no increase without a value before it.

    The first `most` pairs of model and agent have a sum of their own, and all later ones one together: a pair that changes its
    place would be counted twice. One thread adds calls, and others may read.
    """

    def __init__(self, cost_of: Callable[[CallRow], Decimal | None], *, most: int = PAIRS_MOST) -> None:
        self._cost_of = cost_of
        self._most = most
        self._lock = threading.Lock()
        self._waiting: dict[str, CallRow] = {}
        self._counted: Recent[str, None] = Recent(_COUNTED_MOST)
        self._sums: dict[tuple[str, str], Use] = {}

    def put(self, row: CallRow, /) -> None:
        """The newest row of a call."""
        with self._lock:
            if row.status == "pending" or row.twin is not None or row.id in self._counted:
                self._waiting.pop(row.id, None)
                return
            self._waiting[row.id] = replace(row, prompt="", text="", thinking="")
            self._sums.setdefault(self._pair_of(row), Use())
            due = [self._waiting[next(iter(self._waiting))]] if len(self._waiting) > _WAITING_MOST else []
            self._settle(due)
        self._add(due)

    def gone(self, id: str, /) -> None:
        """This row was not true."""
        with self._lock:
            self._waiting.pop(id, None)

    def until(self, time_ms: int, /) -> dict[tuple[str, str], Use]:
        """The sums by model and agent, with all calls that had ended at this time (Unix time)."""
        with self._lock:
            due = [row for row in self._waiting.values() if not row.more and _ended_ms(row) <= time_ms]
            self._settle(due)
        self._add(due)
        with self._lock:
            return dict(self._sums)

    def _settle(self, due: Iterable[CallRow]) -> None:
        for row in due:
            del self._waiting[row.id]
            self._counted.put(row.id, None)

    def _add(self, due: Iterable[CallRow]) -> None:
        """Without the lock where a price is looked up: the first one takes tenths of a second."""
        for row in due:
            used, pair = self._use_of(row), self._pair_of(row)
            with self._lock:
                self._sums[pair] += used

    def _pair_of(self, row: CallRow) -> tuple[str, str]:
        pair = shown_name(row.model), shown_name(row.agent)
        has_room = len(self._sums.keys() - {(OTHER, OTHER)}) < self._most
        return pair if pair in self._sums or has_room else (OTHER, OTHER)

    def _use_of(self, row: CallRow) -> Use:
        usd = self._cost_of(row)
        unpriced = usd is None and row.total_tokens > 0
        return Use(1, row.usage, usd or Decimal(0), int(usd is not None), int(unpriced))


def _ended_ms(row: CallRow) -> int:
    return row.end_timestamp_ms or row.start_timestamp_ms


def shown_name(name: str | None, /) -> str:
    """The name of a model or an agent for a label. A local model may be called by its path: the last part of it names it."""
    text = (name or "").strip()
    if _PATH.match(text):
        text = re.split(r"[/\\]", text.rstrip("/\\"))[-1].lstrip("~.")
    text = "".join(each for each in text if each.isprintable())[:_NAME_MOST]
    return text.encode("utf-8", "replace").decode() or "unknown"
