"""E14: long streams and many connections: everything is emitted, in bounded memory and with work linear in the input."""

from __future__ import annotations

import gc
import sys
import tracemalloc
from collections.abc import Callable
from functools import partial
from types import FrameType
from typing import Any

import pytest

from agentsight_rx.core.engine import Engine
from agentsight_rx.core.stream import of
from agentsight_rx.events import Connection, Origin, ProcessExit, SseMessage, TlsEvent, time_of
from agentsight_rx.graphs import TraceOptions, http_messages
from agentsight_rx.operators import materialize, normalize, remove_auth
from agentsight_rx.view import CallRow, Output, TokenRow
from benchmarks.churn import churned
from tests.golden import EPOCH_NS, SSE, Talk, last_rows, only, request, traced
from tests.golden.streams import START, STOP, anthropic, says
from tests.operators import Wire

MANY = 100_000
_BUDGET = 64 << 20  # bytes for 100,000 deltas: 8 MiB of their events and what these cost as objects, the text, and rows
_GROWTH = 12  # times the work for ten times the input; code that reads everything again for each piece needs 100 times

_HEAD = b"HTTP/1.1 200 OK\r\n" + SSE + b"\r\nTransfer-Encoding: chunked\r\n\r\n"


def _chunk(part: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(part), part)


def one_stream(deltas: int) -> list[TlsEvent]:
    """Each delta in a record of its own, as servers send them."""
    talk = Talk(Wire())
    talk.asks(request("/v1/messages"))
    talk.answers(_HEAD + _chunk(START))
    for number in range(deltas):
        talk.answers(_chunk(says(f"{number} ")))
    talk.answers(_chunk(STOP) + b"0\r\n\r\n")
    return talk.records


def badly_cut(deltas: int) -> list[TlsEvent]:
    """The same in records of 50 bytes: each event is cut into three or four."""
    talk = Talk(Wire(), record=50)
    talk.asks(request("/v1/messages"))
    talk.answers(_HEAD + b"".join(map(_chunk, [START, *(says(f"{number} ") for number in range(deltas)), STOP])) + b"0\r\n\r\n")
    return talk.records


def one_body(size: int) -> list[TlsEvent]:
    """A request of `size` times 100 bytes."""
    talk = Talk(Wire(), record=1000)
    talk.asks(request("/v1/messages", b'{"a":"' + b"x" * (100 * size) + b'"}'))
    return talk.records


def many_connections(count: int) -> list[TlsEvent]:
    """Calls that all begin, continue piece by piece in turn, and end."""
    talks = [Talk(Wire(Connection(7, 700, "/lib/libssl.so.3", 0x1000 + 16 * number)), record=700) for number in range(count)]
    for number, talk in enumerate(talks):
        talk.asks(request(f"/v1/messages?{number}", b'{"model":"m","messages":[]}' * 40))
        talk.answers(_HEAD + b"".join(map(_chunk, anthropic(number))) + b"0\r\n\r\n")
        talk.closes()
    turns = max(len(talk.records) for talk in talks)
    return [talk.records[turn] for turn in range(turns) for talk in talks if turn < len(talk.records)]


def numbered(text: str) -> bool:
    return text == "".join(f"{number} " for number in range(MANY))


@pytest.mark.slow
def test_e14_a_hundred_thousand_deltas_are_one_answer() -> None:
    made = traced(one_stream(MANY))
    (message,) = only(SseMessage, made)
    assert numbered(message.reply.text)
    assert (message.complete, message.chunks, len(message.events) + message.events_lost) == (True, MANY, MANY + 2)
    assert sum(len(each.data) for each in message.events) <= 8 << 20 < sum(len(says(f"{number} ")) for number in range(MANY))
    assert [row.status for row in last_rows(CallRow, made)] == ["complete"]


def test_e14_a_thousand_interleaved_connections_give_a_thousand_answers() -> None:
    made = traced(many_connections(1000))
    messages = only(SseMessage, made)
    assert sorted((each.target or "", each.reply.id) for each in messages) == sorted(
        (f"/v1/messages?{number}", f"msg_{number}") for number in range(1000)
    )
    assert {(each.complete, each.reply.text, len(each.reply.tool_calls)) for each in messages} == {(True, "Hello Wörld 🙂", 2)}
    assert {row.status for row in last_rows(CallRow, made)} == {"complete"}
    assert sum(row.total_tokens for row in last_rows(TokenRow, made)) == 100 * 1000


# -- memory ------------------------------------------------------------------------------------------------------------


class _Counted:
    """A sink that keeps nothing, as a run passes its output on."""

    def __init__(self) -> None:
        self.complete = 0

    def take(self, item: Output) -> None:
        self.complete += isinstance(item, SseMessage) and item.complete


