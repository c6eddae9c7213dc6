"""Every operator keeps the promises that all of them make: see component.py."""

from __future__ import annotations

from typing import Any, TypeAlias

import pytest
from hypothesis import strategies as st
from msgspec import Struct
from msgspec.structs import replace

from agentsight_rx import operators as op
from agentsight_rx.core.kernels import compose
from agentsight_rx.core.machine import Bounded, Checkpointed
from agentsight_rx.core.stream import Operator
from agentsight_rx.events import (
    AnswerProgress,
    BodyPart,
    Channel,
    Connection,
    Event,
    HostsKnown,
    HttpEvent,
    HttpRequest,
    HttpResponse,
    Origin,
    ProcessExec,
    ProcessExit,
    RpcMessage,
    SseMessage,
    StdioChunk,
    StdioEvent,
    TcpTraffic,
    Tick,
    TlsChunk,
    TlsClose,
    TlsEvent,
    TlsOpen,
    UnreadTls,
    WebSocketMessage,
)
from agentsight_rx.events.loss import Reason
from agentsight_rx.view import Row
from property_tests.coding_strategies import coded_events
from property_tests.component import Case, Law, check
from property_tests.hash_seeds import differing
from property_tests.loud_rules import LOUD, priced
from property_tests.strategies import (
    START_NS,
    http_events,
    model_events,
    process_events,
    rpc_events,
    socket_events,
    stdio_events,
    streamed_events,
    streamed_records,
    tls_events,
)


class Item(Struct, frozen=True):
    """The input of the operators that take anything."""

    time_ns: int
    key: int | None
    data: bytes


Bundle: TypeAlias = tuple[int | None, bytes]

items = st.lists(
    st.builds(
        Item,
        st.integers(0, 40).map(lambda step: START_NS + step * 7_000_000),
        st.none() | st.integers(0, 3),
        st.binary(max_size=5),
    ),
    max_size=20,
).map(lambda some: sorted(some, key=lambda item: item.time_ns))


class Pairs(Bounded[Item, Item], Checkpointed[Item | None]):
    """Puts two and two together; one alone goes out after 50 ms."""

    def __init__(self) -> None:
        self.state: Item | None = None

    def feed(self, item: Item, /) -> list[Item]:
        if self.state is not None:
            item = replace(self.state, data=self.state.data + item.data)
            self.state = None
            return [item]
        self.state = replace(item, data=b"" + item.data)
        return []

    def tick(self, now_ns: int, /) -> list[Item]:
        return self.finish() if self.state and now_ns - self.state.time_ns > 50_000_000 else []

    def finish(self) -> list[Item]:
        one, self.state = self.state, None
        return [one] if one else []

    def held(self) -> int:
        return len(self.state.data) if self.state else 0


class Trap:
    """A value at which everything that looks at it raises."""

    def __bool__(self) -> bool:
        raise ArithmeticError("a trap")

    def __len__(self) -> int:
        raise ArithmeticError("a trap")

    def __getattr__(self, name: str) -> Any:
        raise ArithmeticError("a trap")


TRAP: Any = Trap()


def item_trap(time_ns: int) -> Item:
    return Item(time_ns, 9, TRAP)


def origin(time_ns: int) -> Origin:
    return Origin(time_ns, 9, connection=Connection(9, 9, "", 9), direction="in")


def chunk_trap(time_ns: int) -> TlsChunk:
    return TlsChunk(origin(time_ns), TRAP, 0, 0)


def request_trap(time_ns: int) -> HttpRequest:
    return HttpRequest(origin(time_ns), 1, "POST", TRAP, "HTTP/1.1", TRAP)


def part_trap(time_ns: int) -> BodyPart:
    return BodyPart(origin(time_ns), 1, TRAP)


def coded_trap(time_ns: int) -> BodyPart:
    return BodyPart(origin(time_ns), 1, TRAP, encoding="gzip")


def rpc_trap(time_ns: int) -> HttpRequest:
    return HttpRequest(origin(time_ns), 1, "POST", "/", "HTTP/1.1", (), TRAP)


