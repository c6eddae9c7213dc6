"""Events -> for each user a process of theirs with the events that are theirs; groups that may have all get all."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Sequence

from msgspec import Struct
from msgspec.structs import replace

from ....core.bounded import Recent
from ....core.messages import say
from ....core.sink import Sink
from ....events import AnswerProgress, Event, Loss, Origin, Tick
from ....events.loss import Ledger, Reason
from ....view import AnyRow, Output
from .pipe import Pipe
from .places import Owners, Reader, user_reader

NAME = "users"
_RUNNING_MOST = 8  # processes, of 45 MB each
_KNOWN_MOST = 4096  # users
_IDLE_S = 600.0  # behind the last event of a user their process ends
_SPARED_S = 60.0  # a process that got an event since makes no room for another user's
_END_S = 8.0  # for all processes to end, before the run stops to wait for this sink
_STEP_S = 0.01

Starting = Callable[[Reader], "subprocess.Popen[bytes]"]  # raises OSError


def users(
    start: Starting,
    *,
    own: Callable[[int], bool],
    groups: tuple[Reader, ...] = (),
    ready: Callable[[], None] = lambda: None,
) -> Sink[Output]:
    """
    `start` starts the process that writes for a reader, with the rights of that reader: it reads records of `frames` from its
    standard input. `own` says whether a user gets their own sessions; the `groups` get all. `ready` is called at the begin.
    """

    def opened(ledger: Ledger) -> UsersSink:
        ready()
        return UsersSink(start, ledger, own=own, groups=groups)

    return Sink(NAME, opened, is_watched=lambda: False)


class _Known(Struct):
    reader: Reader
    pipe: Pipe
    said: str = ""  # the failure that was said last


class UsersSink:
    """Used by one thread. A user is known from their first event on."""

    def __init__(
        self,
        start: Starting,
        ledger: Ledger,
        *,
        own: Callable[[int], bool],
        groups: tuple[Reader, ...] = (),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._start = start
        self._ledger = ledger
        self._own = own
        self._clock = clock
        self._owners = Owners()
        self._groups = [self._new(reader) for reader in groups]
        self._users: Recent[int, _Known] = Recent(_KNOWN_MOST)
        self._missed = 0  # events that did not come here, and which users know of

    def write(self, batch: Sequence[Output], /) -> None:
        events: list[Event] = [item for item in batch if not isinstance(item, AnyRow | AnswerProgress | Tick)]
        if not events:
            return
        own: dict[int, list[Event]] = {}
        for event in (*self._missing(events[-1].origin), *events):
            if isinstance(event, Loss) and not event.origin.pid:
                for each in self._open_ones() | own.keys():
                    own.setdefault(each, []).append(_of_machine(event))
            elif (uid := self._owners.of(event)) is not None and self._own(uid):
                own.setdefault(uid, []).append(event)
        for known in self._groups:
            known.pipe.put(events)
        for uid, theirs in own.items():
            self._of(uid).pipe.put(theirs)
        self._push()

    def flush(self) -> None:
        self._push()
        now_s = self._clock()
        for known in self._users.values():
            if known.pipe.is_running and known.pipe.is_idle and now_s - known.pipe.used_s > _IDLE_S:
                known.pipe.end()

    def close(self) -> None:
        deadline_s, left = self._clock() + _END_S, [*self._groups, *self._users.values()]
        while (left := [known for known in left if not known.pipe.finish()]) and self._clock() < deadline_s:
            time.sleep(_STEP_S)
        for known in left:  # it goes on to the end of what it was given
            known.pipe.end(whole=False)
            say(f"the writer of {known.reader.said} has not ended after {_END_S:.0f} s")

    def _new(self, reader: Reader) -> _Known:
        return _Known(reader, Pipe(lambda: self._start(reader), self._clock))

    def _of(self, uid: int) -> _Known:
        known = self._users.use(uid)
        if known is None:
            known = self._new(user_reader(uid))
            if (evicted := self._users.put(uid, known)) is not None:
                evicted[1].pipe.end(whole=evicted[1].pipe.is_idle)
        return known

    def _push(self) -> None:
        running = sum(known.pipe.is_running for known in (*self._groups, *self._users.values()))
        for known in (*self._groups, *list(self._users.values())):
            if known.pipe.is_running or known.pipe.is_idle:
                known.pipe.push()
            elif running < _RUNNING_MOST:
                known.pipe.push()
                running += known.pipe.is_running
            else:
                self._make_room()
            self._say(known)

    def _make_room(self) -> None:
        """The user without an event for longest goes, once it has been quiet for a while."""
        quiet = [known.pipe for known in self._users.values() if known.pipe.is_running and known.pipe.is_idle]
        first = min(quiet, key=lambda pipe: pipe.used_s, default=None)
        if first is not None and self._clock() - first.used_s > _SPARED_S:
            first.end()

    def _say(self, known: _Known) -> None:
        failure = known.pipe.failure
        if failure != known.said:
            known.said = failure
            say(f"the recording of {known.reader.said} {f'waits: {failure}' if failure else 'goes on'}")

    def _open_ones(self) -> set[int]:
        return {uid for uid, known in self._users.items() if known.pipe.is_running or not known.pipe.is_idle}

    def _missing(self, origin: Origin) -> list[Event]:
        """Events that were dropped before they came here are missing to some users."""
        stage = f"to {NAME}"
        entries = self._ledger.unintended()
        lost = sum(entry.count for entry in entries if entry.stage == stage or entry.reason is Reason.BUG)
        more, self._missed = lost - self._missed, lost
        if not more:
            return []
        where = Origin(origin.time_ns, 0, wall_ns=origin.wall_ns)
        return [Loss(where, stage, Reason.QUEUE_FULL, more)]


def _of_machine(loss: Loss) -> Loss:
    """A loss of the machine, without a word about its user."""
    return replace(loss, note="", origin=replace(loss.origin, connection=None, comm=""))
