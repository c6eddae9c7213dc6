"""A batch through 1, 6 and 12 operators of ours, against a plain loop over the same functions and against stock RxPY."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from reactivex import operators as ops
from reactivex.subject import Subject

from agentsight_rx.core.engine import Engine
from agentsight_rx.core.stream import Chain, Stream, origin
from agentsight_rx.operators import change, keep
from benchmarks.recording import cut
from benchmarks.timing import Case, Row, Work, measure

__all__ = ["rows"]

_EVENTS = 20_480
_BATCHES = (1, 16, 64, 256, 1024)


def rows(rounds: int, scale: float = 1.0, /) -> list[Row]:
    """`change` and `keep` in turn, with counters and exception safety on; every event comes out at the end."""
    events = list(range(max(_BATCHES[-1], int(_EVENTS * scale))))
    cases = [Case(_floor(count), partial(_plain, loop, events), len(events)) for count, loop in _PLAIN.items()]
    cases += [_ours(count, batch, events) for count in _PLAIN for batch in _BATCHES]
    cases.append(Case("6 stock RxPY operators, single events", partial(_stock, events), len(events), floor=_name(6, 256)))
    one, two = "1 branch into stock RxPY, batch 256", "2 branches that meet again in stock RxPY, batch 256"
    cases.append(Case(one, partial(_branches, 1, cut(events, 256)), len(events)))
    cases.append(Case(two, partial(_branches, 2, cut(events, 256)), len(events), floor=one))
    return measure("hop", cases, rounds)


def _floor(count: int) -> str:
    return f"plain loop, {count} function{'s' if count > 1 else ''}"


def _name(count: int, batch: int) -> str:
    return f"{count} operator{'s' if count > 1 else ''}, batch {batch}"


def _ours(count: int, batch: int, events: Sequence[int]) -> Case:
    batches = cut(events, batch)
    target = 1.5 if batch == 256 else None
    return Case(_name(count, batch), partial(_chain, count, batches), len(events), floor=_floor(count), target=target)


class _Taken:
    """The end of a chain."""

    singles = 0

    def __init__(self) -> None:
        self.events: list[int] = []

    def on_batch(self, batch: Sequence[int], /) -> None:
        self.events += batch

    def on_completed(self) -> None:
        pass

    def on_error(self, error: Exception, /) -> None:
        raise error


def _chain(count: int, batches: Sequence[Sequence[int]]) -> Work:
    taken = _Taken()
    operators = [change(_next) if place % 2 == 0 else keep(_counts) for place in range(count)]
    chain: Chain[int] = Chain(Engine(), "hop", operators, taken)

    def work() -> int:
        for batch in batches:
            chain.on_batch(batch)
        return len(taken.events)

    return work


def _stock(events: Sequence[int]) -> Work:
    source = Subject[int]()
    taken: list[int] = []
    source.pipe(
        ops.map(_next), ops.filter(_counts), ops.map(_next), ops.filter(_counts), ops.map(_next), ops.filter(_counts)
    ).subscribe(taken.append)

    def work() -> int:
        for event in events:
            source.on_next(event)
        return len(taken)

    return work


def _branches(count: int, batches: Sequence[Sequence[int]]) -> Work:
    """`count` branches of an operator of ours, merged by a stock operator, or one as it is."""
    engine, taken = Engine(), list[int]()
    source: Stream[int] = origin("numbers", _Pushed, time_of=None)
    branches = [source.pipe(change(_next)) for _ in range(count)]
    merged = branches[0].pipe(ops.merge(*branches[1:])) if count > 1 else branches[0]
    merged.subscribe(taken.append, scheduler=engine)
    (hub,) = engine.hubs

    def work() -> int:
        for batch in batches:
            engine.push(hub, batch)
        return len(taken) // count

    return work


class _Pushed:
    """A source whose batches the benchmark pushes."""

    def open(self) -> None:
        pass

    def poll(self, timeout: float, /) -> None:
        del timeout

    def lost(self) -> Sequence[int]:
        return ()

    def close(self) -> Sequence[int]:
        return ()


def _next(number: int) -> int:
    return number + 1


def _counts(number: int) -> bool:
    return number >= 0


def _plain(loop: Callable[[Sequence[int]], list[int]], events: Sequence[int]) -> Work:
    return lambda: loop(events)


def _plain_1(events: Sequence[int]) -> list[int]:
    out: list[int] = []
    for event in events:
        out.append(_next(event))  # noqa: PERF401 (what is measured is a loop)
    return out


def _plain_6(events: Sequence[int]) -> list[int]:
    out: list[int] = []
    for event in events:
        number = _next(event)
        if not _counts(number):
            continue
        number = _next(number)
        if not _counts(number):
            continue
        number = _next(number)
        if _counts(number):
            out.append(number)
    return out


def _plain_12(events: Sequence[int]) -> list[int]:
    out: list[int] = []
    for event in events:
        number = _next(event)
        if not _counts(number):
            continue
        number = _next(number)
        if not _counts(number):
            continue
        number = _next(number)
        if not _counts(number):
            continue
        number = _next(number)
        if not _counts(number):
            continue
        number = _next(number)
        if not _counts(number):
            continue
        number = _next(number)
        if _counts(number):
            out.append(number)
    return out


_PLAIN: dict[int, Callable[[Sequence[int]], list[int]]] = {1: _plain_1, 6: _plain_6, 12: _plain_12}