def message_trap(time_ns: int) -> WebSocketMessage:
    return WebSocketMessage(origin(time_ns), 9, 9, "text", b"", target=TRAP)


def traffic_trap(time_ns: int) -> TcpTraffic:
    return TcpTraffic(origin(time_ns), 9, number=9, peer="", port=0, sent=TRAP, received=0)


def object_of(pid: int, handle: int) -> Origin:
    return Origin(START_NS, pid, connection=Connection(pid, 7, "", handle), direction="in")


def first_chunk(at: Origin) -> TlsChunk:
    return TlsChunk(at, b"x", 0, 0)


def carried(pid: int, number: int, size: int, ended: bool) -> TcpTraffic:
    traffic = TcpTraffic(Origin(START_NS, pid), 7, number=number, peer="::1", port=443, sent=size, received=1, ended=ended)
    return replace(traffic, local_port=number % 3)


def unread(pid: int) -> UnreadTls:
    return UnreadTls(Origin(START_NS, pid), 7, "/bin/x", "rustls")


def traffic_events() -> st.SearchStrategy[list[TlsEvent]]:
    """TLS objects in use, and connections that carry bytes and end, of two processes, in any order."""
    pids, small = st.integers(1, 2), st.integers(0, 5)
    used = st.builds(object_of, pids, small)
    some: st.SearchStrategy[TlsEvent] = st.one_of(
        used.map(first_chunk),
        used.map(TlsOpen),
        st.builds(TlsOpen, used, st.just(False), st.integers(-1, 2), st.just(443), st.booleans()),
        used.map(TlsClose),
        pids.map(unread),
        st.builds(carried, pids, small, small, st.booleans()),
    )
    return st.lists(some, max_size=20)


def one(_: object) -> int:
    return 1


def event_not_row(out: Event | Row) -> int:
    return int(hasattr(out, "origin"))


def event_not_tick(out: Event) -> int:
    return int(not isinstance(out, Tick))


def event_not_hosts(out: Event) -> int:
    return int(not isinstance(out, HostsKnown))


def wire_bytes(event: HttpEvent) -> int:
    if isinstance(event, TlsChunk):
        return len(event.data)
    return event.size if isinstance(event, HttpRequest | HttpResponse | BodyPart | WebSocketMessage) else 0


def told_bytes(event: HttpEvent) -> int:
    return event.size if isinstance(event, SseMessage) else wire_bytes(event)


def body_bytes(event: HttpEvent) -> int:
    if isinstance(event, SseMessage):
        return event.size
    return len(event.data) if isinstance(event, BodyPart) else 0


def stdio_bytes(event: StdioEvent) -> int:
    if isinstance(event, StdioChunk):
        return len(event.data)
    return event.size if isinstance(event, RpcMessage) else 0


def stdio_trap(time_ns: int) -> StdioChunk:
    return StdioChunk(origin(time_ns), Channel("pipe", 9), 1, TRAP, 0, 0)


def marked_trap(time_ns: int) -> TlsChunk:
    return TlsChunk(origin(time_ns), b"", 0, 0, marked=TRAP)


def wall_trap(time_ns: int) -> TlsChunk:
    return TlsChunk(replace(origin(time_ns), wall_ns=TRAP), b"", 0, 0)


def item_time(item: Item) -> int:
    return item.time_ns


def item_size(item: Item) -> int:
    return len(item.data)


def clock_offset() -> int:
    return 1_700_000_000_000_000_000


def normalize() -> Operator[Event, Event]:
    return op.normalize(offset=clock_offset)


def anything() -> st.SearchStrategy[list[Event]]:
    some: st.SearchStrategy[list[Any]] = st.one_of(tls_events(), http_events(), process_events(), stdio_events())
    return some


