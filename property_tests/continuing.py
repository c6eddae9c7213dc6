"""Events -> a store, in runs that are cut off anywhere and go on; the same events in one run to compare with."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from agentsight_rx.events import Event, FileEvent, Origin, ProcessExec, ProcessExit, ProcessFork, TlsClose
from agentsight_rx.events.loss import Ledger
from agentsight_rx.policy.rules.guard.values import Rules
from agentsight_rx.sinks.store import store
from agentsight_rx.store.log.reading import read_event_count, read_events
from agentsight_rx.store.log.resuming import Checkpoints, resume
from agentsight_rx.store.rows.kind import ROW_TABLES
from agentsight_rx.store.state import LmdbStore
from agentsight_rx.view import Fold, Output
from benchmarks.conversation import conversation
from tests.reports import read_report

__all__ = ["Continued", "contents", "events_of", "kill_rounds"]

_COMMITTED = "committed"


def events_of(turns: int) -> list[Event]:
    """Two conversations at once, and the programs and files of their tools."""
    events = [*conversation(turns, 1), *conversation(turns, 2)]
    for number in range(1, turns + 1):
        pid, time_ns = 5000 + number, 3_600_000_000_000 + number * 10_000_000_000 + 4_000_000_000
        origin = Origin(time_ns, pid, pid, 1000, "cat", 1_800_000_000_000_000_000 + time_ns)
        parent = 4001 + number % 2
        events += [
            ProcessFork(origin, parent, time_ns),
            ProcessExec(origin, parent, time_ns, "/bin/cat", ("cat", f"file-{number}"), "/"),
            FileEvent(origin, time_ns, "open", f"/file-{number % 3}"),
            ProcessExit(origin, parent, time_ns, 0, duration_ns=5),
        ]
    ordered = sorted(events, key=lambda event: event.origin.time_ns)
    closing = next(event.origin for event in ordered if event.origin.connection)
    return [*ordered, TlsClose(closing)]


class Continued:
    """One run that goes on in the store at `path`: it sends those of `events` that the store does not have."""

    def __init__(self, path: str | Path, events: Sequence[Event], rules: Rules | None = None) -> None:
        self._fold = Fold(rules)
        resumed, have = None, 0
        if os.path.exists(path):
            kept = LmdbStore.open(path, readonly=True)
            resumed, have = resume(kept, rules), read_event_count(kept)
            kept.close()
        if resumed is not None:
            self._fold.restore(resumed.state)
        self._left = iter(events[have:])
        self._rest: list[Output] = []  # of the last event and its rows, what was not sent
        self._checkpoints = Checkpoints(every=11)
        self._writer: Any = store(path, resumed=resumed, checkpoints=self._checkpoints).open(Ledger())

    def send(self, items: int) -> bool:
        """So many events and rows in one batch, as a box hands them over: it may end between an event and its rows."""
        batch = [item for _, item in zip(range(items), self._items(), strict=False)]
        self._writer.write(batch)
        return bool(batch)

    def flush(self) -> None:
        self._writer.flush()

    def cut_off(self) -> None:
        """The end of the process, as far as the file is concerned: what was not committed is gone."""
        self._writer._store.close()

    def stop(self) -> None:
        """The orderly end of a run, which nothing more is sent to: calls that are open get no answer from it."""
        self._writer.write([*self._rest, *self._fold.finish()])
        self._writer.close()

    def end(self) -> None:
        while self.send(100):
            pass
        self.stop()

    def _items(self) -> Iterator[Output]:
        while True:
            if not self._rest:
                event = next(self._left, None)
                if event is None:
                    return
                self._rest = [event, *self._fold.add(event)]
                self._checkpoints.folded(event, self._fold)
            yield self._rest.pop(0)


def contents(path: str | Path) -> dict[str, Any]:
    """The log, the rows and the sums of a store."""
    kept = LmdbStore.open(path, readonly=True)
    try:
        rows = {table.name: kept.scan(table) for table in ROW_TABLES}
        return {"events": list(read_events(kept)), "totals": read_report(kept).totals, **rows}
    finally:
        kept.close()


def kill_rounds() -> None:
    """
    In a process of its own: for each line on standard input, fork a child that goes on in the store until it is killed, and
    print its number, a line for each commit, and how it ended.
    """
    path, events = sys.argv[1], events_of(int(sys.argv[2]))
    for _ in sys.stdin:
        child = os.fork()
        if not child:
            run = Continued(path, events)
            while run.send(7):
                run.flush()
                os.write(1, f"{_COMMITTED}\n".encode())
            os._exit(0)
        os.write(1, f"{child}\n".encode())
        _, status = os.waitpid(child, 0)
        os.write(1, f"ended {os.waitstatus_to_exitcode(status)}\n".encode())
