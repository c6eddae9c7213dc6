"""
What a store takes and how fast it is read: `python -m benchmarks.stored`, some minutes.

A long conversation of an agent, committed event by event as it happens: bytes on the wire, unique bytes, and the store. Then a
store of a million events and ten thousand calls: the time and the memory of `report`.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from itertools import chain, count, islice
from pathlib import Path
from tempfile import TemporaryDirectory

import zstandard

from agentsight_rx.events import Event, FileEvent, HttpRequest, Origin, ProcessExec, ProcessExit, ProcessFork, SseMessage
from agentsight_rx.events.loss import Ledger
from agentsight_rx.sinks.store import store
from agentsight_rx.store.rows.tables import LOG
from agentsight_rx.store.state import PACKS, LmdbStore, pages
from agentsight_rx.view import Fold
from benchmarks.conversation import conversation

__all__ = ["main", "many", "report_cost", "sizes", "work"]

_WALL_NS = 1_800_000_000_000_000_000
_REPORT = """
import sys
from agentsight_rx.cli import main
sys.argv = ["agentsight-rx", *sys.argv[1:]]
try:
    main()
finally:
    print([line for line in open("/proc/self/status") if line.startswith("VmHWM")][0].split()[1], file=sys.stderr)
"""


def sizes(turns: int, path: Path) -> dict[str, int]:
    """Bytes: of all bodies, of those that are unique, alone and compressed; of the log with its contents, of the whole file."""
    fold, writer = Fold(), store(path).open(Ledger())
    sent, request, streams = 0, b"", list[bytes]()
    for event in conversation(turns):
        writer.write([event, *fold.add(event)])
        writer.flush()
        if isinstance(event, HttpRequest):
            request = event.body  # the last one has all that the others had
            sent += len(request)
        elif isinstance(event, SseMessage):
            streams.append(b"".join(f"event: {each.event}\ndata: {each.data}\n\n".encode() for each in event.events))
    writer.close()
    kept = LmdbStore.open(path, readonly=True)
    log = sum(len(part) for _, part in pages(kept, LOG)) + sum(len(pack.content) for _, pack in pages(kept, PACKS))
    used = kept.used()
    kept.close()
    unique = [request, *streams]
    return {
        "bodies as sent": sent + sum(map(len, streams)),
        "unique bodies": sum(map(len, unique)),
        "unique bodies, each compressed": sum(len(zstandard.compress(body)) for body in unique),
        "unique bodies, compressed as one": len(zstandard.compress(b"".join(unique))),
        "log and contents": log,
        "pages in use": used,
        "file": os.path.getsize(path),
    }


def many(events: int, calls: int, path: Path) -> None:
    """A store of so many events, among them so many calls, in conversations of 20 turns; the rest are programs and files."""
    fold, writer = Fold(), store(path).open(Ledger())
    talk = chain.from_iterable(conversation(20, seed) for seed in range(1, calls // 20 + 1))
    others = max(0, events // calls - 3)
    programs = work()
    while turn := list(islice(talk, 3)):
        batch = [item for event in (*turn, *islice(programs, others)) for item in (event, *fold.add(event))]
        writer.write(batch)
    writer.close()


def report_cost(path: Path) -> tuple[float, int]:
    """Seconds and bytes of memory of `report`, the start of Python included."""
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}
    began = time.perf_counter()
    command = [sys.executable, "-c", _REPORT, "report", "--db", str(path)]
    done = subprocess.run(command, env=environment, check=True, capture_output=True, text=True)
    return time.perf_counter() - began, int(done.stderr.splitlines()[-1]) * 1024


def work() -> Iterator[Event]:
    """Programs one after the other, each of which opens files."""
    for number in count():
        pid, time_ns = 100_000 + number // 50, 3_600_000_000_000 + number * 1_000_000
        origin = Origin(time_ns, pid, pid, 1000, "cc1", _WALL_NS + time_ns)
        start_ns = 3_600_000_000_000 + number // 50 * 50_000_000
        match number % 50:
            case 0:
                yield ProcessFork(origin, 4001, start_ns)
            case 1:
                yield ProcessExec(origin, 4001, start_ns, "/usr/bin/cc", ("cc", "-c", f"file-{number}.c"), "/src")
            case 49:
                yield ProcessExit(origin, 4001, start_ns, 0, duration_ns=49_000_000)
            case _:
                yield FileEvent(origin, start_ns, "open", f"/src/include/{number % 997}.h", flags=0)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--turns", type=int, nargs="*", default=[40, 200])
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--calls", type=int, default=10_000)
    options = parser.parse_args(arguments)
    with TemporaryDirectory() as folder:
        for turns in options.turns:
            found = sizes(turns, Path(folder) / f"{turns}.lmdb")
            print(f"a conversation of {turns} turns")
            for name, size in found.items():
                print(f"  {size:>12,} bytes  {size / found['unique bodies']:7.3f}  {name}")
        if options.events:
            path = Path(folder) / "many.lmdb"
            began = time.perf_counter()
            many(options.events, options.calls, path)
            print(f"{options.events:,} events, {options.calls:,} calls: written in {time.perf_counter() - began:.0f} s")
            print(f"  {os.path.getsize(path):>12,} bytes")
            seconds, memory = report_cost(path)
            print(f"  report: {seconds:.2f} s, {memory / 1e6:.0f} MB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