def parts_joined(events: list[Any]) -> list[Any]:
    """Parts of a body that came as one or as several, as one, at the place of the last of them."""
    made: list[Any] = []
    newest: dict[tuple[Any, int], int] = {}
    for event in events:
        exchange = getattr(event, "exchange", None)
        key = (event.origin.connection, exchange or 0)
        if type(event) is BodyPart and event.data and not event.lost and not event.last:
            before = newest.get(key)
            newest[key] = len(made)
            made.append(event)
            if before is not None:
                made[-1] = _two(made[before], event)
                made[before] = None
        else:
            if exchange is not None:
                newest.pop(key, None)
            made.append(event)
    return [event for event in made if event is not None]


def _two(one: BodyPart, other: BodyPart) -> BodyPart:
    cuts = [each.cuts or ((len(each.data), each.origin.time_ns),) for each in (one, other)]
    return replace(other, data=one.data + other.data, size=one.size + other.size, cuts=cuts[0] + cuts[1])


def connection_of(event: Any) -> Any:
    """What an operator of connections, pipes or processes knows an event by, or something coarser."""
    return event.origin.connection or getattr(event, "channel", None) or event.origin.pid


def process_of(event: Any) -> Any:
    return event.origin.connection.pid if event.origin.connection else event.origin.pid


def is_tick(out: Any) -> bool:
    return isinstance(out, Tick)


def is_hosts(out: Any) -> bool:
    return isinstance(out, HostsKnown)


def is_progress(out: Any) -> bool:
    return isinstance(out, AnswerProgress)


guarded_events = model_events()  # the laws of alerts over whole scenes are those of test_guard_properties

CASES: dict[str, Case[Any, Any]] = {
    "change": Case(
        lambda: op.change(lambda item: replace(item, data=item.data[::-1])),
        items, law=Law("events", one, one), poison=item_trap, time_of=item_time,
    ),
    "keep": Case(
        lambda: op.keep(lambda item: item.data[:1] > b"a"),
        items, law=Law("events", one, one), poison=item_trap, time_of=item_time,
    ),
    "only": Case(
        lambda: op.only(ProcessExec, ProcessExit), process_events(), law=Law("events", one, one),
    ),
    "each": Case(
        lambda: op.each(Pairs, name="pairs"),
        items, law=Law("bytes", item_size, item_size), poison=item_trap, forgets=True, time_of=item_time,
    ),
    "per_key": Case(
        lambda: op.per_key(lambda item: item.key, Pairs, name="pairs", key_type=int, limit=4),
        items, law=Law("bytes", item_size, item_size), poison=item_trap, forgets=True, time_of=item_time,
        key=lambda item: item.key,
    ),
    "normalize": Case(normalize, anything(), law=Law("events", one, one), poison=wall_trap, key=connection_of),
    "filter_tls": Case(
        lambda: op.filter_tls("len>10 | data~HTTP", "pid=1 & function=READ/RECV"),
        tls_events(), law=Law("events", one, one), poison=chunk_trap,
        key=connection_of,
    ),
    "parse_http": Case(
        lambda: op.parse_http(body_limit=20),
        tls_events(), law=Law("bytes", wire_bytes, wire_bytes), poison=chunk_trap, joined=parts_joined,
        key=connection_of,
    ),
    "parse_http of streamed answers": Case(
        op.parse_http, streamed_records(), law=Law("bytes", wire_bytes, wire_bytes), poison=chunk_trap, joined=parts_joined,
        key=connection_of,
    ),
    "read_http of streamed answers": Case(op.read_http, streamed_records(), poison=chunk_trap, key=connection_of),
    "read_http": Case(lambda: op.read_http(body_limit=20), tls_events(), poison=chunk_trap, key=connection_of),
    "parse_jsonrpc": Case(
        op.parse_jsonrpc, stdio_events(),
        law=Law("bytes", stdio_bytes, stdio_bytes, frozenset({Reason.LIMITED, Reason.TRUNCATED})), poison=stdio_trap,
        forgets=True,
    ),
    "find_blind_spots": Case(lambda: op.find_blind_spots(wait=0.05), traffic_events(), poison=traffic_trap, key=process_of),
    "drop_marked": Case(op.drop_marked, http_events(), law=Law("events", one, one), poison=marked_trap, key=connection_of),
    "merge_sse": Case(
        op.merge_sse, streamed_events(), law=Law("bytes", body_bytes, body_bytes), poison=part_trap,
        key=connection_of,
    ),
    "filter_http": Case(
        lambda: op.filter_http("request.method=GET", "response.status_code=4xx | /files"),
        http_events(), law=Law("events", one, one), poison=request_trap,
        key=connection_of,
    ),
    "remove_auth": Case(
        lambda: op.remove_auth(key=b"k"), anything(), law=Law("events", one, one), poison=request_trap,
        key=connection_of,
    ),
    "decode_content": Case(
        lambda: op.decode_content(limit=20_000), coded_events(),
        law=Law("bytes", wire_bytes, wire_bytes), poison=coded_trap, joined=parts_joined,
        key=connection_of,
    ),
    "merge_mcp": Case(op.merge_mcp, rpc_events(), law=Law("bytes", wire_bytes, wire_bytes), poison=rpc_trap, key=connection_of),
    "merge_websocket": Case(
        op.merge_websocket, socket_events(),
        law=Law("bytes", wire_bytes, told_bytes), poison=message_trap, forgets=True,
        key=connection_of,
    ),
    "mark_ticks": Case(
        op.mark_ticks, anything(), law=Law("events", one, event_not_tick),
        aside=is_tick,
    ),
    "know_hosts": Case(
        lambda: op.know_hosts(("/w", "a.example")), anything(), law=Law("events", one, event_not_hosts), aside=is_hosts,
    ),
    "reload_rules": Case(lambda: op.reload_rules(lambda: None), anything(), law=Law("events", one, one)),
    "materialize": Case(
        op.materialize, model_events(), law=Law("events", one, event_not_row), poison=request_trap, forgets=True,
    ),
    "guard": Case(
        lambda: op.guard(LOUD, priced=priced), guarded_events,
        law=Law("events", one, event_not_row), poison=request_trap, forgets=True,
    ),
}  # fmt: skip


