"""
Events -> windows and pairs by their own time: the same live, in a replay, and over any cutting into batches.

Time is what the events say. It is known up to the newest event, less the lateness that is allowed; while none comes, it follows
the steps of the run. An event behind that is late, and is counted.

Longer than 300 lines because windows and pairs have one time and one way to be saved.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections.abc import Callable, Hashable, Iterable
from heapq import heappop, heappush
from math import inf
from operator import itemgetter
from typing import Annotated, Any, Generic, TypeVar

from msgspec import Struct

from ..core.engine import Site
from ..core.errors import UsageError, refuse_others
from ..core.kernels import each_at
from ..core.machine import Checkpointed, Machine
from ..core.options import FINITE, Options, above, at_least
from ..core.stream import Operator
from ..events import Event, Origin
from ..events.loss import Reason

A = TypeVar("A")

_NS = 1_000_000_000
_SWEEP_NS = 100_000_000  # between two looks at all that is held


class Tumbling(Options, frozen=True):
    """Windows of so many seconds, one behind the other."""

    seconds: Annotated[float, above(0), FINITE]


class Sliding(Options, frozen=True):
    """
    Windows of so many seconds, which begin `every` so many seconds: an event is in several. Where `every` is longer, an event
    between two windows is counted as filtered.
    """

    seconds: Annotated[float, above(0), FINITE]
    every: Annotated[float, above(0), FINITE]


class Session(Options, frozen=True):
    """Windows that go on while events come, and end where none comes for so many seconds."""

    gap: Annotated[float, above(0), FINITE]


class Window(Struct, Generic[A], frozen=True):
    """
    Events of one key from `start_ns` up to, not including, `end_ns` (Unix time), by time. `is_partial`: more may have come.
    """

    key: Any
    start_ns: int
    end_ns: int
    events: tuple[A, ...]
    is_partial: bool = False


class Pair(Struct, Generic[A], frozen=True):
    """Two events of one key, the first of them not later than the second."""

    first: A
    second: A


class _Limits(Options, frozen=True):
    lateness: Annotated[float, at_least(0), FINITE] = 1.0
    limit: Annotated[int, at_least(1)] = 65_536


def unix_ns(item: Any) -> int:
    """The Unix time in ns of an event or of the begin of a row. Raises TypeError where it has none."""
    origin = getattr(item, "origin", None)
    if isinstance(origin, Origin):
        return origin.wall_ns or origin.time_ns
    for name, unit in (("start_ns", 1), ("time_ns", 1), ("start_timestamp_ms", 1_000_000), ("timestamp_ms", 1_000_000)):
        value = getattr(item, name, None)
        if isinstance(value, int):
            return value * unit
    raise TypeError(f"a {type(item).__name__} does not say its time: give time_of")


def window(
    kind: Tumbling | Sliding | Session,
    *,
    key: Callable[[A], Hashable] = lambda _: None,
    time_of: Callable[[A], int] = unix_ns,
    lateness: float = 1.0,
    limit: int = 65_536,
    event_type: Any = Event,
) -> Operator[A, Window[A]]:
    """
    Gather the events of each key in windows of their own time. A window comes once time is `lateness` seconds past its end.

        --a-b-----c------|
        [ window(Tumbling(1.0)) ]
        ------(ab)-----(c)|

    An event of which a window has come already is counted as `late`. All windows together hold at most `limit` events: beyond
    that the oldest window comes early, as partial. So do windows that go on at the end of the input. A run that is saved keeps
    them, with events of `event_type`. Unlike windows of RxPY these do not depend on when an event came.
    """
    wanted = "op.Tumbling(seconds), op.Sliding(seconds, every) or op.Session(gap)"
    refuse_others("op.window", wanted, [kind], lambda each: isinstance(each, Tumbling | Sliding | Session))
    limits = _Limits(lateness, limit)
    if isinstance(kind, Sliding) and kind.seconds / kind.every > limit:
        raise UsageError(f"{kind!r}: an event would be in more than {limit} windows, which is the limit")

    def make(site: Site) -> _Windows[A]:
        return _Windows(kind, site, key, time_of, limits=limits, kind_of_event=event_type)

    return each_at(make, name="window", options=repr(kind), authors=(key, time_of))


def join_within(
    seconds: float,
    first: Callable[[A], object],
    second: Callable[[A], object],
    *,
    key: Callable[[A], Hashable] = lambda _: None,
    time_of: Callable[[A], int] = unix_ns,
    lateness: float = 1.0,
    limit: int = 65_536,
    event_type: Any = Event,
) -> Operator[A, Pair[A]]:
    """
    Each event for which `second` is true, with each event of the same key for which `first` is true and that was at most
    `seconds` before it. A pair comes when both have come, in whatever order they do.

    A late event makes the pairs that are still possible, and is counted as `late`. At most `limit`
    events are held: beyond that the older half is counted as `evicted`. A run that is saved keeps them, with events of
    `event_type`.
    """
    if not 0 <= seconds < inf:
        raise UsageError(f"join_within({seconds!r}): expected seconds, of at least 0")
    limits = _Limits(lateness, limit)

    def make(site: Site) -> _Pairs[A]:
        return _Pairs(round(seconds * _NS), (first, second), site, key, time_of, limits=limits, kind_of_event=event_type)

    return each_at(make, name="join_within", options=f"{seconds:g} s", authors=(key, time_of, first, second))


def _ns(seconds: float) -> int:
    return max(1, round(seconds * _NS))


class _State(Struct, Generic[A], array_like=True):
    newest_ns: int
    stood_ns: int | None
    floor_ns: int
    held: list[tuple[int, int, list[tuple[int, A]]]]  # of each group: two numbers of its own, and its events with their times


class _Timed(Machine[A, Any], Checkpointed[Any]):
    """What has a time that its events tell."""

    def __init__(
        self, site: Site, key: Callable[[A], Hashable], time_of: Callable[[A], int], *, limits: _Limits, kind_of_event: Any
    ) -> None:
        self._lose = site.meter.lose
        self._key = key
        self._time_of = time_of
        self._late_ns = round(limits.lateness * _NS)
        self._limit = limits.limit
        self.state_type = _State[kind_of_event]  # type: ignore[misc]  # of the events of this graph
        self._newest_ns = 0
        self._stood_ns: int | None = None  # the first step of time behind the newest event
        self._idle_ns = 0
        self._floor_ns = 0  # everything up to here has come, whatever the lateness

    @property
    def _known_ns(self) -> int:
        """All has come up to here, but for late events."""
        return max(self._floor_ns, self._newest_ns + self._idle_ns - self._late_ns)

    def _see(self, time_ns: int) -> None:
        known_ns = self._known_ns
        self._newest_ns = max(self._newest_ns, time_ns)
        self._stood_ns, self._idle_ns = None, 0
        self._floor_ns = max(self._floor_ns, known_ns)  # time does not go back

    def tick(self, now_ns: int, /) -> Iterable[Any]:
        if self._stood_ns is None:
            self._stood_ns = now_ns
        self._idle_ns = now_ns - self._stood_ns
        return self._pass() if self._newest_ns else ()

    def _pass(self) -> Iterable[Any]:
        """Time has gone on."""
        raise NotImplementedError

    def _save(self, held: list[tuple[int, int, list[tuple[int, A]]]]) -> _State[A]:
        return _State(self._newest_ns, self._stood_ns, self._known_ns, held)

    def _resume(self, state: _State[A]) -> None:
        self._newest_ns, self._stood_ns, self._floor_ns = state.newest_ns, state.stood_ns, state.floor_ns


class _Open(Struct, Generic[A]):
    """A window that has not come yet."""

    key: Hashable
    start_ns: int
    end_ns: int
    number: int
    events: list[tuple[int, A]]

    def done(self, *, is_partial: bool) -> Window[A]:
        self.events.sort(key=itemgetter(0))
        return Window(self.key, self.start_ns, self.end_ns, tuple(event for _, event in self.events), is_partial)


class _Windows(_Timed[A]):
    def __init__(self, kind: Tumbling | Sliding | Session, *rest: Any, **more: Any) -> None:
        super().__init__(*rest, **more)
        self._gap_ns = _ns(kind.gap) if isinstance(kind, Session) else 0  # 0: no sessions
        self._length_ns = 0 if isinstance(kind, Session) else _ns(kind.seconds)
        self._step_ns = _ns(kind.every) if isinstance(kind, Sliding) else self._length_ns
        self._open: dict[Hashable, dict[int, _Open[A]]] = {}  # by key, and by begin
        # A heap: (end, begin, number, key) of each, and of some that have been joined with others since
        self._ends: list[tuple[int, int, int, Hashable]] = []
        self._made = self._held = 0

    def feed(self, event: A, /) -> Iterable[Window[A]]:
        time_ns, key = int(self._time_of(event)), self._key(event)
        known_ns = self._known_ns
        if self._gap_ns:
            is_late = self._join(key, time_ns, event, known_ns)
        else:
            newest_ns = time_ns // self._step_ns * self._step_ns
            starts = range(newest_ns, time_ns - self._length_ns, -self._step_ns)[::-1]
            still = [start for start in starts if start + self._length_ns > known_ns]
            for start in still:
                self._put(key, start, time_ns, event)
            is_late = len(still) < len(starts)
            if not starts:
                self._lose(Reason.FILTERED, 1)  # it is between two windows
        if is_late:
            self._lose(Reason.LATE, 1)
        self._see(time_ns)
        return [*self._pass(), *self._make_room()]

    def _put(self, key: Hashable, start_ns: int, time_ns: int, event: A) -> None:
        found = self._open.get(key, {}).get(start_ns)
        if found is None:
            found = self._add(key, start_ns, start_ns + self._length_ns, [])
        found.events.append((time_ns, event))
        self._held += 1

    def _add(self, key: Hashable, start_ns: int, end_ns: int, events: list[tuple[int, A]]) -> _Open[A]:
        made = _Open(key, start_ns, end_ns, self._made, events)
        self._open.setdefault(key, {})[start_ns] = made
        heappush(self._ends, (end_ns, start_ns, self._made, key))
        self._made += 1
        self._held += len(events)
        return made

    def _remove(self, window: _Open[A]) -> None:
        self._held -= len(window.events)
        of_key = self._open[window.key]
        del of_key[window.start_ns]
        if not of_key:
            del self._open[window.key]

    def _join(self, key: Hashable, time_ns: int, event: A, known_ns: int) -> bool:
        """Put it into the session that it continues, or make one of all that it joins; True: it is late, and in none."""
        gap_ns = self._gap_ns
        near = [each for each in self._open.get(key, {}).values() if each.start_ns - gap_ns < time_ns < each.end_ns]
        if not near and time_ns + gap_ns <= known_ns:
            return True
        events = [(time_ns, event)]
        for each in near:
            self._remove(each)
            events[:0] = each.events
        start_ns = min([time_ns, *(each.start_ns for each in near)])
        self._add(key, start_ns, max([time_ns + gap_ns, *(each.end_ns for each in near)]), events)
        return False

    def _pass(self) -> Iterable[Window[A]]:
        return self._close(self._known_ns) if self._ends else ()

    def _close(self, until_ns: float, *, is_partial: bool = False) -> list[Window[A]]:
        """Those that end by then, in the order of their ends."""
        over: list[Window[A]] = []
        while self._ends and self._ends[0][0] <= until_ns:
            _, start_ns, number, key = heappop(self._ends)
            window = self._open.get(key, {}).get(start_ns)
            if window is not None and window.number == number:
                self._remove(window)
                over.append(window.done(is_partial=is_partial))
        return over

    def _make_room(self) -> list[Window[A]]:
        out: list[Window[A]] = []
        while self._held > self._limit:
            end_ns = self._ends[0][0]
            if closed := self._close(end_ns, is_partial=True):
                out += closed
                self._floor_ns = max(self._floor_ns, end_ns)
        return out

    def finish(self) -> Iterable[Window[A]]:
        return [*self._close(self._newest_ns), *self._close(inf, is_partial=True)]

    def snapshot(self) -> _State[A]:
        windows = sorted((each for of_key in self._open.values() for each in of_key.values()), key=lambda each: each.number)
        return self._save([(each.start_ns, each.end_ns, each.events) for each in windows])

    def restore(self, state: _State[A], /) -> None:
        self._resume(state)
        for start_ns, end_ns, events in state.held:
            self._add(self._key(events[0][1]), start_ns, end_ns, events)


class _Sides(Struct, Generic[A]):
    """Of one key: what may still be the first and the second of a pair, by time."""

    firsts: list[tuple[int, int, A]]
    seconds: list[tuple[int, int, A]]


class _Pairs(_Timed[A]):
    def __init__(
        self, within_ns: int, sides: tuple[Callable[[A], object], Callable[[A], object]], *rest: Any, **more: Any
    ) -> None:
        super().__init__(*rest, **more)
        self._within_ns = within_ns
        self._is_first, self._is_second = sides
        self._keys: dict[Hashable, _Sides[A]] = {}
        self._made = self._held = 0
        self._swept_ns = 0

    def feed(self, event: A, /) -> Iterable[Pair[A]]:
        is_first, is_second = bool(self._is_first(event)), bool(self._is_second(event))
        if not (is_first or is_second):
            return ()  # it may have no time
        time_ns, known_ns = int(self._time_of(event)), self._known_ns
        self._see(time_ns)
        if time_ns < known_ns:
            self._lose(Reason.LATE, 1)
        sides = self._keys.setdefault(self._key(event), _Sides([], []))
        out: list[Pair[A]] = []
        if is_second:
            out += [Pair(one, event) for one in _between(sides.firsts, time_ns - self._within_ns, time_ns)]
        if is_first:
            out += [Pair(event, other) for other in _between(sides.seconds, time_ns, time_ns + self._within_ns)]
        self._hold(sides, (time_ns, self._made, event), is_first=is_first, is_second=is_second)
        self._pass()
        self._make_room()
        return out

    def _hold(self, sides: _Sides[A], timed: tuple[int, int, A], *, is_first: bool, is_second: bool) -> None:
        self._made += 1
        if is_first:
            insort(sides.firsts, timed)
        if is_second:
            insort(sides.seconds, timed)
        self._held += is_first + is_second

    def _pass(self) -> Iterable[Pair[A]]:
        """Forget what makes no more pairs."""
        known_ns = self._known_ns
        if known_ns - self._swept_ns >= max(_SWEEP_NS, min(self._within_ns, _NS)):
            self._swept_ns = known_ns
            self._forget(known_ns - self._within_ns, known_ns)
        return ()

    def _forget(self, firsts_ns: int, seconds_ns: int) -> int:
        """Those before these times; returns how many."""
        before = self._held
        for key, sides in list(self._keys.items()):
            del sides.firsts[: bisect_left(sides.firsts, (firsts_ns,))]
            del sides.seconds[: bisect_left(sides.seconds, (seconds_ns,))]
            if not sides.firsts and not sides.seconds:
                del self._keys[key]
        self._held = sum(len(sides.firsts) + len(sides.seconds) for sides in self._keys.values())
        return before - self._held

    def _make_room(self) -> None:
        """The older half goes, so that this is rare."""
        if self._held > self._limit:
            times = sorted(each[0] for sides in self._keys.values() for each in (*sides.firsts, *sides.seconds))
            middle_ns = times[len(times) // 2] + 1
            self._lose(Reason.EVICTED, self._forget(middle_ns, middle_ns))

    def snapshot(self) -> _State[A]:
        return self._save(
            [
                (is_first, is_second, [(time_ns, event) for time_ns, _, event in events])
                for sides in self._keys.values()
                for is_first, is_second, events in ((1, 0, sides.firsts), (0, 1, sides.seconds))
                if events
            ]
        )

    def restore(self, state: _State[A], /) -> None:
        self._resume(state)
        for is_first, is_second, events in state.held:
            for time_ns, event in events:
                sides = self._keys.setdefault(self._key(event), _Sides([], []))
                self._hold(sides, (time_ns, self._made, event), is_first=bool(is_first), is_second=bool(is_second))


def _between(held: list[tuple[int, int, A]], low_ns: int, high_ns: int) -> list[A]:
    return [event for _, _, event in held[bisect_left(held, (low_ns,)) : bisect_right(held, (high_ns + 1,))]]
