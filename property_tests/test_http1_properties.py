"""Exchanges of an encoder of our own, cut anywhere, interleaved, with records missing: a complete message was sent."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import h11
import msgspec
from hypothesis import example, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from agentsight_rx.core.engine import Engine, Site
from agentsight_rx.events import (
    BodyPart,
    Connection,
    Direction,
    HttpEvent,
    HttpRequest,
    HttpResponse,
    Loss,
    Origin,
    TlsChunk,
    TlsClose,
    TlsEvent,
)
from agentsight_rx.events.loss import Reason
from agentsight_rx.operators import parse_http
from agentsight_rx.wire import Unparsed
from agentsight_rx.wire.http1 import Http1Decoder, Item
from agentsight_rx.wire.http1_framing import Body, End
from agentsight_rx.wire.http1_head import RequestHead, ResponseHead

Headers = tuple[tuple[str, str], ...]


class Sent(NamedTuple):
    """One message as its sender meant it."""

    line: str
    headers: Headers
    body: bytes


class Spelled(NamedTuple):
    sent: Sent
    raw: bytes


class Exchange(NamedTuple):
    request: Spelled
    interim: list[Spelled]
    response: Spelled


# -- an encoder -------------------------------------------------------------------------------------------------------------

METHODS = st.sampled_from(["GET", "POST", "PUT", "HEAD", "OPTIONS", "M-SEARCH", "x!#$%&'*+.^_`|~"])
TARGETS = st.one_of(
    st.just("/v1/messages"), st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=1, max_size=9)
)
STATUSES = st.sampled_from(
    [(200, "OK"), (200, ""), (201, "Made it"), (404, "Not Found"), (529, "Overloaded"), (204, "None"), (304, "Same")]
)
NAMES = st.sampled_from(["X-A", "x-a", "Set-Cookie", "Date", "Content-Type", "Host"])
VALUES = st.one_of(
    st.sampled_from(["", "a", "text/plain", "a: b", '"\\""', "ÿ\xa0x"]),
    st.text(st.characters(min_codepoint=0x21, max_codepoint=0xFF, exclude_characters="\x7f"), max_size=6),
)
HEADERS = st.lists(st.tuples(NAMES, VALUES), max_size=4)
BODIES = st.one_of(
    st.binary(max_size=40),
    st.sampled_from([b"", b"0\r\n\r\n", b"\r\n\r\n", b'{"model":"m"}', b"data: x\n\n", b"GET ", b"HTTP/1.1"]),
)
ENDS = st.sampled_from([b"\r\n", b"\r\n", b"\r\n", b"\n"])


def latin(text: str) -> bytes:
    return text.encode("latin-1")


@st.composite
def heads(draw: st.DrawFn, line: str, framing: list[tuple[str, str]]) -> tuple[Headers, bytes, bytes]:
    """The expected headers, the head, and its line end."""
    headers: list[tuple[str, str]] = draw(HEADERS)
    for extra in framing:
        headers.insert(draw(st.integers(0, len(headers))), extra)
    end = draw(ENDS)
    raw = latin(line) + end
    for name, value in headers:
        raw += latin(f"{name}:{draw(st.sampled_from([' ', '', '  ', chr(9)]))}{value}{draw(st.sampled_from(['', ' ']))}") + end
    return tuple((name.lower(), value) for name, value in headers), raw + end, end


@st.composite
def chunked(draw: st.DrawFn, body: bytes, end: bytes) -> bytes:
    raw = b""
    for piece in draw(pieces(body)):
        if piece:
            raw += draw(st.sampled_from([b"%x", b"%X", b"0%x", b"%x;a=b", b'%x ; a="b;c"'])) % len(piece) + end + piece + end
    trailers: list[bytes] = draw(st.sampled_from([[], [], [b"X-Sum: 1"], [b"A: b", b"C: d"]]))
    return raw + draw(st.sampled_from([b"0", b"000", b"0;last"])) + end + b"".join(line + end for line in trailers) + end


@st.composite
def messages(draw: st.DrawFn, line: str, *, bodiless: bool = False, forbidden: bool = False) -> Spelled:
    """`bodiless`: the head may announce a body, but none follows. `forbidden`: the head must not announce a body."""
    body: bytes = draw(BODIES)
    coding = "none" if forbidden else draw(st.sampled_from(["length", "chunked", "none"]))
    if coding == "none":
        headers, head, _ = draw(
            heads(line, [] if line.endswith("HTTP/1.1") or bodiless or forbidden else [("Content-Length", "0")])
        )
        return Spelled(Sent(line, headers, b""), head)
    if coding == "length":
        headers, head, _ = draw(heads(line, [("Content-Length", str(len(body)))]))
        raw = body
    else:
        headers, head, end = draw(
            heads(line, [("Transfer-Encoding", draw(st.sampled_from(["chunked", "Chunked", "gzip, chunked"])))])
        )
        raw = draw(chunked(body, end))
    return Spelled(Sent(line, headers, b"" if bodiless else body), head if bodiless else head + raw)


@st.composite
def exchanges(draw: st.DrawFn, number: int) -> Exchange:
    """All requests are different, so that a wrong pairing is detected."""
    method = draw(METHODS)
    request = draw(messages(f"{method} {draw(TARGETS)}?{number} HTTP/1.1"))
    interim: list[Spelled] = []
    if draw(st.booleans()):
        headers, raw, _ = draw(heads("HTTP/1.1 100 Continue", []))
        interim.append(Spelled(Sent("HTTP/1.1 100 Continue", headers, b""), raw))
    status, phrase = draw(STATUSES)
    bodiless = method == "HEAD" or status in (204, 304)
    return Exchange(request, interim, draw(messages(f"HTTP/1.1 {status} {phrase}", bodiless=bodiless)))


@st.composite
def conversations(draw: st.DrawFn, most: int = 3) -> list[Exchange]:
    return [draw(exchanges(number)) for number in range(draw(st.integers(1, most)))]


@st.composite
def pieces(draw: st.DrawFn, stream: bytes) -> list[bytes]:
    cuts = sorted(draw(st.lists(st.integers(0, len(stream)), max_size=8)))
    return [stream[start:end] for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True)]


# -- the decoder alone ------------------------------------------------------------------------------------------------------


def received(items: Sequence[Item]) -> tuple[list[Sent], list[str | None], bytes]:
    """The messages, for each why it is incomplete, and the unparsed bytes."""
    found: list[Sent] = []
    reasons: list[str | None] = []
    unparsed = b""
    for item in items:
        match item:
            case RequestHead():
                found.append(Sent(f"{item.method} {item.target} {item.version}", item.headers, b""))
            case ResponseHead():
                found.append(Sent(f"{item.version} {item.status} {item.phrase}", item.headers, b""))
            case Body():
                found[-1] = found[-1]._replace(body=found[-1].body + item.data)
            case End():
                reasons.append(item.reason)
            case Unparsed():
                unparsed += item.data
    return found, reasons, unparsed


def answering(methods: list[str]) -> Callable[[int], str]:
    left = list(methods)
    return lambda status: left[0] if status < 200 else left.pop(0)


@given(conversations(), st.data())
@settings(max_examples=200, deadline=None)
def test_what_was_sent_is_received_however_it_is_cut(conversation: list[Exchange], data: st.DataObject) -> None:
    requests = [exchange.request for exchange in conversation]
    responses = [message for exchange in conversation for message in (*exchange.interim, exchange.response)]
    methods = [request.sent.line.split(" ")[0] for request in requests]
    for sent, decoder in ((requests, Http1Decoder()), (responses, Http1Decoder(answering(methods)))):
        items = [item for part in data.draw(pieces(b"".join(message.raw for message in sent))) for item in decoder.feed(part)]
        assert received(items) == ([message.sent for message in sent], [None] * len(sent), b"")
        assert decoder.held() == 0
        sizes = [item.size for item in items if not isinstance(item, Unparsed)]
        assert sum(sizes) == sum(len(message.raw) for message in sent)


H11_NAMES = st.sampled_from(["X-A", "Accept", "Set-Cookie"])
H11_VALUES = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), max_size=8)


@given(
    st.lists(st.tuples(H11_NAMES, H11_VALUES), max_size=4), st.lists(st.binary(min_size=1, max_size=30), max_size=4), st.data()
)
def test_what_h11_sends_is_received(headers: list[tuple[str, str]], body: list[bytes], data: st.DataObject) -> None:
    peer = h11.Connection(h11.CLIENT)
    raw: list[bytes | None] = [
        peer.send(h11.Request(method="POST", target="/", headers=[("Host", "a"), ("Transfer-Encoding", "chunked"), *headers]))
    ]
    raw += [peer.send(h11.Data(data=part)) for part in body]
    raw.append(peer.send(h11.EndOfMessage(headers=[("X-Sum", "1")])))
    stream = b"".join(part or b"" for part in raw)
    decoder = Http1Decoder()
    items = [item for part in data.draw(pieces(stream)) for item in decoder.feed(part)]
    expected = (("host", "a"), ("transfer-encoding", "chunked"), *((name.lower(), value) for name, value in headers))
    assert received(items) == ([Sent("POST / HTTP/1.1", expected, b"".join(body))], [None], b"")


@given(conversations(most=2))
@settings(deadline=None)
def test_h11_reads_the_same_where_it_reads_at_all(conversation: list[Exchange]) -> None:
    for exchange in conversation:
        oracle = h11.Connection(h11.SERVER, max_incomplete_event_size=1 << 20)
        oracle.receive_data(exchange.request.raw)
        body = b""
        try:
            event = oracle.next_event()
            assert isinstance(event, h11.Request)
            while isinstance(part := oracle.next_event(), h11.Data):
                body += part.data
        except h11.RemoteProtocolError:
            continue
        if not isinstance(part, h11.EndOfMessage):  # h11 waits for ever for the CR of a chunk line
            continue
        (message,), _, _ = received(Http1Decoder().feed(exchange.request.raw))
        assert message.body == body
        assert message.line == f"{event.method.decode()} {event.target.decode()} HTTP/1.1"
        codings = ("content-length", "transfer-encoding")
        assert [header for header in message.headers if header[0] not in codings] == [
            (name.decode(), value.decode("latin-1")) for name, value in event.headers if name.decode() not in codings
        ]


TOKENS = [
    b"GET",
    b" ",
    b"/",
    b"HTTP/1.1",
    b"\r\n",
    b"\r\n\r\n",
    b"\n",
    b":",
    b"200",
    b"PRI * HTTP/2.0\r\n",
    b"5",
    b"0",
    b"\0",
    b"\xff",
]
LINES = [
    b"GET / HTTP/1.1\r\n",
    b"HTTP/1.1 200 OK\r\n",
    b"Content-Length: 5\r\n",
    b"Transfer-Encoding: chunked\r\n",
    b"3\r\nabc\r\n",
    b"\r\n",
]
NOISE = st.one_of(st.binary(max_size=60), st.lists(st.sampled_from(TOKENS + LINES), max_size=30).map(b"".join))
METHOD_OR_NONE = st.sampled_from([None, "GET", "HEAD", "CONNECT"])


@given(st.lists(st.one_of(NOISE, st.integers(1, 9), st.none()), max_size=8), METHOD_OR_NONE)
@settings(max_examples=400, deadline=None)
def test_any_bytes_and_gaps_are_accounted_for_and_a_checkpoint_changes_nothing(
    steps: list[bytes | int | None], method: str | None
) -> None:
    decoder, other = Http1Decoder(lambda _: method), Http1Decoder(lambda _: method)
    fed = given_out = 0
    for step in steps:
        state: Any = msgspec.msgpack.decode(msgspec.msgpack.encode(other.snapshot()))
        other = Http1Decoder(lambda _: method)
        other.restore(state)
        if isinstance(step, bytes):
            fed += len(step)
            items, again = decoder.feed(step), other.feed(step)
        elif step is None:
            items, again = decoder.finish(None), other.finish(None)
        else:
            items, again = decoder.gap(step, "lost"), other.gap(step, "lost")
        assert again == items
        given_out += sum(len(item.data) if isinstance(item, Unparsed) else item.size for item in items)
        assert given_out + decoder.held() == fed
    items = decoder.finish("capture_end")
    assert given_out + sum(len(item.data) if isinstance(item, Unparsed) else item.size for item in items) == fed


@given(NOISE, METHOD_OR_NONE, st.data())
@settings(max_examples=300, deadline=None)
def test_bytes_after_a_valid_head_are_read_the_same_however_they_are_cut(
    noise: bytes, method: str | None, data: st.DataObject
) -> None:
    """A cut moves the place where the search for the next message begins, so only messages before it must be equal."""
    stream = b"GET / HTTP/1.1\r\n\r\nHTTP/1.1 200 OK\r\n" + noise
    whole, cut = Http1Decoder(lambda _: method), Http1Decoder(lambda _: method)
    expected = received([*whole.feed(stream), *whole.finish(None)])
    items = [item for part in data.draw(pieces(stream)) for item in cut.feed(part)]
    found = received([*items, *cut.finish(None)])
    broken = expected[1].index("malformed") + 1 if "malformed" in expected[1] else len(expected[1])
    if not expected[2]:
        assert found == expected
    assert found[0][:broken] == expected[0][:broken]


# -- connections, gaps, pairing --------------------------------------------------------------------------------------------


class Record(NamedTuple):
    direction: Direction
    data: bytes
    begins: int  # the message whose first byte is the first of this record, -1 for none
    ends: int  # how many messages of this direction are complete with it


class Flow:
    """One connection: its exchanges in order, and the records they were cut into."""

    def __init__(self, draw: st.DrawFn, handle: int) -> None:
        self.connection = Connection(1, 2, "ssl", handle)
        self.exchanges: list[Exchange] = draw(conversations())
        self.records: list[Record] = []
        counts: dict[Direction, int] = {"out": 0, "in": 0}
        for exchange in self.exchanges:
            answers: list[Direction] = ["in"] * (1 + len(exchange.interim))
            directions: list[Direction] = ["out", *answers]
            for direction, message in zip(directions, (exchange.request, *exchange.interim, exchange.response), strict=True):
                number = counts[direction]
                counts[direction] += 1
                parts = [part for part in draw(pieces(message.raw)) if part]
                for index, part in enumerate(parts):
                    last = index == len(parts) - 1
                    self.records.append(Record(direction, part, -1 if index else number, number + last))

    def events(self, missing: set[int], *, close: bool) -> list[TlsEvent]:
        """The records except the `missing` ones, numbered as if none was missing."""
        places: dict[Direction, tuple[int, int]] = {"in": (0, 0), "out": (0, 0)}
        made: list[TlsEvent] = []
        for index, record in enumerate(self.records):
            offset, seq = places[record.direction]
            places[record.direction] = (offset + len(record.data), seq + 1)
            if index not in missing:
                origin = Origin(index, 1, 1, connection=self.connection, direction=record.direction)
                made.append(TlsChunk(origin, record.data, offset, seq))
        if close:
            origin = Origin(len(self.records), 1, 1, connection=self.connection)
            made.append(TlsClose(origin, places["in"][0], places["out"][0]))
        return made

    def answered(self) -> list[str]:
        """The request line for each message of direction `in`."""
        return [exchange.request.sent.line for exchange in self.exchanges for _ in (*exchange.interim, exchange.response)]

    def sent(self, direction: Direction) -> list[Sent]:
        if direction == "out":
            return [exchange.request.sent for exchange in self.exchanges]
        return [message.sent for exchange in self.exchanges for message in (*exchange.interim, exchange.response)]


@st.composite
def flows(draw: st.DrawFn, most: int = 1) -> list[Flow]:
    return [Flow(draw, handle) for handle in range(draw(st.integers(1, most)))]


@st.composite
def shuffled(draw: st.DrawFn, rows: list[list[TlsEvent]]) -> list[TlsEvent]:
    """All events, each row in its own order."""
    left = [list(row) for row in rows]
    mixed: list[TlsEvent] = []
    while any(left):
        row = draw(st.sampled_from([row for row in left if row]))
        mixed.append(row.pop(0))
    return mixed


def parsed(events: Sequence[TlsEvent]) -> list[HttpEvent]:
    """The events of parse_http; at each step every byte is in a message, a part, a raw record or held."""
    kernel = parse_http().kernel(Site(Engine(), "parse_http"))
    made: list[HttpEvent] = []
    fed = 0
    for event in events:
        made += kernel.feed([event])
        fed += len(event.data) if isinstance(event, TlsChunk) else 0
        assert weight(made) + kernel.held() == fed
    made += kernel.finish()
    assert weight(made) == fed
    return made


def weight(events: Sequence[HttpEvent]) -> int:
    sized = (event for event in events if isinstance(event, HttpRequest | HttpResponse | BodyPart))
    frames = (event.size for event in events if isinstance(event, Loss) and event.reason is Reason.OVERHEAD)  # of HTTP/2
    raw = (len(event.data) for event in events if isinstance(event, TlsChunk))
    return sum(event.size for event in sized) + sum(frames) + sum(raw)


def sent_of(event: HttpRequest | HttpResponse) -> Sent:
    first = (
        (event.method, event.target, event.version)
        if isinstance(event, HttpRequest)
        else (event.version, event.status, event.phrase)
    )
    return Sent(" ".join(map(str, first)), event.headers, event.body)


def messages_of(events: Sequence[HttpEvent], connection: Connection) -> list[HttpRequest | HttpResponse]:
    """The messages of a connection. A body that begins like a stream comes in parts, which are joined to it."""
    found: list[HttpRequest | HttpResponse] = []
    for event in events:
        if event.origin.connection != connection:
            continue
        if isinstance(event, HttpRequest | HttpResponse):
            found.append(event)
        elif isinstance(event, BodyPart):
            answers = {head.exchange: at for at, head in enumerate(found) if isinstance(head, HttpResponse)}
            place = answers[event.exchange]  # the last one: interim answers come before it
            head = found[place]
            found[place] = replace(head, body=head.body + event.data, complete=event.complete, reason=event.reason)
    return found


@given(flows(most=3), st.booleans(), st.data())
@settings(max_examples=100, deadline=None)
def test_without_loss_every_connection_gives_what_was_sent_on_it(
    all_flows: list[Flow], close: bool, data: st.DataObject
) -> None:
    made = parsed(data.draw(shuffled([flow.events(set(), close=close) for flow in all_flows])))
    assert not [event for event in made if isinstance(event, TlsChunk)]
    for flow in all_flows:
        found = messages_of(made, flow.connection)
        assert all(event.complete for event in found)
        assert [sent_of(event) for event in found if isinstance(event, HttpRequest)] == flow.sent("out")
        assert [sent_of(event) for event in found if isinstance(event, HttpResponse)] == flow.sent("in")
        lines = {event.exchange: f"{event.method} {event.target}" for event in found if isinstance(event, HttpRequest)}
        pairs = [lines[event.exchange] for event in found if isinstance(event, HttpResponse)]
        assert pairs == [line.removesuffix(" HTTP/1.1") for line in flow.answered()]
        for event in found:
            if isinstance(event, HttpResponse):
                assert f"{event.method} {event.target}" == lines[event.exchange]


KNOWN = ("GET ", "POST ", "PUT ", "HEAD ", "OPTIONS ", "HTTP/1.1 ")


def spared(flow: Flow, direction: Direction, missing: set[int]) -> Counter[Sent]:
    """
    Messages that must be complete: none of their records is missing, and if one is missing earlier in this direction, their
    first record contains a whole start line of a known kind. Only the request, or the bytes after it, show that a response to
    HEAD has no body; so a body that looks like the beginning of the next response may be taken for that.
    """
    sent = flow.sent(direction)
    hit: set[int] = set()
    dark = False
    number = -1
    for index, record in enumerate(flow.records):
        if record.direction != direction:
            continue
        if record.begins >= 0:
            number = record.begins
            if dark and not (b"\n" in record.data and latin(sent[number].line).startswith(tuple(map(latin, KNOWN)))):
                hit.add(number)
        if index in missing:
            hit.add(number)
            dark = True
    if direction == "in" and missing:
        hit |= {number for number, line in enumerate(flow.answered()) if line.startswith("HEAD ")}
        hit |= {number for number, answer in enumerate(sent) if answer.body and b"HTTP/1.1 ".startswith(answer.body[:9])}
    return Counter(message for number, message in enumerate(sent) if number not in hit)


@given(flows(most=2), st.data())
@settings(max_examples=200, deadline=None)
def test_with_loss_complete_messages_were_sent_and_undamaged_ones_are_complete(
    all_flows: list[Flow], data: st.DataObject
) -> None:
    rows: list[list[TlsEvent]] = []
    lost: list[set[int]] = []
    for flow in all_flows:
        lost.append(data.draw(st.sets(st.integers(0, len(flow.records) - 1), max_size=4)))
        rows.append(flow.events(lost[-1], close=True))
    made = parsed(data.draw(shuffled(rows)))
    for flow, missing in zip(all_flows, lost, strict=True):
        found = messages_of(made, flow.connection)
        assert {event.reason for event in found if not event.complete} <= (
            {"lost", "malformed", "closed"} if missing else set()
        )
        sides: list[tuple[Direction, type[HttpEvent]]] = [("out", HttpRequest), ("in", HttpResponse)]
        for direction, kind in sides:
            whole = Counter(sent_of(event) for event in found if type(event) is kind and event.complete)
            assert not whole - Counter(flow.sent(direction))
            assert not spared(flow, direction, missing) - whole


ODD_PLACES = st.integers(0, 60)
DIRECTIONS: st.SearchStrategy[Direction | None] = st.sampled_from(["in", "out", None])
ODD_ORIGINS = st.builds(Origin, st.just(1), st.just(1), connection=st.just(Connection(1, 2, "ssl", 3)), direction=DIRECTIONS)
ODD_EVENTS = st.one_of(
    st.builds(TlsChunk, ODD_ORIGINS, NOISE, ODD_PLACES, st.integers(0, 3), st.integers(-2, 5)),
    st.builds(TlsClose, ODD_ORIGINS, st.integers(-1, 60), st.integers(-1, 60)),
)


PREFACE = TlsChunk(
    Origin(1, 1, connection=Connection(1, 2, "ssl", 3), direction="in"), b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 0, 0, 0
)


@given(st.lists(ODD_EVENTS, max_size=8))
@example([PREFACE])
@example([PREFACE, TlsClose(PREFACE.origin, 0, 0)])
@settings(max_examples=300, deadline=None)
def test_records_with_impossible_numbers_are_accounted_for(events: list[TlsEvent]) -> None:
    parsed(events)