# Options that change what an operator emits
OPTIONS: dict[str, Case[Any, Any]] = {
    "materialize, guard": Case(
        lambda: op.materialize(guard=LOUD, priced=priced), guarded_events,
        law=Law("events", one, event_not_row), poison=request_trap, forgets=True,
    ),
    "merge_sse, progress": Case(
        lambda: op.merge_sse(progress=True),
        streamed_events(), law=Law("bytes", body_bytes, body_bytes), poison=part_trap,
        key=connection_of, aside=is_progress,
    ),
    "merge_websocket, progress": Case(
        lambda: op.merge_websocket(progress=True), socket_events(),
        law=Law("bytes", wire_bytes, told_bytes), poison=message_trap, forgets=True,
        key=connection_of, aside=is_progress,
    ),
    "remove_auth behind progress": Case(
        lambda: compose("shown", op.merge_sse(progress=True), op.remove_auth(key=b"k")), streamed_events(), poison=part_trap,
        key=connection_of, aside=is_progress,
    ),
}  # fmt: skip


@pytest.mark.slow
@pytest.mark.thorough
def test_no_output_and_no_state_depends_on_the_seed_of_hashes() -> None:
    assert set() == differing(__name__, "CASES")


def test_no_operator_is_missing() -> None:
    """Of these the own tests cut the input: `map_async` has no machine, and the others are made for any order."""
    own = {"map_async", "window", "join_within", "unix_ns", "Pair", "Session", "Sliding", "Tumbling", "Window"}
    assert set(op.__all__) - own == {name.partition(" of ")[0] for name in CASES}


@pytest.mark.parametrize("name", OPTIONS)
def test_operator_with_options(name: str) -> None:
    check(OPTIONS[name])


@pytest.mark.parametrize("name", CASES)
def test_operator(name: str) -> None:
    check(CASES[name])
