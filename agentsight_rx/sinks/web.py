"""Events and rows -> what the page requests: snapshots of a bounded view, and the newest rows by number."""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from itertools import islice
from threading import Lock
from typing import TypeAlias, cast

from msgspec import Struct
from msgspec.structs import replace

from ..core.bounded import Recent
from ..events import AnswerPiece, AnswerProgress, milliseconds
from ..events.loss import Ledger
from ..store.rows.gaps import gaps_of
from ..store.rows.ids import call_id
from ..store.rows.kind import KINDS, weight_of
from ..view import AlertRow, CallRow, Output, ProcessRow, ResourceRow, RowGone, ToolRow
from ..view.snapshot.schema import Completeness, Snapshot, completeness
from ..view.snapshot.snapshot import AUDIT_DEFAULT, View

# -- age clock -----------------------------------------------------------------------------------------------------
# The time of day -> the time that ages are counted by: a clock that was set wrong for a while makes nothing old.


_SLACK_MS = 60_000  # from one look to the next a clock moves ahead so far without a jump
_BELIEVED_MS = 86_400_000  # a clock that was set ahead is right if it is still so a day later


def _day_ms() -> int:
    return milliseconds(time.time_ns())


def _real_ms() -> int:
    """Of a clock that goes on while the machine is suspended, and that no one can set (clock_gettime(2))."""
    return milliseconds(time.clock_gettime_ns(time.CLOCK_BOOTTIME))


class AgeClock:
    """
    Unix time, ms, as the time of day has it. A jump ahead is followed a day later: the hours of a suspension are real and are
    no jump, but a clock that is set years ahead would have all stored data removed. A jump back is followed at once.
    """

    def __init__(self, day_ms: Callable[[], int] = _day_ms, real_ms: Callable[[], int] = _real_ms) -> None:
        self._day_ms = day_ms
        self._real_ms = real_ms
        self._offset_ms = day_ms() - real_ms()
        self._ahead: tuple[int, int] | None = None  # the offset of a clock that jumped, and since when

    def now_ms(self) -> int:
        real_ms = self._real_ms()
        offset_ms = self._day_ms() - real_ms
        if offset_ms <= self._offset_ms + _SLACK_MS:
            self._follow(offset_ms)
        elif self._ahead is None or abs(offset_ms - self._ahead[0]) > _SLACK_MS:
            self._ahead = offset_ms, real_ms
        elif real_ms - self._ahead[1] >= _BELIEVED_MS:
            self._follow(offset_ms)
        return real_ms + self._offset_ms

    def _follow(self, offset_ms: int) -> None:
        self._offset_ms, self._ahead = offset_ms, None


# -- open answers --------------------------------------------------------------------------------------------------
# AnswerProgress and the calls they are of -> what open answers have said so far, for readers that come and go.


_CALLS_MOST = 1000
_TEXT_MOST = 200_000  # characters of one answer that are kept, the newest ones
_ALL_TEXT_MOST = 4_000_000


class Said(Struct, frozen=True):
    """The pieces of an answer from number `first` on, counted from 0."""

    call: str
    first: int
    pieces: tuple[AnswerPiece, ...]


class _Answer(Struct):
    pieces: deque[AnswerPiece]
    gone: int = 0
    size: int = 0


class OpenAnswers:
    """
    Calls whose answer is still to come: only their text is kept, so that a filtered text is not shown. One thread at a time may
    use it.
    """

    def __init__(self) -> None:
        self._answers: Recent[str, _Answer] = Recent(_CALLS_MOST)
        self._size = 0

    def add(self, item: AnswerProgress | CallRow, /) -> None:
        if isinstance(item, CallRow):
            self._call(item)
            return
        answer = self._answers.use(call_id(item.origin, item.exchange))
        if answer is None:
            return
        for piece in item.pieces:
            answer.pieces.append(piece)
            answer.size += len(piece.text)
            self._size += len(piece.text)
        while answer.size > _TEXT_MOST and len(answer.pieces) > 1:
            self._drop_first(answer)
        for other in self._answers.values():
            while self._size > _ALL_TEXT_MOST and other is not answer and other.pieces:
                self._drop_first(other)

    def _call(self, row: CallRow) -> None:
        if row.status == "pending" and row.twin is None:
            if row.id not in self._answers:
                evicted = self._answers.put(row.id, _Answer(deque()))
                self._size -= evicted[1].size if evicted else 0
        elif (ended := self._answers.pop(row.id, None)) is not None:
            self._size -= ended.size

    def _drop_first(self, answer: _Answer) -> None:
        size = len(answer.pieces.popleft().text)
        answer.gone += 1
        answer.size -= size
        self._size -= size

    def after(self, seen: Mapping[str, int], /) -> list[Said]:
        """The news for a reader that has seen the pieces of each call up to these numbers."""
        found: list[Said] = []
        for call, answer in self._answers.items():
            first = max(seen.get(call, 0), answer.gone)
            if first < answer.gone + len(answer.pieces):
                found.append(Said(call, first, tuple(islice(answer.pieces, first - answer.gone, None))))
        return found


