"""What a person feels: the time of `record` around its command, `--help`, memory, the processor while nothing happens."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from agentsight_rx.runtime.service.bounds import memory_now
from benchmarks.apart import environment, processor_ns
from benchmarks.figures import Figure, Size
from benchmarks.memory import memory_of
from benchmarks.start import ONE_SOURCE, Start, record_once

__all__ = ["helped", "idle", "started"]

_BEFORE_MOST_S, _AFTER_MOST_S, _HELP_MOST_S = 0.45, 0.2, 0.25
_COLD_MOST_S, _PROCESSOR_MOST_S = 2.0, 0.5
_ANONYMOUS_MOST, _ONE_SOURCE_MOST = 100.0, 60.0  # MB
_WITH_TABLES_MOST, _RESIDENT_MOST = 100.0, 160.0  # MB
_IDLE_MOST = 0.3  # % of a core
_IDLE_FROM_S, _IDLE_S = 4.0, 8.0
_STARTS_OF_ONE = 3  # its memory hardly varies

_PROGRAM = (sys.executable, "-m", "agentsight_rx")


def started(size: Size) -> Iterator[Figure]:
    """Of a command that takes no time, where the programs are in the cache."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        cold = record_once(folder, []) if size.scale >= 1 else None
        warm = [record_once(folder, [], fresh=cold is not None) for _ in range(size.runs)]
        one = [record_once(folder, ONE_SOURCE, fresh=cold is not None) for _ in range(min(size.runs, _STARTS_OF_ONE))]
    start = partial(Figure, group="start", unit="s")
    yield start(
        name="record -- true, warm: before the command",
        value=_middle(warm, "before_s"),
        target=_BEFORE_MOST_S,
        before="3.3 s",
    )
    yield start(name="record -- true, warm: processor time", value=_middle(warm, "processor_s"), target=_PROCESSOR_MOST_S)
    if cold is not None:
        yield start(name="record -- true, the first time on a kernel", value=cold.before_s, target=_COLD_MOST_S)
    yield start(
        name="record -- true, warm: after the command",
        value=_middle(warm, "after_s"),
        target=_AFTER_MOST_S,
        before="1.5 to 2.8 s",
    )
    memory = partial(Figure, group="memory", unit="MB")
    yield memory(
        name="anonymous memory of record, all sources, at the start",
        value=_middle(warm, "anonymous_mb"),
        target=_ANONYMOUS_MOST,
        original="86 to 88 MB (peers)",
        before="206 MB",
    )
    yield memory(
        name="anonymous memory of record, processes only",
        value=_middle(one, "anonymous_mb"),
        target=_ONE_SOURCE_MOST,
    )


def _middle(starts: Sequence[Start], field: str) -> float:
    return float(median(getattr(start, field) for start in starts))


def helped(size: Size) -> Iterator[Figure]:
    empty: list[float] = []
    asked: list[float] = []
    for _ in range(size.runs):
        empty.append(_seconds(sys.executable, "-c", "pass"))
        asked.append(_seconds(*_PROGRAM, "--help"))
    note = f"Python alone {median(empty):.2f} s"
    yield Figure(group="start", name="--help", value=median(asked), unit="s", target=_HELP_MOST_S, before="0.4 s", note=note)
    yield Figure(group="start", name="--help to Python alone", value=median(asked) / median(empty))


def _seconds(*words: str) -> float:
    began = time.perf_counter()
    subprocess.run(words, env=environment(), stdout=subprocess.DEVNULL, check=True)
    return time.perf_counter() - began


def idle(size: Size) -> Iterator[Figure]:
    """All threads of `record`, with all sources and the page, while its command sleeps."""
    from_s, seconds = _IDLE_FROM_S, max(0.3, _IDLE_S * size.scale)
    with TemporaryDirectory() as folder:
        words = [*_PROGRAM, "record", "--db", f"{folder}/run.lmdb", "--", "sleep", "3600"]
        with subprocess.Popen(words, env=environment(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as record:
            try:
                _wait_for_child(record)
                time.sleep(from_s * min(1.0, 2 * size.scale))
                began, used = time.perf_counter(), processor_ns(record.pid)
                time.sleep(seconds)
                took, used = time.perf_counter() - began, processor_ns(record.pid) - used
                taken, resident = memory_now(Path(f"/proc/{record.pid}")), memory_of(record.pid)
            finally:
                record.terminate()
    share = 100 * used / 1e9 / took
    yield Figure(
        group="idle",
        name="processor while nothing happens",
        value=share,
        unit="%",
        target=_IDLE_MOST,
        note=f"of a core, over {took:.1f} s",
    )
    yield Figure(
        group="memory",
        name="record while nothing happens, all sources: anonymous memory and BPF tables",
        value=taken.own / 1e6,
        unit="MB",
        target=_WITH_TABLES_MOST,
        note=f"{taken.anonymous / 1e6:.0f} + {taken.tables / 1e6:.0f} MB",
    )
    yield Figure(
        group="memory",
        name="record while nothing happens, all sources: resident, as top shows it",
        value=(resident.anonymous + resident.mapped) / 1e6,
        unit="MB",
        target=_RESIDENT_MOST,
    )


def _wait_for_child(record: subprocess.Popen[bytes]) -> None:
    """Until its command runs."""
    while record.poll() is None:
        for task in Path(f"/proc/{record.pid}/task").iterdir():
            try:
                for child in (task / "children").read_text().split():
                    if Path(f"/proc/{child}/comm").read_text() == "sleep\n":
                        return
            except OSError:  # the thread or the child has ended
                continue
        time.sleep(0.02)
    raise RuntimeError(f"record ended with {record.returncode}")
