"""
The process that writes the recording of one user: events from its standard input -> their store, with no right but theirs.

The recorder of the machine starts it, with a `Task` as its argument. It ends with its input.
"""

from __future__ import annotations

import os
import select
import sys
from collections.abc import Sequence
from pathlib import Path

import msgspec
from msgspec import Struct

from ... import sinks
from ...core.errors import AgentsightError, UsageError
from ...core.files import create_new
from ...core.messages import say, speak_into
from ...core.stream import origin
from ...events import Event, Loss, Origin, time_of
from ...events.loss import Reason
from ...graphs import TraceOptions, recorded
from ...runtime.run import Run, run_to_end
from ...runtime.service.users.pipe import Frames
from ...store.log.upkeep import Retention
from ...store.state.lmdb_files import lock_of
from ..capturing.continuing import keyed
from ..capturing.deliveries import alert_sinks
from ..capturing.stopping import Stopper
from ..flags.guard import Guard
from ..places.own_files import load_own_agents

_READ = 1 << 20


class Task(Struct, frozen=True):
    """The store to write. `shared`: the members of the group of this process read it too. `guard`: with the user's rules."""

    store: str
    shared: bool = False
    retention: Retention | None = None
    guard: bool = False


class Piped:
    """A Reader of the records that come through a pipe, until its end. Where it is cut, that is a loss."""

    def __init__(self, fd: int = 0) -> None:
        self._fd = fd
        self._frames = Frames()
        self._last: Origin | None = None

    def open(self) -> None:
        pass

    def poll(self, timeout: float, /) -> Sequence[Event] | None:
        if not select.select([self._fd], [], [], timeout)[0]:
            return ()
        data = os.read(self._fd, _READ)
        events: list[Event] = self._frames.feed(data)
        if events:
            self._last = events[-1].origin
        return events if data else None

    def lost(self) -> Sequence[Event]:
        return ()

    def close(self) -> Sequence[Event]:
        """The missing things at the end."""
        last = self._last
        if self._frames.ended or last is None:
            return ()
        note = "the recorder of the machine, or its writer, was ended before all was here"
        return (Loss(Origin(last.time_ns, 0, wall_ns=last.wall_ns), "from recorder", Reason.SINK_FAILED, 1, note=note),)


def main(words: Sequence[str] | None = None) -> int:
    """Returns the exit status: 0 where the input ended and all of it is stored."""
    task = msgspec.json.decode((sys.argv[1:] if words is None else words)[0], type=Task)
    store = Path(task.store)
    if task.shared:
        _share(store)
    speak_into(store.with_suffix(".log"))
    try:
        load_own_agents()
        options = keyed(_guarded(task), store)
        events = origin("watched", Piped, time_of=time_of)
        kept = sinks.store(
            store,
            key=options.redaction_key,
            required=False,
            resumed=options.resumed,
            checkpoints=options.checkpoints,
            retention=task.retention,
        )
        delivered = alert_sinks(options.guard, Stopper(write=say), reloads=options.rules_file is not None)
        return run_to_end(Run(recorded(events, options), [kept, *delivered], on_bug="count")).exit_status
    except AgentsightError as error:
        say(str(error))
        return 1


def _guarded(task: Task) -> TraceOptions:
    """What comes is redacted already. Rules that are wrong are said, and there are no alerts."""
    options = TraceOptions(remove_auth=False)
    try:
        return Guard(guard=task.guard).over(options, reloads=True)
    except UsageError as error:
        say(str(error))
        return options


def _share(store: Path) -> None:
    """Make new files that the group reads; LMDB's readers write into the lock."""
    for path, mode in ((str(store), 0o640), (lock_of(str(store)), 0o660)):
        try:
            fd = create_new(path)
        except FileExistsError:
            continue
        os.fchmod(fd, mode)
        os.close(fd)


if __name__ == "__main__":
    sys.exit(main())
