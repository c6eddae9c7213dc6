"""
Strategies for whole HTTP/2 connections, from an encoder of our own: every legal encoding, streams interleaved.

With the bytes comes the expected output of a decoder: item by item in `Step`, message by message in `Exchange`.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

from hpack import Encoder
from hypothesis import strategies as st

from agentsight_rx.events import Direction, Headers
from agentsight_rx.wire.http2 import Control, Data, Fields, GoAway, Item, Reset
from property_tests.cuts import pieces_of

__all__ = ["PREFACE", "Conversation", "Exchange", "Sent", "Step", "conversations", "field_lists", "frame", "joined"]

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"


class Sent(NamedTuple):
    """One message as its sender meant it. `ended`: it was sent to its end."""

    headers: Headers
    body: bytes
    trailers: Headers
    ended: bool


class Exchange(NamedTuple):
    """`reset`: the side that reset the stream, if one did. A response without a head has no headers."""

    stream: int
    request: Sent
    interim: list[Headers]
    response: Sent
    reset: Direction | None


class Step(NamedTuple):
    """What one side sends at once: whole frames with whole header blocks, and the items for them."""

    direction: Direction
    data: bytes
    items: list[Item]


class Conversation(NamedTuple):
    """A connection from its first byte on. Directions are those of the client: its requests go out."""

    steps: list[Step]
    exchanges: list[Exchange]  # in the order of their streams, without pushed ones

    @property
    def segments(self) -> list[tuple[Direction, bytes]]:
        return [(step.direction, step.data) for step in self.steps]

    def raw(self, direction: Direction) -> bytes:
        return b"".join(step.data for step in self.steps if step.direction == direction)

    def items(self, direction: Direction) -> list[Item]:
        return [item for step in self.steps if step.direction == direction for item in step.items]


def joined(items: list[Item]) -> list[Item]:
    """Joins neighbours that only a cut divides: control frames, and the data of one stream up to its end."""
    made: list[Item] = []
    for item in items:
        last = made[-1] if made else None
        if isinstance(item, Control) and isinstance(last, Control):
            made[-1] = Control(last.size + item.size)
        elif isinstance(item, Data) and isinstance(last, Data) and last.stream == item.stream and not last.end:
            made[-1] = Data(item.stream, last.data + item.data, item.end, last.lost + item.lost, last.size + item.size)
        else:
            made.append(item)
    return made


# -- frames ---------------------------------------------------------------------------------------------------------------

_padding = st.sampled_from([None, None, None, 0, 1, 7])
_directions: st.SearchStrategy[Direction] = st.sampled_from(["in", "out"])
_mostly_not = st.sampled_from([False, False, False, True])


def frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    return len(payload).to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big") + payload


def _padded(draw: st.DrawFn, payload: bytes) -> tuple[int, bytes]:
    """A flag, and the payload with the padding that the flag announces."""
    padding = draw(_padding)
    return (0, payload) if padding is None else (8, bytes([padding]) + payload + bytes(padding))


@st.composite
def _header_block(draw: st.DrawFn, block: bytes, stream: int, end: bool, promised: int = 0) -> bytes:
    """A HEADERS frame, or a PUSH_PROMISE, with its CONTINUATIONs."""
    first, *rest = draw(pieces_of(block, 2)) or [b""]
    extra, flags = promised.to_bytes(4, "big") if promised else b"", 1 if end else 0
    if not promised and draw(_mostly_not):
        extra, flags = bytes([0x80, 0, 0, 0, 15]), flags | 32
    more, payload = _padded(draw, extra + first)
    raw = frame(5 if promised else 1, flags | more | (0 if rest else 4), stream, payload)
    for place, fragment in enumerate(rest):
        raw += frame(9, 4 if place == len(rest) - 1 else 0, stream, fragment)
    return raw


@st.composite
def _data(draw: st.DrawFn, stream: int, body: bytes, end: bool) -> tuple[bytes, list[Item]]:
    """DATA frames; the last one may be empty."""
    parts = draw(pieces_of(body, 2))
    if not parts or draw(_mostly_not):
        parts.append(b"")
    raw, items = b"", list[Item]()
    for place, part in enumerate(parts):
        last = end and place == len(parts) - 1
        flag, payload = _padded(draw, part)
        one = frame(0, flag | (1 if last else 0), stream, payload)
        items.append(Data(stream, part, last, 0, len(one)))
        raw += one
    return raw, items


@st.composite
def _control(draw: st.DrawFn, stream: int) -> bytes:
    return draw(
        st.sampled_from(
            [
                frame(4, 0, 0, b"\0\3\0\0\0\x64\0\4\0\1\0\0"),
                frame(4, 1, 0),
                frame(6, 0, 0, b"23456789"),  # without its first byte, 2054 bytes of DATA, so on a stream that is never used
                frame(8, 0, 0, b"\0\0\x40\0"),
                frame(8, 0, stream, b"\0\0\0\1"),
                frame(2, 0, stream, b"\0\0\0\0\x0f"),
                frame(10, 0, 0, b'\0\x0bhttps://a.bh3=":1"'),
                frame(16, 0, 0, stream.to_bytes(4, "big") + b"u=1"),
                frame(0xEE, 0x5A, stream, draw(st.binary(max_size=9))),
            ]
        )
    )


# -- fields ---------------------------------------------------------------------------------------------------------------

_names = st.sampled_from(["accept", "content-type", "x-a", "x-request-id", "user-agent", "cookie", "authorization", "date"])
_values = st.one_of(
    st.sampled_from(["", "a", "*/*", "application/json", "Bearer geheim", "ÿ\xa0x", "v" * 200, "w" * 2000, "x" * 5000]),
    st.text(st.characters(min_codepoint=0x21, max_codepoint=0xFF, exclude_characters="\x7f"), max_size=6),
)
field_lists: st.SearchStrategy[list[tuple[str, str]]] = st.lists(st.tuples(_names, _values), max_size=5)
_sizes = st.sampled_from([0, 60, 300, 4096, 65_536])


class _Sender:
    """One side; the fields it sent so far decide how it encodes the next ones."""

    def __init__(self, direction: Direction) -> None:
        self.direction: Direction = direction
        self._encoder = Encoder()

    def fields(self, draw: st.DrawFn, stream: int, headers: Headers, end: bool, promised: int = 0) -> Step:
        sizes = draw(st.lists(_sizes, max_size=2, unique=True))  # if a size is set twice, `Encoder` does not send it
        for size in sizes if draw(_mostly_not) else []:
            self._encoder.header_table_size = size
        spelled = [(name.encode("latin-1"), value.encode("latin-1"), draw(_mostly_not)) for name, value in headers]
        raw = draw(_header_block(self._encoder.encode(spelled, huffman=draw(st.booleans())), stream, end, promised))
        return Step(self.direction, raw, [Fields(stream, headers, True, end, len(raw), promised)])

    def data(self, draw: st.DrawFn, stream: int, body: bytes, end: bool) -> Step:
        return Step(self.direction, *draw(_data(stream, body, end)))

    def reset(self, stream: int) -> Step:
        return Step(self.direction, frame(3, 0, stream, b"\0\0\0\x08"), [Reset(stream, 8, 13)])

    def control(self, raw: bytes) -> Step:
        return Step(self.direction, raw, [Control(len(raw))])


# -- messages -------------------------------------------------------------------------------------------------------------

_bodies = st.one_of(st.binary(max_size=40), st.sampled_from([b"", b"{}", b"data: x\n\n", bytes(30), b"z" * 300]))


class _Plan(NamedTuple):
    """One step of a message."""

    direction: Direction
    kind: Literal["head", "interim", "body", "trailers", "reset", "push"]
    headers: Headers = ()
    body: bytes = b""
    end: bool = False


@st.composite
def _message(draw: st.DrawFn, direction: Direction, head: list[tuple[str, str]]) -> list[_Plan]:
    headers = tuple(head + draw(field_lists))
    shape = draw(st.sampled_from(["head", "body", "body", "trailers"]))
    if shape == "head":
        return [_Plan(direction, "head", headers, end=True)]
    bodies = draw(st.lists(_bodies, min_size=1, max_size=3))
    plans = [_Plan(direction, "head", headers)]
    for place, body in enumerate(bodies, 1):
        plans.append(_Plan(direction, "body", body=body, end=shape == "body" and place == len(bodies)))
    return plans if shape == "body" else [*plans, _Plan(direction, "trailers", tuple(draw(field_lists)), end=True)]


def _request_head(draw: st.DrawFn) -> list[tuple[str, str]]:
    method = draw(st.sampled_from(["GET", "POST", "POST"]))
    host = draw(st.sampled_from(["api.a.com", "b"]))
    path = draw(st.sampled_from(["/", "/v1/messages", "/v1/messages?beta=true"]))
    return [(":method", method), (":scheme", "https"), (":authority", host), (":path", path)]


@st.composite
def _exchange(draw: st.DrawFn) -> list[_Plan]:
    """In a legal order: what follows the head of the request is interleaved with the response."""
    first, *request = draw(_message("out", _request_head(draw)))
    response = draw(_message("in", [(":status", draw(st.sampled_from(["200", "404", "529"])))]))
    if draw(_mostly_not):
        response.insert(0, _Plan("in", "interim", ((":status", "103"), ("link", "</a>"))))
    if draw(_mostly_not):
        response.insert(draw(st.integers(0, len(response) - 1)), _Plan("in", "push", tuple(_request_head(draw))))
    plans = [first, *_interleaved(draw, [request, response])]
    if draw(_mostly_not):
        del plans[draw(st.integers(1, len(plans))) :]
        plans.append(_Plan(draw(_directions), "reset"))
    return plans


def _interleaved(draw: st.DrawFn, rows: list[list[_Plan]]) -> list[_Plan]:
    order = draw(st.permutations([place for place, row in enumerate(rows) for _ in row]))
    left = [iter(row) for row in rows]
    return [next(left[place]) for place in order]


@st.composite
def conversations(draw: st.DrawFn, most: int = 3) -> Conversation:
    """A client's preface, the settings of both, up to `most` exchanges at once, control frames anywhere."""
    out, into = _Sender("out"), _Sender("in")
    settings = frame(4, 0, 0, b"\0\2\0\0\0\0")
    steps = [out.control(PREFACE + settings), into.control(frame(4, 0, 0))]
    rows = draw(st.lists(_exchange(), min_size=1, max_size=most))
    order = draw(st.permutations([place for place, row in enumerate(rows) for _ in row]))
    left = [iter(row) for row in rows]
    streams: dict[int, int] = {}
    for place in order:
        stream = streams.setdefault(place, 2 * len(streams) + 1)
        plan = next(left[place])
        sender = out if plan.direction == "out" else into
        if draw(_mostly_not):
            steps.append(sender.control(draw(_control(stream))))
        steps += _said(draw, sender, stream, plan)
    if draw(_mostly_not):
        last = max(streams.values())
        raw = frame(7, 0, 0, last.to_bytes(4, "big") + b"\0\0\0\0" + draw(st.sampled_from([b"", b"bye"])))
        steps.append(Step("in", raw, [GoAway(last, 0, len(raw))]))
    return Conversation(steps, [_as_exchange(stream, rows[place]) for place, stream in streams.items()])


