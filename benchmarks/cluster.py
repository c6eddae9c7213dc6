"""Spools of four hosts, analysed by a plain loop, by jobs in one process and on Dask; and the state of many open keys."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from resource import RUSAGE_CHILDREN, RUSAGE_SELF, getrusage
from tempfile import TemporaryDirectory
from typing import ClassVar

from msgspec import Struct
from msgspec.structs import replace

from agentsight_rx.core.engine import Engine, Site
from agentsight_rx.core.machine import Checkpointed, Machine
from agentsight_rx.events import Event
from agentsight_rx.operators import per_key
from agentsight_rx.runtime.cluster import place_of, plan_of, run_here, run_on_dask, settings_of
from agentsight_rx.runtime.cluster.output import Analysis, OutputHeader, OutputWriter, pack_output
from agentsight_rx.runtime.cluster.place import State, encode_state, pack_state
from agentsight_rx.store.spool import Header, Track, encode_segment, read_segment, segment_name
from benchmarks.recording import traffic
from benchmarks.timing import Row

__all__ = ["ClusterRow", "rows"]

_HOSTS = ("web1", "web2", "db1", "edge")
_SEGMENTS = 48  # of each host: a minute of work for the plain loop
_FLOWS = 128  # calls in a segment
_MINUTE_NS = 60 * 10**9
_WALL_NS = 1_800_000_000 * 10**9
_KEYS = 20_000
_CPU_MOST, _FASTER_LEAST, _STATE_MS_MOST = 1.5, 1.7, 20.0
_WITH_DASK = 0.05  # from this scale on: it takes some seconds to start


class ClusterRow(Row, frozen=True):
    """CPU of all processes and time on the clock, in s, or of a state in ms; `got` is held against the target."""

    cpu_s: float = 0.0
    wall_s: float = 0.0
    got: float | None = None
    meaning: str = ""

    columns: ClassVar[tuple[str, ...]] = ("µs/event", "CPU s", "clock s", "got", "target", "met", "of")

    def _within(self, slack: float) -> bool:
        if self.got is None or self.target is None:
            return True
        return self.got >= self.target / slack if self.at_least else self.got <= self.target * slack

    @property
    def result(self) -> str:
        return f"{self.got:.2f} {self.meaning}, target {self.target:g}"

    def cells(self) -> tuple[str, ...]:
        got = "" if self.got is None else f"{self.got:.2f}"
        target = "" if self.target is None else f"{'>=' if self.at_least else '<='} {self.target:g}"
        met = ("yes" if self.met else "no") if target else ""
        return (f"{self.us_per_event:.3f}", f"{self.cpu_s:.2f}", f"{self.wall_s:.2f}", got, target, met, self.meaning)


class _Cost(Struct, frozen=True):
    cpu_s: float
    wall_s: float


def rows(rounds: int, scale: float = 1.0, /) -> list[Row]:
    """The fastest of so many rounds; on Dask one, since its start is part of it."""
    with TemporaryDirectory() as directory:
        folder = Path(directory)
        events = _spool(folder / "spool", max(1, round(_SEGMENTS * scale)))
        plain = _best(rounds, partial(_plain, folder / "spool"))
        here = _best(rounds, partial(_jobs, folder, 0))
        found: list[Row] = [_row("plain loop", events, plain), _row("jobs, this process", events, here, floor=plain)]
        if scale >= _WITH_DASK:
            one, two = _cost(partial(_jobs, folder, 1)), _cost(partial(_jobs, folder, 2))
            found += [_row("jobs, 1 worker", events, one, floor=plain), _row("jobs, 2 workers", events, two, floor=plain)]
            found.append(_faster(events, one, two))
    return [*found, _state(rounds, max(1, round(_KEYS * scale)))]


def _row(name: str, events: int, cost: _Cost, floor: _Cost | None = None) -> Row:
    us = cost.cpu_s * 1e6 / events
    if floor is None:
        return ClusterRow("cluster", name, us, 1e6 / us, cpu_s=cost.cpu_s, wall_s=cost.wall_s)
    return ClusterRow(
        "cluster",
        name,
        us,
        1e6 / us,
        cpu_s=cost.cpu_s,
        wall_s=cost.wall_s,
        got=cost.cpu_s / floor.cpu_s,
        target=_CPU_MOST,
        meaning="CPU of the plain loop",
    )


def _faster(events: int, one: _Cost, two: _Cost) -> Row:
    us = two.wall_s * 1e6 / events
    return ClusterRow(
        "cluster",
        "2 workers instead of 1",
        us,
        1e6 / us,
        cpu_s=two.cpu_s,
        wall_s=two.wall_s,
        got=one.wall_s / two.wall_s,
        target=_FASTER_LEAST,
        at_least=True,
        meaning="times as fast on the clock",
    )


def _state(rounds: int, keys: int) -> Row:
    """The state of an operator with so many open keys of 250 bytes: taken, encoded and compressed."""
    kernel = per_key(lambda key: key, lambda: _Open("x" * 240), name="open", key_type=int, limit=keys).kernel(
        Site(Engine(), "open")
    )
    kernel.feed(range(keys))
    cost = _best(max(rounds, 3), lambda: pack_state(encode_state(State(Track(), None)) + kernel.snapshot()))
    return ClusterRow(
        "cluster",
        f"state of {keys:,} open keys",
        cost.cpu_s * 1e6 / keys,
        keys / max(cost.cpu_s, 1e-9),
        cpu_s=cost.cpu_s,
        wall_s=cost.wall_s,
        got=cost.cpu_s * 1e3,
        target=_STATE_MS_MOST,
        meaning="ms",
    )


class _Kept(Struct, array_like=True):
    count: int
    text: str


class _Open(Machine[int, int], Checkpointed[_Kept]):
    def __init__(self, text: str) -> None:
        self.state = _Kept(0, text)

    def feed(self, event: int, /) -> tuple[int, ...]:
        self.state.count += 1
        return ()


def _best(rounds: int, act: Callable[[], object]) -> _Cost:
    return min((_cost(act) for _ in range(rounds)), key=lambda cost: cost.cpu_s)


def _cost(act: Callable[[], object]) -> _Cost:
    cpu_s, wall_s = _cpu_s(), time.perf_counter()
    act()
    return _Cost(_cpu_s() - cpu_s, time.perf_counter() - wall_s)


def _cpu_s() -> float:
    """Of this process and of those that it has waited for."""
    return sum(usage.ru_utime + usage.ru_stime for usage in map(getrusage, (RUSAGE_SELF, RUSAGE_CHILDREN)))


def _spool(folder: Path, segments: int) -> int:
    """Four spools with clocks an hour apart; how many events they have."""
    calls = traffic(_FLOWS)
    for hour, host in enumerate(_HOSTS):
        (folder / host).mkdir(parents=True)
        for number in range(segments):
            header = Header(host=host, sequence=number + 1, first=1, run="a", product="1", python="3")
            events = [_shifted(event, number, (hour * 60 + number) * _MINUTE_NS) for event in calls]
            content = encode_segment(header, events, ended=number == segments - 1)
            (folder / host / segment_name(number + 1)).write_bytes(content)
    return len(_HOSTS) * segments * len(calls)


def _shifted(event: Event, number: int, shift_ns: int) -> Event:
    """The same on another connection and later."""
    origin = event.origin
    assert origin.connection is not None
    connection = replace(origin.connection, handle=origin.connection.handle + number * _FLOWS)
    time_ns = origin.time_ns + shift_ns
    return replace(event, origin=replace(origin, time_ns=time_ns, wall_ns=_WALL_NS + time_ns, connection=connection))


def _plain(spool: Path) -> None:
    """The same segments through the same graph into the same outputs, without states between them."""
    settings = settings_of(place_of(str(spool.parent / "plain")))
    for host in sorted(spool.iterdir()):
        writer = OutputWriter(OutputHeader(key=host.name, sequence=1, before=0, first=0))
        analysis = Analysis(settings.options(host.name), writer.add)
        for path in sorted(host.iterdir()):
            for batch in read_segment(path.read_bytes()).batches():
                analysis.push(batch)
        analysis.end()
        (spool.parent / "plain.out").write_bytes(pack_output(writer.content()))
    shutil.rmtree(spool.parent / "plain")


def _jobs(folder: Path, workers: int) -> None:
    out = place_of(str(folder / f"out-{workers}-{os.urandom(4).hex()}"))
    plan = plan_of(place_of(str(folder / "spool")), out, settings_of(out))
    if workers:
        run_on_dask(plan, lambda _: None, workers=workers)
    else:
        run_here(plan, lambda _: None)
    shutil.rmtree(out.url)
