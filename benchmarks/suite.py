"""Names of groups -> the report of a run: every figure that has a target, and those that explain them."""

from __future__ import annotations

import gc
import io
import os
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import redirect_stderr
from datetime import UTC, datetime
from importlib import import_module
from itertools import chain

from msgspec import Struct

from agentsight_rx.errors import AgentsightError
from agentsight_rx.runtime.demo import require_demo
from benchmarks.figures import Figure, Report, Size
from benchmarks.machine import this_machine

__all__ = ["FULL", "GROUPS", "QUICK", "Group", "measured", "report_of"]

FULL = Size()
QUICK = Size(scale=0.1, runs=3, pairs=2)


class Group(Struct, frozen=True):
    """`parts` are modules of this package and functions in them, which are imported when the group is measured."""

    meaning: str
    parts: tuple[str, ...]
    needs_root: bool = False
    needs_demo: bool = False  # the extra, for a server with a certificate

    def figures(self, size: Size) -> Iterable[Figure]:
        if self.needs_demo:
            require_demo()
        return chain.from_iterable(_part(name)(size) for name in self.parts)


def _part(name: str) -> Callable[[Size], Iterable[Figure]]:
    module, function = name.split(".")
    found: Callable[[Size], Iterable[Figure]] = getattr(import_module(f".{module}", __package__), function)
    return found


GROUPS = {
    "start": Group("what `record` takes around its command, `--help`", ("commands.started", "commands.helped"), True),
    "idle": Group("the processor while nothing happens", ("commands.idle",), True),
    "replay": Group("reading recordings, against json.loads", ("replayed.figures",)),
    "graph": Group("the whole graph against parsing alone, 1 to 1,000 connections; naive RxPY", ("connections.figures",)),
    "wire": Group("HTTP/2, WebSocket, zstd, long streams", ("carriers.figures", "cases.wires")),
    "operators": Group("what each operator adds; hops, rules, secrets, the fold, contexts", ("cases.operators",)),
    "ring": Group("records of a BPF ring to events", ("cases.rings",)),
    "store": Group("events into LMDB; calls, and the file of small ones", ("cases.stored", "stored_calls.figures")),
    "growth": Group("exponents in events, deltas and connections", ("growth.figures",)),
    "hostile": Group("the worst of hostile traffic", ("cases.hostile_traffic",)),
    "churn": Group("memory while connections come and go", ("cases.churned",)),
    "calls": Group("system calls of programs beside a capture, not watched and watched", ("syscalls.figures",), True),
    "tls": Group("a loop of TLS records: slowdown, loss, the fastest rate without loss", ("tls_loop.figures",), True, True),
    "stacks": Group("what a record costs clients of each TLS library; bcc's sslsniff", ("stacks.figures",), True, True),
    "hits": Group("what a hit of a probe costs, by instruction and by placement", ("hits.figures",), True, True),
    "proxy": Group("calls of a model through mitmproxy, and under `record`", ("proxy.figures",), True, True),
    "agent": Group("a scripted agent with and without `record`", ("agent_overhead.figures",), True, True),
}


def report_of(names: Sequence[str], size: Size, note: Callable[[str], None]) -> Report:
    """Measure these groups, one after the other. `note` gets a sentence before each."""
    began = time.monotonic()
    machine = this_machine()
    figures: list[Figure] = []
    for name in names:
        note(f"{name}: {GROUPS[name].meaning} …")
        figures += measured(name, size)
    return Report(
        date=datetime.now(UTC).isoformat(timespec="seconds"),
        machine=machine,
        seconds=round(time.monotonic() - began, 1),
        quick=size.scale < 1,
        figures=tuple(figures),
    )


def measured(name: str, size: Size) -> Iterator[Figure]:
    """What cannot be measured here is a figure without a value. What the parts write to standard error is left out."""
    group = GROUPS[name]
    if group.needs_root and os.geteuid() != 0:
        yield Figure(group=name, name=group.meaning, note="needs root")
        return
    said = io.StringIO()
    try:
        with redirect_stderr(said):
            yield from group.figures(size)
    except AgentsightError as error:
        yield Figure(group=name, name=group.meaning, note=f"cannot be measured here: {error}")
    except Exception as error:  # the others are measured all the same
        yield Figure(group=name, name=group.meaning, note=f"failed: {error!r}")
    gc.collect()