def _said(draw: st.DrawFn, sender: _Sender, stream: int, plan: _Plan) -> list[Step]:
    if plan.kind == "reset":
        return [sender.reset(stream)]
    if plan.kind == "body":
        return [sender.data(draw, stream, plan.body, plan.end)]
    if plan.kind == "push":
        pushed = 2 * stream
        promise = sender.fields(draw, stream, plan.headers, False, pushed)
        head = sender.fields(draw, pushed, ((":status", "200"),), False)
        return [promise, head, sender.data(draw, pushed, b"pushed", True)]
    return [sender.fields(draw, stream, plan.headers, plan.end)]


def _as_exchange(stream: int, plans: list[_Plan]) -> Exchange:
    interim = [plan.headers for plan in plans if plan.kind == "interim"]
    reset: Direction | None = next((plan.direction for plan in plans if plan.kind == "reset"), None)
    return Exchange(stream, _as_sent("out", plans), interim, _as_sent("in", plans), reset)


def _as_sent(direction: Direction, plans: list[_Plan]) -> Sent:
    own = [plan for plan in plans if plan.direction == direction]
    head = next((plan.headers for plan in own if plan.kind == "head"), ())
    trailers = next((plan.headers for plan in own if plan.kind == "trailers"), ())
    return Sent(head, b"".join(plan.body for plan in own), trailers, any(plan.end for plan in own))