def _peak(records: list[TlsEvent]) -> tuple[int, int]:
    """The most bytes that the chain held besides the records, and the number of complete answers it emitted."""
    engine, counted = Engine(), _Counted()
    source = of(records, time_of=time_of).pipe(normalize(offset=lambda: EPOCH_NS))
    http_messages(source, TraceOptions()).pipe(remove_auth(key=bytes(32)), materialize()).subscribe(
        counted.take, scheduler=engine
    )
    tracemalloc.start()
    try:
        engine.run_inline()
        return tracemalloc.get_traced_memory()[1], counted.complete
    finally:
        tracemalloc.stop()


def test_e14_memory_of_a_long_stream_stays_in_its_budget() -> None:
    peak, complete = _peak(one_stream(MANY // 2))
    assert complete == 1
    assert peak < _BUDGET // 2


@pytest.mark.slow
def test_e14_memory_of_many_connections_grows_only_with_those_open() -> None:
    """Each call holds its 2 KiB of events, twice while they are joined, and the state of its machines."""
    peak, complete = _peak(many_connections(400))
    assert complete == 400
    assert peak < 400 * 32 * 1024


@pytest.mark.slow
def test_e14_memory_of_connections_that_are_over_is_given_up() -> None:
    """What stays is what they were called, in tables of limited size. The machines of one take 9 KB."""
    few, many = (_left(many_connections(count)) for count in (200, 600))
    assert many - few < 400 * 3 * 1024


def _left(records: list[TlsEvent]) -> int:
    """Bytes that the chain holds when all connections have been closed for some seconds."""
    engine, left = Engine(), 0

    def look(event: object) -> None:
        nonlocal left
        if isinstance(event, ProcessExit):
            gc.collect()
            left = tracemalloc.get_traced_memory()[0]

    last = time_of(records[-1])
    origin = Origin(last + 10_000_000_000, 1)  # the view keeps what came in the last six seconds
    source = of([*records, ProcessExit(origin, 1, 1, 0)], time_of=time_of).pipe(normalize(offset=lambda: EPOCH_NS))
    http_messages(source, TraceOptions()).pipe(remove_auth(key=bytes(32)), materialize()).subscribe(look, scheduler=engine)  # type: ignore[arg-type]
    tracemalloc.start()
    try:
        engine.run_inline()
        return left
    finally:
        tracemalloc.stop()


@pytest.mark.slow
@pytest.mark.thorough
def test_e14_memory_under_churn_is_reported_apart_from_the_map_of_the_store() -> None:
    *_, first, last = churned(6000)  # the first 4,096 fill tables of a fixed size
    assert (first.connections, last.connections) == (4800, 6000)
    assert last.stored > first.stored
    assert last.memory.mapped - first.memory.mapped > 0
    assert last.memory.anonymous - first.memory.anonymous < 1200 * 16 * 1024


# -- work --------------------------------------------------------------------------------------------------------------

# Methods that read the whole object they belong to
_LOOKING = {"find", "rfind", "index", "count", "split", "rsplit", "splitlines", "partition", "rpartition", "translate",
            "replace", "decode", "encode", "join", "lower"}  # fmt: skip


class _Work:
    """Counts calls, and the bytes that methods of bytes and str read."""

    def __init__(self) -> None:
        self.calls = 0
        self.looked = 0

    def count(self, _: FrameType, event: str, arg: Any) -> None:
        if event == "call":
            self.calls += 1
        elif event == "c_call":
            self.calls += 1
            of_what = getattr(arg, "__self__", None)
            if isinstance(of_what, bytes | bytearray | str) and arg.__name__ in _LOOKING:
                self.looked += len(of_what)

    def of(self, run: Callable[[], object]) -> _Work:
        sys.setprofile(self.count)
        try:
            run()
        finally:
            sys.setprofile(None)
        return self


@pytest.mark.parametrize(
    ("traffic", "size"), [(one_stream, 400), (badly_cut, 200), (one_body, 300), (many_connections, 8)],
    ids=["one_stream", "badly_cut", "one_body", "many_connections"],
)  # fmt: skip
def test_e14_ten_times_the_input_is_ten_times_the_work(traffic: Callable[[int], list[TlsEvent]], size: int) -> None:
    few, many = traffic(size), traffic(10 * size)
    traced(few)  # warm up caches
    small, large = (_Work().of(partial(traced, records)) for records in (few, many))
    assert small.calls > size
    assert large.calls <= _GROWTH * small.calls
    assert large.looked <= _GROWTH * small.looked
