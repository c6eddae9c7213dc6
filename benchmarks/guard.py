"""The work of agents through the whole graph and through the fold: with a guard and its built-in rules, against without."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any, TypeAlias

from msgspec.structs import replace

from agentsight_rx import operators as op
from agentsight_rx.core.merge import merge
from agentsight_rx.core.stream import Stream, of
from agentsight_rx.events import Event, FileEvent, Origin, ProcessExec, ProcessExit, ProcessFork, TcpTraffic, TlsChunk, time_of
from agentsight_rx.graphs import RECORD_HTTP_FILTERS, TraceOptions, http_messages
from agentsight_rx.llm.prices import Prices
from agentsight_rx.policy.rules.guard.file import built_in_rules
from agentsight_rx.policy.rules.guard.values import Rules
from agentsight_rx.runtime.recording.guard_file import priced_by
from agentsight_rx.store.fold.guard.talk import Priced
from agentsight_rx.view import Fold
from benchmarks.conversation import conversation
from benchmarks.pipeline import started
from benchmarks.recording import cut, traffic
from benchmarks.timing import Case, Row, Work, measure

__all__ = ["rows"]

_CALLS = 48
_TURNS = 60
_BATCH = 256
_PROGRAMS, _OPENED = 3, 20  # of a tool: a shell and what it starts; files of each, most of them libraries
_STEP_NS = 500_000  # between two events: 2,000 a second
_WALL_NS = 1_800_000_000_000_000_000
_WORKSPACE, _CACHE = "/home/lena/code/shop", "/home/lena/.cache/"
_MOST = 1.03
_Batches: TypeAlias = Sequence[Sequence[Any]]
_OPTIONS = TraceOptions(http_filters=RECORD_HTTP_FILTERS)
_PATHS = (
    "/etc/ld.so.cache",
    "/lib/x86_64-linux-gnu/libc.so.6",
    "/usr/lib/locale/C.utf8/LC_CTYPE",
    "/home/lena/code/shop/src/orders/part_{}.py",
    "/home/lena/code/shop/node_modules/left/{}/index.js",
    "/usr/lib/python3.13/encodings/utf_8.py",
    f"{_CACHE}tool/{{}}",
    "/home/lena/code/shop/.git/objects/{}",
)
_WRITE = 0o101  # O_WRONLY | O_CREAT


def rows(rounds: int, scale: float = 1.0, /) -> list[Row]:
    """A target of 1.03 in the graph, where each event is also taken apart, redacted and folded."""
    rules = built_in_rules()
    priced = priced_by(Prices(), rules)
    chunks, work = _turns(max(2, int(_CALLS * scale)))
    talk = list(conversation(max(2, int(_TURNS * scale))))
    graph, fold, talks = "graph without a guard", "fold of files and processes, without", "fold of calls, without"
    count = len(chunks) + len(work)
    batches = cut(chunks, _BATCH), cut(work, _BATCH)
    return measure(
        "guard",
        [
            Case(graph, partial(_graph, batches, None, None), count),
            Case("graph with a guard", partial(_graph, batches, rules, priced), count, floor=graph, target=_MOST),
            Case(fold, partial(_folded, work, None, None), len(work)),
            Case("fold of files and processes, with a guard", partial(_folded, work, rules, priced), len(work), floor=fold),
            Case(talks, partial(_folded, talk, None, None), len(talk)),
            Case("fold of calls, with a guard", partial(_folded, talk, rules, priced), len(talk), floor=talks),
        ],
        rounds,
    )


def _graph(
    batches: tuple[Sequence[Sequence[Any]], Sequence[Sequence[Any]]], rules: Rules | None, priced: Priced | None
) -> Work:
    said, done = (of(*each, time_of=time_of, name=name) for each, name in zip(batches, ("tls", "files"), strict=True))
    read: Stream[Any] = http_messages(said, _OPTIONS)
    return started(merge(read, done).pipe(op.remove_auth(), op.materialize(guard=rules, priced=priced)))


def _folded(events: Sequence[Event], rules: Rules | None, priced: Priced | None) -> Work:
    fold = Fold(rules, priced=priced)

    def work() -> None:
        for event in events:
            fold.add(event)

    return work


def _turns(calls: int) -> tuple[list[TlsChunk], list[Event]]:
    """An agent in turns: the records of a call, then what its tool does. That is some programs, each with its files."""
    records, work = list[TlsChunk](), list[Event]()
    time_ns, number = 0, 0

    def origin(pid: int, comm: str) -> Origin:
        nonlocal time_ns
        time_ns += _STEP_NS
        return Origin(time_ns, pid, pid, 1000, comm, _WALL_NS + time_ns)

    for chunk in traffic(1, calls):
        connection = chunk.origin.connection
        begins = chunk.origin.direction == "out" and (not records or records[-1].origin.direction == "in")
        if begins and connection is not None:
            parent = connection.pid
            if not records:
                agent = ProcessExec(origin(parent, "claude"), 1, connection.start_ns, "/bin/claude", ("claude",), _WORKSPACE)
                work.append(agent)
            else:
                for program in range(_PROGRAMS):
                    number += 1
                    work += _program(number, program, parent, origin)
        time_ns += _STEP_NS
        records.append(replace(chunk, origin=replace(chunk.origin, time_ns=time_ns)))
    return records, work


def _program(number: int, place: int, parent: int, origin: Callable[[int, str], Origin]) -> Iterator[Event]:
    """The first of a tool is a shell. Of the files half are libraries that every program opens, the others are new."""
    pid = 10_000 + number
    argv = ("python", "-m", "pytest", "-q", f"test_{number}.py") if place else ("sh", "-c", "python -m pytest -q")
    begins = origin(pid, "claude")
    start_ns = begins.time_ns
    yield ProcessFork(begins, parent, start_ns)
    yield ProcessExec(origin(pid, argv[0]), parent, start_ns, argv[0], argv, _WORKSPACE)
    for opened in range(_OPENED):
        path = _PATHS[opened % len(_PATHS)].format(opened * number)
        flags = _WRITE if path.startswith(_CACHE) else 0
        yield FileEvent(origin(pid, argv[0]), start_ns, "open", path, flags=flags)
    yield TcpTraffic(origin(pid, argv[0]), start_ns, 7, "127.0.0.1", 5432, 1000, 1000)
    yield ProcessExit(origin(pid, argv[0]), parent, start_ns, 0, duration_ns=1_000_000)