# ------------------------------------------------------------------------------------------------------------------------


# Rows sent live. The audit trail, tokens and network targets come with a snapshot: a build touches thousands of files a second
LiveRow: TypeAlias = CallRow | ToolRow | ProcessRow | ResourceRow | RowGone
_LIVE = tuple(row for row, kind in KINDS.items() if kind.live)

_RING_MOST = 20_000  # rows: 3 s of an agent that starts 2,000 processes a second; a page looks each 75 ms
_RING_BYTES_MOST = 4_000_000
_WATCHED_S = 2.0  # behind a look: a page looks each 75 ms
_STRETCH_MOST = 500  # rows: 2 ms of encoding
_STRETCH_BYTES_MOST = 1_000_000


class Stretch(Struct, frozen=True):
    """Consecutive rows; `last` is the number of the last one, `gone` how many before them were evicted."""

    rows: tuple[LiveRow, ...]
    last: int
    gone: int = 0


class Feed:
    """
    A Writer for one thread, read by any number of other threads. Rows are numbered from 1.

    `write` only puts rows into bounded tables, under a lock that readers hold for about a millisecond.
    """

    def __init__(self, ledger: Ledger, *, most: int = _RING_MOST) -> None:
        self._ledger = ledger
        self._most = most
        self._lock = Lock()
        self._view = View()
        self._ring: deque[LiveRow] = deque()
        self._answers = OpenAnswers()
        self._held = 0
        self._last = 0
        self._alerts = 0
        self._ended = False
        self._looked_s = -math.inf

    def write(self, batch: Sequence[Output], /) -> None:
        shown = (item for item in batch if isinstance(item, _LIVE) or (type(item) is RowGone and isinstance(item.row, _LIVE)))
        live = cast("list[LiveRow]", list(shown))
        kept = [item for item in batch if type(item) is not AnswerProgress]
        with self._lock:
            self._view.add(kept)
            for item in batch:
                if isinstance(item, AnswerProgress | CallRow):
                    self._answers.add(item)
            self._ring.extend(live)
            self._last += len(live)
            self._alerts += sum(isinstance(item, AlertRow) for item in batch)
            self._held += sum(map(weight_of, live))
            while len(self._ring) > self._most or (self._held > _RING_BYTES_MOST and len(self._ring) > 1):
                self._held -= weight_of(self._ring.popleft())

    def flush(self) -> None:
        pass

    def close(self) -> None:
        """The capture has ended; the rows stay readable."""
        self._ended = True

    @property
    def ended(self) -> bool:
        return self._ended

    @property
    def is_watched(self) -> bool:
        """A page has just looked."""
        return time.monotonic() - self._looked_s < _WATCHED_S

    @property
    def last(self) -> int:
        """The number of the newest row, 0 before the first one."""
        return self._last

    @property
    def alerts(self) -> int:
        """How often an alert came, or came again."""
        return self._alerts

    def completeness(self) -> Completeness:
        """The gaps so far. A call that goes on is no gap until the capture has ended."""
        entries = self._ledger.entries()
        with self._lock:
            gaps = gaps_of(self._view.tally, entries, live=not self._ended)
        return completeness(entries, gaps)

    def snapshot(self, *, audit_limit: int = AUDIT_DEFAULT) -> Snapshot:
        self._looked_s = time.monotonic()
        with self._lock:
            view, last = self._view.copy(), self._last
        made = view.snapshot(self.completeness(), now_ms=milliseconds(time.time_ns()), audit_limit=audit_limit)
        return replace(made, last_event_id=last)

    def said(self, seen: Mapping[str, int]) -> list[Said]:
        """What open answers said behind the pieces that were seen of each call."""
        with self._lock:
            return self._answers.after(seen)

    def after(self, number: int) -> Stretch:
        """The oldest rows after row `number` that were not evicted, as many as one message takes."""
        self._looked_s = time.monotonic()
        with self._lock:
            newer = self._last - number
            found = list(islice(reversed(self._ring), newer))
        found.reverse()
        rows = found[: _fitting(found[:_STRETCH_MOST])]
        gone = newer - len(found)
        return Stretch(tuple(rows), number + gone + len(rows), gone)


def _fitting(rows: Sequence[LiveRow]) -> int:
    """How many of `rows` one message takes, at least one."""
    size = 0
    for count, row in enumerate(rows):
        size += weight_of(row)
        if size > _STRETCH_BYTES_MOST:
            return max(count, 1)
    return len(rows)
