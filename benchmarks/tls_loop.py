"""A loop of TLS records over the loopback interface, traced and not: its slowdown, what is lost, the fastest lossless rate."""

from __future__ import annotations

import subprocess
from collections.abc import Generator, Iterator
from contextlib import contextmanager

from agentsight_rx.events.loss import Reason
from agentsight_rx.graphs import TraceOptions, trace
from agentsight_rx.runtime.run import Run, Summary
from agentsight_rx.sources import Target, TlsOptions
from benchmarks.apart import command, environment
from benchmarks.figures import Figure, Size
from benchmarks.tls_worker import IN_AN_ANSWER

__all__ = ["figures", "tls_calls"]

_RECORDS = {200: 20_000, 4096: 10_000}  # size -> how many are written in a round; each is read, too
_TLS_CALLS = 2  # that write and read a record
_AROUND = 3  # records around an answer
_SECONDS = 1.5  # of a rate
_SLOWER = 0.7  # the next rate that is tried, of the last one, or nearer to it where little was lost there
_A_LITTLE = 0.05
_RATES_MOST = 7
_ARRIVED = (Reason.KERNEL_LOST, Reason.QUEUE_FULL)  # records that did not reach the engine

# size -> (target of the slowdown, the original's, ours before), (target of the rate, the original's, ours before)
_SLOWDOWN = {200: (1.5, "4.1 to 4.9x", "1.8 to 2.8x"), 4096: (None, "", "1.4 to 2.4x")}
_RATE = {200: (200_000.0, "51 % lost", "0 lost"), 4096: (300.0, "", "9 to 48 % lost")}


class _Load:
    """The process that loops."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.pid = process.pid
        self._process = process

    def run(self, size: int, records: int, rate: int = 0, *, where: str = "loopback") -> tuple[float, float]:
        """Seconds by the clock, and of processor time."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{where} {size} {records} {rate}\n")
        self._process.stdin.flush()
        took, used = map(float, self._process.stdout.readline().split())
        return took, used


@contextmanager
def _load() -> Generator[_Load]:
    pipes = subprocess.PIPE
    with subprocess.Popen(command("tls_worker"), stdin=pipes, stdout=pipes, env=environment(), text=True) as process:
        try:
            load = _Load(process)
            load.run(200, 200)
            yield load
        finally:
            process.kill()


def tls_calls(summary: Summary) -> int:
    """Events of the TLS source."""
    return sum(meter.seen for meter in summary.ledger if meter.stage == "tls")


def _lost(summary: Summary) -> int:
    return sum(entry.count for entry in summary.ledger.unintended() if entry.reason in _ARRIVED)


def _missing(summary: Summary, records: int) -> int:
    """
    Events of the loop that did not reach the engine, whether they were counted as lost or not: each record is written and read,
    and so are the request, the head and the end of each answer.
    """
    expected = _TLS_CALLS * (records + _AROUND * -(-records // IN_AN_ANSWER))
    return max(_lost(summary), expected - tls_calls(summary))


def figures(size: Size) -> Iterator[Figure]:
    with _load() as load:
        yield from _slowdown(load, size)
        for record in _RECORDS:
            yield _rate(load, record, size)


def _slowdown(load: _Load, size: Size) -> Iterator[Figure]:
    bare: dict[int, list[float]] = {record: [] for record in _RECORDS}
    traced: dict[int, list[float]] = {record: [] for record in _RECORDS}
    lost = 0
    for _ in range(size.runs):
        for record, count in _RECORDS.items():
            bare[record].append(load.run(record, size.many(count, 200))[1])
        with Run(trace(TraceOptions(tls=TlsOptions(Target(load.pid))))) as run:
            for record, count in _RECORDS.items():
                traced[record].append(load.run(record, size.many(count, 200))[1])
            lost += _missing(run.stop(), sum(size.many(count, 200) for count in _RECORDS.values()))
    for record, count in _RECORDS.items():
        calls = _TLS_CALLS * size.many(count, 200)
        low, high = min(bare[record]), min(traced[record])
        target, original, before = _SLOWDOWN[record]
        yield Figure(
            group="tls",
            name=f"slowdown of a loop of TLS records of {record:,} bytes (Python)",
            value=high / low,
            target=target,
            original=original,
            before=before,
            note=f"{low / calls * 1e6:.2f} µs a call of TLS, traced {high / calls * 1e6:.2f}",
        )
        yield Figure(
            group="tls",
            name=f"added to a call of TLS, {record:,} bytes, libssl",
            value=(high - low) / calls * 1e6,
            unit="µs",
        )
    total = size.runs * _TLS_CALLS * sum(size.many(count, 200) for count in _RECORDS.values())
    yield Figure(
        group="tls",
        name="records that these loops lose",
        value=100 * lost / total,
        unit="%",
        target=0.0,
        original="51 %",
        before="0 to 48 %",
        note=f"{lost:,} of {total:,}",
    )


def _rate(load: _Load, record: int, size: Size) -> Figure:
    """Slower and slower until nothing is lost."""
    target, original, before = _RATE[record]
    seconds = max(0.05, _SECONDS * size.scale)
    speed = 2000 / load.run(record, 2000, where="memory")[0]
    rate, arrived, lost, tried = 0, 0.0, 1, list[str]()
    while lost and len(tried) < _RATES_MOST:
        records = max(200, int((rate or speed) * seconds))
        with Run(trace(TraceOptions(tls=TlsOptions(Target(load.pid))))) as run:
            took, _ = load.run(record, records, rate, where="memory")
            lost = _missing(run.stop(), records)
        arrived = _TLS_CALLS * records / took
        if lost:
            share = lost / records / _TLS_CALLS
            tried.append(f"{share:.1%} lost at {arrived:,.0f}/s")
            rate = int(arrived / _TLS_CALLS * max(_SLOWER, 1 - 2 * share - _A_LITTLE))
    value = arrived if record < 1000 else arrived * record / 1e6
    return Figure(
        group="tls",
        name=f"fastest rate without loss, records of {record:,} bytes",
        value=None if lost else value,
        unit="/s" if record < 1000 else "MB/s",
        target=target,
        at_least=True,
        original=original,
        before=before,
        note="; ".join(tried) or "as fast as one loop in memory makes them",
    )
